"""``revoke-licenses`` and ``void-vouchers`` from lists to outcomes, on a real database."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from config.wiring import App
from jobs.refusals import Refused
from models.database import fetch
from tests.apps import account, answers, kept, licensed, one, outcome_codes, previewed_codes, product

Submit = Callable[..., int]


@pytest.fixture
@kept
def licenses(app: App, submit: Submit) -> list[str]:
    """Two licenses of MINE on host H1, and three vouchers of OEM, of which V-3 is redeemed."""
    account(app, "MINE", "customer")
    account(app, "OEM")
    product(app, "BOX", host_bound=True)
    vouchers = "Voucher code;OEM;Product\nV-1;OEM;BOX\nV-2;OEM;BOX\nV-3;OEM;BOX\n"
    submit(vouchers, "load-vouchers", "VENDOR")
    assert outcome_codes(app, submit("Voucher code;Company;Host ID\nV-3;Rossi;H1\n")) == ["issued"]
    return licensed(app, submit, "MINE", "CERT-001;BOX;;5;", "CERT-002;BOX;;1;", host="H1")


def revoke(submit: Submit, *rows: str, sender: str = "VENDOR", **options: object) -> int:
    """Send rows of ``revoke-licenses``: the batch's id."""
    return submit("License;Reason\n" + "".join(row + "\n" for row in rows), "revoke-licenses", sender, **options)


def test_every_license_gets_the_answer_it_deserves(app: App, submit: Submit, licenses: list[str]) -> None:
    """Revoked, the same again, without a reason, unknown, moved away as a whole; and the reason is kept."""
    submit(f"License;New host ID\n{licenses[1]};H2\n", "rehost-licenses", "MINE")
    rows = (
        f"{licenses[0]};",
        f"{licenses[0]};Not paid",
        f"{licenses[0].lower()};Not paid",
        "L-0;Not paid",
        f"{licenses[1]};Not paid",
    )
    expected = ["missing_value", "revoked", "unchanged", "unknown_license", "license_not_active"]
    assert previewed_codes(app, revoke(submit, *rows, confirm="ask")) == expected
    assert outcome_codes(app, revoke(submit, *rows)) == expected
    with app.engine.connect() as connection:
        query = "SELECT state, end_reason, ended_at IS NOT NULL FROM licenses WHERE number = %(n)s"
        assert fetch(connection, query, {"n": licenses[0]}) == [("revoked", "Not paid", True)]
    query = "SELECT detail ->> 'reason' FROM audit_log WHERE action = 'license.revoked' AND subject = %(s)s"
    assert one(app, query, s=f"license {licenses[0]}") == "Not paid"


def test_what_is_left_of_a_license_is_revoked_by_its_old_number(app: App, submit: Submit, licenses: list[str]) -> None:
    """Part of it moved away and stays; the rest, a license of its own by now, is revoked, once."""
    moved = submit(f"License;New host ID;Quantity\n{licenses[0]};H2;2\n", "rehost-licenses", "MINE")
    rest = answers(app, moved)[0].detail
    batch = revoke(submit, f"{licenses[0]};Not paid", f"{rest};Not paid")
    assert [(a.code, a.license_number) for a in answers(app, batch)] == [("revoked", rest), ("unchanged", None)]
    query = "SELECT state FROM licenses WHERE number = %(n)s"
    assert one(app, query, n=answers(app, moved)[0].license_number) == "active"


def test_nothing_is_made_of_a_revoked_license(app: App, submit: Submit, licenses: list[str]) -> None:
    """Its host cannot change any more, and its certificate gives no second key."""
    revoke(submit, f"{licenses[0]};Not paid")
    batch = submit(f"License;New host ID\n{licenses[0]};H2\n", "rehost-licenses", "MINE")
    assert outcome_codes(app, batch) == ["license_not_active"]
    order = submit("Serial;E-mail;Host ID\nCERT-001;a@b.it;H9\n", "register-serials", "MINE")
    assert outcome_codes(app, order) == ["serial_used_up"]


def test_only_the_vendor_revokes(submit: Submit, licenses: list[str]) -> None:
    """A customer cannot revoke, not even what is its own."""
    with pytest.raises(Refused, match="vendor"):
        revoke(submit, f"{licenses[0]};Not wanted", sender="MINE")


def test_every_voucher_gets_the_answer_it_deserves(app: App, submit: Submit, licenses: list[str]) -> None:
    """Void, the same again, redeemed, unknown; a void code is refused from then on, and why is kept."""
    text = "Voucher code;Reason\nV-1;Lost\nv 1;Lost\nV-3;Lost\nV-9;Lost\nV-2;\n"
    expected = ["voided", "unchanged", "voucher_redeemed", "unknown_voucher", "missing_value"]
    assert previewed_codes(app, submit(text, "void-vouchers", "VENDOR", confirm="ask")) == expected
    assert outcome_codes(app, submit(text, "void-vouchers", "VENDOR")) == expected
    assert outcome_codes(app, submit("Voucher code;Company;Host ID\nV-1;Rossi;H1\n")) == ["voucher_void"]
    assert one(app, "SELECT end_reason FROM vouchers WHERE key = 'V1'") == "Lost"
    assert one(app, "SELECT count(*) FROM audit_log WHERE action = 'voucher.voided'") == 1
