"""The fast way to the database: lists travel as arrays, whatever is in them."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine

from models.database import connect, connect_ahead, fetch, without_nested_loops


@given(st.lists(st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
def test_texts_travel_as_an_array(engine: Engine, values: list[str | None]) -> None:
    """Whatever is in them: quotes, commas, braces, backslashes, nothing, the word NULL."""
    with engine.connect() as connection:
        for texts in (
            values,
            ["NULL", *values, '"', "\\", "{,}", ""],
            [value for value in values if value is not None],
        ):
            assert fetch(connection, "SELECT %(values)s::text[]", {"values": texts}) == [(texts,)]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("int", [1, -2, None]),
        ("bigint", [None, 2**60]),
        ("boolean", [True, False, None]),
        ("date", [date(2026, 11, 25), None]),
        ("int", []),
        ("text", []),
        ("text", [""]),
        ("numeric", [Decimal("1.50")]),
    ],
)
def test_other_things_travel_as_an_array(engine: Engine, kind: str, values: list[object]) -> None:
    """Numbers, flags and days, with gaps or without, or nothing at all."""
    with engine.connect() as connection:
        assert fetch(connection, f"SELECT %(values)s::{kind}[]", {"values": values}) == [(values,)]


def test_connections_are_made_ahead(engine: Engine) -> None:
    """As many as are asked for wait to be lent; where there is no database, nobody is told."""
    ready = connect(engine.url.render_as_string(hide_password=False).replace("+psycopg", ""))
    connect_ahead(ready, 3)
    assert ready.pool.checkedin() == 3  # type: ignore[attr-defined]
    ready.dispose()
    connect_ahead(connect("postgresql://nobody@127.0.0.1:1/nothing"), 3)


def test_what_is_asked_meanwhile_is_planned_for_many_rows(engine: Engine) -> None:
    """And what is asked afterwards as ever."""
    with engine.connect() as connection:
        with without_nested_loops(connection):
            assert fetch(connection, "SHOW enable_nestloop", {}) == [("off",)]
        assert fetch(connection, "SHOW enable_nestloop", {}) == [("on",)]
