"""The models and the migrations say the same."""

from __future__ import annotations

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
    before, head = schema.migrate(engine)
    assert before is None
    assert schema.migrate(engine)[0] == head
    assert schema.is_current(engine)
    engine.dispose()
