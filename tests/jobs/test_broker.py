"""The broker on a real Valkey: who waits for a call is told of it, and of the end of the message it holds."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from jobs import broker

FOR_GOOD_MS = 600_000  # that a consumer would wait if nobody told it


@contextmanager
def waiting(take: Callable[[], Any]) -> Iterator[Callable[[], Any]]:
    """A thread that takes something; given is a function that waits for what it took."""
    taken: list[Any] = []
    thread = threading.Thread(target=lambda: taken.append(take()), daemon=True)
    thread.start()

    def outcome() -> Any:
        thread.join(timeout=60)
        return taken[0]

    yield outcome


def test_a_call_is_taken_at_once_and_the_next_when_the_first_is_done(valkey_url: str) -> None:
    """Though the consumer would look again by itself only after a long time."""
    connected = broker.connect(valkey_url)
    connected.flush_all()
    consumer = connected.consume(broker.QUEUE, prefetch=1, timeout=FOR_GOOD_MS)

    def take() -> Any:
        while (message := next(consumer)) is None:
            pass
        return message

    try:
        with waiting(take) as outcome:
            broker.wake(valkey_url, 7, 2)
            first = outcome()
        with waiting(take) as outcome:
            consumer.ack(first)
            second = outcome()
        consumer.ack(second)
    finally:
        consumer.close()
    assert [first.args[0], second.args[0]] == [7, 7]
    assert first.message_id != second.message_id


def test_a_message_that_is_done_while_the_next_is_looked_for_is_not_waited_for(valkey_url: str) -> None:
    """Its consumer found nothing since it still held that message; no bell rings for the one after it."""
    connected = broker.connect(valkey_url)
    connected.flush_all()
    broker.wake(valkey_url, 7, 2)
    consumer: Any = connected.consume(broker.QUEUE, prefetch=1, timeout=FOR_GOOD_MS)
    first = next(consumer)
    consumer._bell.get_message(timeout=60)  # that it listens: from now on, nothing rings
    real = consumer._taking

    class DoneMeanwhile:
        def __next__(self) -> Any:
            found = next(real)
            if found is None:
                consumer.ack(first)
            return found

        def __getattr__(self, name: str) -> Any:
            return getattr(real, name)

    consumer._taking = DoneMeanwhile()
    try:
        with waiting(lambda: next(consumer)) as outcome:
            assert outcome() is None
        second = next(consumer)
        consumer.ack(second)
    finally:
        consumer.close()
    assert [first.args[0], second.args[0]] == [7, 7]
