"""A batch through the API: sent, previewed, confirmed, followed, its rows and results; and what is refused."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import socket
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from config.settings import Limits
from config.wiring import App
from jobs import uploads
from models.database import transaction
from tests.apps import Submit, account, kept, one, product
from tests.web.conftest import Client
from web.api import events

HEADER = "Voucher code;Company\n"


@pytest.fixture
@kept
def vouchers(app: App, submit: Submit) -> list[str]:
    """Three vouchers of OEM."""
    account(app, "OEM")
    product(app, "P")
    submit("OEM;Product;Count\nOEM;P;3\n", "mint-vouchers", "VENDOR")
    with transaction(app.engine) as connection:
        return [row[0] for row in connection.exec_driver_sql("SELECT code FROM vouchers ORDER BY id")]


def order(*codes: str) -> bytes:
    """A file that redeems vouchers."""
    return (HEADER + "".join(f"{code};Acme\n" for code in codes)).encode()


def key(text: str = "one") -> dict[str, str]:
    """The header that says which order is meant."""
    return {"Idempotency-Key": f'"{text}"', "Content-Type": "text/csv"}


def test_a_batch_from_file_to_keys(app: App, client: Client, drive: Callable[[], None], vouchers: list[str]):
    """Sent, previewed, confirmed, done: each page of rows, the filters, and the results by link."""
    oem = client("OEM", "submit")
    sent = oem.post("/api/v1/batches?kind=redeem-vouchers&filename=a.csv", content=order(*vouchers, "X"), headers=key())
    assert sent.status_code == 201
    assert sent.json() | {"batch": 0} == {
        "batch": 0, "new": True, "same_bytes_as": None, "kind": "redeem-vouchers", "guessed_because": None,
    }  # fmt: skip
    place = sent.headers["location"]
    assert place == f"/api/v1/batches/{sent.json()['batch']}"
    assert oem.get(f"{place}/results").status_code == 404
    assert oem.post(f"{place}/confirm").status_code == 409
    drive()
    report = oem.get(place).json()
    assert (report["state"], report["file"], report["rows"]) == ("previewed", "a.csv", 4)
    assert report["preview"]["outcomes"]["issued"] == 3
    assert report["problems"][0]["cells"] == ["A5"]
    previewed = oem.get(f"{place}/rows?of=preview&outcome=rejected").json()
    assert [(row["row"], row["code"]) for row in previewed["rows"]] == [(4, "unknown_voucher")]
    assert oem.post(f"{place}/confirm").json()["state"] == "previewed"
    drive()
    assert oem.get(place).json()["outcomes"] == {
        "issued": 3, "unchanged": 0, "accepted": 0, "rejected": 1, "skipped": 0,
    }  # fmt: skip
    first = oem.get(f"{place}/rows?limit=3").json()
    second = oem.get(f"{place}/rows?limit=3&after={first['next']}").json()
    assert second["next"] is None
    found = first["rows"] + second["rows"]
    assert [row["outcome"] for row in found] == ["issued"] * 3 + ["rejected"]
    assert found[0]["cells"][1] == {"column": "B", "title": "Company", "value": "Acme"}
    assert oem.post("/api/v1/licenses/verify", json={"license": found[0]["key"]}).json()["valid"]
    assert [row["row"] for row in oem.get(f"{place}/rows?code=unknown_voucher").json()["rows"]] == [4]
    files = {file["role"]: file for file in oem.get(f"{place}/results").json()}
    fetched = httpx.get(files["result"]["link"])
    assert hashlib.sha256(fetched.content).hexdigest() == files["result"]["sha256"]
    assert "attachment" in fetched.headers["content-disposition"]
    lines = list(csv.reader(io.StringIO(fetched.content.decode("utf-8-sig")), delimiter=";"))
    assert [line[0] for line in lines[1:]] == [*vouchers, "X"]


def test_the_same_request_is_the_same_batch(client: Client, vouchers: list[str]):
    """201, then 200 with the same batch; another request under the key is refused, and no key at all."""
    oem = client("OEM")
    url = "/api/v1/batches?kind=redeem-vouchers&confirm=auto"
    first = oem.post(url, content=order(*vouchers), headers=key())
    again = oem.post(url, content=order(*vouchers), headers=key() | {"Idempotency-Key": "one"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json() | {"new": False}
    other = oem.post(url, content=order(vouchers[0]), headers=key())
    assert (other.status_code, other.json()["code"]) == (422, "key_reused")
    missing = oem.post(url, content=order(*vouchers), headers={"Content-Type": "text/csv"})
    assert (missing.status_code, missing.json()["code"]) == (400, "key_missing")
    assert len(oem.get("/api/v1/batches").json()["batches"]) == 1


def test_the_same_request_at_once(client: Client, vouchers: list[str]):
    """Of eight that come at the same moment one makes the batch, and all are told its number."""
    oem = client("OEM")

    def send(_: int) -> httpx.Response:
        return oem.post("/api/v1/batches?kind=redeem-vouchers", content=order(*vouchers), headers=key())

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [201]
    assert len({answer.json()["batch"] for answer in answers}) == 1


def test_a_token_is_held_to_its_kinds_and_permission(client: Client, vouchers: list[str]):
    """A reader sends nothing, a token for one kind no other, a sender makes no tokens; all of it is said."""
    url = "/api/v1/batches?kind=redeem-vouchers"
    for token, code in ((client("OEM", "read"), "not_permitted"),
                        (client("OEM", kinds=["register-serials"]), "kind_not_allowed")):  # fmt: skip
        refused = token.post(url, content=order(*vouchers), headers=key())
        assert (refused.status_code, refused.json()["code"]) == (403, code)
    guessed = client("OEM", kinds=["share-licenses"]).post("/api/v1/batches", content=order(*vouchers), headers=key())
    assert (guessed.status_code, guessed.json()["code"]) == (403, "kind_not_allowed")
    assert client("OEM", "submit").post("/api/v1/tokens", json={"name": "x"}).status_code == 403
    scoped = client("OEM", kinds=["redeem-vouchers"])
    assert scoped.post("/api/v1/tokens", json={"name": "x"}).status_code == 403
    made = scoped.post("/api/v1/tokens", json={"name": "x", "kinds": ["redeem-vouchers"]})
    assert made.status_code == 201
    assert made.json()["secret"].startswith(made.json()["start"])
    kinds = scoped.get("/api/v1/kinds").json()
    assert [kind["kind"] for kind in kinds] == ["redeem-vouchers"]


def test_the_kind_is_told_by_the_header(client: Client, vouchers: list[str]):
    """Without a kind it is guessed, and the answer says why, in the reader's language."""
    sent = client("OEM").post(
        "/api/v1/batches", content=order(*vouchers), headers=key() | {"Accept-Language": "de, it;q=0.5, en;q=0.1"}
    )
    assert sent.json()["kind"] == "redeem-vouchers"
    assert sent.json()["guessed_because"].startswith("Preso per redeem-vouchers")


