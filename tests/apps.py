"""A whole app on real servers, and its work driven step by step in this process."""

from __future__ import annotations

import copy
import functools
import inspect
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import pytest
from sqlalchemy import Connection, Engine

from config.settings import Settings
from config.wiring import App
from jobs import control, intake, status, sweep, working
from models import accounts, products
from models.database import fetch, run, transaction
from storage.opening import open_store
from tests.databases import copy_over, drop_database, new_database

Submit = Callable[..., int]
LOOK_SECONDS = 0.05  # how often somebody looks for work where nobody told of any
KEK = secrets.token_bytes(32)  # one for all apps, so that what is kept of one can be used by others


@pytest.fixture
def app(engine: Engine, valkey_url: str, tmp_path: Path) -> App:
    """An app with a fresh database, an empty queue and a store in a folder; chunks of ten rows."""
    return app_on(engine, valkey_url, tmp_path, KEK)


def app_on(engine: Engine, valkey_url: str, folder: Path, kek: bytes) -> App:
    """An app on servers, with its store in a folder."""
    settings = Settings(
        home=folder / "home",
        database_url=engine.url.set(drivername="postgresql").render_as_string(hide_password=False),
        redis_url=valkey_url,
        store_url=(folder / "store").as_uri(),
        chunk_rows=10,
        outage_wait_seconds=0.01,
    )
    return App(settings, engine, open_store(settings.store_url), kek)


class Kept(NamedTuple):
    """What a fixture made once: a database to copy, a folder with its store, and what it answered."""

    url: str
    store: Path
    answer: Any


@pytest.fixture(scope="session")
def kept_stock(server_engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Any]]:
    """Call it with a function that stocks an app, and the app: the function is called for the first app only."""
    made: dict[Callable[..., Any], Kept] = {}

    def stock(build: Callable[..., Any], **given: Any) -> Any:
        app: App = given["app"]
        store = app.settings.home.parent / "store"
        if build in made:
            copy_over(server_engine, app.engine, made[build].url)
            shutil.copytree(made[build].store, store, dirs_exist_ok=True)
        else:
            answer, folder = build(**given), tmp_path_factory.mktemp("kept") / "store"
            app.engine.dispose()
            url = new_database(server_engine, str(app.engine.url.database))
            shutil.copytree(store, folder)
            made[build] = Kept(url, folder, answer)
        return copy.deepcopy(made[build].answer)

    yield stock
    for kept in made.values():
        drop_database(server_engine, kept.url)


def kept(build: Callable[..., Any]) -> Callable[..., Any]:
    """Make a fixture that stocks ``app`` with batches: they run once, further tests get copies of what they left."""
    signature = inspect.signature(build)
    wanted = inspect.Parameter("kept_stock", inspect.Parameter.KEYWORD_ONLY)

    @functools.wraps(build)
    def fixture(*, kept_stock: Callable[..., Any], **given: Any) -> Any:
        return kept_stock(build, **given)

    fixture.__signature__ = signature.replace(parameters=[*signature.parameters.values(), wanted])  # type: ignore[attr-defined]
    return fixture


@pytest.fixture
def drive(app: App) -> Callable[[], None]:
    """Work off everything that there is, as a worker and a scheduler would."""
    return driver(app)


def driver(app: App) -> Callable[[], None]:
    """What works off everything that there is of an app."""
    heartbeat = working.Heartbeat(app, "test", "worker", "here", os.getpid())

    def work() -> None:
        was_swept = False
        for _ in range(2000):
            if working.work_one(app, heartbeat):
                was_swept = False
            elif was_swept:
                return
            else:
                sweep.sweep(app)
                was_swept = True
        raise AssertionError("the work has no end")

    return work


def work_off(app: App, batch_id: int, workers: int) -> None:
    """Let so many workers work at once until a batch has ended, or waits at its preview."""
    ended, worked = threading.Event(), threading.Condition()

    def work(number: int) -> None:
        heartbeat = working.Heartbeat(app, f"test {number}", "worker", "here", os.getpid())
        while not ended.is_set():
            did = working.work_one(app, heartbeat)
            with worked:
                worked.notify_all() if did else worked.wait(LOOK_SECONDS)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
    sweep.sweep(app)
    for thread in threads:
        thread.start()
    try:
        while True:
            with worked:
                did = worked.wait(LOOK_SECONDS)
            if not did:
                sweep.sweep(app)
            with app.engine.connect() as connection:
                query = "SELECT state FROM batches WHERE id = %(b)s"
                if fetch(connection, query, {"b": batch_id})[0][0] in ("previewed", "done", "failed"):
                    return
    finally:
        ended.set()
        with worked:
            worked.notify_all()
        for thread in threads:
            thread.join()


