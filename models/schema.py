"""The whole schema: every table's module, and the migrations that bring a database up to it.

Alembic is imported where something is to be migrated: every command asks for the schema, and few have to change it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Engine, text

from models import (  # noqa: F401 - importing a module puts its tables into the metadata
    accounts,
    api_tokens,
    approvals,
    audit,
    batches,
    chunks,
    contracts,
    downloads,
    drop_boxes,
    drops,
    header_mappings,
    licenses,
    notifications,
    operations,
    outbox,
    products,
    reconciliations,
    renewals,
    reversals,
    rows,
    schedule_runs,
    schedules,
    serials,
    shares,
    signing_keys,
    ssh_keys,
    statements,
    subscriptions,
    tenancy,
    uploads,
    usage,
    user_fields,
    users,
    vouchers,
    webhooks,
    workers,
)
from models.database import metadata

if TYPE_CHECKING:
    from alembic.config import Config

_MIGRATIONS = Path(__file__).parent / "migrations"


def newest() -> str:
    """The newest revision: the name of a migration's file begins with its revision."""
    return max(path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config


def migrate(engine: Engine) -> tuple[str | None, str]:
    """Create or upgrade the schema, one caller at a time. Says from which revision to which."""
    from alembic import command

    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('keymill_migrate'))"))
        before = _revision(connection)
        command.upgrade(_config(connection), "head")
        return before, newest()


def is_current(engine: Engine) -> bool:
    """Whether the database has the newest schema."""
    with engine.connect() as connection:
        return _revision(connection) == newest()


def _revision(connection: Connection) -> str | None:
    if connection.execute(text("SELECT to_regclass('alembic_version')")).scalar() is None:
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def differences(connection: Connection) -> list[object]:
    """What the models say that the migrated database lacks, and the other way round; empty when they agree."""
    from alembic.autogenerate import compare_metadata
    from alembic.runtime.migration import MigrationContext

    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": False})
    return list(compare_metadata(context, metadata))
