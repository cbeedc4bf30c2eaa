"""Migrations that move what is there: nothing is lost on the way, nor on the way back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from alembic import command
from sqlalchemy import Engine

from models import schema, webhooks
from models.database import connect, fetch, run, transaction


@pytest.fixture
def emptied(empty_database_url: str) -> Iterator[Engine]:
    """A database without tables."""
    engine = connect(empty_database_url)
    yield engine
    engine.dispose()


def bring(engine: Engine, revision: str, *, back: bool = False) -> None:
    """Bring the schema to a revision."""
    with engine.begin() as connection:
        (command.downgrade if back else command.upgrade)(schema._config(connection), revision)


def put(engine: Engine, query: str, values: dict[str, Any] | None = None) -> None:
    """Put something there."""
    with transaction(engine) as connection:
        run(connection, query, values or {})


def there(engine: Engine, query: str) -> list[tuple[Any, ...]]:
    """What is there."""
    with engine.connect() as connection:
        return fetch(connection, query, {})


LICENSES = (
    "INSERT INTO licenses (number, key, account_id, customer_id, product_id, version, issued_at, batch_id, ordinal,"
    " root_number) SELECT n, 'key', 1, 1, 1, '1', now(), 1, 1, root FROM (VALUES {}) l (n, root)"
)


def test_maintenance_moves_into_the_licenses_and_back(emptied: Engine) -> None:
    """Each license keeps its own, one without has none; back in a table of its own, tenants see it as before."""
    bring(emptied, "0014")
    put(emptied, LICENSES.format("('A', NULL), ('B', NULL), ('C', NULL)"))
    put(
        emptied,
        "INSERT INTO maintenance VALUES ('A', '2026-01-01', '2026-12-31', 'gold', 'help@a.example'),"
        " ('B', '2025-01-01', '2025-06-30', NULL, NULL)",
    )
    kept = "SELECT * FROM maintenance ORDER BY license_number"
    policy = "SELECT roles::text, cmd, qual FROM pg_policies WHERE tablename = 'maintenance'"
    before, seen = there(emptied, kept), there(emptied, policy)
    bring(emptied, "0015")
    columns = "number, maintained_from, maintained_until, support_level, support_contact"
    moved = there(emptied, f"SELECT {columns} FROM licenses ORDER BY number")
    assert moved == [*before, ("C", None, None, None, None)]
    bring(emptied, "0014", back=True)
    assert there(emptied, kept) == before
    assert there(emptied, policy) == seen


def test_nights_of_lines_become_nights_of_their_contracts(emptied: Engine) -> None:
    """A line that had a night of its own keeps it, known by its contract as well."""
    bring(emptied, "0011")
    put(
        emptied,
        "INSERT INTO accounts (number, type, name) VALUES ('C', 'customer', 'C');"
        " INSERT INTO products (sku, name) VALUES ('P', 'P');"
        " INSERT INTO contracts (key, code, customer_id, time_zone) SELECT 'K', 'K', id, 'UTC' FROM accounts"
        " WHERE number = 'C';"
        " INSERT INTO contract_lines (contract_id, product_id, starts, months, unit, metric, policy, currency,"
        " growth, tolerance, report_days) SELECT k.id, p.id, '2026-01-01', 12, 'month', 'peak', 'true_up', 'EUR',"
        " 0, 0, 1 FROM contracts k, products p;"
        " INSERT INTO reconciliations (line_id, until, seen, cluster)"
        " SELECT id, '2026-02-01', pg_current_snapshot(), 1 FROM contract_lines",
    )
    bring(emptied, "0012")
    found = there(
        emptied,
        "SELECT r.contract_id = n.contract_id, r.line_id = n.id, r.until FROM reconciliations r, contract_lines n",
    )
    assert found == [(True, True, date(2026, 2, 1))]
    bring(emptied, "0011", back=True)
    assert there(emptied, "SELECT until FROM reconciliations") == [(date(2026, 2, 1),)]


def test_reasons_of_webhooks_get_their_second_language(emptied: Engine) -> None:
    """What is known is told in both languages, anything else says what it said, also what the version before says."""
    said = ["It answered 410 Gone.", "Nothing has arrived there for 6 days.", "Moved out", None]
    bring(emptied, "0015")
    put(emptied, "INSERT INTO accounts (number, type, name) VALUES ('C', 'customer', 'C')")
    put(
        emptied,
        "INSERT INTO webhook_endpoints (account_id, url, reason) SELECT a.id, 'https://x.example/' || n, said"
        " FROM accounts a, unnest(%(said)s::text[]) WITH ORDINALITY AS s (said, n) WHERE a.number = 'C'",
        {"said": said},
    )
    bring(emptied, "head")
    with emptied.connect() as connection:
        assert [one["reason"] for one in webhooks.listed(connection, None)] == [
            {"code": "gone", "en": said[0], "it": "Ha risposto 410 Gone."},
            {"code": "failing", "en": said[1], "it": "Da 6 giorni non vi arriva nulla."},
            {"code": "other", "en": said[2], "it": said[2]},
            None,
        ]
    later = "UPDATE webhook_endpoints SET reason = 'By the version before' WHERE reason = %(said)s"
    put(emptied, later, {"said": said[0]})
    with emptied.connect() as connection:
        newest = webhooks.listed(connection, None)[0]["reason"]
    assert newest == {"code": "other", "en": "By the version before", "it": "By the version before"}
    bring(emptied, "0015", back=True)
    kept = there(emptied, "SELECT reason FROM webhook_endpoints ORDER BY id")
    assert [row[0] for row in kept] == ["By the version before", *said[1:]]


def test_notifications_learn_where_the_chains_of_their_licenses_begin(emptied: Engine) -> None:
    """One is for the first license of its chain, one for a later one, one for a license that is gone."""
    bring(emptied, "0016")
    put(emptied, LICENSES.format("('A', NULL), ('B', 'A')"))
    put(
        emptied,
        "INSERT INTO notifications (key, code, license_number, owner_id, release_id, quantity, remaining, batch_id,"
        " ordinal) SELECT n, n, n, 1, 1, 1, 1, 1, 1 FROM unnest(ARRAY['A', 'B', 'C']) n",
    )
    bring(emptied, "0017")
    roots = there(emptied, "SELECT root_number FROM notifications ORDER BY license_number")
    assert [row[0] for row in roots] == ["A", "A", "C"]
    bring(emptied, "0016", back=True)
    assert there(emptied, "SELECT count(*) FROM notifications") == [(3,)]
