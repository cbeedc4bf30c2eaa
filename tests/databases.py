"""Databases of the tests' server: made as copies of others, and dropped."""

from __future__ import annotations

import itertools
import os

from sqlalchemy import Engine, make_url, text

_numbers = itertools.count(1)


def new_database(server_engine: Engine, template: str) -> str:
    """Make a database as a copy of another one; its URL."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    with server_engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    return server_engine.url.set(database=name).render_as_string(hide_password=False)


def drop_database(server_engine: Engine, url: str) -> None:
    """Drop a database by its URL or name, whoever is still connected to it."""
    name = make_url(url).database if "://" in url else url
    with server_engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def copy_over(server_engine: Engine, engine: Engine, url: str) -> None:
    """Put a copy of another database in the place of an engine's own."""
    engine.dispose()
    name = str(engine.url.database)
    drop_database(server_engine, name)
    with server_engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {make_url(url).database}"))
