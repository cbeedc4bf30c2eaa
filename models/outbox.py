"""The outbox: events, written in the transaction that makes them true, and their deliveries, one a receiver.

An event is written once for its account, type and subject. Its deliveries are made with it; whoever claims one may try
it until the lease runs out, and only the newest claim may say what came of it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple, get_args

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy import (
    Sequence as DatabaseSequence,
)
from sqlalchemy.dialects.postgresql import JSONB

from models.database import fetch, metadata, records, run

EventType = Literal[
    "batch.previewed", "batch.ended", "upgrades.notified", "statements.closed", "schedule.failed", "webhook.disabled"
]
State = Literal["waiting", "delivered", "failed"]
TYPES: tuple[EventType, ...] = get_args(EventType)
TEST_TYPE = "webhook.test"  # of an event that goes to one endpoint, because somebody asked for it
MOST_NAMED = 100  # things that one event names; it counts them all

events = Table(
    "events",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    # The same for every attempt and every receiver: that is how a receiver knows it again.
    Column(
        "message_id",
        Text,
        nullable=False,
        unique=True,
        server_default=text("'msg_' || replace(gen_random_uuid()::text, '-', '')"),
    ),
    Column("account_id", ForeignKey("accounts.id"), nullable=False),
    Column("type", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("data", JSONB, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    UniqueConstraint("account_id", "type", "subject"),
)

fence = DatabaseSequence("delivery_fence", metadata=metadata)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("event_id", ForeignKey("events.id"), nullable=False),
    Column("endpoint_id", ForeignKey("webhook_endpoints.id")),
    Column("address", Text),
    Column("language", Text),
    Column("state", Text, nullable=False, server_default="waiting"),
    Column("attempts", Integer, nullable=False, server_default=text("0")),
    Column("next_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    Column("lease_until", DateTime(timezone=True)),
    Column("fence", BigInteger),
    # What the receiver said last.
    Column("status", Integer),
    Column("answer", Text),
    # Why it was not sent, where that was for us to say: ``code``, ``en``, ``it``; the answer is the same as its ``en``.
    Column("reason", JSONB),
    Column("answered_at", DateTime(timezone=True)),
    UniqueConstraint("event_id", "endpoint_id"),
    UniqueConstraint("event_id", "address"),
    CheckConstraint("state IN ('waiting', 'delivered', 'failed')", name="state"),
    CheckConstraint("(endpoint_id IS NULL) <> (address IS NULL)", name="receiver"),
)
Index("ix_events_at", events.c.at)
Index(
    "ix_deliveries_waiting",
    deliveries.c.endpoint_id,
    deliveries.c.next_at,
    postgresql_where=text("state = 'waiting'"),
)
Index("ix_deliveries_endpoint_id", deliveries.c.endpoint_id)
Index(
    "ix_deliveries_failed_mails",
    func.lower(deliveries.c.address),
    postgresql_where=text("state = 'failed' AND address IS NOT NULL"),
)
Index(
    "ix_deliveries_under_way",
    deliveries.c.endpoint_id,
    postgresql_where=text("lease_until IS NOT NULL"),
)


class Delivery(NamedTuple):
    """One message for one receiver: a webhook endpoint (``url``) or a mail ``address``."""

    id: int
    fence: int
    attempts: int
    endpoint_id: int | None
    url: str | None
    address: str | None
    language: str | None
    message_id: str
    account_id: int
    type: str
    data: dict[str, Any]
    at: datetime


# The receivers of events by account and type. An account's own address gets everything, unless a subscription of that
# address says otherwise. Disabled endpoints get nothing; what paused ones get waits.
_DELIVER = """
INSERT INTO deliveries (event_id, endpoint_id, address, language)
SELECT e.id, w.id, NULL, NULL FROM events e
JOIN webhook_endpoints w ON w.account_id = e.account_id AND w.state IN ('active', 'paused')
    AND (w.types IS NULL OR e.type = ANY(w.types))
WHERE e.id = ANY(%(ids)s)
UNION ALL
SELECT e.id, NULL, s.address,
    coalesce(s.language, CASE WHEN a.locale ILIKE 'it%%' THEN 'it' WHEN a.locale IS NOT NULL THEN 'en' END)
FROM events e JOIN accounts a ON a.id = e.account_id CROSS JOIN LATERAL (
    SELECT a.email AS address, NULL::text[] AS types, NULL::text AS language WHERE a.email IS NOT NULL AND NOT EXISTS (
        SELECT FROM mail_subscriptions s WHERE s.account_id = a.id AND lower(s.address) = lower(a.email))
    UNION ALL SELECT s.address, s.types, s.language FROM mail_subscriptions s WHERE s.account_id = a.id) AS s
