"""What an account sees in the database: every table of the schema, tried as its owner and as strangers."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine
from sqlalchemy.exc import ProgrammingError

from config.wiring import App
from models.database import fetch, metadata, transaction
from models.tenancy import ROLE, seen_by, tenant
from tests.apps import Submit, outcome_codes
from tests.tenants import World, id_of

TABLES = sorted(metadata.tables)
# The same for everybody.
CATALOGUE = {"products", "releases", "upgrade_paths"}
# What an account of the vendor's customers has in it; every other table is closed to them.
OWN = {
    "accounts", "api_tokens", "approvals", "batches", "chunks", "commitments", "contract_lines", "contracts",
    "delegations", "deliveries", "draw_downs", "drop_boxes", "events", "header_mappings", "hidden_results", "licenses",
    "mail_subscriptions", "notifications", "outcomes", "previews", "rows", "serials", "sessions",
    "shares", "ssh_keys", "statements", "uploads", "usage_reports", "user_fields", "users", "vouchers",
    "webhook_endpoints",
}  # fmt: skip
# Closed, and the policy says so too: what runs when, and where the vendor looks for files.
VENDORS = {"drops", "drop_files", "schedules", "schedule_runs"}
# A column that may be read, where the first one may not.
READABLE = {"sessions": "user_id"}


@pytest.fixture
def app(world_app: App) -> App:
    """An app with something of each kind."""
    return world_app


def seen(app: App, number: str) -> dict[str, int]:
    """How many rows of each table an account sees; tables that it may not read are left out."""
    found = {}
    for table in TABLES:
        column = READABLE.get(table) or next(iter(metadata.tables[table].c)).name
        try:
            with tenant(app.engine, id_of(app, number)) as connection:
                found[table] = int(fetch(connection, f"SELECT count({column}) FROM {table}", {})[0][0])
        except Exception as error:
            if type(error).__name__ != "InsufficientPrivilege":
                raise
    return found


def test_every_table_is_closed_or_has_one_policy(engine: Engine):
    """A new table is closed until a migration gives it a policy; none is open without row-level security."""
    with engine.connect() as connection:
        rows = fetch(
            connection,
            "SELECT c.relname, c.relrowsecurity, (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid)"
            " FROM pg_class c WHERE c.relkind IN ('r', 'v', 'm', 'p')"
            " AND c.relnamespace = current_schema()::regnamespace"
            " AND has_any_column_privilege(%(role)s, c.oid, 'SELECT')",
            {"role": ROLE},
        )
    assert {row[0] for row in rows} == OWN | CATALOGUE
    assert [row for row in rows if row[1:] != (True, 1)] == []


def test_the_vendors_business_is_closed_twice(engine: Engine):
    """Schedules and drops: nothing is granted, and a grant by mistake would show no row."""
    with engine.connect() as connection:
        rows = fetch(
            connection,
            "SELECT c.relname, pg_get_expr(p.polqual, p.polrelid) FROM pg_class c"
            " JOIN pg_policy p ON p.polrelid = c.oid WHERE c.relrowsecurity"
            " AND NOT has_any_column_privilege(%(role)s, c.oid, 'SELECT')",
            {"role": ROLE},
        )
    assert {(table, "false") for table in VENDORS} <= set(rows)


def test_a_tenant_may_write_nothing(engine: Engine):
    """The role may read and do nothing else, sequences included."""
    with engine.connect() as connection:
        rows = fetch(
            connection,
            "SELECT c.relname FROM pg_class c WHERE c.relkind IN ('r', 'S')"
            " AND c.relnamespace = current_schema()::regnamespace AND CASE c.relkind"
            " WHEN 'S' THEN has_sequence_privilege(%(role)s, c.oid, 'USAGE, UPDATE')"
            " ELSE has_table_privilege(%(role)s, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')"
            " OR has_any_column_privilege(%(role)s, c.oid, 'INSERT, UPDATE') END",
            {"role": ROLE},
        )
    assert rows == []


def test_an_owner_sees_its_own_and_strangers_see_nothing(app: App, world: World):
    """Every table has rows for its owner; as anybody else's account not one, but for the account itself."""
    owner, oem = seen(app, "ONE"), seen(app, "OEM")
    assert {table for table in OWN if not owner[table] and not oem[table]} == set()
    for stranger in ("STRANGER", "RIVAL"):
        found = seen(app, stranger)
        assert {table: count for table, count in found.items() if count and table not in CATALOGUE} == {"accounts": 1}
        assert {table: found[table] for table in CATALOGUE} == {table: owner[table] for table in CATALOGUE}


