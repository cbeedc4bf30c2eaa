"""Leases: who gets which chunk, what a lost lease forbids, what the sweep gives back."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, Engine, text

from models import accounts, batches, chunks, leases
from models.chunks import Chunk
from models.database import IDLE_SECONDS, run, scalar, transaction
from models.leases import LeaseLost


def _account(connection: Connection, number: str) -> int:
    empty = dict.fromkeys(("email", "country", "locale", "time_zone", "separator", "encoding", "confirm", "state"))
    accounts.save(connection, [{"number": number, "type": "oem", "name": number} | empty])
    return int(scalar(connection, "SELECT id FROM accounts WHERE number = :n", n=number))


def _batch(connection: Connection, account_id: int, key: str) -> int:
    batch_id = batches.add(
        connection,
        {
            "account_id": account_id,
            "kind": "redeem-vouchers",
            "filename": "f.csv",
            "sha256": "0" * 64,
            "size": 1,
            "request_key": key,
            "request_digest": "d",
            "options": {},
        },
    )
    assert batch_id is not None
    return batch_id


@pytest.fixture
def two_batches(engine: Engine) -> tuple[int, int]:
    """A batch of account A with five waiting chunks, then one of account B with two."""
    with transaction(engine) as connection:
        first = _batch(connection, _account(connection, "A"), "a")
        second = _batch(connection, _account(connection, "B"), "b")
        chunks.plan(connection, first, "run", [(0, n * 10 + 1, n * 10 + 10) for n in range(5)])
        chunks.plan(connection, second, "run", [(0, 1, 10), (0, 11, 20)])
    return first, second


def _claim(engine: Engine, worker: str = "w", lease_seconds: float = 30) -> Chunk | None:
    with transaction(engine) as connection:
        return leases.claim(connection, worker, lease_seconds, attempts=3)


def _held(engine: Engine, lease_seconds: float = 30) -> Chunk:
    chunk = _claim(engine, lease_seconds=lease_seconds)
    assert chunk is not None
    return chunk


def test_a_small_batch_does_not_wait_behind_a_big_one(engine: Engine, two_batches: tuple[int, int]) -> None:
    """With one chunk of the big batch in work, the next lease goes to the other account."""
    first, second = _held(engine), _held(engine)
    assert {first.batch_id, second.batch_id} == set(two_batches)


def test_every_chunk_is_leased_exactly_once(engine: Engine, two_batches: tuple[int, int]) -> None:
    """Seven chunks give seven different leases with seven different fencing numbers, then none."""
    held = [_held(engine) for _ in range(7)]
    assert len({chunk.id for chunk in held}) == len({chunk.fence for chunk in held}) == 7
    assert _claim(engine) is None


def test_planning_a_stage_twice_changes_nothing(engine: Engine, two_batches: tuple[int, int]) -> None:
    """A stage's chunks are made once, however often they are planned."""
    with transaction(engine) as connection:
        chunks.plan(connection, two_batches[0], "run", [(0, 1, 50)])
        assert chunks.open_count(connection, two_batches[0]) == 5


def test_an_expired_lease_goes_to_the_next_worker_and_the_first_cannot_commit(
    engine: Engine, two_batches: tuple[int, int]
) -> None:
    """After the sweep gave a lease back, the earlier holder's finish raises and leaves the chunk alone."""
    lost = _held(engine, lease_seconds=-1)
    with transaction(engine) as connection:
        assert [found[1] for found in leases.release_expired(connection)] == [lost.id]
    with pytest.raises(LeaseLost), transaction(engine) as connection:
        leases.finish(connection, lost, {})
    with pytest.raises(LeaseLost), transaction(engine) as connection:
        leases.advance_position(connection, lost, 5, {})
    with engine.connect() as connection:
        assert scalar(connection, "SELECT state FROM chunks WHERE id = :id", id=lost.id) == "waiting"