WHERE e.id = ANY(%(ids)s) AND %(mails)s AND (s.types IS NULL OR e.type = ANY(s.types))
"""


def add(
    connection: Connection, account_id: int, type_: EventType, subject: str, data: Mapping[str, Any], *, mails: bool
) -> None:
    """Write down an event of an account, once for its type and subject (``batch 12``), and who is to hear of it.

    ``mails``: whether mail can be sent here at all.
    """
    added = fetch(
        connection,
        "INSERT INTO events (account_id, type, subject, data)"
        " VALUES (%(account)s, %(type)s, %(subject)s, %(data)s::jsonb) ON CONFLICT DO NOTHING RETURNING id",
        {"account": account_id, "type": type_, "subject": subject, "data": json.dumps(data)},
    )
    _deliver(connection, added, mails)


def _deliver(connection: Connection, added: list[tuple[Any, ...]], mails: bool) -> None:
    if added:
        run(connection, _DELIVER, {"ids": [row[0] for row in added], "mails": mails})


def add_upgrades(connection: Connection, batch_id: int, *, mails: bool) -> None:
    """One event for each owner who was notified of upgrades by a batch."""
    _add_by_account(
        connection,
        "upgrades.notified",
        "notifications",
        "SELECT owner_id AS account_id, id FROM notifications WHERE batch_id = %(batch)s",
        "SELECT jsonb_build_object('notification', n.code, 'product', p.sku,"
        " 'version', r.version, 'license', n.license_number, 'quantity', n.quantity)"
        " FROM notifications n JOIN releases r ON r.id = n.release_id JOIN products p ON p.id = r.product_id",
        batch_id,
        mails,
    )


def add_statements(connection: Connection, batch_id: int, *, mails: bool) -> None:
    """One event for each customer whose statements a batch closed, or adjusted afterwards."""
    _add_by_account(
        connection,
        "statements.closed",
        "statements",
        # By line first: joined one by one, as planned for a batch that statistics do not know, 120,000 took 0.2 s.
        "SELECT k.customer_id AS account_id, n.id FROM (SELECT line_id, array_agg(id) AS ids FROM statements"
        "  WHERE batch_id = %(batch)s AND state IN ('closed', 'adjusted') GROUP BY line_id) s"
        " JOIN contract_lines l ON l.id = s.line_id JOIN contracts k ON k.id = l.contract_id"
        " CROSS JOIN LATERAL unnest(s.ids) AS n (id)",
        "SELECT jsonb_build_object('statement', n.id, 'contract', k.code,"
        " 'product', p.sku, 'state', n.state, 'starts', n.period_starts, 'ends', n.period_ends, 'owed', n.owed,"
        " 'currency', l.currency) FROM statements n JOIN contract_lines l ON l.id = n.line_id"
        " JOIN contracts k ON k.id = l.contract_id JOIN products p ON p.id = l.product_id",
        batch_id,
        mails,
    )


def _add_by_account(
    connection: Connection, type_: EventType, name: str, query: str, named: str, batch_id: int, mails: bool
) -> None:
    """Things that a batch did to many accounts, summed up: how many for each, and the first of them by name.

    ``query`` has all of them (account and id), ``named`` makes a name of the one that is ``n`` in it.
    """
    added = fetch(
        connection,
        "INSERT INTO events (account_id, type, subject, data) SELECT account_id, %(type)s, %(subject)s,"
        " jsonb_build_object('batch', %(batch)s::bigint, 'count', count(*), %(name)s::text,"
        f" jsonb_agg(({named} WHERE n.id = placed.id) ORDER BY id) FILTER (WHERE place <= %(most)s))"
        f" FROM (SELECT *, row_number() OVER (PARTITION BY account_id ORDER BY id) AS place FROM ({query}) AS found)"
        " AS placed GROUP BY account_id ON CONFLICT DO NOTHING RETURNING id",
        {"type": type_, "subject": f"batch {batch_id}", "batch": batch_id, "name": name, "most": MOST_NAMED},
    )
    _deliver(connection, added, mails)


def add_test(connection: Connection, endpoint_id: int, subject: str) -> int:
    """An event for one endpoint, whatever its types: the delivery's id. ``subject`` tells it from earlier ones."""
    found = fetch(
        connection,
        "WITH event AS (INSERT INTO events (account_id, type, subject, data)"
        " SELECT account_id, %(type)s, %(subject)s, jsonb_build_object('endpoint', id) FROM webhook_endpoints"
        " WHERE id = %(endpoint)s RETURNING id)"
        " INSERT INTO deliveries (event_id, endpoint_id) SELECT id, %(endpoint)s FROM event RETURNING id",
        {"type": TEST_TYPE, "subject": subject, "endpoint": endpoint_id},
    )
    return int(found[0][0])


