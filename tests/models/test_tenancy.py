"""What an account sees in the database: every table of the schema, tried as the account and as a stranger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError

from config.wiring import App
from jobs import api_tokens, users
from models import uploads
from models.database import fetch, metadata, transaction
from models.tenancy import ROLE, seen_by, tenant
from tests.apps import Submit, account, answers, licensed, product

# Nobody's business but operations': a tenant may not read them at all.
CLOSED = {
    "audit_log", "mint_orders", "release_files", "renewals", "reversals", "signing_keys", "workers",
}  # fmt: skip
# The same for everybody.
CATALOGUE = {"products", "releases", "upgrade_paths"}
TABLES = sorted(metadata.tables)


def test_every_table_is_either_closed_or_has_a_policy(engine: Any):
    """A table that is new is closed until a migration gives it a policy; none is open without row-level security."""
    with engine.connect() as connection:
        open_tables = {
            row[0]: (row[1], row[2])
            for row in fetch(
                connection,
                "SELECT c.relname, c.relrowsecurity, (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid)"
                " FROM pg_class c WHERE c.relkind IN ('r', 'v', 'm', 'p')"
                " AND c.relnamespace = current_schema()::regnamespace AND has_any_column_privilege(%(role)s, c.oid,"
                " 'SELECT, INSERT, UPDATE')",
                {"role": ROLE},
            )
        }
    assert set(open_tables) == set(TABLES) - (set(TABLES) - set(open_tables))
    assert set(TABLES) - set(open_tables) >= CLOSED
    assert {name: found for name, found in open_tables.items() if found != (True, 1)} == {}


def test_a_tenant_may_write_nothing(engine: Any):
    """The role has no right but to read."""
    with engine.connect() as connection:
        writable = fetch(
            connection,
            "SELECT c.relname FROM pg_class c WHERE c.relkind IN ('r', 'S')"
            " AND c.relnamespace = current_schema()::regnamespace AND CASE c.relkind"
            " WHEN 'S' THEN has_sequence_privilege(%(role)s, c.oid, 'USAGE, UPDATE')"
            " ELSE has_table_privilege(%(role)s, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')"
            " OR has_any_column_privilege(%(role)s, c.oid, 'INSERT, UPDATE') END",
            {"role": ROLE},
        )
    assert writable == []


@pytest.fixture
def world(app: App, submit: Submit) -> dict[str, Any]:
    """Two customers, two distributors and an OEM, and something of ONE's in every table that a tenant may read."""
    for number in ("ONE", "TWO"):
        account(app, number, "customer")
    for number in ("DIST", "RIVAL"):
        account(app, number, "distributor")
    account(app, "OEM", "oem")
    product(app, "P", host_bound=False)
    submit("Product,Version,Release date\nP,2,2026-06-01\n", "load-products", "VENDOR")
    submit("Product,Version,Release date,From product,From version\nP,3,2026-07-01,P,2\n", "load-products", "VENDOR")
    numbers = licensed(app, submit, "ONE", "S-1;P;2;5;36", "S-2;P;2;5;36")
    submit(f"License,Site\n{numbers[0]},Rome\n", "annotate-licenses", "ONE")
    submit("Product,Release\nP,3\n", "notify-upgrades", "VENDOR")
    header = "contract,customer_number,product,quantity,starts,ends,time_zone\n"
    submit(f"{header}C-1,ONE,P,100,2026-01-01,2027-12-31,UTC\n", "load-contracts", "VENDOR")
    return {"licenses": numbers}


def seen(app: App, number: str, table: str) -> int | None:
    """How many rows of a table an account sees; None where it may not look."""
    with transaction(app.engine) as connection:
        account_id = fetch(connection, "SELECT id FROM accounts WHERE number = %(n)s", {"n": number})[0][0]
    try:
        with tenant(app.engine, account_id) as connection:
            column = next(iter(metadata.tables[table].c)).name
            if table == "sessions":
                column = "user_id"
            return int(fetch(connection, f"SELECT count({column}) FROM {table}", {})[0][0])
    except ProgrammingError:
        return None
    except Exception as error:
        if "permission denied" in str(error):
            return None
        raise
