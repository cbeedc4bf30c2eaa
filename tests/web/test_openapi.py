"""The OpenAPI document is enough: a client that knows nothing else does a whole batch; and no request breaks it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from config.wiring import App
from jobs import api_tokens
from jobs.reading import source_name
from tests.apps import Submit, account, one, product
from tests.web.conftest import Client, addressed, serving
from web.api import events


class Documented:
    """A client made of an OpenAPI document and a token: it calls operations by their ids, and checks the answers."""

    def __init__(self, document: dict[str, Any], token: str) -> None:
        self.document = document
        self.http = httpx.Client(base_url=document["servers"][0]["url"], timeout=60)
        self.token = token
        self.operations = {
            operation["operationId"]: (method, path, operation)
            for path, methods in document["paths"].items()
            for method, operation in methods.items()
        }

    def resolve(self, part: dict[str, Any]) -> dict[str, Any]:
        """What a reference stands for."""
        while "$ref" in part:
            name = part["$ref"].removeprefix("#/components/schemas/")
            part = self.document["components"]["schemas"][name]
        return part

    def call(
        self, operation_id: str, content: bytes | Iterator[bytes] | None = None, media_type: str = "", **values: Any
    ) -> Any:
        """Call an operation with values for its parameters, by the names that the document gives them."""
        method, path, operation = self.operations[operation_id]
        query: dict[str, Any] = {}
        headers: dict[str, str] = {}
        for parameter in operation.get("parameters", []):
            value = values.pop(parameter["name"], None)
            if value is None:
                assert not parameter.get("required"), parameter["name"]
            elif parameter["in"] == "path":
                path = path.replace(f"{{{parameter['name']}}}", str(value))
            elif parameter["in"] == "query":
                query[parameter["name"]] = value
            else:
                headers[parameter["name"]] = str(value)
        body = operation.get("requestBody", {}).get("content", {})
        json_body = None
        if content is not None:
            assert media_type in body
            headers["Content-Type"] = media_type
        elif values:
            schema = self.resolve(body["application/json"]["schema"])
            assert values.keys() <= schema["properties"].keys() and set(schema["required"]) <= values.keys()
            json_body, values = values, {}
        assert not values, f"the document knows no {values}"
        for scheme in operation.get("security", []):
            for name in scheme:
                kind = self.document["components"]["securitySchemes"][name]
                assert (kind["type"], kind["scheme"]) == ("http", "bearer")
                headers["Authorization"] = f"Bearer {self.token}"
        answer = self.http.request(method, path, params=query, headers=headers, content=content, json=json_body)
        assert answer.status_code < 300, answer.text
        told = operation["responses"][str(answer.status_code)]["content"]
        assert answer.headers["content-type"].partition(";")[0] in told
        return answer.json() if "application/json" in told else answer.content


def test_a_whole_batch_by_the_document_alone(
    app: App, client: Client, server: str, submit: Submit, drive: Callable[[], None]
):
    """Template, upload, preview, confirm, rows, results and verification, with what the document says and no more."""
    account(app, "OEM")
    product(app, "P")
    submit("OEM;Product;Count\nOEM;P;2\n", "mint-vouchers", "VENDOR")
    voucher = one(app, "SELECT min(code) FROM vouchers")
    document = httpx.get(f"{server}/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    token = api_tokens.create(app, "OEM", "x", "submit", actor="test")["secret"]
    mine = Documented(document, token)
    kinds = {kind["kind"]: kind for kind in mine.call("list_kinds")}
    needed = [column["title"] for column in kinds["redeem-vouchers"]["columns"] if column["required"]]
    template = mine.call("fetch_template", kind="redeem-vouchers", format="csv").decode("utf-8-sig")
    header = next(iter(template.splitlines()))
    assert all(title in header for title in needed)
    file = f"{','.join(needed)}\n{voucher},Acme\nWRONG,Acme\n".encode()
    sent = mine.call(
        "send_batch", file, "text/csv", kind="redeem-vouchers", confirm="ask", **{"Idempotency-Key": "order-1"}
    )
    drive()
    assert mine.call("show_batch", batch=sent["batch"])["state"] == "previewed"
    preview = mine.call("list_rows", batch=sent["batch"], of="preview")["rows"]
    assert [row["outcome"] for row in preview] == ["issued", "rejected"]
    mine.call("confirm_batch", batch=sent["batch"])
    drive()
    stream = mine.call("follow_batch", batch=sent["batch"]).decode()
    assert json.loads(stream.rpartition("data: ")[2])["state"] == "done"
    rows = mine.call("list_rows", batch=sent["batch"])["rows"]
    assert [row["outcome"] for row in rows] == ["issued", "rejected"]
    assert mine.call("verify_license", license=rows[0]["key"])["valid"]
    assert mine.call("show_license", number=rows[0]["license"])["key"] == rows[0]["key"]
    links = mine.call("list_results", batch=sent["batch"])
    assert voucher.encode() in httpx.get(next(f["link"] for f in links if f["role"] == "result")).content
    assert mine.call("list_licenses", limit=1)["licenses"][0]["number"] == rows[0]["license"]
    mine.http.close()


def test_a_large_file_over_a_bad_line_by_the_document_alone(app: App, client: Client, server: str):
    """More than 100 MB in pieces: the line breaks in one, the answer to another is lost, and it goes on from there."""
    account(app, "OEM")
    document = httpx.get(f"{server}/api/v1/openapi.json").json()
    mine = Documented(document, api_tokens.create(app, "OEM", "x", "submit", actor="test")["secret"])
    content = b"code;company\nABC-1;Acme\n" + b"\n" * 105_000_000
    sha256 = hashlib.sha256(content).hexdigest()
    made = mine.call("start_upload", filename="big.csv", size=len(content), sha256=sha256)
    links = mine.operations["start_upload"][2]["responses"]["201"]["links"]
    assert all(link["operationId"] in mine.operations for link in links.values())
    piece, sent, breaks = 20 * made["least_piece"], 0, 0
    before, block, offset = 0, b"", made["offset"]
    while offset < made["size"]:
        block = content[offset : offset + piece]
        sent += 1
        try:
            answer = mine.call(
                "send_piece", _broken(block) if sent == 2 else block, "application/octet-stream",
                upload=made["upload"], **{"Upload-Offset": offset},
            )  # fmt: skip
            if sent == 4:
                raise ConnectionError("the answer was lost")
            before, offset = offset, answer["offset"]
        except ConnectionError:
            breaks += 1
            before, offset = offset, mine.call("show_upload", upload=made["upload"])["offset"]
            assert offset == before + (len(block) if sent == 4 else 0)
    assert (sent, breaks) == (7, 2)
    told = mine.operations["send_piece"][2]["responses"]["409"]["description"]
    assert "wrong_offset" in told
    with pytest.raises(AssertionError, match="wrong_offset"):  # the last one again, as if its answer had been lost
        mine.call("send_piece", block, "application/octet-stream", upload=made["upload"], **{"Upload-Offset": before})
    order: dict[str, Any] = {"kind": "redeem-vouchers", "upload": made["upload"], "Idempotency-Key": "big"}
    batch = mine.call(links["send_batch"]["operationId"], **order)["batch"]
    shown = mine.call("show_batch", batch=batch)
    assert (shown["file"], shown["sha256"], shown["state"]) == ("big.csv", sha256, "received")
    stored = hashlib.sha256()
    for block in app.store.get(source_name(sha256)):
        stored.update(block)
    assert stored.hexdigest() == sha256
    mine.http.close()


def _broken(block: bytes) -> Iterator[bytes]:
    """A piece whose line breaks in the middle of it."""
    yield block[: len(block) // 2]
    raise ConnectionError("the line broke")


EXAMPLES = 8  # of each operation, valid and not
# A body can be as the schema says and no spreadsheet; that tokens are needed is tried route by route elsewhere.
LEFT_OUT: list[Any] = [positive_data_acceptance, ignored_auth]


def test_no_request_breaks_it(world_app: App, monkeypatch: pytest.MonkeyPatch):
    """Whatever the document allows or not: no 5xx, and every answer is as the document says."""
    for name, seconds in (("LOOK_SECONDS", 0.01), ("LONGEST_SECONDS", 0.02)):
        monkeypatch.setattr(events, name, seconds)
    app = addressed(world_app)
    token = api_tokens.create(app, "VENDOR", "x", "manage", actor="test")["secret"]
    with serving(app) as url:
        document = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")
        tried = sum(_try(found, token) for found in document.get_all_operations())
    assert tried == sum(len(methods) for methods in document.raw_schema["paths"].values())


def _try(found: Any, token: str) -> bool:
    """Try one operation with requests that are as the document says, and with such that are not."""
    assert isinstance(found, Ok)
    operation = found.ok()

    def ask(case: Any) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        if operation.label == "POST /api/v1/batches":
            headers["Idempotency-Key"] = f"k{time.monotonic_ns()}"
        case.call_and_validate(headers=headers, excluded_checks=LEFT_OUT)

    _ask_often(operation.as_strategy(generation_mode=GenerationMode.POSITIVE), ask)
    with suppress(Unsatisfiable):  # an operation that is given nothing cannot be given anything wrong
        _ask_often(operation.as_strategy(generation_mode=GenerationMode.NEGATIVE), ask)
    return True


def _ask_often(cases: Any, ask: Callable[[Any], None]) -> None:
    unhurried = settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
    )
    unhurried(given(cases)(ask))()
