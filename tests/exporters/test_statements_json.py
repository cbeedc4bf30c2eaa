"""The JSON document of statements."""

from __future__ import annotations

import json
from decimal import Decimal

from exporters.statements_json import document
from tests.exporters.reported import contract, line


def test_every_figure_is_there_as_it_was_stated() -> None:
    """Sums as strings with all their digits, days as ISO writes them, causes with batch and row, flags by name."""
    told = json.loads(b"".join(document([contract(customer='A "<&>\\')], issuer="V", batch=7)))
    assert (told["format"], told["batch"], told["issuer"]) == (1, 7, "V")
    (found,) = told["contracts"]
    assert found["customer"] == {"number": "C-1", "name": 'A "<&>\\', "country": "IT"}
    assert (found["contract"], found["starts"], found["ends"]) == ("FC-1", "2026-01-01", "2026-12-31")
    (one,) = found["lines"]
    assert (one["growth_percent"], one["metric"], one["period"]) == ("5", "peak", "quarter")
    assert one["commitments"][1] == {"since": "2026-07-01", "quantity": 120, "unit_price": "500"}
    for stated, entry in zip(one["statements"], contract().lines[0].entries, strict=True):
        assert (stated["statement"], stated["state"], stated["batch"]) == (entry.number, entry.state, 7)
        assert (stated["starts"], stated["until"]) == (entry.starts.isoformat(), entry.until.isoformat())
        for name in ("used", "over", "unused", "owed"):
            assert isinstance(stated[name], str) and Decimal(stated[name]) == getattr(entry, name)
    adjusted = one["statements"][1]
    assert adjusted["causes"] == [{"batch": 31, "row": 7}]
    assert (adjusted["owed"], adjusted["owed_from"], adjusted["flags"]) == ("1234.50", None, ["owed", "adjusted"])


def test_a_contract_is_a_line() -> None:
    """The document can be written and read piece by piece, and is whole with no contract at all."""
    lines = b"".join(document([contract(), contract([line("X")])], issuer="V", batch=None)).splitlines()
    assert [json.loads(one.rstrip(b","))["lines"][0]["product"]["sku"] for one in lines[1:-1]] == ["CAD", "X"]
    assert json.loads(b"".join(document([], issuer="V", batch=None)))["contracts"] == []
