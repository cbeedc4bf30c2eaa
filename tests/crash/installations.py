"""A whole installation in a temporary home: embedded servers, an S3 server behind a proxy, worker and scheduler."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import boto3

from config.embedded_processes import free_port
from config.settings import Settings
from config.wiring import App, child_environment, open_app
from jobs.supervising import Supervisor, supervised
from models import accounts, products, serials, vouchers, workers
from models.database import copy_line, scalar, transaction
from tests.crash import pools
from tests.crash.files import DISTRIBUTOR, OEMS, PRODUCTS, VENDOR, Plan
from tests.crash.proxies import Proxy

BUCKET = "keymill-crash"
_MIGRATING = threading.Lock()  # alembic keeps its state in its modules, and two installations may be made at once


@dataclass(frozen=True)
class Installation:
    """What the faults are aimed at."""

    home: Path
    app: App
    processes: Supervisor
    proxy: Proxy | None


@contextmanager
def installed(
    home: Path,
    plan: Plan,
    *,
    processes: int,
    on_s3: bool,
    bug: str = "",
    **settings: float,
) -> Iterator[Installation]:
    """An installation with accounts, products and vouchers, at work as long as the block lasts."""
    home.mkdir(mode=0o755, parents=True)
    with _store(home, on_s3) as (store_url, proxy):
        given = Settings(
            home=home,
            database_url="",
            redis_url="",
            store_url=store_url,
            unknown_codes_a_day=10**9,
            **settings,  # type: ignore[arg-type]
        )
        with ExitStack() as stack:
            with _MIGRATING:
                app = stack.enter_context(open_app(given))
            load(app, plan)
            pools.load(app, plan.pools, DISTRIBUTOR)
            units = [("worker", _command("worker", bug))] * processes + [("scheduler", _command("scheduler", bug))]
            with supervised(units, child_environment(app), home / "processes.log") as supervisor:
                yield Installation(home, app, supervisor, proxy)


def _command(role: str, bug: str) -> list[str]:
    module = ["tests.crash.planted", bug] if bug else ["cli.main"]
    return [sys.executable, "-m", *module, role, "--parent", str(os.getpid())]


@contextmanager
def _store(home: Path, on_s3: bool) -> Iterator[tuple[str, Proxy | None]]:
    if not on_s3:
        yield (home / "store").as_uri(), None
        return
    port = free_port(None)
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    proxy = Proxy(port)
    try:
        os.environ |= {
            "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{proxy.port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        _make_bucket(f"http://127.0.0.1:{port}")
        yield f"s3://{BUCKET}/deep", proxy
    finally:
        proxy.close()
        server.kill()
        server.wait()


def _make_bucket(url: str) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urlopen(url, timeout=5):
                break
        except (URLError, OSError):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    boto3.client("s3", endpoint_url=url).create_bucket(Bucket=BUCKET)


def load(app: App, plan: Plan) -> None:
    """Accounts, products and the vouchers and certificates that the files name."""
    empty = dict.fromkeys(("email", "country", "locale", "time_zone", "separator", "encoding", "confirm", "state"))
    types = {VENDOR: "vendor", DISTRIBUTOR: "distributor"} | dict.fromkeys(OEMS, "oem")
    with transaction(app.engine) as connection:
        accounts.save(connection, [empty | {"number": n, "type": kind, "name": n} for n, kind in types.items()])
        for sku, months, bound in zip(PRODUCTS, (None, 12, None), (False, False, True), strict=True):
            record = {"sku": sku, "name": sku, "description": None, "host_bound": bound, "term_months": months}
            products.save(connection, record)
        ids = {
            name: scalar(connection, f"SELECT id FROM {table} WHERE {column} = :name", name=name)
            for table, column, names in (("accounts", "number", OEMS), ("products", "sku", PRODUCTS))
            for name in names
        }
        vouchers.add(
            connection,
            [
                copy_line(v.code.replace("-", ""), v.code, ids[v.oem], ids[v.sku], None, None, v.expires, None)
                for v in plan.stock
            ],
        )
        bound = ids[PRODUCTS[-1]]
        serials.add(
            connection,
            [
                copy_line(
                    code.replace("-", ""),
                    code,
                    bound,
                    "1.0",
                    count,
                    count,
                    None,
                    12,
                    None,
                    "license",
                    "f",
                    "unregistered",
                )
                for code, count in plan.certificates.items()
            ],
        )


def wait_for_workers(app: App, count: int) -> None:
    """Wait until so many workers have said that they are there."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with app.engine.connect() as connection:
            if len(workers.alive(connection, "worker", within_seconds=30)) >= count:
                return
        time.sleep(0.1)
    raise RuntimeError("the workers did not start")
