"""The models and the migrations say the same."""

from __future__ import annotations

from pathlib import Path

from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine

from models import schema
from models.database import connect


def test_migrations_agree_with_the_models(engine: Engine):
    """A database made by the migrations alone has every table, column, index and constraint of the models."""
    with engine.connect() as connection:
        assert schema.differences(connection) == []


def test_migrating_twice_changes_nothing(empty_database_url: str):
    """The second call starts and ends at the newest revision."""
    engine = connect(empty_database_url)
    assert not schema.is_current(engine)
    before, head = schema.migrate(engine)
    assert before is None
    with engine.connect() as connection:
        assert MigrationContext.configure(connection).get_current_revision() == head
    assert ScriptDirectory(str(Path(schema.__file__).parent / "migrations")).get_heads() == [head]
    assert schema.migrate(engine)[0] == head
    assert schema.is_current(engine)
    engine.dispose()