def test_the_session_of_a_lost_lease_is_ended(engine: Engine, two_batches: tuple[int, int]) -> None:
    """A holder that sits in an open transaction loses its connection when its lease has run out."""
    with engine.connect() as holder:
        with holder.begin():
            lost = leases.claim(holder, "frozen", -1, attempts=3)
            assert lost is not None
        with pytest.raises(Exception, match=r"terminat|closed|lost"):  # noqa: SIM117
            with holder.begin():
                run(holder, "UPDATE batches SET last_served_at = now() WHERE id = %(id)s", {"id": lost.batch_id})
                with transaction(engine) as sweeper:
                    leases.release_expired(sweeper)
                leases.finish(holder, lost, {})
        holder.invalidate()


def test_renewing_keeps_a_lease_and_revives_no_lost_one(engine: Engine, two_batches: tuple[int, int]) -> None:
    """A renewed lease is not given back; a lost one stays lost."""
    chunk = _held(engine, lease_seconds=-1)
    with transaction(engine) as connection:
        leases.renew(connection, chunk, 30)
        assert leases.release_expired(connection) == []
        leases.give_back(connection, chunk, "", after_seconds=0, counted=True)
        leases.renew(connection, chunk, 30)
        assert scalar(connection, "SELECT state FROM chunks WHERE id = :id", id=chunk.id) == "waiting"


def test_a_chunk_is_started_three_times_at_most(engine: Engine) -> None:
    """Attempts are counted before the work starts; after three the chunk is only to be parked."""
    with transaction(engine) as connection:
        batch_id = _batch(connection, _account(connection, "A"), "a")
        chunks.plan(connection, batch_id, "run", [(0, 1, 10)])
    for attempt in (1, 2, 3):
        chunk = _held(engine)
        assert chunk.attempts == attempt
        with transaction(engine) as connection:
            leases.give_back(connection, chunk, "it broke", after_seconds=0, counted=True)
    assert _claim(engine) is None
    with transaction(engine) as connection:
        assert [(found[0], found[6]) for found in leases.used_up(connection, 3)] == [(chunk.id, "it broke")]
        assert chunks.waiting(connection, 3) == 0


def test_an_outage_is_not_an_attempt(engine: Engine, two_batches: tuple[int, int]) -> None:
    """Work that was given back uncounted may be started as often as before."""
    for _ in range(5):
        chunk = _held(engine)
        assert chunk.attempts == 1
        with transaction(engine) as connection:
            leases.give_back(connection, chunk, "away", after_seconds=0, counted=False)


def test_a_chunk_that_was_given_back_waits_its_time(engine: Engine) -> None:
    """Nobody leases a chunk before the pause after a failure is over."""
    with transaction(engine) as connection:
        batch_id = _batch(connection, _account(connection, "A"), "a")
        chunks.plan(connection, batch_id, "run", [(0, 1, 10)])
    chunk = _held(engine)
    with transaction(engine) as connection:
        leases.give_back(connection, chunk, "away", after_seconds=60, counted=True)
    assert _claim(engine) is None


def test_what_was_said_stays_said(engine: Engine) -> None:
    """Rows, outcomes and the audit log refuse to be changed, and the audit log to be deleted from."""
    for statement in (
        "UPDATE rows SET sheet_row = 1",
        "UPDATE outcomes SET code = 'issued'",
        "UPDATE audit_log SET actor = 'x'",
        "DELETE FROM audit_log",
    ):
        with pytest.raises(Exception, match="append-only"), engine.begin() as connection:
            connection.execute(text(statement))


def test_a_transaction_that_stands_still_is_ended_unless_it_works_under_a_lease(
    engine: Engine, two_batches: tuple[int, int]
) -> None:
    """A process that froze while it leased or planned keeps no row locked; the work itself may take its time."""
    with transaction(engine) as connection:
        asked = "SHOW idle_in_transaction_session_timeout"
        assert scalar(connection, asked) == f"{IDLE_SECONDS}s"
        chunk = leases.claim(connection, "w", 30, attempts=3)
        assert chunk is not None
        leases.still_held(connection, chunk)
        assert scalar(connection, asked) == "0"
    with transaction(engine) as connection:
        assert scalar(connection, asked) == f"{IDLE_SECONDS}s"