def test_a_form_and_a_workbook_name(client: Client, vouchers: list[str]):
    """A form's file part brings its name, without folders."""
    file = {"file": (r"C:\Users\me\orders.csv", order(*vouchers), "text/csv")}
    oem = client("OEM")
    sent = oem.post("/api/v1/batches?kind=redeem-vouchers", files=file, headers={"Idempotency-Key": "f"})
    assert sent.status_code == 201, sent.text
    assert oem.get(sent.headers["location"]).json()["file"] == "orders.csv"


def test_values_for_all_rows_and_cancelling(app: App, client: Client, drive: Any, vouchers: list[str]):
    """``value=column=value`` fills a column; an unknown one is refused; a cancelled batch ends with skipped rows."""
    oem = client("OEM")
    codes = ("Voucher code\n" + "\n".join(vouchers)).encode()
    url = "/api/v1/batches?kind=redeem-vouchers&confirm=ask&value="
    assert oem.post(url + "Company=Acme", content=codes, headers=key()).status_code == 201
    assert oem.post(url + "nonsense=1", content=codes, headers=key("2")).json()["code"] == "unknown_column"
    assert oem.post(url + "nonsense", content=codes, headers=key("3")).json()["code"] == "bad_value"
    drive()
    place = f"/api/v1/batches/{oem.get('/api/v1/batches?state=previewed').json()['batches'][0]['batch']}"
    assert oem.post(f"{place}/cancel").status_code == 200
    drive()
    assert oem.get(place).json()["outcomes"]["skipped"] == 3