# An endpoint gets one message at a time, so that one that hangs holds up nobody else. The index on (endpoint, due)
# serves each search in its order (mails stand at its end, which the planner sees only when their order names both), as
# long as the time is now(), when this short transaction began.
_CANDIDATES = """
SELECT d.id FROM webhook_endpoints w CROSS JOIN LATERAL (
    SELECT id FROM deliveries WHERE endpoint_id = w.id AND state = 'waiting' AND next_at <= now()
    ORDER BY next_at LIMIT 1) AS d
WHERE w.state = 'active' AND NOT EXISTS (
    SELECT FROM deliveries o WHERE o.endpoint_id = w.id AND o.lease_until > now())
UNION ALL
(SELECT id FROM deliveries WHERE endpoint_id IS NULL AND state = 'waiting' AND next_at <= now()
 ORDER BY endpoint_id, next_at LIMIT 20)
"""
_NEXT = f"""
SELECT id FROM deliveries WHERE id IN ({_CANDIDATES}) AND state = 'waiting' AND next_at <= now()
ORDER BY (endpoint_id IS NULL) = %(mails_first)s DESC, next_at LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED
"""


def claim(
    connection: Connection, *, webhook_seconds: float, mail_seconds: float, mails_first: bool = False
) -> Delivery | None:
    """Lease the delivery that has been due longest, of mails or of webhooks first. The attempt is counted here."""
    return _claim(connection, _NEXT, webhook_seconds, mail_seconds, {"mails_first": mails_first})


def claim_one(connection: Connection, delivery_id: int, *, seconds: float) -> Delivery:
    """Lease a delivery that was made in this very transaction, whatever the state of its endpoint."""
    claimed = _claim(connection, "SELECT %(id)s::bigint AS id", seconds, seconds, {"id": delivery_id})
    assert claimed is not None
    return claimed


def _claim(
    connection: Connection, query: str, webhook_seconds: float, mail_seconds: float, parameters: dict[str, Any]
) -> Delivery | None:
    lease = "now() + make_interval(secs => CASE WHEN d.endpoint_id IS NULL THEN %(mail)s ELSE %(webhook)s END)"
    claimed = fetch(
        connection,
        f"WITH next AS MATERIALIZED ({query}), claimed AS ("
        " UPDATE deliveries d SET attempts = attempts + 1, fence = nextval('delivery_fence'),"
        f" next_at = {lease}, lease_until = {lease} FROM next WHERE d.id = next.id"
        " RETURNING d.id, d.fence, d.attempts, d.event_id, d.endpoint_id, d.address, d.language)"
        " SELECT c.id, c.fence, c.attempts, c.endpoint_id, w.url, c.address, c.language, e.message_id, e.account_id,"
        " e.type, e.data, e.at FROM claimed c JOIN events e ON e.id = c.event_id"
        " LEFT JOIN webhook_endpoints w ON w.id = c.endpoint_id",
        parameters | {"mail": mail_seconds, "webhook": webhook_seconds},
    )
    return Delivery(*claimed[0]) if claimed else None


def settle(
    connection: Connection,
    delivery: Delivery,
    state: State,
    status: int | None,
    answer: str,
    reason: Mapping[str, str] | None,
    *,
    again_after_seconds: float,
) -> bool:
    """Say what came of an attempt. False, and nothing is changed, where a newer one has been begun."""
    return (
        run(
            connection,
            "UPDATE deliveries SET state = %(state)s, status = %(status)s, answer = %(answer)s,"
            " reason = %(reason)s::jsonb, lease_until = NULL, answered_at = clock_timestamp(),"
            " next_at = clock_timestamp() + make_interval(secs => %(after)s)"
            " WHERE id = %(id)s AND fence = %(fence)s AND lease_until IS NOT NULL",
            {
                "id": delivery.id,
                "fence": delivery.fence,
                "state": state,
                "status": status,
                "answer": answer,
                "reason": json.dumps(reason) if reason else None,
                "after": again_after_seconds,
            },
        )
        == 1
    )


