"""Looking into drops on a real sshd: what is taken, once and whole, whatever breaks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from config.wiring import App
from jobs import drops, polling
from jobs.reading import source_name
from models import batches
from models.batches import Batch
from models.database import transaction
from models.drops import Drop
from storage.drops import Remote
from tests.apps import account, product
from tests.jobs.killed_poll import STEPS
from tests.ssh import Client, Sshd, start_sshd, wait_until

LIST = "code;company\nABC-1234;Rossi\n"
Make = Callable[..., Drop]


@pytest.fixture(autouse=True)
def parties(app: App) -> None:
    """An OEM whose files run at once."""
    account(app, "OEM", confirm="auto", locale="it")
    product(app, "P")


@pytest.fixture
def make(app: App, sshd: Sshd) -> Make:
    """Adds a drop on the sshd with one folder ``in``, taken at first sight unless said otherwise."""
    (sshd.root / "in").mkdir()

    def add(name: str = "partner", **changed: Any) -> Drop:
        drop = Drop(
            name,
            "OEM",
            "127.0.0.1",
            sshd.port,
            sshd.user,
            sshd.host_key,
            str(sshd.key),
            {f"{sshd.root}/in": "redeem-vouchers"},
            "*",
            0,
            "",
        )
        drops.add(app, replace(drop, **changed), actor="test")
        return drops.find(app, name)

    return add


def put(sshd: Sshd, name: str, text: str | bytes = LIST) -> Path:
    """A file in the drop's folder."""
    path = sshd.root / "in" / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def there(sshd: Sshd, room: str = "") -> list[str]:
    """The files of the drop's folder, or of one below it."""
    return sorted(path.name for path in (sshd.root / "in" / room).iterdir() if path.is_file())


def taken(app: App) -> list[Batch]:
    """All batches, oldest first."""
    with app.engine.connect() as connection:
        return batches.latest(connection, account_id=None, limit=99)[::-1]


def test_a_file_goes_from_the_drop_into_a_batch_and_the_archive(app: App, sshd: Sshd, make: Make) -> None:
    """Its bytes are the batch's, the archive names the batch, and nothing is left in between, here or there."""
    drop = make()
    put(sshd, "list.csv")
    polled = polling.poll(app, drop)
    (batch,) = taken(app)
    assert polled.error is None
    assert polled.taken == {f"{sshd.root}/in/list.csv": batch.id}
    assert (batch.filename, batch.kind) == ("list.csv", "redeem-vouchers")
    assert b"".join(app.store.get(source_name(batch.sha256))) == LIST.encode()
    assert there(sshd, "archive") == [f"{batch.id}-list.csv"]
    assert there(sshd) == there(sshd, "processing") == there(sshd, "error") == []
    assert list((app.settings.home / "drops" / str(drop.id)).iterdir()) == []
    assert polling.poll(app, drop).taken == {}
    (file,) = drops.latest_files(app, "partner")
    assert (file["state"], file["batch"]) == ("taken", batch.id)


def test_a_file_must_stay_as_it_is_between_two_looks(app: App, sshd: Sshd, make: Make) -> None:
    """Growing, it waits; the same for the settle time by our own clock, whatever the server's, it is taken."""
    drop = make(settle_seconds=3_600)
    path = put(sshd, "list.csv")
    os.utime(path, (4_000_000_000, 4_000_000_000))  # a clock far ahead
    assert polling.poll(app, drop).waiting == [str(path)]
    an_hour_later(app)
    path.write_text(LIST + "ABC-1;Verdi\n")
    assert polling.poll(app, drop).waiting == [str(path)]
    assert polling.poll(app, drop).waiting == [str(path)]
    an_hour_later(app)
    assert list(polling.poll(app, drop).taken) == [str(path)]
    assert taken(app)[0].size == len(LIST) + 12


def an_hour_later(app: App) -> None:
    """Let an hour pass for what was seen."""
    with transaction(app.engine) as connection:
        connection.exec_driver_sql("UPDATE drop_files SET seen_at = seen_at - interval '1 hour'")