def run_as_previewed(app: App, batch_id: int, workers: int) -> None:
    """Preview a batch and let it run: row for row the run says what the preview said."""
    work_off(app, batch_id, workers)
    previewed = previewed_codes(app, batch_id)
    control.confirm(app, batch_id, actor="test")
    work_off(app, batch_id, workers)
    assert outcome_codes(app, batch_id) == previewed


def account(app: App, number: str, kind: str = "oem", **columns: str) -> None:
    """Load an account."""
    empty = dict.fromkeys(("email", "country", "locale", "time_zone", "separator", "encoding", "confirm", "state"))
    with transaction(app.engine) as connection:
        accounts.save(connection, [empty | {"number": number, "type": kind, "name": number} | columns])


def product(app: App, sku: str, **columns: Any) -> None:
    """Load a product."""
    record = {"sku": sku, "name": sku} | columns
    with transaction(app.engine) as connection:
        products.save(connection, record)


@pytest.fixture
def submit(app: App, tmp_path: Path, drive: Callable[[], None]) -> Submit:
    """Send a CSV text (or bytes) as an account and work it off; answers with the batch's id."""
    return sender(app, tmp_path, drive)


def sender(app: App, folder: Path, drive: Callable[[], None]) -> Submit:
    """What sends texts to an app as files of a folder, and works them off."""

    def send(
        text: str | bytes,
        kind: str = "redeem-vouchers",
        account: str = "OEM",
        key: str | None = None,
        confirm: Literal["ask", "auto"] = "auto",
        given: Mapping[str, str] | None = None,
        filename: str = "list.csv",
        work: bool = True,
        **options: Any,
    ) -> int:
        path = folder / f"upload-{secrets.token_hex(4)}"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        request = intake.Request(
            account, kind, path, filename, key or secrets.token_hex(8), confirm, given=given or {}, **options
        )
        batch_id = intake.accept(app, request).batch_id
        if work:
            drive()
        return batch_id

    return send


def outcome_codes(app: App, batch_id: int) -> list[str]:
    """The code of every row of a batch, in file order."""
    with app.engine.connect() as connection:
        found = connection.exec_driver_sql(
            "SELECT code FROM outcomes WHERE batch_id = %(b)s ORDER BY ordinal", {"b": batch_id}
        )
        return [row[0] for row in found]


def state(app: App, batch_id: int) -> str:
    """Where a batch stands."""
    return str(status.of_batch(app, batch_id)["state"])


class Answered(NamedTuple):
    """One row's answer as it is stored."""

    code: str
    detail: str | None
    license_number: str


def answers(app: App, batch_id: int) -> list[Answered]:
    """The answer of every row of a batch, in file order."""
    query = "SELECT code, detail, license_number FROM outcomes WHERE batch_id = %(b)s ORDER BY ordinal"
    with app.engine.connect() as connection:
        return [Answered(*row) for row in fetch(connection, query, {"b": batch_id})]


def previewed_codes(app: App, batch_id: int) -> list[str]:
    """The code that a preview said of every row of a batch, in file order."""
    query = "SELECT code FROM previews WHERE batch_id = %(b)s ORDER BY ordinal"
    with app.engine.connect() as connection:
        return [row[0] for row in fetch(connection, query, {"b": batch_id})]


def licensed(app: App, submit: Submit, owner: str, *certificates: str, host: str = "") -> list[str]:
    """Load certificates (``serial;product;version;quantity;months of maintenance``) and register them: the licenses."""
    header = "Serial;Product;Version;Quantity;Maintenance (months)"
    assert set(outcome_codes(app, submit("\n".join((header, *certificates)), "load-serials", "VENDOR"))) == {"created"}
    orders = [f"{certificate.split(';')[0]};a@b.it;{host}" for certificate in certificates]
    given = answers(app, submit("\n".join(("Serial;E-mail;Host ID", *orders)), "register-serials", owner))
    assert {answer.code for answer in given} == {"issued"}
    return [answer.license_number for answer in given]


def maintain(connection: Connection, first: str, last: str) -> None:
    """Let all maintenance there is begin and end on these days."""
    days = {"first": first, "last": last}
    change = "UPDATE licenses SET maintained_from = %(first)s, maintained_until = %(last)s"
    run(connection, change + " WHERE maintained_from IS NOT NULL", days)


def one(app: App, query: str, **values: object) -> Any:
    """The one value of a query."""
    with app.engine.connect() as connection:
        return fetch(connection, query, values)[0][0]
