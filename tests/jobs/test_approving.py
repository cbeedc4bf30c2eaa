"""Approval by a second person: who may confirm what, and that no door goes around it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from config.wiring import App
from jobs import accounts, control
from jobs.refusals import Refused
from models import audit
from models.database import transaction
from tests.apps import Submit, account, licensed, one, outcome_codes, product, state

Drive = Callable[[], None]
ANN, BOB = "user:ann@oem.example", "user:bob@oem.example"


@pytest.fixture
def orders(app: App, submit: Submit) -> Callable[..., int]:
    """Call it for a batch of an OEM that needs two people for more than two keys."""
    account(app, "OEM")
    product(app, "P")
    submit("OEM;Product;Count\nOEM;P;20\n", "mint-vouchers", "VENDOR")
    codes = iter(one(app, "SELECT array_agg(code ORDER BY id) FROM vouchers"))
    accounts.set_approval(app, "OEM", "2", False, actor="test")

    def order(count: int, **options: object) -> int:
        rows = "".join(f"{next(codes)};Acme\n" for _ in range(count))
        return submit(f"Voucher code;Company\n{rows}", **options)

    return order


def actions(app: App, batch: int) -> list[tuple[str, str]]:
    """Who did what to a batch, oldest first."""
    with transaction(app.engine) as connection:
        entries = audit.latest(connection, 100)
    return [(entry[1], entry[2]) for entry in reversed(entries) if entry[3] == f"batch {batch}"][1:]


def test_many_keys_wait_for_a_second_person(app: App, orders: Callable[..., int], drive: Drive):
    """The first one asks, only another one lets it run; both stand in the audit log."""
    batch = orders(3, confirm="ask")
    control.confirm(app, batch, actor=ANN)
    drive()
    assert state(app, batch) == "previewed" and outcome_codes(app, batch) == []
    with pytest.raises(Refused, match="second person"):
        control.confirm(app, batch, actor=ANN)
    control.confirm(app, batch, actor=BOB)
    drive()
    assert outcome_codes(app, batch) == ["issued"] * 3
    assert actions(app, batch)[:3] == [
        (ANN, "batch.approval_asked"), (BOB, "batch.approved"), (BOB, "batch.confirmed"),
    ]  # fmt: skip


def test_few_keys_need_nobody_else(app: App, orders: Callable[..., int], drive: Drive):
    """Exactly as many as the account says is not more."""
    batch = orders(2, confirm="ask")
    control.confirm(app, batch, actor=ANN)
    drive()
    assert outcome_codes(app, batch) == ["issued"] * 2


def test_rows_that_get_no_key_are_not_counted(app: App, submit: Submit, orders: Callable[..., int], drive: Drive):
    """Ten rows with mistakes are no ten keys."""
    batch = submit("Voucher code;Company\n" + "NO-SUCH-CODE;Acme\n" * 10, confirm="ask")
    control.confirm(app, batch, actor=ANN)
    drive()
    assert len(outcome_codes(app, batch)) == 10


def test_a_batch_that_would_run_by_itself_waits_too(app: App, orders: Callable[..., int], drive: Drive):
    """Nobody goes around it with confirm=auto; few keys still run at once."""
    assert outcome_codes(app, orders(2)) == ["issued"] * 2
    batch = orders(3)
    assert state(app, batch) == "previewed"
    control.confirm(app, batch, actor=ANN)
    control.confirm(app, batch, actor=BOB)
    drive()
    assert outcome_codes(app, batch) == ["issued"] * 3


def test_a_program_asks_but_does_not_approve(app: App, orders: Callable[..., int], drive: Drive):
    """Whoever confirmed in the portal could hold the token too."""
    batch = orders(3, confirm="ask")
    control.confirm(app, batch, actor=ANN)
    with pytest.raises(Refused, match="second person"):
        control.confirm(app, batch, actor="token:7 OEM")
    other = orders(3, confirm="ask")
    control.confirm(app, other, actor="token:7 OEM")
    control.confirm(app, other, actor=BOB)
    drive()
    assert outcome_codes(app, other) == ["issued"] * 3


def test_an_operator_on_the_command_line_is_enough(app: App, orders: Callable[..., int], drive: Drive):
    """Whoever has the machine has the keys; it is written down as an approval."""
    batch = orders(3, confirm="ask")
    control.confirm(app, batch, actor="cli:root")
    drive()
    assert outcome_codes(app, batch) == ["issued"] * 3
    assert ("cli:root", "batch.approved") in actions(app, batch)


def test_revoking_waits_where_the_account_says_so(app: App, submit: Submit, drive: Drive):
    """However few the licenses are."""
    account(app, "ACME", "customer")
    product(app, "P")
    (number,) = licensed(app, submit, "ACME", "S-1;P;1;5;12")
    accounts.set_approval(app, "VENDOR", "", True, actor="test")
    batch = submit(f"License;Reason\n{number};stolen\n", "revoke-licenses", "VENDOR")
    assert state(app, batch) == "previewed"
    control.confirm(app, batch, actor="user:ops@k.example")
    assert state(app, batch) == "previewed"
    control.confirm(app, batch, actor="user:second@k.example")
    drive()
    assert outcome_codes(app, batch) == ["revoked"]


@pytest.mark.parametrize("text", ["-1", "1.5", "many", "99999999999"])
def test_what_is_no_number_of_keys_is_refused(app: App, text: str):
    """With a sentence."""
    with pytest.raises(Refused, match="no number of keys"):
        accounts.set_approval(app, "VENDOR", text, False, actor="test")