def test_an_account_sees_what_was_delegated_and_shared(app: App, world: World):
    """A distributor sees its customer's licenses and contracts but no batches; a friend sees one license, no more."""
    distributor, friend, owner = seen(app, "DIST"), seen(app, "FRIEND"), seen(app, "ONE")
    for table in ("licenses", "contracts", "statements", "usage_reports", "serials", "user_fields"):
        assert distributor[table] == owner[table] > 0, table
    for table in (
        "batches", "rows", "outcomes", "users", "api_tokens", "uploads", "sessions", "vouchers", "webhook_endpoints",
        "deliveries", "mail_subscriptions", "ssh_keys", "hidden_results",
    ):  # fmt: skip
        assert distributor[table] == friend[table] == 0, table
    assert owner["licenses"] == 3  # two certificates and a draw-down
    assert {table: friend[table] for table in ("licenses", "shares", "user_fields")} == {
        "licenses": 1, "shares": 1, "user_fields": 1,
    }  # fmt: skip
    assert friend["contracts"] == friend["serials"] == 0


def test_what_is_withdrawn_is_gone(app: App, submit: Submit, world: World):
    """A delegation or a share that ended shows nothing any more."""
    withdrawn = submit(f"License;With account;Permission\n{world.licenses[0]};FRIEND;none\n", "share-licenses", "ONE")
    assert outcome_codes(app, withdrawn) == ["share_withdrawn"]
    with transaction(app.engine) as connection:
        connection.exec_driver_sql("UPDATE delegations SET state = 'withdrawn'")
    assert seen(app, "FRIEND")["licenses"] == seen(app, "DIST")["licenses"] == 0


def test_the_vendor_sees_everything(app: App, world: World):
    """Operations are no tenant: every table, every row."""
    everything = seen(app, "VENDOR")
    with transaction(app.engine) as connection:
        for table in TABLES:
            assert everything[table] == fetch(connection, f"SELECT count(*) FROM {table}", {})[0][0], table


@pytest.mark.parametrize("account_id", [0, -1, 2**62])
def test_an_account_that_does_not_exist_sees_nothing(app: App, world: World, account_id: int):
    """The default is the role that sees little, whatever the id."""
    with tenant(app.engine, account_id) as connection:
        assert fetch(connection, "SELECT current_user", {}) == [(ROLE,)]
        for table in ("accounts", "batches", "licenses"):
            assert fetch(connection, f"SELECT count(*) FROM {table}", {}) == [(0,)]


def test_the_role_ends_with_the_transaction(app: App):
    """A pooled connection that a tenant used is the owner's again, after a commit and after an error."""
    with tenant(app.engine, id_of(app, "ONE")) as connection:
        inside = connection.exec_driver_sql("SELECT current_user, pg_backend_pid()").one()
    with pytest.raises(ProgrammingError), tenant(app.engine, id_of(app, "ONE")) as connection:
        connection.exec_driver_sql("SELECT count(*) FROM signing_keys")
    with transaction(app.engine) as connection:
        after = connection.exec_driver_sql("SELECT current_user, pg_backend_pid()").one()
    assert inside[0] == ROLE and after[0] != ROLE
    assert inside[1] == after[1]


def test_every_way_to_begin_is_the_tenants(app: App):
    """Whatever opens a transaction on the engine of an account is that account's, ``connect`` too."""
    engine = seen_by(app.engine, id_of(app, "ONE"))
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT current_user").scalar() == ROLE
    with engine.connect() as connection:
        assert fetch(connection, "SELECT current_user", {}) == [(ROLE,)]
    with engine.begin() as connection:
        connection.commit()
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
        connection.rollback()
        assert connection.exec_driver_sql("SELECT current_user").scalar() == ROLE


def test_lists_are_found_by_index(app: App, world: World):
    """An account's licenses are looked up by their customers, not by going through everybody's."""
    with transaction(app.engine) as connection:
        connection.exec_driver_sql(
            "WITH more AS (INSERT INTO accounts (number, type, name, registered_by, company_key) SELECT 'X' || n,"
            " 'customer', 'X', 1, 'X' || n FROM generate_series(1, 2000) n RETURNING id)"
            " INSERT INTO licenses (number, key, account_id, customer_id, product_id, version, issued_at, batch_id,"
            " ordinal) SELECT id || '-' || n, 'k', 1, id, 1, '1', now(), 1, n FROM more, generate_series(1, 10) n"
        )
        connection.exec_driver_sql("ANALYZE")
    with tenant(app.engine, id_of(app, "DIST")) as connection:
        query = "EXPLAIN SELECT l.number FROM licenses l JOIN accounts c ON c.id = l.customer_id"
        plan = "\n".join(row[0] for row in fetch(connection, query, {}))
    assert "ix_licenses_customer_id" in plan, plan
