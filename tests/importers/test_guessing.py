"""Which kind a file is for: by its header, against every kind there is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from exporters.templates import TemplateFormat, template
from importers.contracts import Limits, Wanted
from importers.guessing import Candidate, Fit, choose, fits
from importers.refusals import UnreadableFile
from jobs.kinds.registry import KINDS
from licensing.fields import LANGUAGES, Language

CUSTOMER = tuple(name for name, kind in KINDS.items() if "customer" in kind.senders)


def candidates(names: Sequence[str] = tuple(KINDS), **given: str) -> list[Candidate]:
    """Kinds as they are held against a file."""
    kinds = [KINDS[name] for name in names if given.keys() <= set(KINDS[name].names)]
    return [
        Candidate(kind.name, Wanted(kind.fields, kind.subject, kind.domain, given), kind.takes_any_column)
        for kind in kinds
    ]


def guessed(path: Path, content: str | bytes, **options: Any) -> list[str]:
    """The kinds that a file may be for."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return [fit.kind for fit in choose(fits(path, candidates(**options), Limits()))]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("file_format", ["xlsx", "csv"])
def test_every_template_is_known_by_its_header(
    kind: str, language: Language, file_format: TemplateFormat, tmp_path: Path
) -> None:
    """Whoever fills in a template need not say what it is for. A list of license numbers alone asks for downloads:
    the template for data of one's own has no other column until somebody adds one."""
    made = template(KINDS[kind].fields, kind, language, file_format)
    expected = "list-downloads" if kind == "annotate-licenses" else kind
    assert guessed(tmp_path / "a", made) == [expected]


@pytest.mark.parametrize(
    ("header", "kinds"),
    [
        ("Codice voucher;Ragione sociale;Colore", ["redeem-vouchers"]),
        ("Voucher code;Reason", ["void-vouchers"]),
        ("License;Reason", ["revoke-licenses"]),
        ("License;Cost centre;Owner", ["annotate-licenses"]),
        ("License", ["list-downloads"]),
        ("License;New host ID", ["rehost-licenses"]),
        ("License;Product;Quantity", ["upgrade-licenses"]),
        ("License;New host ID;Product;Quantity", ["rehost-licenses", "upgrade-licenses"]),
        ("Serial;Product;Quantity;E-mail", ["load-serials", "register-serials"]),
        ("Serial;E-mail;Company;Country;Host ID", ["register-serials"]),
        ("Voucher code", []),
        ("Colour;Taste", []),
    ],
)
def test_one_kind_must_stand_out(header: str, kinds: list[str], tmp_path: Path) -> None:
    """It knows all that a rival knows and more, or two columns more; else both are named."""
    row = ";".join("x" for _ in header.split(";"))
    assert guessed(tmp_path / "a", f"{header}\n{row}\n") == kinds


def test_a_value_for_the_whole_batch_tells_something(tmp_path: Path) -> None:
    """A list of bare codes with a company is redeemed, with a reason made void."""
    codes = "RSI-26-7589670-J9KH\nRSI-26-9391423-MFCR\n"
    assert guessed(tmp_path / "a", codes, company="Rossi SpA") == ["redeem-vouchers"]
    assert guessed(tmp_path / "a", codes, reason="Lost") == ["void-vouchers"]
    assert guessed(tmp_path / "a", codes) == []


def test_only_what_the_sender_may_send_is_meant(tmp_path: Path) -> None:
    """Serials with e-mail addresses: whoever cannot load serials registers them."""
    assert guessed(tmp_path / "a", "Serial;Product;Quantity;E-mail\nx;x;1;x\n", names=CUSTOMER) == ["register-serials"]


def test_what_is_missing_is_known(tmp_path: Path) -> None:
    """Kinds that know some of the columns say which others they need."""
    (tmp_path / "a").write_text("Voucher code;Country\nx;IT\n")
    found = {fit.kind: fit for fit in fits(tmp_path / "a", candidates(), Limits())}
    assert found["redeem-vouchers"].missing == ("company",)
    assert found["redeem-vouchers"].titles == {"voucher_code": "Voucher code", "country": "Country"}
    assert Fit.from_json(found["redeem-vouchers"].to_json()) == found["redeem-vouchers"]


def test_what_is_no_table_is_refused(tmp_path: Path) -> None:
    """The sentence is that of reading."""
    with pytest.raises(UnreadableFile, match="PDF"):
        guessed(tmp_path / "a", b"%PDF-1.7 ...")
