"""Traces: one for a whole batch, from real processes to a server that speaks OTLP; and nothing where they are off."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from config.embedded_processes import free_port
from tests.cli.test_access import answers, told
from tests.cli.test_batches import COMMAND
from tests.cli.test_serving import Start, named_servers, start, wait_until
from tests.receivers import Receiver, status

__all__ = ["start"]  # a fixture
ROOT = Path(__file__).parents[2]


class Span:
    """A span as it came."""

    def __init__(self, span: Any) -> None:
        self.name, self.trace, self.id, self.parent = span.name, span.trace_id, span.span_id, span.parent_span_id
        self.failed = span.status.code == 2
        self.told = {
            one.key.removeprefix("keymill."): one.value.string_value or one.value.int_value for one in span.attributes
        }


def spans(receiver: Receiver) -> list[Span]:
    """Everything that was received until now."""
    found = []
    for received in list(receiver.received):
        assert (received.path, received.headers["content-type"]) == ("/v1/traces", "application/x-protobuf")
        for resource in ExportTraceServiceRequest.FromString(received.body).resource_spans:
            names = [one.value.string_value for one in resource.resource.attributes if one.key == "service.name"]
            assert names == ["keymill"]
            found += [Span(span) for scope in resource.scope_spans for span in scope.spans]
    return found


@pytest.fixture
def env(database_url: str, valkey_url: str, tmp_path: Path, receiver: Receiver) -> dict[str, str]:
    """The environment of processes on servers of the test, which tell the receiver."""
    receiver.answer = status(200)
    traced = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{receiver.port}", "OTEL_BSP_SCHEDULE_DELAY": "100"}
    return named_servers(database_url, valkey_url, tmp_path) | traced


def test_a_batch_is_one_trace_from_the_request_to_the_results(env: dict[str, str], start: Start, receiver: Receiver):
    """Request, acceptance and every stage, by two processes, with batch, kind and rows; and no secret in it."""
    made = told(env, "tokens", "create", "--account", "VENDOR", "--name", "ci")
    port = free_port(None)
    url = f"http://127.0.0.1:{port}"
    start(env | {"KEYMILL_LISTEN": f"127.0.0.1:{port}"}, "web")
    start(env, "worker")
    wait_until(lambda: answers(url), "it did not start")
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {made['secret']}"}) as client:
        sent = client.post(
            "/api/v1/batches?kind=load-accounts&confirm=ask&filename=a.csv&value=country=IT",
            content=b"Account;Name;Type\nC-1;Acme;customer\nC-2;Bolt;customer\n",
            headers={
                "Idempotency-Key": "1",
                "Content-Type": "text/csv",
                "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01",
            },
        )
        assert sent.status_code == 201, sent.text
        place = f"/api/v1/batches/{sent.json()['batch']}"
        wait_until(lambda: client.get(place).json()["state"] == "previewed", "no preview")
        assert client.post(f"{place}/confirm").status_code == 200
        wait_until(lambda: client.get(place).json()["state"] == "done", "it was not done")
    wait_until(lambda: any(span.name == "finish" for span in spans(receiver)), "no last span came")
    found = [span for span in spans(receiver) if span.trace == bytes.fromhex("ab" * 16)]
    by_name = {span.name: span for span in found}
    asked, accepted = by_name["POST /api/v1/batches"], by_name["accept"]
    assert asked.parent == bytes.fromhex("cd" * 8)
    assert accepted.told["door"] == "api" and accepted.parent in {span.id for span in found}
    for stage in ("read", "preview", "run", "finish"):
        span = by_name[stage]
        assert span.parent == accepted.id and not span.failed, stage
        wanted = {"batch": sent.json()["batch"], "kind": "load-accounts", "rows": 2, "chunk": 1, "attempt": 1}
        assert wanted.items() <= span.told.items(), stage
    queries = [span for span in found if span.parent == by_name["run"].id]
    assert any("db.statement" in span.told or "db.query.text" in span.told for span in queries)
    everything = b"".join(received.body for received in receiver.received)
    for secret in (made["secret"], "country=IT", "Acme"):
        assert secret.encode() not in everything, secret
    names = {span.name for span in spans(receiver)}
    assert not names & {"GET /healthz", "GET /readyz"}
    assert [span.name for span in spans(receiver) if not span.parent and span.name.isupper()] == []  # queries of nobody


def test_a_stage_that_refuses_is_told_as_failed(env: dict[str, str], start: Start, receiver: Receiver, tmp_path: Path):
    """And a batch of the command line has a trace too, which begins where it is accepted."""
    start(env, "worker")
    file = tmp_path / "a.csv"
    file.write_text("Nothing;Known\n1;2\n")
    done = subprocess.run(
        [*COMMAND, "submit", str(file), "--kind", "load-accounts", "--account", "VENDOR", "--wait"],
        env=env, cwd=ROOT, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    wait_until(lambda: {"accept", "read"} <= {span.name for span in spans(receiver)}, "no spans came")
    by_name = {span.name: span for span in spans(receiver)}
    assert by_name["read"].failed and by_name["read"].parent == by_name["accept"].id
    assert by_name["accept"].parent == b"" and by_name["accept"].told["door"] == "cli"


def run(code: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run some Python in a process of its own."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    words = [sys.executable, "-c", code]
    return subprocess.run(words, env=bare | env, cwd=ROOT, capture_output=True, text=True, timeout=120)


def test_without_the_extra_a_sentence_says_what_to_install(env: dict[str, str]):
    """Nobody looks for traces that are not made."""
    code = "import sys; sys.modules['opentelemetry.sdk'] = None; from cli.main import app; app(['batches'])"
    done = run(code, **env)
    assert done.returncode == 1, done.stdout
    assert "OTEL_EXPORTER_OTLP_ENDPOINT needs the extra otel: pip install 'keymill[otel]'" in done.stderr
    assert run(code, **env, OTEL_SDK_DISABLED="true").returncode == 0


def test_where_it_is_off_nothing_of_it_is_imported():
    """Workers and schedulers pay nothing for it; that redis looks for the SDK is its own affair."""
    code = "import sys, jobs.worker, scheduler.beat, config.wiring; from config import tracing; tracing.start()\n"
    code += "with tracing.span('x', rows=1): tracing.tell(a=1); tracing.fail('x'); assert tracing.context() is None\n"
    code += "ours = ('opentelemetry.exporter', 'opentelemetry.instrumentation')\n"
    code += "assert [name for name in sys.modules if name.startswith(ours)] == []"
    done = run(code)
    assert done.returncode == 0, done.stderr
