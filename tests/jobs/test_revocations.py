"""The revocation list in the store follows what batches end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from sqlalchemy import Connection

from config.wiring import App
from jobs import keys, revocations
from models.database import fetch, run, transaction
from signing.key_sets import parse_key_set
from signing.revocations import RevocationList, read_list
from storage.objects import StoreUnavailable
from tests.apps import account, answers, licensed, outcome_codes, product, state

Submit = Callable[..., int]


def stored(app: App) -> RevocationList:
    """The list in the store, its signature checked."""
    text = b"".join(app.store.get(revocations.NAME)).decode()
    return read_list(text, parse_key_set(keys.public_key_set(app.engine)))


def names(app: App) -> dict[str, set[str]]:
    """The numbers that the stored list names, by state."""
    return {state: set(days) for state, days in stored(app).licenses.items()}


def test_the_list_follows_what_batches_end(app: App, submit: Submit) -> None:
    """Moved, revoked, taken back: the list names what ended by then; a batch that did nothing writes none."""
    account(app, "MINE", "customer")
    product(app, "BOX", host_bound=True)
    numbers = licensed(app, submit, "MINE", "CERT-001;BOX;;1;", "CERT-002;BOX;;1;", host="H1")
    assert not app.store.exists(revocations.NAME)
    assert outcome_codes(app, submit("License;Reason\nL-0;Lost\n", "revoke-licenses", "VENDOR")) == ["unknown_license"]
    assert not app.store.exists(revocations.NAME)
    moved = submit(f"License;New host ID\n{numbers[0]};H2\n", "rehost-licenses", "MINE")
    assert names(app) == {"revoked": set(), "superseded": set(), "rehosted": {numbers[0]}}
    submit(f"License;Reason\n{numbers[1]};Lost\n", "revoke-licenses", "VENDOR")
    assert names(app)["revoked"] == {numbers[1]}
    submit(f"Batch;Row\n{moved};1\n", "revert-batches", "VENDOR")
    assert names(app) == {
        "revoked": {numbers[1], answers(app, moved)[0].license_number},
        "superseded": set(),
        "rehosted": set(),
    }


def test_what_has_expired_is_not_named(app: App, submit: Submit) -> None:
    """A key that says itself that it is over need not be on the list."""
    account(app, "MINE", "customer")
    product(app, "APP")
    numbers = licensed(app, submit, "MINE", "CERT-001;APP;;1;", "CERT-002;APP;;1;")
    submit("License;Reason\n" + "".join(f"{number};Lost\n" for number in numbers), "revoke-licenses", "VENDOR")
    with transaction(app.engine) as connection:
        until = "UPDATE licenses SET valid_until = current_date - 1 WHERE number = %(n)s"
        run(connection, until, {"n": numbers[0]})
        assert revocations.publish(app, connection).counts == {"revoked": 1, "superseded": 0, "rehosted": 0}
    assert names(app)["revoked"] == {numbers[1]}


def test_one_list_is_made_at_a_time(app: App) -> None:
    """The second waits until the first has ended its transaction, so the newest is what stays."""
    done = threading.Event()

    def second() -> None:
        with transaction(app.engine) as connection:
            revocations.publish(app, connection)
        done.set()

    with transaction(app.engine) as connection:
        revocations.publish(app, connection)
        thread = threading.Thread(target=second)
        thread.start()
        assert not done.wait(0.3)
    thread.join(10)
    assert done.is_set()


def test_a_store_that_is_away_is_waited_for(app: App, submit: Submit, drive: Callable[[], None]) -> None:
    """The batch ends without its list, and the list follows once the store is back."""
    account(app, "MINE", "customer")
    product(app, "APP")
    (number,) = licensed(app, submit, "MINE", "CERT-001;APP;;1;")
    put = app.store.put
    refused: list[str] = []

    def away(name: str, *arguments: object, **options: object) -> object:
        if name == revocations.NAME and not refused:
            refused.append(name)
            raise StoreUnavailable("away")
        return put(name, *arguments, **options)  # type: ignore[arg-type]

    app.store.put = away  # type: ignore[method-assign, assignment]
    batch = submit(f"License;Reason\n{number};Lost\n", "revoke-licenses", "VENDOR")
    assert refused
    assert state(app, batch) == "done"
    limit = time.monotonic() + 30
    while not app.store.exists(revocations.NAME):  # it is tried again after a while
        assert time.monotonic() < limit
        drive()
    assert names(app)["revoked"] == {number}


def test_the_last_of_several_batches_publishes_for_all(
    app: App, submit: Submit, drive: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches that ended while a list waits to be made get one list together."""
    account(app, "MINE", "customer")
    product(app, "APP")
    numbers = licensed(app, submit, "MINE", "CERT-001;APP;;1;", "CERT-002;APP;;1;")
    told: list[dict[str, set[str]]] = []
    publish = revocations.publish

    def counted(app: App, connection: Connection) -> revocations.Published:
        published = publish(app, connection)
        told.append(names(app))
        return published

    monkeypatch.setattr(revocations, "publish", counted)
    for number in numbers:  # both end before one of their lists is begun
        submit(f"License;Reason\n{number};Lost\n", "revoke-licenses", "VENDOR", work=False)
    drive()
    assert told[-1]["revoked"] == set(numbers)
    with app.engine.connect() as connection:
        turns = fetch(connection, "SELECT id FROM chunks WHERE stage = 'publish' ORDER BY id", {})
    assert len(turns) == 2
