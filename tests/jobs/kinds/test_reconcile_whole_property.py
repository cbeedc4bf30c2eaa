"""Nights of whole contracts, mixed with nights of one line of them, held against a plain day-by-day count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from config.wiring import App
from licensing.contracts import Line
from models.database import fetch
from tests.apps import account, outcome_codes, product
from tests.jobs.kinds.test_reconcile_property import EARLIEST, Told, for_good, move, statements
from tests.licensing.test_contracts import contracts

Submit = Callable[..., int]
SKUS = ("CAD", "PLM", "SIM")
_examples = count(1)


@settings(
    max_examples=3, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None
)
@given(st.lists(contracts(EARLIEST), min_size=3, max_size=3), st.data())
def test_whole_contracts_and_single_lines_may_take_turns(
    app: App, submit: Submit, drawn_lines: list[Line], data: st.DataObject
) -> None:
    """Whichever lines a night counted, the next one of the contract knows of all of them what is known."""
    code = f"WHOLE-{next(_examples)}"
    account(app, "ACME", "customer")
    text = (
        "Contract;Customer number;Product;Quantity;Unit price;Term start;Term (months);Period;Metric;Policy;"
        "Growth allowance (%);Tolerance (%);Report every (days)\n"
    )
    lines = []
    for sku, terms in zip(SKUS, drawn_lines, strict=True):
        product(app, sku)
        lines.append(Told(sku, replace(terms, commitments=terms.commitments[:1]), by_hosts=False))
        one = terms.commitments[0]
        text += f"{code};ACME;{sku};{one.quantity};{one.price};{terms.starts};{terms.months};{terms.unit};"
        text += f"{terms.metric};{terms.policy};{terms.growth};{terms.tolerance};{terms.report_days or ''}\n"
    assert outcome_codes(app, submit(text, "load-contracts", "VENDOR")) == ["created"] * 3
    query = "SELECT p.sku, n.id FROM contract_lines n JOIN contracts k ON k.id = n.contract_id JOIN products p"
    with app.engine.connect() as connection:
        ids = dict(fetch(connection, query + " ON p.id = n.product_id WHERE k.code = %(code)s", {"code": code}))
    for line in lines:
        line.id = ids[line.code]
    closed: set[tuple[Any, ...]] = set()
    for until in sorted(data.draw(st.lists(st.dates(EARLIEST, EARLIEST + timedelta(1000)), min_size=3, max_size=4))):
        rows = ""
        for line in lines:
            days = st.dates(line.terms.starts, max(min(line.terms.ends, until + timedelta(3)), line.terms.starts))
            for day in data.draw(st.lists(days, max_size=8)) if line.terms.report_days else ():
                line.reports[day][""] = data.draw(st.integers(0, 80))
                rows += f"{code};{line.code};{day};{line.reports[day]['']}\n"
        if rows:
            submit("Contract;Product;Date;Quantity\n" + rows, "report-usage", "ACME")
        move(app, data, lines)
        nights = data.draw(st.lists(st.tuples(st.sampled_from(["", *SKUS]), st.dates(EARLIEST, until)), max_size=2))
        text = "".join(f"{code};{sku};{night}\n" for sku, night in [*nights, ("", until)])
        submit("Contract;Product;Date\n" + text, "reconcile-contracts", "VENDOR")
        found = statements(app, lines)
        assert closed <= (closed := for_good(found))
        assert {row[:2]: row[2:9] for row in found} == {
            (line.id, starts): figures for line in lines for starts, figures in line.expected(until).items()
        }
        again = submit(f"Contract;Date\n{code};{until}\n", "reconcile-contracts", "VENDOR")
        assert outcome_codes(app, again) in (["unchanged"], ["contract_not_active"])
        assert statements(app, lines) == found
