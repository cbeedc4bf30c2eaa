"""Actors: a message may be lost, doubled or late, and come in any order; the outcome is the same."""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest
import redis
from dramatiq.brokers.redis import RedisBroker
from sqlalchemy import Engine

from config.settings import Settings
from config.wiring import App
from jobs import actors, control, intake, sweep, working
from jobs.broker import ADVANCE, QUEUE, WORK
from models import accounts, batches, products, vouchers
from models.database import copy_line, fetch, scalar, transaction
from storage.opening import open_store

CODES = [f"ACME-{number:05d}" for number in range(60)]
UNKNOWN = "ACME-99999"
TABLES = {
    "outcomes": "batch_id, ordinal, code, detail, license_number, order_id",
    "licenses": "number, key, voucher_id, batch_id, ordinal",
    "vouchers": "id, state",
    "mint_orders": "id, count, minted",
    "batches": "id, state, results, confirm_order, finished_at",
    "chunks": "id, state, attempts, fence, result",
    "audit_log": "id, action, subject",
}


@pytest.fixture
def app(engine: Engine, valkey_url: str, tmp_path: Path) -> App:
    """An app on a fresh database with accounts, a product and vouchers; chunks of seven rows."""
    settings = Settings(
        home=tmp_path / "home",
        database_url=engine.url.set(drivername="postgresql").render_as_string(hide_password=False),
        redis_url=valkey_url,
        store_url=(tmp_path / "store").as_uri(),
        chunk_rows=7,
    )
    empty = dict.fromkeys(("email", "country", "locale", "time_zone", "separator", "encoding", "confirm", "state"))
    with transaction(engine) as connection:
        for number, kind in (("VENDOR", "vendor"), ("OEM", "oem")):
            accounts.save(connection, [empty | {"number": number, "type": kind, "name": number}])
        record = {"sku": "SKU", "name": "SKU", "description": None, "host_bound": False, "term_months": None}
        products.save(connection, record)
        oem, sku = (scalar(connection, f"SELECT max(id) FROM {table}") for table in ("accounts", "products"))
        lines = [copy_line(code.replace("-", ""), code, oem, sku, None, None, None, None) for code in CODES]
        vouchers.add(connection, lines)
    return App(settings, engine, open_store(settings.store_url), secrets.token_bytes(32))


class Mail:
    """The queue, emptied by hand: the messages that came, and actors to give them to."""

    def __init__(self, app: App) -> None:
        self.app = app
        client = redis.Redis.from_url(app.settings.redis_url)
        self.broker = RedisBroker(client=client, middleware=[], namespace="keymill")
        self.broker.declare_queue(QUEUE)
        self.ended = Event()
        actors.bind(self.broker, app, working.Heartbeat(app, "test", "worker", "here", os.getpid()), self.ended)
        self.seen: set[tuple[str, int]] = set()

    def collect(self) -> list[tuple[str, int]]:
        """Every message that waits: the actor and what it is told."""
        consumer = self.broker.consume(QUEUE, prefetch=1000, timeout=1)
        found: list[tuple[str, int]] = []
        try:
            while self.broker.do_qsize(QUEUE) or not found:
                message = next(consumer)
                if message is None:
                    break
                consumer.ack(message)
                found.append((message.actor_name, message.args[0]))
        finally:
            consumer.close()
        self.seen |= set(found)
        return found

    def deliver(self, actor: str, batch_id: int) -> None:
        """Let an actor act on a message."""
        self.broker.get_actor(actor).fn(batch_id)


@pytest.fixture
def mail(app: App) -> Iterator[Mail]:
    """The mail of the app."""
    found = Mail(app)
    yield found
    found.broker.close()


def _send(app: App, folder: Path, name: str, kind: str, account: str, text: str, confirm: str = "auto") -> int:
    path = folder / name
    path.write_text(text)
    return intake.accept(app, intake.Request(account, kind, path, name, name, confirm=confirm)).batch_id  # type: ignore[arg-type]


def _redemptions(codes: list[str], company: str) -> str:
    return "\n".join(["voucher_code;company", *(f"{code};{company}" for code in codes)]) + "\n"


def _send_all(app: App, folder: Path) -> list[int]:
    """A file with rows that repeat, two that want the same vouchers, and orders; the rivals wait for confirmation."""
    mixed = [*CODES[:20], *CODES[3:9], UNKNOWN]
    return [
        _send(app, folder, "mixed.csv", "redeem-vouchers", "OEM", _redemptions(mixed, "Mixed")),
        _send(app, folder, "first.csv", "redeem-vouchers", "OEM", _redemptions(CODES[30:50], "First"), "ask"),
        _send(app, folder, "second.csv", "redeem-vouchers", "OEM", _redemptions(CODES[40:60], "Second"), "ask"),
        _send(app, folder, "orders.csv", "mint-vouchers", "VENDOR", "oem;product;count\nOEM;SKU;30\nOEM;NONE;3\n"),
    ]


