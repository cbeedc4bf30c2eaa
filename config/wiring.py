"""The one place that wires things together: settings, database, object store, key-encryption key."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Engine

from config import settings as environment
from config import tracing
from config.embedded import embedded_servers
from config.key_encryption_keys import load_key_encryption_key
from config.settings import Settings
from models import schema
from models.database import connect
from storage.objects import ObjectStore
from storage.opening import open_store


@dataclass(frozen=True, slots=True)
class App:
    """What every command and process works with. ``settings`` name the servers that are in use, embedded ones too."""

    settings: Settings
    engine: Engine
    store: ObjectStore
    kek: bytes


class SchemaProblem(Exception):
    """The database has no schema, or an older one."""

    code = "old_schema"
    en = "The database does not have the newest schema. Run: keymill migrate"
    it = "Il database non ha lo schema più recente. Eseguire: keymill migrate"


@contextmanager
def open_app(given: Settings | None = None, *, check_schema: bool = True) -> Iterator[App]:
    """An app on the servers that the settings name, or on embedded ones where they name none.

    The embedded database gets its schema here; another one must have it. Raises :class:`SettingsProblem`,
    :class:`EmbeddedProblem`, :class:`SchemaProblem`.
    """
    settings = given or environment.load()
    tracing.start()
    with embedded_servers(settings.home, postgres=not settings.database_url, valkey=not settings.redis_url) as servers:
        kek = load_key_encryption_key(settings)
        in_use = settings.model_copy(
            update={
                "database_url": settings.database_url or servers.database,
                "redis_url": settings.redis_url or servers.redis,
                "store_url": settings.effective_store_url,
            }
        )
        engine = connect(in_use.database_url)
        try:
            if (check_schema or settings.is_embedded) and not schema.is_current(engine):
                if not settings.is_embedded:
                    raise SchemaProblem(SchemaProblem.en)
                schema.migrate(engine)
            yield App(in_use, engine, _store(in_use), kek)
        finally:
            engine.dispose()


def _store(settings: Settings) -> ObjectStore:
    return open_store(
        settings.store_url, sse=settings.store_encryption or None, sse_key=settings.store_encryption_key or None
    )


def child_environment(app: App) -> dict[str, str]:
    """The variables that make another process use the same servers, store and keys as this one."""
    found = app.settings.environment()
    if app.settings.key_encryption_key is None and app.settings.key_encryption_key_file is None:
        found["KEYMILL_KEY_ENCRYPTION_KEY_FILE"] = str((app.settings.home / "key-encryption-key").resolve())
    return found