def test_what_a_killed_client_leaves_is_never_taken(app: App, sshd: Sshd, make: Make, tmp_path: Path) -> None:
    """A ``.part`` that no longer grows stays for ever; a half file under its final name goes to the error folder."""
    drop = make()
    known = tmp_path / "known"
    known.write_text(f"[127.0.0.1]:{sshd.port} {sshd.host_key}\n")
    client = Client(sshd.port, sshd.user, sshd.key, known)
    path = tmp_path / "list.csv"
    path.write_bytes(b"code;company\n" + b"ABC-1234;Rossi\n" * 1_000_000)
    for name in ("list.csv.part", "list.csv"):
        sending = subprocess.Popen(
            ["sftp", *client.options, "-l", "20000", "-b", "-", client.place],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert sending.stdin is not None
        sending.stdin.write(f"put {path} {sshd.root}/in/{name}\n")
        sending.stdin.flush()
        target = sshd.root / "in" / name
        wait_until(partial(_holds, target, 200_000), "nothing arrives")
        sending.send_signal(signal.SIGKILL)
        sending.stdin.close()
        sending.wait()
    time.sleep(0.5)
    for _ in range(2):
        polling.poll(app, drop)
    assert taken(app) == []
    assert there(sshd) == ["list.csv.part"]
    assert there(sshd, "error") == ["list.csv", "list.csv.reason.txt"]
    assert "interrotto" in (sshd.root / "in/error/list.csv.reason.txt").read_text()


def _holds(path: Path, least: int) -> bool:
    return path.exists() and path.stat().st_size > least


def test_a_file_that_its_sender_still_writes_is_put_back(app: App, sshd: Sshd, make: Make) -> None:
    """Claimed too early, it grows while it is brought here: it goes back under its name, and later comes whole."""
    drop = make()
    path = put(sshd, "list.csv")
    before = Remote.fetch

    def grow(self: Remote, remote: str, local: Path, size: int) -> None:
        with Path(remote).open("a") as file:
            file.write("ABC-2;Verdi\n")
        before(self, remote, local, size)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Remote, "fetch", grow)
        assert polling.poll(app, drop).waiting == [str(path)]
    assert there(sshd) == ["list.csv"]
    assert taken(app) == []
    polling.poll(app, drop)
    assert taken(app)[0].size == len(LIST) + 12


def die(app: App, drop: Drop, step: str) -> None:
    """Look into a drop in a process that is killed at a step."""
    words = [sys.executable, "-m", "tests.jobs.killed_poll", step, drop.name]
    environment = os.environ | app.settings.environment() | {"KEYMILL_KEY_ENCRYPTION_KEY": "A" * 43 + "="}
    died = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60)
    assert died.returncode == 9, died.stderr


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_any_step_the_next_poll_completes(step: str, app: App, sshd: Sshd, make: Make) -> None:
    """A poll is killed right before or right after each step; the next one takes the file once and archives it."""
    drop = make()
    big = LIST + "ABC-1;Verdi\n" * 500_000
    put(sshd, "list.csv", big)
    put(sshd, "bad.csv", "no end")
    die(app, drop, step)
    wait_until(lambda: not polling.poll(app, drop).is_busy, "the lock of the killed one is still held")
    assert polling.poll(app, drop).error is None
    (batch,) = taken(app)
    assert batch.size == len(big)
    assert there(sshd, "archive") == [f"{batch.id}-list.csv"]
    assert there(sshd, "error") == ["bad.csv", "bad.csv.reason.txt"]
    assert there(sshd) == there(sshd, "processing") == []
    assert list((app.settings.home / "drops" / str(drop.id)).iterdir()) == []


