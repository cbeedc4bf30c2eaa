"""The processes of an installation: how they start, on which servers, and that they end however they are ended."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from sqlalchemy import Engine

from config import embedded
from config.settings import Settings
from config.wiring import open_app
from models import workers
from models.database import transaction
from tests.cli.test_batches import COMMAND, environment

Start = Callable[..., subprocess.Popen[str]]
PATIENCE_SECONDS = 60


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    """Wait for something that other processes do."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < limit, what
        time.sleep(0.05)


def named_servers(database_url: str, valkey_url: str, home: Path) -> dict[str, str]:
    """The environment of a process that is given its servers by URL."""
    return environment(home) | {
        "KEYMILL_DATABASE_URL": database_url.replace("postgresql+psycopg:", "postgresql:"),
        "KEYMILL_REDIS_URL": valkey_url,
        "KEYMILL_STORE_URL": (home / "store").as_uri(),
        "KEYMILL_KEY_ENCRYPTION_KEY": b64encode(secrets.token_bytes(32)).decode(),
    }


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a command; what is left of it after the test is killed."""
    started: list[subprocess.Popen[str]] = []

    def run(env: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [*COMMAND, *arguments], env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        started.append(process)
        return process

    yield run
    for process in started:
        for one in below(process):
            one.kill()
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def below(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """The worker and scheduler processes that a command started."""
    try:
        children = psutil.Process(process.pid).children()
        return [child for child in children if {"worker", "scheduler"} & set(child.cmdline())]
    except psutil.NoSuchProcess:
        return []


def alive(engine: Engine, role: str) -> int:
    """How many processes of a role have signed on."""
    with engine.connect() as connection:
        return len(workers.alive(connection, role, within_seconds=PATIENCE_SECONDS))


def all_gone(processes: list[psutil.Process]) -> bool:
    """Whether none of these processes runs any more."""
    return not any(one.is_running() and one.status() != psutil.STATUS_ZOMBIE for one in processes)


@pytest.mark.parametrize("role", ["worker", "scheduler"])
def test_a_role_given_urls_starts_no_server_and_signs_off(
    role: str, start: Start, database_url: str, engine: Engine, valkey_url: str, tmp_path: Path
) -> None:
    """It signs on, ends with 0 on SIGTERM, leaves no row behind, and no embedded server was ever started."""
    process = start(named_servers(database_url, valkey_url, tmp_path), role)
    wait_until(lambda: alive(engine, role) == 1, "it did not sign on")
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=PATIENCE_SECONDS) == 0
    assert alive(engine, role) == 0
    assert not (tmp_path / "postgres").exists()
    assert not (tmp_path / "valkey").exists()


def test_a_worker_of_several_processes(
    start: Start, database_url: str, engine: Engine, valkey_url: str, tmp_path: Path
) -> None:
    """``--processes 2`` is two workers, one of which is started again when it is killed, and both end with it."""
    process = start(named_servers(database_url, valkey_url, tmp_path), "worker", "--processes", "2")
    wait_until(lambda: alive(engine, "worker") == 2, "they did not sign on")
    killed, other = below(process)
    killed.kill()
    wait_until(lambda: len(set(below(process)) - {killed}) == 2, "it was not started again")
    all_of_them = below(process)
    assert other in all_of_them
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=PATIENCE_SECONDS) == 0
    assert all_gone(all_of_them)


def test_migrating_twice_changes_nothing(empty_database_url: str, valkey_url: str, tmp_path: Path) -> None:
    """An empty database is refused by a worker with a sentence; migrated, it is at the newest revision; then again."""
    env = named_servers(empty_database_url, valkey_url, tmp_path)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*COMMAND, *arguments], env=env, capture_output=True, text=True, timeout=60)

    refused = run("worker")
    assert refused.returncode == 1
    assert "keymill migrate" in refused.stderr
    assert "Traceback" not in refused.stderr
    first, second = (json.loads(run("migrate", "--json").stdout) for _ in range(2))
    assert first["before"] is None
    assert first["after"] == second["before"] == second["after"]


def test_up_and_all_below_it_end_when_it_is_killed(start: Start, open_folder: Path) -> None:
    """Nobody is there to say TERM after a kill -9: workers and scheduler notice by themselves."""
    up = start(environment(open_folder / "home"), "up", "--workers", "1", "--json")
    assert up.stdout is not None
    processes = [psutil.Process(pid) for pid in json.loads(up.stdout.readline())["pids"]]
    assert len(processes) == 3
    up.kill()
    up.wait()
    wait_until(lambda: all_gone(processes), "they went on without it")
    with embedded.embedded_servers(open_folder / "home"):
        pass  # takes over the servers that it left, and stops them


def test_up_starts_a_dead_server_again(start: Start, open_folder: Path) -> None:
    """PostgreSQL is killed under a running ``up``: it comes back on the same URL, and a batch goes through."""
    home = open_folder / "home"
    env = environment(home)
    up = start(env, "up", "--workers", "1", "--json")
    assert up.stdout is not None
    up.stdout.readline()
    before = embedded.pids(home)["postgres"]
    embedded.stop_postgres_now(home)
    wait_until(lambda: embedded.pids(home).get("postgres", before) != before, "PostgreSQL did not come back")
    (open_folder / "accounts.csv").write_text("account,name,type\nOEM,Oem,oem\n")
    words = ["submit", str(open_folder / "accounts.csv"), "--kind", "load-accounts", "--account", "VENDOR"]
    sent = subprocess.run([*COMMAND, *words, "--wait", "--json"], env=env, capture_output=True, text=True, timeout=120)
    assert json.loads(sent.stdout)["outcomes"]["accepted"] == 1
    up.send_signal(signal.SIGTERM)
    assert up.wait(timeout=PATIENCE_SECONDS) == 0
    assert embedded.pids(home) == {}


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_waiting_command_takes_its_own_workers_along(how: signal.Signals, start: Start, open_folder: Path) -> None:
    """``--wait`` without workers starts some and says so; told to stop or left alone, it ends them and the servers."""
    home = open_folder / "home"
    env = environment(home) | {"KEYMILL_WORKERS": "1", "PYTHONUNBUFFERED": "1"}
    (open_folder / "orders.csv").write_text("oem,product,count\n" + "OEM,P,1\n" * 100_000)
    words = ["submit", str(open_folder / "orders.csv"), "--kind", "mint-vouchers", "--account", "VENDOR", "--wait"]
    waiting = start(env, *words)
    wait_until(lambda: len(below(waiting)) == 2, "no workers were started")
    processes = below(waiting)
    os.kill(waiting.pid, how)
    assert waiting.stdout is not None
    assert "1 are started for this command" in waiting.stdout.read()
    assert waiting.wait(timeout=PATIENCE_SECONDS) == 128 + how
    wait_until(lambda: all_gone(processes), "its workers were left over")
    assert embedded.pids(home) == {}


def test_a_killed_worker_is_not_waited_for(open_folder: Path) -> None:
    """Its row still looks fresh, but on an embedded stack its process is known to be gone: others are started."""
    home = open_folder / "home"
    gone = subprocess.Popen(["true"])
    gone.wait()
    (open_folder / "accounts.csv").write_text("account,name,type\nOEM,Oem,oem\n")
    words = ["submit", str(open_folder / "accounts.csv"), "--kind", "load-accounts", "--account", "VENDOR", "--wait"]
    env = environment(home) | {"KEYMILL_WORKERS": "1"}
    with open_app(Settings(home=home, database_url="", redis_url="", store_url="")) as app:
        with transaction(app.engine) as connection:
            workers.beat(connection, "killed", "worker", "here", gone.pid, 1)
        assert alive(app.engine, "worker") == 1
        sent = subprocess.run([*COMMAND, *words], env=env, capture_output=True, text=True, timeout=120)
    assert sent.returncode == 0, sent.stderr
    assert "started for this command" in sent.stdout