def test_progress_is_followed_live(
    app: App, client: Client, drive: Any, vouchers: list[str], monkeypatch: pytest.MonkeyPatch
):
    """Events tell of each change until the end; whoever comes back with the last id is not told the same again."""
    monkeypatch.setattr(events, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(events, "BEAT_SECONDS", 0.1)
    oem = client("OEM")
    sent = oem.post("/api/v1/batches?kind=redeem-vouchers&confirm=auto", content=order(*vouchers), headers=key())
    place = sent.headers["location"]
    seen: list[tuple[str, dict[str, Any]]] = []
    with oem.stream("GET", f"{place}/events") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        worker = None
        name = ""
        for line in stream.iter_lines():
            if line.startswith("event: "):
                name = line[7:]
            elif line.startswith("data: "):
                seen.append((name, json.loads(line[6:])))
            elif line.startswith(": ") and worker is None:  # a sign of life while nothing happens
                worker = threading.Thread(target=drive)
                worker.start()
        assert worker is not None
        worker.join()
    assert [name for name, _ in seen][-1] == "end"
    assert seen[0][1]["state"] == "received" and seen[-1][1]["state"] == "done"
    again = oem.get(f"{place}/events").text
    last = next(line[4:] for line in again.splitlines() if line.startswith("id: "))
    assert "event: end" in oem.get(f"{place}/events", headers={"Last-Event-ID": last}).text


def test_an_idle_stream_ends_and_says_nothing_twice(
    client: Client, vouchers: list[str], monkeypatch: pytest.MonkeyPatch
):
    """A stream is ended in time; with the id that was seen last it says only that it lives."""
    for name, seconds in (("LOOK_SECONDS", 0.01), ("BEAT_SECONDS", 0.02), ("LONGEST_SECONDS", 0.2)):
        monkeypatch.setattr(events, name, seconds)
    oem = client("OEM")
    sent = oem.post("/api/v1/batches?kind=redeem-vouchers", content=order(*vouchers), headers=key())
    text = oem.get(f"{sent.headers['location']}/events").text
    number = next(line[4:] for line in text.splitlines() if line.startswith("id: "))
    assert text.count("event: progress") == 1
    again = oem.get(f"{sent.headers['location']}/events", headers={"Last-Event-ID": number}).text
    assert "event:" not in again and ": still here" in again


def test_an_upload_in_pieces(app: App, client: Client, drive: Any, vouchers: list[str]):
    """Pieces are taken from any break on; the whole is held to its digest, becomes a batch, and is kept for a while."""
    oem = client("OEM")
    content = order(*vouchers) + b"\n" * (2 * uploads.LEAST_PIECE)
    digest = hashlib.sha256(content).hexdigest()
    made = oem.post("/api/v1/uploads", json={"filename": "b.csv", "size": len(content), "sha256": digest}).json()
    place = f"/api/v1/uploads/{made['upload']}"
    cuts = [0, uploads.LEAST_PIECE, len(content)]

    def send(start: int, piece: bytes) -> httpx.Response:
        headers = {"Upload-Offset": str(start), "Content-Type": "application/octet-stream"}
        return oem.patch(place, content=piece, headers=headers)

    assert send(0, content[: cuts[1]]).json()["offset"] == cuts[1]
    assert (send(0, content[: cuts[1]]).status_code, send(5, b"x").status_code) == (409, 409)
    assert send(cuts[1], b"tiny").json()["code"] == "bad_piece"
    assert send(cuts[1], content[cuts[1] :] + b"more").status_code == 413
    url = f"/api/v1/batches?kind=redeem-vouchers&confirm=auto&upload={made['upload']}"
    assert oem.post(url, headers={"Idempotency-Key": "u"}).json()["code"] == "upload_incomplete"
    assert oem.get(place).json()["offset"] == cuts[1]
    assert send(cuts[1], content[cuts[1] :]).json()["offset"] == len(content)
    sent = oem.post(url, headers={"Idempotency-Key": "u"})
    assert sent.status_code == 201, sent.text
    drive()
    report = oem.get(sent.headers["location"]).json()
    assert (report["file"], report["sha256"], report["outcomes"]["issued"]) == ("b.csv", digest, 3)
    again = oem.post(url, headers={"Idempotency-Key": "u"})
    assert (again.status_code, again.json()["batch"]) == (200, sent.json()["batch"])
    assert one(app, "SELECT expires_at < now() + interval '2 hours' FROM uploads")
    with transaction(app.engine) as connection:
        connection.exec_driver_sql("UPDATE uploads SET expires_at = now()")
    assert oem.get(place).status_code == 404
    oem.post("/api/v1/uploads", json={"filename": "c.csv", "size": 1, "sha256": digest})
    assert list(app.store.list("pieces/")) == []


def test_an_upload_that_is_not_what_was_announced(client: Client, app: App, vouchers: list[str]):
    """A wrong digest is refused; an upload can be given up; too large a one is refused before it begins."""
    oem = client("OEM")
    announced = {"filename": "b.csv", "size": 4, "sha256": "0" * 64}
    made = oem.post("/api/v1/uploads", json=announced).json()
    place = f"/api/v1/uploads/{made['upload']}"
    assert oem.patch(place, content=b"four", headers={"Upload-Offset": "0"}).status_code == 200
    url = f"/api/v1/batches?kind=redeem-vouchers&upload={made['upload']}"
    assert oem.post(url, headers={"Idempotency-Key": "u"}).json()["code"] == "wrong_digest"
    assert oem.delete(place).status_code == 204
    assert list(app.store.list("pieces/")) == []
    large = announced | {"size": app.settings.limits.file_bytes + 1}
    assert oem.post("/api/v1/uploads", json=large).status_code == 413
    for _ in range(uploads.MOST_OPEN):
        assert oem.post("/api/v1/uploads", json=announced).status_code == 201
    assert oem.post("/api/v1/uploads", json=announced).json()["code"] == "too_many_uploads"
    with transaction(app.engine) as connection:
        connection.exec_driver_sql("UPDATE uploads SET expires_at = now()")
    assert oem.post("/api/v1/uploads", json=announced).status_code == 201
    assert one(app, "SELECT count(*) FROM uploads") == 1 + uploads.MOST_OPEN - 10  # some are cleared away at a time


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that the server's temporary files go to."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def nothing_left(app: App, temporary: Path) -> bool:
    """Whether no batch was recorded but the one that minted, and no file lies about."""
    return not list(temporary.iterdir()) and one(app, "SELECT count(*) FROM batches") == 1


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for something that the server does."""
    limit = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < limit
        time.sleep(0.02)


@pytest.mark.parametrize("changed", [{"limits": Limits(file_bytes=1000)}])
@pytest.mark.parametrize("announced", [True, False])
def test_a_file_that_is_too_large(app: App, client: Client, vouchers: list[str], temporary: Path, announced: bool):
    """Refused with the number: at once where its length is announced, else as soon as it is too long."""
    oem = client("OEM")
    sent = 0

    def blocks():
        nonlocal sent
        for _ in range(10_000):
            sent += 1000
            yield b"x" * 1000

    content: Any = b"x" * 100_000 if announced else blocks()
    try:
        refused = oem.post("/api/v1/batches?kind=redeem-vouchers", content=content, headers=key())
        assert (refused.status_code, refused.json()["code"]) == (413, "file_too_large")
        assert "1,000" in refused.json()["detail"]
    except (httpx.WriteError, httpx.ReadError):  # the server closed while we were still sending
        assert not announced
    assert sent < 10_000_000 or announced
    assert nothing_left(app, temporary)


def test_what_is_no_file(app: App, client: Client, vouchers: list[str], temporary: Path):
    """A wrong media type, an empty body, broken forms, forms with more than the file: refused with a sentence."""
    oem = client("OEM")
    url = "/api/v1/batches?kind=redeem-vouchers"
    form = {"Content-Type": "multipart/form-data; boundary=b", "Idempotency-Key": "x"}
    part = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\nabc\r\n'
    tries = [
        (b"{}", key() | {"Content-Type": "application/json"}, 415, "media_type"),
        (b"", key(), 422, "empty_body"),
        (b"nonsense", form, 422, "bad_form"),
        (part, form, 422, "bad_form"),
        (part + part + b"--b--\r\n", form, 422, "bad_form"),
        (part.replace(b'"file"', b'"other"') + b"--b--\r\n", form, 422, "bad_form"),
        (b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc\r\n--b--\r\n', form, 422, "bad_form"),
        (b"--b\r\nContent-Disposition: nonsense\r\n\r\nabc\r\n--b--\r\n", form, 422, "bad_form"),
        (part, form | {"Content-Type": "multipart/form-data"}, 422, "bad_form"),
    ]
    for content, headers, status, code in tries:
        refused = oem.post(url, content=content, headers=headers)
        assert (refused.status_code, refused.json()["code"]) == (status, code), content
    assert nothing_left(app, temporary)


@pytest.mark.parametrize("chunked", [True, False])
def test_a_sender_that_goes_away(
    app: App, client: Client, raw: Callable[[], socket.socket], vouchers: list[str], temporary: Path, chunked: bool
):
    """A connection that breaks in the middle of a body leaves no batch and no file, and the server goes on."""
    oem = client("OEM")
    connection = raw()
    length = "Transfer-Encoding: chunked" if chunked else "Content-Length: 100000"
    connection.sendall(
        (
            f"POST /api/v1/batches?kind=redeem-vouchers HTTP/1.1\r\nHost: x\r\nAuthorization: "
            f"{oem.headers['authorization']}\r\nIdempotency-Key: gone\r\nContent-Type: text/csv\r\n{length}\r\n\r\n"
        ).encode()
    )
    connection.sendall(b"400\r\n" + b"x" * 1024 + b"\r\n")
    wait_until(lambda: bool(list(temporary.rglob("body"))))
    connection.close()
    wait_until(lambda: nothing_left(app, temporary))
    assert oem.get("/api/v1/batches").json() == {"batches": [], "next": None}


@pytest.mark.parametrize("changed", [{"requests_a_minute": 3}])
def test_requests_are_counted(app: App, client: Client):
    """The headers say what is left; beyond it 429 with the seconds to wait; another token has its own quota."""
    account(app, "OEM")
    first, other = client("OEM"), client("OEM")
    answers = [first.get("/api/v1/account") for _ in range(5)]
    codes = [answer.status_code for answer in answers]
    if codes.count(429) < 2:  # a new minute began in between
        answers = [first.get("/api/v1/account") for _ in range(5)]
        codes = [answer.status_code for answer in answers]
    assert codes[-2:] == [429, 429]
    assert answers[0].headers["ratelimit-policy"] == '"token";q=3;w=60'
    assert answers[0].headers["ratelimit"].startswith('"token";r=')
    assert answers[-1].headers["ratelimit"].startswith('"token";r=0;t=')
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
    assert answers[-1].json()["code"] == "too_many_requests"
    assert other.get("/api/v1/account").status_code == 200


def test_a_character_that_no_text_has(client: Client, vouchers: list[str]):
    """A NUL anywhere in a request is refused, and never reaches the database."""
    oem = client("OEM")
    for path in ("/api/v1/licenses/%00", "/api/v1/licenses?customer=%00", "/api/v1/statements?contract=a%00b"):
        assert (oem.get(path).status_code, oem.get(path).json()["code"]) == (422, "bad_request"), path
    assert oem.post("/api/v1/tokens", json={"name": "a\0b"}).status_code == 422
    named = oem.post("/api/v1/uploads", json={"filename": "a\0b.csv", "size": 1, "sha256": "0" * 64})
    assert named.json()["filename"] == "ab.csv"
    bad = oem.post("/api/v1/batches?kind=redeem-vouchers", content=order(*vouchers), headers=key("\x7f"))
    assert bad.json()["code"] == "key_missing"


def test_a_parameter_that_is_none(client: Client, vouchers: list[str]):
    """One that is misspelled or given twice is named, and nothing is done; lists may be repeated."""
    oem = client("OEM")
    url = "/api/v1/batches?kind=redeem-vouchers"
    for more, code in (("&confrim=auto", "unknown_parameter"), ("&confirm=ask&confirm=auto", "repeated_parameter")):
        refused = oem.post(url + more, content=order(*vouchers), headers=key())
        assert (refused.status_code, refused.json()["code"]) == (422, code)
    assert oem.get("/api/v1/batches").json()["batches"] == []
    codes = b"Voucher code\n" + vouchers[0].encode()
    sent = oem.post(f"{url}&value=company=A&value=country=IT", content=codes, headers=key())
    assert sent.status_code == 201, sent.text


def test_a_json_body_that_is_too_large(client: Client, vouchers: list[str]):
    """It is refused while it comes; files have a limit of their own."""
    refused = client("OEM").post("/api/v1/licenses/verify", json={"license": "x" * 2_000_000})
    assert (refused.status_code, refused.json()["code"]) == (413, "body_too_large")


def test_pages_of_batches(client: Client, submit: Submit, vouchers: list[str]):
    """Newest first, a page at a time, by kind and state."""
    for _ in range(3):
        submit(order(*vouchers), account="OEM", confirm="ask", work=False)
    oem = client("OEM", "read")
    first = oem.get("/api/v1/batches?limit=2").json()
    second = oem.get(f"/api/v1/batches?limit=2&before={first['next']}").json()
    numbers = [batch["batch"] for batch in first["batches"] + second["batches"]]
    assert numbers == sorted(numbers, reverse=True) and len(numbers) == 3
    assert second["next"] is None
    assert oem.get("/api/v1/batches?kind=share-licenses").json()["batches"] == []
    assert oem.get("/api/v1/batches?state=done").json()["batches"] == []


def test_a_server_without_its_servers(app: App, client: Client, vouchers: list[str]):
    """Alive without a store; not ready, and a file is refused with 503 and may be sent again."""
    oem = client("OEM")
    store = app.store
    folder = Path(store.root)  # type: ignore[attr-defined]
    assert oem.get("/readyz").json() == {"ready": True, "database": True, "store": True, "broker": True}
    folder.rename(folder.with_name("gone"))
    try:
        assert oem.get("/healthz").status_code == 200
        ready = oem.get("/readyz")
        assert (ready.status_code, ready.json()["store"], ready.json()["database"]) == (503, False, True)
        refused = oem.post("/api/v1/batches?kind=redeem-vouchers", content=order(*vouchers), headers=key())
        assert (refused.status_code, refused.json()["code"]) == (503, "store_unavailable")
        assert refused.headers["retry-after"]
    finally:
        folder.with_name("gone").rename(folder)
    sent = oem.post("/api/v1/batches?kind=redeem-vouchers", content=order(*vouchers), headers=key())
    assert sent.status_code == 201


@pytest.mark.parametrize("changed", [{"redis_url": "redis://127.0.0.1:1/0"}])
def test_no_broker_is_no_reason_to_refuse(client: Client, vouchers: list[str]):
    """With Redis away requests are taken without being counted; the server says that it is not ready."""
    oem = client("OEM")
    sent = oem.post("/api/v1/batches?kind=redeem-vouchers", content=order(*vouchers), headers=key())
    assert sent.status_code == 201
    assert oem.get("/readyz").json() == {"ready": False, "database": True, "store": True, "broker": False}


def test_metrics_count_what_is_there(client: Client, submit: Submit, vouchers: list[str]):
    """Batches and rows by state, waiting chunks, and how long requests took, by route."""
    submit(order(*vouchers), account="OEM", confirm="ask", work=False)
    vendor = client("VENDOR", "read")
    vendor.get("/api/v1/batches/1")
    text = vendor.get("/metrics").text
    assert 'keymill_batches{state="done"} 1.0' in text
    assert 'keymill_batches{state="received"} 1.0' in text
    assert 'keymill_rows{state="done"} 1.0' in text
    assert 'operation="show_batch",status="200"' in text
    assert "keymill_calls_waiting" in text


def test_public_keys_and_links(app: App, client: Client, server: str, submit: Submit, vouchers: list[str]):
    """The JWK set verifies a key with another library; a link that was changed is none; no list, no answer."""
    batch = submit(order(*vouchers), account="OEM")
    rows = client("OEM").get(f"/api/v1/batches/{batch}/rows").json()["rows"]
    keys = KeySet.import_key_set(httpx.get(f"{server}/.well-known/jwks.json").json())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it would rather have the newer name of the algorithm
        assert jwt.decode(rows[0]["key"], keys, algorithms=["EdDSA"]).claims["lic"]["sku"] == "P"
    link = client("OEM").get(f"/api/v1/batches/{batch}/results").json()[0]["link"]
    place, token, name = link.rsplit("/", 2)
    assert httpx.get(link).status_code == 200
    for bad in (token[:-4], token[4:], "AAAA", "ä", token[:50] + "A" + token[51:]):
        assert httpx.get(f"{place}/{bad}/{name}").status_code == 404
    assert httpx.get(f"{server}/.well-known/revocations.jwt").status_code == 404


@pytest.mark.parametrize("changed", [{"link_seconds": -1}])
def test_a_link_that_has_expired(client: Client, submit: Submit, vouchers: list[str]):
    """It is as good as none."""
    batch = submit(order(*vouchers), account="OEM")
    expired = client("OEM").get(f"/api/v1/batches/{batch}/results").json()[0]["link"]
    assert httpx.get(expired).json()["code"] == "unknown_link"
