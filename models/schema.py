"""The whole schema: every table's module, and the migrations that bring a database up to it."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
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
    maintenance,
    notifications,
    operations,
    outbox,
    products,
    reconciliations,
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


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config


def migrate(engine: Engine) -> tuple[str | None, str]:
    """Create or upgrade the schema, one caller at a time. Says from which revision to which."""
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('keymill_migrate'))"))
        before = MigrationContext.configure(connection).get_current_revision()
        config = _config(connection)
        command.upgrade(config, "head")
        head = ScriptDirectory.from_config(config).get_current_head()
        assert head is not None
        return before, head


def is_current(engine: Engine) -> bool:
    """Whether the database has the newest schema."""
    with engine.connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
        return current == ScriptDirectory.from_config(_config(connection)).get_current_head()


def differences(connection: Connection) -> list[object]:
    """What the models say that the migrated database lacks, and the other way round; empty when they agree."""
    context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": False})
    return list(compare_metadata(context, metadata))