def test_a_broken_connection_is_resumed_where_it_ended(app: App, sshd: Sshd, make: Make, tmp_path: Path) -> None:
    """Sshd is killed while a file is brought here: the error says so, and the next poll asks only for the rest."""
    drop = make()
    text = b"code;company\n" + b"ABC-1234;Rossi\n" * 4_000_000
    put(sshd, "list.csv", text)
    folder = app.settings.home / "drops" / str(drop.id)
    found: list[polling.Polled] = []
    poller = threading.Thread(target=lambda: found.append(polling.poll(app, drop)))
    poller.start()

    def arrived() -> int:
        return sum(path.stat().st_size for path in folder.glob("*"))

    limit = time.monotonic() + 30
    while arrived() < 4_000_000 and time.monotonic() < limit:
        time.sleep(0.001)
    sshd.stop()
    poller.join()
    assert found[0].error is not None and found[0].error["code"] == "connection_broken"
    half = arrived()
    assert 0 < half < len(text)
    again = start_sshd(sshd.folder, port=sshd.port)
    try:
        fetched: list[int] = []
        before = Remote.fetch

        def watched(self: Remote, remote: str, local: Path, size: int) -> None:
            fetched.append(size - local.stat().st_size)
            before(self, remote, local, size)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Remote, "fetch", watched)
            assert polling.poll(app, drop).error is None
    finally:
        again.stop()
    assert fetched == [len(text) - half]
    (batch,) = taken(app)
    assert b"".join(app.store.get(source_name(batch.sha256))) == text


def test_of_many_pollers_one_takes_each_file(app: App, sshd: Sshd, make: Make) -> None:
    """Two drops of two installations look into one folder at the same time: every file is one batch."""
    first, second = make(), make("twin")
    names = [f"list-{n}.csv" for n in range(20)]
    for n, name in enumerate(names):
        put(sshd, name, LIST + f"ABC-{n};Verdi\n")
    found: list[polling.Polled] = []
    pollers = [threading.Thread(target=lambda d=d: found.append(polling.poll(app, d))) for d in (first, second, first)]
    for poller in pollers:
        poller.start()
    for poller in pollers:
        poller.join()
    polling.poll(app, first)
    assert sorted(batch.filename for batch in taken(app)) == sorted(names)
    assert len(there(sshd, "archive")) == 20


def test_another_host_key_stops_everything(app: App, sshd: Sshd, make: Make, tmp_path: Path) -> None:
    """A server that shows another key than the pinned one is not even asked for its files."""
    from tests.ssh import make_key

    other = make_key(tmp_path / "other").with_suffix(".pub").read_text()
    drop = make(host_key=other)
    put(sshd, "list.csv")
    polled = polling.poll(app, drop)
    assert polled.error is not None and polled.error["code"] == "host_key_changed"
    assert there(sshd) == ["list.csv"]
    assert "nothing was read" in (drops.find(app, "partner").error or {})["en"]
    assert "session opened" not in (sshd.folder / "sshd.log").read_text()


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"port": 1}, "drop_unreachable"),
        ({"login": "nobody-here"}, "login_refused"),
        ({"key_file": "/nowhere/key"}, "key_file_unusable"),
        ({"folders": {"/nowhere": "redeem-vouchers"}}, "drop_refuses"),
    ],
)
def test_what_is_wrong_is_told(changed: dict[str, Any], code: str, app: App, make: Make) -> None:
    """Each mistake in a drop has its own sentence in both languages, kept with the drop."""
    polled = polling.poll(app, make(**changed))
    assert polled.error is not None
    assert polled.error["code"] == code
    assert polled.error["en"] != polled.error["it"]
    assert drops.find(app, "partner").error == polled.error


def test_a_suspended_account_leaves_its_files_where_they_are(app: App, sshd: Sshd, make: Make) -> None:
    """Nothing is claimed for an account that may not send."""
    drop = make()
    put(sshd, "list.csv")
    account(app, "OEM", state="suspended")
    polled = polling.poll(app, drop)
    assert polled.error is not None and polled.error["code"] == "account_suspended"
    assert there(sshd) == ["list.csv"]