def give_up(connection: Connection, endpoint_id: int, reason: Mapping[str, str]) -> None:
    """Fail what waits for an endpoint that gets nothing any more; it can be replayed."""
    run(
        connection,
        "UPDATE deliveries SET state = 'failed', answer = %(answer)s, reason = %(reason)s::jsonb,"
        " answered_at = clock_timestamp(), lease_until = NULL WHERE endpoint_id = %(id)s AND state = 'waiting'",
        {"id": endpoint_id, "answer": reason["en"], "reason": json.dumps(reason)},
    )


def replay(
    connection: Connection,
    *,
    delivery_id: int | None = None,
    endpoint_id: int | None = None,
    account_id: int | None = None,
    address: str | None = None,
) -> int:
    """Send a delivery again, or all that failed of an endpoint or of an account's mails to an address: how many.

    One that is being tried now is left alone. It counts its attempts anew. What was for an endpoint that was removed
    stays as it is.
    """
    return run(
        connection,
        "UPDATE deliveries d SET state = 'waiting', attempts = 0, next_at = clock_timestamp(), lease_until = NULL"
        " WHERE (d.id = %(delivery)s OR (d.endpoint_id = %(endpoint)s AND d.state = 'failed')"
        "  OR (d.state = 'failed' AND d.address IS NOT NULL AND lower(d.address) = lower(%(address)s::text)"
        "   AND EXISTS (SELECT FROM events e WHERE e.id = d.event_id AND e.account_id = %(account)s)))"
        " AND (d.lease_until IS NULL OR d.lease_until < clock_timestamp())"
        " AND NOT EXISTS (SELECT FROM webhook_endpoints w WHERE w.id = d.endpoint_id AND w.state = 'removed')",
        {"delivery": delivery_id, "endpoint": endpoint_id, "account": account_id, "address": address},
    )


_LOGGED = (
    "id", "message_id", "account", "type", "subject", "at", "to", "endpoint", "state", "attempts", "status", "answer",
    "reason", "answered", "next",
)  # fmt: skip


def log(
    connection: Connection,
    *,
    account_id: int | None = None,
    endpoint_id: int | None = None,
    state: str | None = None,
    before: int | None = None,
    limit: int,
) -> list[dict[str, Any]]:
    """The newest deliveries, of one account or endpoint or of all, in one state or in any, older than one."""
    return records(
        connection,
        "SELECT d.id, e.message_id, a.number, e.type, e.subject, e.at, coalesce(w.url, d.address), d.endpoint_id,"
        " d.state, d.attempts, d.status, d.answer, d.reason, d.answered_at,"
        " CASE d.state WHEN 'waiting' THEN d.next_at END"
        " FROM deliveries d JOIN events e ON e.id = d.event_id JOIN accounts a ON a.id = e.account_id"
        " LEFT JOIN webhook_endpoints w ON w.id = d.endpoint_id"
        " WHERE (%(account)s::bigint IS NULL OR e.account_id = %(account)s)"
        " AND (%(endpoint)s::bigint IS NULL OR d.endpoint_id = %(endpoint)s)"
        " AND (%(state)s::text IS NULL OR d.state = %(state)s)"
        " AND (%(before)s::bigint IS NULL OR d.id < %(before)s) ORDER BY d.id DESC LIMIT %(limit)s",
        _LOGGED,
        {"account": account_id, "endpoint": endpoint_id, "state": state, "before": before, "limit": limit},
    )


def forget(connection: Connection, before: datetime, most: int) -> int:
    """Delete the oldest events from before a time of which nothing waits to be delivered, at most so many; how many."""
    return run(
        connection,
        "WITH old AS MATERIALIZED (SELECT id FROM events e WHERE at < %(before)s AND NOT EXISTS (SELECT FROM deliveries"
        " d WHERE d.event_id = e.id AND d.state = 'waiting') ORDER BY at LIMIT %(most)s FOR UPDATE SKIP LOCKED),"
        " gone AS (DELETE FROM deliveries d USING old WHERE d.event_id = old.id)"
        " DELETE FROM events e USING old WHERE e.id = old.id",
        {"before": before, "most": most},
    )


def is_known(connection: Connection, delivery_id: int) -> bool:
    """Whether there is such a delivery."""
    return bool(fetch(connection, "SELECT FROM deliveries WHERE id = %(id)s", {"id": delivery_id}))
