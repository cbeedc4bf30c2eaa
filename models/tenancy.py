"""What an account sees: its own and what was delegated to it or shared with it. PostgreSQL sees to it, not the queries.

An account's transactions run as the role ``keymill_tenant``, which owns nothing: row-level security gives it the rows
that are the account's business, and tables without a policy it cannot read at all (docs/decisions/0017-tenancy.md).
Workers own the tables and are not slowed down. The vendor's operators see everything.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, event

from models.database import transaction

ROLE = "keymill_tenant"
_OPTION = "keymill_account"
# The default is the role that sees little: only an account that is known for the vendor's keeps the owner's.
_ENTER = (
    "SELECT set_config('keymill.account_id', %(account)s, true), set_config('role', CASE WHEN EXISTS"
    f" (SELECT FROM accounts WHERE id = %(account)s::bigint AND type = 'vendor') THEN 'none' ELSE '{ROLE}' END, true)"
)


def seen_by(engine: Engine, account_id: int) -> Engine:
    """The same database and connections as an account sees them: every transaction that is begun is that account's."""
    return engine.execution_options(**{_OPTION: account_id})


@contextmanager
def tenant(engine: Engine, account_id: int) -> Iterator[Connection]:
    """One unit of work of an account: sees what the account may see. Commits at the end, rolls back on an exception."""
    with transaction(seen_by(engine, account_id)) as connection:
        yield connection


@event.listens_for(Engine, "begin")
def _enter(connection: Connection) -> None:
    """Take on the role of a tenant for as long as the transaction lasts."""
    account_id = connection.get_execution_options().get(_OPTION)
    if account_id is not None:
        connection.exec_driver_sql(_ENTER, {"account": str(int(account_id))})
