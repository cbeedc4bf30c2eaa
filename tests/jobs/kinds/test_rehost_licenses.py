"""``rehost-licenses`` from a list to outcomes, on a real database."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from config.wiring import App
from models import accounts
from models.database import fetch, run, transaction
from signing.tokens import claims_of
from tests.apps import account, kept, outcome_codes, product

Submit = Callable[..., int]
HEADER = "License;New host ID;Quantity\n"


@pytest.fixture
@kept
def licenses(app: App, submit: Submit) -> list[str]:
    """Licenses of MINE by a distributor: ten on H1 with maintenance, one on H1 with a limit, one without a host."""
    account(app, "DIST", "distributor")
    account(app, "STRANGER", "distributor")
    account(app, "MINE", "customer")
    with transaction(app.engine) as connection:
        accounts.delegate(connection, [("MINE", "DIST")])
    for sku in ("SUITE", "LIMITED"):
        product(app, sku)
    with transaction(app.engine) as connection:
        run(connection, "UPDATE products SET rehost_limit = 1, rehost_days = 30 WHERE sku = 'LIMITED'", {})
    loaded = (
        "Serial;Product;Quantity;Maintenance (months)\nTEN-0001;SUITE;10;12\nLIM-0001;LIMITED;;\nFREE-001;SUITE;;\n"
    )
    submit(loaded, "load-serials", "VENDOR")
    rows = ("Serial;Customer number;E-mail;Host ID", "TEN-0001;MINE;a@b.it;H1", "LIM-0001;MINE;a@b.it;H1")
    text = "\n".join((*rows, "FREE-001;MINE;a@b.it;"))
    return numbers(app, submit(text, "register-serials", "DIST"))


def numbers(app: App, batch_id: int) -> list[str]:
    """The license number of each row of a batch that has one, in file order."""
    with app.engine.connect() as connection:
        query = "SELECT license_number FROM outcomes WHERE batch_id = %(b)s AND license_number IS NOT NULL ORDER BY 1"
        return [row[0] for row in fetch(connection, query.replace("BY 1", "BY ordinal"), {"b": batch_id})]


def active(app: App) -> dict[tuple[str, int], str]:
    """The active licenses: number by host and quantity."""
    with app.engine.connect() as connection:
        query = "SELECT host_id, quantity, number FROM licenses WHERE state = 'active'"
        return {(host, quantity): number for host, quantity, number in fetch(connection, query, {})}


def move(submit: Submit, *rows: str, sender: str = "DIST", **options: object) -> int:
    """Send rows of ``rehost-licenses``: the batch's id."""
    return submit(HEADER + "".join(row + "\n" for row in rows), "rehost-licenses", sender, **options)


def test_every_row_gets_the_answer_it_deserves(app: App, submit: Submit, licenses: list[str]) -> None:
    """In part, the same again, of the rest, too much, all the rest, gone; limit, no host, same host, unknown."""
    ten, limited, free = licenses
    batch = move(
        submit,
        f"{ten};H2;3",
        f"{ten.lower()};H2;3",
        f"{ten};H1;",
        f"{ten};H3;8",
        f"{ten};H3;4",
        f"{ten};H4;",
        f"{ten};H5;1",
        f"{limited};H2;",
        f"{limited};H2;",
        f"{limited};H3;",
        f"{free};H2;",
        "KML-000000-000000-000000;H2;",
        "KML-000000-000000-000001;H2;",
        f"{ten};;",
    )
    assert outcome_codes(app, batch) == [
        "issued_in_part", "already_issued", "unchanged", "quantity_not_left", "issued_in_part", "issued",
        "license_not_active", "issued", "already_issued", "license_not_active", "license_without_host",
        "mistyped_code", "mistyped_code", "missing_value",
    ]  # fmt: skip
    assert {key for key in active(app) if key[0]} == {("H2", 3), ("H3", 4), ("H4", 3), ("H2", 1)}
    moved = numbers(app, batch)[-1]
    assert outcome_codes(app, move(submit, f"{moved};H7;")) == ["rehost_limit_reached"]