def _work(app: App, mail: Mail, sent: list[int], rng: random.Random | None) -> None:
    """Deliver until all is done: once and in order, or thrice and in random order."""
    for _ in range(100):
        waiting = mail.collect()
        if rng is not None:
            waiting = waiting * 3
            rng.shuffle(waiting)
        for message in waiting:
            mail.deliver(*message)
        for batch_id in sent:
            if _state(app, batch_id) == "previewed" and all(_state(app, rival) != "reading" for rival in sent[1:3]):
                control.confirm(app, batch_id, actor="test")
        if all(_state(app, batch_id) in batches.FINAL for batch_id in sent):
            return
        sweep.sweep(app)
    raise AssertionError(f"the work has no end: {[_state(app, batch_id) for batch_id in sent]}")


def _state(app: App, batch_id: int) -> str:
    with app.engine.connect() as connection:
        return str(scalar(connection, "SELECT state FROM batches WHERE id = :id", id=batch_id))


def _everything(app: App) -> tuple[object, ...]:
    """All that is in the books and in the store."""
    with app.engine.connect() as connection:
        books = [fetch(connection, f"SELECT {columns} FROM {t} ORDER BY 1, 2", {}) for t, columns in TABLES.items()]
    return books, list(app.store.list())


def _codes(app: App, sent: list[int]) -> list[list[str]]:
    with app.engine.connect() as connection:
        query = "SELECT code FROM outcomes WHERE batch_id = %(b)s ORDER BY ordinal"
        return [[row[0] for row in fetch(connection, query, {"b": batch_id})] for batch_id in sent]


@pytest.mark.parametrize("seed", range(4))
def test_messages_thrice_in_random_order(app: App, mail: Mail, tmp_path: Path, seed: int) -> None:
    """Every message three times in random order: each row gets the answer that it gets by one message in order."""
    sent = _send_all(app, tmp_path)
    _work(app, mail, sent, random.Random(seed))
    mixed, first, second, orders = _codes(app, sent)
    assert mixed == ["issued"] * 20 + ["already_issued"] * 6 + ["unknown_voucher"]
    assert first == ["issued"] * 20
    assert second == ["already_redeemed"] * 10 + ["issued"] * 10
    assert orders == ["minted", "unknown_product"]
    assert {actor for actor, _ in mail.seen} == {WORK, ADVANCE}


def test_messages_that_come_late(app: App, mail: Mail, tmp_path: Path) -> None:
    """When all is done, every message there ever was changes nothing, three times in random order."""
    sent = _send_all(app, tmp_path)
    _work(app, mail, sent, None)
    before, waiting = _everything(app), mail.broker.do_qsize(QUEUE)
    late = [(actor, batch_id) for actor in (WORK, ADVANCE) for batch_id in [0, *sent]] * 3
    assert mail.seen <= set(late)
    random.Random(7).shuffle(late)
    for message in late:
        mail.deliver(*message)
    assert _everything(app) == before
    assert mail.broker.do_qsize(QUEUE) == waiting


def test_confirmed_first_goes_first(app: App, mail: Mail, tmp_path: Path) -> None:
    """Of two batches that want the same vouchers the one confirmed first gets them, whichever message comes first."""
    first, second = _send_all(app, tmp_path)[1:3]
    for _ in range(20):
        for message in mail.collect():
            mail.deliver(*message)
    control.confirm(app, first, actor="test")
    control.confirm(app, second, actor="test")
    mail.collect()  # lost
    mail.deliver(ADVANCE, second)
    for _ in range(10):
        mail.deliver(WORK, second)
    _work(app, mail, [first, second], None)
    assert _codes(app, [first, second]) == [["issued"] * 20, ["already_redeemed"] * 10 + ["issued"] * 10]


def test_messages_taken_by_a_dead_worker(app: App, mail: Mail, tmp_path: Path) -> None:
    """Messages that a worker took before it died hold nothing up: the sweep calls again at once."""
    sent = [_send(app, tmp_path, "first.csv", "redeem-vouchers", "OEM", _redemptions(CODES[:5], "First"))]
    sweep.sweep(app)
    dead = mail.broker.consume(QUEUE, prefetch=1000, timeout=1)
    assert next(dead) is not None  # taken, with all the others, and never acknowledged
    assert mail.broker.do_qsize(QUEUE) > 0
    sweep.sweep(app)
    assert mail.collect()
    _work(app, mail, sent, None)
    assert _codes(app, sent) == [["issued"] * 5]


def test_who_plans_a_stage_begins_it(app: App, mail: Mail, tmp_path: Path) -> None:
    """One message brings a small batch to its end."""
    sent = _send(app, tmp_path, "first.csv", "redeem-vouchers", "OEM", _redemptions(CODES[:1], "First"))
    (message,) = mail.collect()
    mail.deliver(*message)
    assert _state(app, sent) == "done"


def test_who_is_told_to_stop_begins_nothing(app: App, mail: Mail, tmp_path: Path) -> None:
    """The chunk in hand is finished, and others are called for the next stage."""
    sent = _send(app, tmp_path, "first.csv", "redeem-vouchers", "OEM", _redemptions(CODES[:1], "First"))
    (message,) = mail.collect()
    mail.ended.set()
    mail.deliver(*message)
    assert _state(app, sent) == "running"
    assert (WORK, sent) in mail.collect()