def test_patterns_and_markers(app: App, sshd: Sshd, make: Make) -> None:
    """Only names of the pattern are looked at; with a marker a file waits for it, whole or not, and both go."""
    drop = make(pattern="*.csv", marker=".ok")
    for name in ("a.csv", "b.csv", "c.txt", ".d.csv", "b.csv.ok"):
        put(sshd, name, "code;company\nABC-1;Rossi")
    assert list(polling.poll(app, drop).taken) == [f"{sshd.root}/in/b.csv"]
    assert there(sshd) == [".d.csv", "a.csv", "c.txt"]


def test_the_same_file_again_and_another_one_of_its_name(app: App, sshd: Sshd, make: Make) -> None:
    """The same name, time and size is the batch that there is; another time is a new one; other bytes are refused."""
    drop = make()
    for text in (LIST, LIST, LIST.replace("Rossi", "Verdi")):
        os.utime(put(sshd, "list.csv", text), (1_700_000_000, 1_700_000_000))
        polling.poll(app, drop)
        assert there(sshd) == []
    assert len(taken(app)) == 1
    put(sshd, "list.csv")
    polling.poll(app, drop)
    assert len(taken(app)) == 2


def test_a_file_that_is_too_large_is_not_even_fetched(app: App, sshd: Sshd, make: Make) -> None:
    """The limit is told in the reason."""
    limits = app.settings.limits.model_copy(update={"file_bytes": 5})
    object.__setattr__(app, "settings", app.settings.model_copy(update={"limits": limits}))
    put(sshd, "list.csv")
    assert "al massimo 5" in polling.poll(app, make()).refused[f"{sshd.root}/in/list.csv"]


def test_an_outage_of_the_store_leaves_the_file_for_the_next_poll(
    app: App, sshd: Sshd, make: Make, tmp_path: Path
) -> None:
    """Nothing is refused for what is no fault of the file."""
    drop = make()
    put(sshd, "list.csv")
    (tmp_path / "store").rename(tmp_path / "away")
    polled = polling.poll(app, drop)
    assert polled.error is not None and polled.error["code"] == "store_unavailable"
    (tmp_path / "away").rename(tmp_path / "store")
    assert list(polling.poll(app, drop).taken) == [f"{sshd.root}/in/list.csv"]


def test_ten_thousand_files_are_listed(app: App, sshd: Sshd, make: Make) -> None:
    """A long listing comes whole, and each file settles by itself."""
    drop = make(settle_seconds=1_000)
    for number in range(10_000):
        put(sshd, f"list-{number:05}.csv", "x")
    assert len(polling.poll(app, drop).waiting) == 10_000
    assert len(polling.poll(app, drop).waiting) == 10_000


def test_a_drop_is_tried_out_without_touching_files(app: App, sshd: Sshd, make: Make) -> None:
    """``test`` does what a poll does with a file of its own, and leaves only the folders that a poll needs."""
    make()
    put(sshd, "list.csv")
    assert drops.try_out(app, "partner") == {f"{sshd.root}/in": 1}
    assert there(sshd) == ["list.csv"]
    assert there(sshd, "archive") == there(sshd, "error") == there(sshd, "processing") == []


def test_paused_drops_are_left_alone(app: App, sshd: Sshd, make: Make) -> None:
    """The scheduler looks into active drops only; a removed one is forgotten with what was seen there."""
    make()
    put(sshd, "list.csv")
    drops.set_state(app, "partner", "paused", actor="test")
    assert polling.active(app) == []
    drops.set_state(app, "partner", "active", actor="test")
    assert [drop.name for drop in polling.active(app)] == ["partner"]
    assert polling.active(app, "other") == []
    drops.remove(app, "partner", actor="test")
    assert drops.every(app) == []


def test_the_document_of_a_poll_is_json(app: App, sshd: Sshd, make: Make) -> None:
    """What a program reads."""
    put(sshd, "list.csv")
    document = json.loads(json.dumps(polling.poll(app, make()).document()))
    assert document["drop"] == "partner"
    assert document["taken"] == {f"{sshd.root}/in/list.csv": taken(app)[0].id}