def test_the_chain_is_traced_to_its_root(app: App, submit: Submit, licenses: list[str]) -> None:
    """Every license that came of one names the one it replaced and the first; old ones are rehosted, with the day."""
    (first,) = numbers(app, move(submit, f"{licenses[0]};H2;4"))
    (second,) = numbers(app, move(submit, f"{first};H3;"))
    with app.engine.connect() as connection:
        query = (
            "SELECT number, cause, parent_number, root_number, state, ended_at IS NOT NULL FROM licenses"
            " WHERE root_number IS NOT NULL OR number = %(n)s"
        )
        found = {row[0]: row[1:] for row in fetch(connection, query, {"n": licenses[0]})}
    root = licenses[0]
    rest = active(app)["H1", 6]
    assert found == {
        root: (None, None, None, "rehosted", True),
        first: ("rehost", root, root, "rehosted", True),
        rest: ("split", root, root, "active", False),
        second: ("rehost", first, root, "active", False),
    }


def test_keys_say_what_they_are_worth_and_keep_their_maintenance(app: App, submit: Submit, licenses: list[str]) -> None:
    """The new key and that of the rest name their quantities and hosts, and the same end of maintenance."""
    move(submit, f"{licenses[0]};H2;4")
    with app.engine.connect() as connection:
        query = "SELECT key FROM licenses WHERE root_number = %(n)s OR number = %(n)s ORDER BY quantity"
        claims = [claims_of(row[0]) for row in fetch(connection, query, {"n": licenses[0]})]
    assert [(claim.host, claim.quantity) for claim in claims] == [("H2", 4), ("H1", 6), ("H1", 10)]
    assert len({claim.maintained_until for claim in claims}) == 1
    assert claims[0].maintained_until is not None


def test_what_is_not_ours_looks_as_if_unknown(app: App, submit: Submit, licenses: list[str]) -> None:
    """A distributor that nobody delegated to learns nothing; the customer itself may move its license."""
    assert outcome_codes(app, move(submit, f"{licenses[0]};H2;", sender="STRANGER")) == ["unknown_license"]
    assert outcome_codes(app, move(submit, f"{licenses[0]};H2;", sender="MINE")) == ["issued"]


def test_a_share_decides_who_may_move_and_goes_along(app: App, submit: Submit, licenses: list[str]) -> None:
    """A license shared for reading cannot be moved, one shared for managing can, and the share stays on the new one."""
    with transaction(app.engine) as connection:
        give = (
            "INSERT INTO shares (license_number, account_id, permission)"
            " SELECT %(n)s, id, %(p)s FROM accounts WHERE number = 'STRANGER'"
        )
        run(connection, give, {"n": licenses[0], "p": "read"})
        run(connection, give, {"n": licenses[1], "p": "manage"})
    batch = move(submit, f"{licenses[0]};H2;", f"{licenses[1]};H2;", sender="STRANGER")
    assert outcome_codes(app, batch) == ["license_read_only", "issued"]
    with app.engine.connect() as connection:
        query = "SELECT permission FROM shares WHERE license_number = %(n)s"
        assert fetch(connection, query, {"n": numbers(app, batch)[0]}) == [("manage",)]


def test_preview_says_what_the_run_does(app: App, submit: Submit, licenses: list[str]) -> None:
    """Twelve rows of one license over several slices: the preview reckons with what earlier rows would take."""
    rows = [f"{licenses[0]};N{number};1" for number in range(12)]
    previewed = move(submit, *rows, confirm="ask")
    with app.engine.connect() as connection:
        query = "SELECT code FROM previews WHERE batch_id = %(b)s ORDER BY ordinal"
        said = [row[0] for row in fetch(connection, query, {"b": previewed})]
    assert said == ["issued_in_part"] * 9 + ["issued"] + ["license_not_active"] * 2
    assert outcome_codes(app, move(submit, *rows)) == said


def test_the_same_file_again_gets_the_same_keys(app: App, submit: Submit, licenses: list[str]) -> None:
    """Parts that were moved before are found again, over the rest of the rest."""
    rows = (f"{licenses[0]};H2;3", f"{licenses[0]};H3;3", f"{licenses[0]};H4;")
    first, second = move(submit, *rows), move(submit, *rows)
    assert outcome_codes(app, second) == ["already_issued"] * 3
    assert numbers(app, first) == numbers(app, second)
