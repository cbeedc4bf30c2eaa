"""The broker: dramatiq on Redis, and the wake-up calls that go through it. Messages carry ids and nothing else.

Nothing leans on a message: a lost one is sent again by the sweep, a doubled one finds its work done. So the middlewares
that would retry, expire or limit messages are left out, and the attempts that count are counted in PostgreSQL.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import redis
from dramatiq import Message, MessageProxy
from dramatiq.broker import Consumer
from dramatiq.brokers.redis import RedisBroker
from dramatiq.errors import BrokerConnectionError, ConnectionClosed

QUEUE = "keymill"
WORK = "chunks.work"
ADVANCE = "batches.advance"
MOST_CALLS = 200  # at once; the sweep sends more while there is work
_BELL = "keymill:bell"  # rung with the first and the last of calls, for those who wait for one


class _Broker(RedisBroker):
    """Redis, whose consumers do not sleep while there is something to take."""

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:
        """A consumer that looks at least every ``timeout`` milliseconds."""
        taking = super().consume(queue_name, prefetch, timeout=1)
        return _Consumer(self.client, taking, timeout / 1000)


class _Consumer(Consumer):
    """Takes the next message when the last one is done or the bell rings.

    dramatiq's own looks up to ten times a second, whether a message has just been done or not: a batch stood still for
    50 ms between any two of its chunks and stages.
    """

    def __init__(self, client: Any, taking: Consumer, seconds: float) -> None:
        self._taking, self._seconds = taking, seconds
        self._is_free = threading.Event()
        self._is_free.set()
        self._bell = client.pubsub(ignore_subscribe_messages=True)
        try:
            self._bell.subscribe(_BELL)
        except (redis.ConnectionError, redis.TimeoutError) as error:
            raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]

    def __next__(self) -> MessageProxy | None:
        was_free = self._is_free.is_set()  # asked before: a message done meanwhile rings no bell
        message: MessageProxy | None = next(self._taking)
        if message is not None:
            self._is_free.clear()
        elif not was_free:
            self._is_free.wait(self._seconds)
        else:
            try:
                self._bell.get_message(timeout=self._seconds)
            except (redis.ConnectionError, redis.TimeoutError) as error:
                raise ConnectionClosed(error) from None  # type: ignore[no-untyped-call]
        return message

    def ack(self, message: MessageProxy) -> None:
        """The message is done."""
        self._taking.ack(message)
        self._is_free.set()

    def nack(self, message: MessageProxy) -> None:
        """The message failed."""
        self._taking.nack(message)
        self._is_free.set()

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Put back what was taken and not begun."""
        self._taking.requeue(messages)
        self._is_free.set()

    def close(self) -> None:
        """Hang up."""
        self._bell.close()
        self._taking.close()


@lru_cache
def connect(redis_url: str) -> RedisBroker:
    """The broker of a Redis URL, one for each process. Connects at first use."""
    client = redis.Redis.from_url(redis_url, socket_timeout=15, socket_connect_timeout=5)
    broker = _Broker(client=client, middleware=[], namespace="keymill")  # type: ignore[no-untyped-call]
    broker.declare_queue(QUEUE)
    return broker


def _send(redis_url: str, actor: str, batch_id: int, count: int) -> bool:
    broker = connect(redis_url)
    try:
        last = min(count, MOST_CALLS) - 1
        for number in range(last + 1):
            broker.enqueue(Message(QUEUE, actor, (batch_id,), {}, {}))
            if number in (0, last):
                broker.client.publish(_BELL, "")
    except (BrokerConnectionError, redis.RedisError, OSError):
        return False  # the sweep calls again
    return True


def wake(redis_url: str, batch_id: int, count: int) -> bool:
    """Call for so many chunks to be worked on; false when Redis is away (the sweep will call again)."""
    return _send(redis_url, WORK, batch_id, count)


def call_to_advance(redis_url: str, batch_id: int) -> bool:
    """Ask for a batch's next stage to be planned."""
    return _send(redis_url, ADVANCE, batch_id, 1)


def calls_waiting(redis_url: str) -> int:
    """How many calls wait to be taken. Raises ``redis.RedisError``.

    Not the size that dramatiq tells: it counts what workers took as well, and what a dead one took stays for minutes.
    """
    broker = connect(redis_url)
    return int(broker.client.llen(f"{broker.namespace}:{QUEUE}"))


def calls_waiting_now(redis_url: str) -> int | None:
    """How many calls wait to be taken; None when Redis is away."""
    try:
        return calls_waiting(redis_url)
    except redis.RedisError:
        return None


def answers(redis_url: str) -> bool:
    """Whether Redis can be reached."""
    try:
        return bool(connect(redis_url).client.ping())
    except redis.RedisError:
        return False


def warnings(redis_url: str) -> list[str]:
    """What is unsafe about how Redis is set up; empty when it keeps what it is given, or does not say."""
    try:
        settings = connect(redis_url).client.config_get("appendonly", "maxmemory-policy")
    except redis.RedisError:  # away for now, or a service that hides its settings
        return []
    told = {_text(name): _text(value) for name, value in settings.items()}
    found = []
    if told.get("appendonly") != "yes":
        found.append("Redis has appendonly off: its queue is lost when it stops (work is found again within seconds).")
    if told.get("maxmemory-policy") != "noeviction":
        found.append("Redis may evict keys: set maxmemory-policy to noeviction.")
    return found


def _text(told: object) -> str:
    return told.decode() if isinstance(told, bytes) else str(told)
