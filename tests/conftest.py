"""Fixtures for everybody: real servers, a fresh migrated database per test, an S3 server in its own process."""

from __future__ import annotations

import gc
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NoReturn
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest
import redis
import structlog
from argon2 import PasswordHasher
from hypothesis import settings
from sqlalchemy import Engine, make_url, text

from config.embedded import EmbeddedProblem, Urls, embedded_servers
from config.embedded_processes import free_port
from jobs import passwords
from models import schema
from models.database import connect
from storage.objects import ObjectStore
from storage.opening import open_store
from tests.databases import drop_database, new_database

# A whole app on real servers, one with something of everything, OpenSSH, and whom it tells.
pytest_plugins = ["tests.apps", "tests.tenants", "tests.ssh", "tests.receivers"]
IN_CI = os.environ.get("CI") == "true"

settings.register_profile("home", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if IN_CI else "home")

# structlog as it comes draws a traceback with the values of all variables, which takes seconds.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)

# Files whose few tests take longest begin first, so that no process is left with one of them when the others are done.
LONG_ONES = (
    "crash/", "cli/test_bench.py", "web/portal/test_browser.py", "cli/test_serving.py", "cli/test_batches.py",
    "flow/", "cli/test_access.py", "cli/test_demo.py", "config/test_embedded.py", "config/test_tracing.py",
    "storage/test_s3.py", "importers/test_hostile_in_child.py", "scheduler/test_processes.py", "web/", "jobs/", "cli/",
    "architecture/", "config/",
)  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long files first; within a file the order stays."""

    def rank(item: pytest.Item) -> int:
        path = item.path.relative_to(Path(__file__).parent).as_posix()
        return next((place for place, start in enumerate(LONG_ONES) if path.startswith(start)), len(LONG_ONES))

    items.sort(key=rank)


def pytest_collection_finish() -> None:
    """What was imported and collected stays: the garbage collector need not look at it again and again."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def quick_passwords() -> Iterator[None]:
    """Hashing a password takes a tenth of a second on purpose; people of tests do without."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(passwords, "_HASHER", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))
        yield


def _skip_at_home(reason: str) -> NoReturn:
    if IN_CI:
        pytest.fail(f"missing in CI: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def skip_at_home() -> Callable[[str], NoReturn]:
    """Call it to skip a test whose service is missing on this machine; in CI (CI=true) that is a failure."""
    return _skip_at_home


@pytest.fixture(scope="session")
def stack() -> Iterator[Urls]:
    """PostgreSQL and Valkey: those named in KEYMILL_TEST_DATABASE_URL and KEYMILL_TEST_REDIS_URL, else embedded."""
    database, valkey = os.environ.get("KEYMILL_TEST_DATABASE_URL"), os.environ.get("KEYMILL_TEST_REDIS_URL")
    if valkey:  # processes that test side by side share the server, and each has a database of its own in it
        valkey = f"{valkey.rstrip('/')}/{os.environ.get('PYTEST_XDIST_WORKER', 'gw0').removeprefix('gw')}"
    if database and valkey:
        yield Urls(database, valkey)
        return
    home = _make_open_folder()
    try:
        with embedded_servers(home) as urls:
            if database is None:
                _forget_about_power_cuts(urls.database)
            yield Urls(database or urls.database, valkey or urls.redis)
    except EmbeddedProblem as problem:
        if problem.code != "embedded_missing":
            raise
        _skip_at_home(problem.en)
    finally:
        shutil.rmtree(home)


def _forget_about_power_cuts(url: str | None) -> None:
    """Databases are made and dropped by the hundred: twice as fast when nothing waits for the disk.

    What the crash tests kill runs on servers of its own, which do wait.
    """
    assert url is not None
    engine = connect(url).execution_options(isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for name in ("fsync", "full_page_writes", "autovacuum"):
            connection.execute(text(f"ALTER SYSTEM SET {name} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
        # As with people's passwords: to sign in by the usual 4,096 rounds is half the time that a connection takes.
        connection.execute(text("SET scram_iterations = 1"))
        connection.execute(text(f"ALTER ROLE {engine.url.username} PASSWORD '{engine.url.password}'"))
    engine.dispose()


def _make_open_folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="keymill-tests-"))
    folder.chmod(0o755)
    return folder


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A temporary folder that every user may enter: PostgreSQL does not run as root (``tmp_path`` is closed)."""
    folder = _make_open_folder()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def server_engine(stack: Urls) -> Iterator[Engine]:
    """The server's own database, outside any transaction: for making and dropping databases."""
    assert stack.database is not None
    engine = connect(stack.database).execution_options(isolation_level="AUTOCOMMIT")
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def migrated_template(server_engine: Engine) -> Iterator[str]:
    """The name of a database with the newest schema and nothing in it."""
    url = new_database(server_engine, "template0")
    engine = connect(url)
    schema.migrate(engine)
    _tell_ids_apart(engine)
    engine.dispose()
    yield str(make_url(url).database)
    drop_database(server_engine, url)


def _tell_ids_apart(engine: Engine) -> None:
    """No number is the id of things of two kinds: a query that takes one for the other finds nothing."""
    query = "SELECT table_name, column_name FROM information_schema.columns WHERE is_identity = 'YES' ORDER BY 1"
    with engine.begin() as connection:
        for place, (table, column) in enumerate(connection.execute(text(query)).all(), 1):
            first = place * 100_000 + 1
            connection.execute(text(f'ALTER TABLE "{table}" ALTER COLUMN "{column}" RESTART WITH {first}'))


@pytest.fixture
def database_url(server_engine: Engine, migrated_template: str) -> Iterator[str]:
    """The URL of a fresh database with the newest schema."""
    url = new_database(server_engine, migrated_template)
    yield url
    drop_database(server_engine, url)


@pytest.fixture
def empty_database_url(server_engine: Engine) -> Iterator[str]:
    """The URL of a fresh database without any table."""
    url = new_database(server_engine, "template0")
    yield url
    drop_database(server_engine, url)


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A fresh database with the newest schema."""
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def valkey_url(stack: Urls) -> Iterator[str]:
    """The URL of a Valkey with nothing in it."""
    assert stack.redis is not None
    with redis.Redis.from_url(stack.redis) as client:
        client.flushdb()
        yield stack.redis


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """The http URL of an S3-compatible server in a process of its own (any credentials will do)."""
    port = free_port(None)
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_until_it_answers(server, url)
        yield url
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def open_on_server(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ObjectStore]:
    """Call it with the URL of an S3 server for a store in a new bucket there."""

    def open_it(url: str, **options: str) -> ObjectStore:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        bucket = f"keymill-{secrets.token_hex(6)}"
        with urlopen(Request(f"{url}/{bucket}", method="PUT"), timeout=10):  # the server asks for no signature
            pass
        return open_store(f"s3://{bucket}/deep/prefix", **options)

    return open_it


def _wait_until_it_answers(server: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urlopen(url, timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError(f"the S3 server at {url} does not answer")
