"""``keymill bench uploads``: 200 files at once through the HTTP API, and how long a status call takes meanwhile."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

from cli.benches.redeem_vouchers import bench_app, prepare, settle, stock
from config.embedded_processes import free_port
from config.wiring import App, child_environment
from jobs import api_tokens
from jobs.supervising import supervised
from models.database import scalar, transaction

ROWS = 100
KEYMILL = [sys.executable, "-m", "cli.main"]


def bench(rows: int, workers: int) -> dict[str, Any]:
    """Send rows / 100 files of 100 rows at once; a status call is made all the while, and its times are told."""
    uploads = rows // ROWS
    with bench_app(workers) as app:
        oem_id, product_id = prepare(app)
        codes = stock(app, oem_id, product_id, uploads * ROWS)
        bodies = [_body(itertools.islice(codes, ROWS)) for _ in range(uploads)]
        settle(app)
        token = api_tokens.create(app, "BENCH-OEM", "bench", "submit", actor="bench")["secret"]
        port = free_port(None)
        environment = child_environment(app) | {
            "KEYMILL_LISTEN": f"127.0.0.1:{port}",
            "KEYMILL_REQUESTS_A_MINUTE": "1000000",
        }
        roles = ["web", "scheduler"] + ["worker"] * workers
        units = [(role, [*KEYMILL, role]) for role in roles]
        with supervised(units, environment, app.settings.home / "processes.log"):
            door = Door(f"http://127.0.0.1:{port}", token)
            door.wait_until_ready()
            return _measure(app, door, bodies, workers)


def _measure(app: App, door: Door, bodies: list[bytes], workers: int) -> dict[str, Any]:
    ended, looks = threading.Event(), list[float]()
    batch = door.send("first", bodies[0])
    watcher = threading.Thread(target=_watch, args=(door, batch, ended, looks))
    watcher.start()
    start = time.perf_counter()
    with ThreadPoolExecutor(len(bodies)) as pool:
        sent = list(pool.map(lambda item: _timed(door, *item), enumerate(bodies[1:])))
    accepted = time.perf_counter() - start
    while _finished(app) < len(bodies):
        time.sleep(0.1)
    done = time.perf_counter() - start
    ended.set()
    watcher.join()
    looks.sort()
    uploads = sorted(seconds for _, seconds in sent)
    with transaction(app.engine) as connection:
        issued = int(scalar(connection, "SELECT count(*) FROM outcomes WHERE code = 'issued'"))
    return {
        "bench": "uploads",
        "rows": len(bodies) * ROWS,
        "workers": workers,
        "uploads": len(bodies),
        "lost": len(bodies) - len({number for number, _ in sent} | {batch}),
        "issued": issued,
        "accepted_seconds": round(accepted, 2),
        "done_seconds": round(done, 2),
        "upload_p50_ms": round(statistics.median(uploads) * 1000),
        "upload_p99_ms": round(_percentile(uploads, 0.99) * 1000),
        "status_calls": len(looks),
        "status_p50_ms": round(statistics.median(looks) * 1000),
        "status_p99_ms": round(_percentile(looks, 0.99) * 1000),
    }


class Door:
    """The API as a program calls it, a connection a call."""

    def __init__(self, url: str, token: str) -> None:
        self.host = urlsplit(url).netloc
        self.token = token

    def call(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
        """Status and JSON of an answer."""
        connection = http.client.HTTPConnection(self.host, timeout=300)
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {self.token}"} | headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def wait_until_ready(self) -> None:
        """Wait for the server to start."""
        while True:
            try:
                if self.call("GET", "/readyz")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.1)

    def send(self, key: str, body: bytes) -> int:
        """Send a file; the number of its batch. Raises ``RuntimeError`` where it is not taken."""
        headers = {"Idempotency-Key": key, "Content-Type": "text/csv"}
        status, answer = self.call(
            "POST", "/api/v1/batches?kind=redeem-vouchers&confirm=auto&filename=list.csv", body, **headers
        )
        if status != 201:
            raise RuntimeError(f"not taken: {answer}")
        return int(answer["batch"])


def _timed(door: Door, number: int, body: bytes) -> tuple[int, float]:
    start = time.perf_counter()
    batch = door.send(f"order-{number}", body)
    return batch, time.perf_counter() - start


def _watch(door: Door, batch: int, ended: threading.Event, looks: list[float]) -> None:
    while not ended.wait(0.02):
        start = time.perf_counter()
        door.call("GET", f"/api/v1/batches/{batch}")
        looks.append(time.perf_counter() - start)


def _finished(app: App) -> int:
    with transaction(app.engine) as connection:
        return int(scalar(connection, "SELECT count(*) FROM batches WHERE state = 'done'"))


def _body(codes: Iterator[str]) -> bytes:
    return ("code,company\n" + "".join(f"{code},Acme {os.urandom(2).hex()}\n" for code in codes)).encode()


def _percentile(ordered: list[float], share: float) -> float:
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]
