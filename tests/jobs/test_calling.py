"""One call of a webhook against real servers: slow, large, redirecting, with and without a valid certificate."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from config.embedded_processes import free_port
from jobs import calling
from jobs.calling import MOST_ANSWER_BYTES, Reply
from tests.receivers import Receiver, status


def post(url: str, *, private_too: bool = True) -> Reply:
    """Call with a small body."""
    return calling.post(url, {"webhook-id": "msg_1"}, b"{}", private_too=private_too)


def test_a_call_brings_body_and_headers(receiver: Receiver):
    """The server sees what was sent, and the host as the address says it."""
    receiver.answer = status(200, "grazie, però".encode())
    assert post(receiver.url + "?a=b") == Reply(200, "grazie, però")
    [got] = receiver.received
    assert (got.path, got.body, got.headers["webhook-id"]) == ("/hook?a=b", b"{}", "msg_1")
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"


def test_a_redirect_is_an_answer_and_is_not_followed(receiver: Receiver):
    """Nobody is called but the endpoint itself."""
    receiver.answer = status(302, location=receiver.url + "/elsewhere")
    assert post(receiver.url).status == 302
    assert len(receiver.received) == 1


def test_a_private_address_is_never_connected_to(receiver: Receiver):
    """By number or by name, without the laboratory setting the server hears nothing."""
    for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"):
        reply = post(f"http://{host}:{receiver.port}/", private_too=False)
        assert reply.status is None
        assert "no public address" in reply.text
    assert receiver.received == []


def test_a_name_that_changes_between_check_and_call_gains_nothing(receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    """The name is looked up once: what it would lead to the second time, here the server, is not called."""
    look_up, answers = socket.getaddrinfo, iter(["192.0.2.1"])

    def rebinding(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        is_ours = host in ("rebind.example", b"rebind.example")  # whoever asks, in whatever form
        return look_up(next(answers, "127.0.0.1") if is_ours else host, port, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    monkeypatch.setattr(calling, "CONNECT_SECONDS", 0.2)
    assert post(f"http://rebind.example:{receiver.port}/").status is None
    assert receiver.received == []


def test_the_next_address_is_tried_when_one_does_not_connect(receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    """A name with two addresses of which the first is dead still arrives, once."""
    look_up = socket.getaddrinfo

    def two(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        if host != "two.example":
            return look_up(host, port, *rest, **more)
        return [entry for one in ("127.0.0.2", "127.0.0.1") for entry in look_up(one, port, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    assert post(f"http://two.example:{receiver.port}/").status == 204
    assert len(receiver.received) == 1


def test_a_long_answer_is_cut(receiver: Receiver):
    """No more is read than the limit, however much there is, and packed bytes are not unpacked."""
    receiver.answer = status(500, b"x" * (4 * MOST_ANSWER_BYTES))
    assert post(receiver.url) == Reply(500, "x" * MOST_ANSWER_BYTES)
    packed = gzip.compress(bytes(50_000_000))
    receiver.answer = status(200, packed, content_encoding="gzip")
    assert len(post(receiver.url).text) <= len(packed)


def _dripping(part: bytes) -> Callable[[BaseHTTPRequestHandler], None]:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        for _ in range(1000):
            handler.wfile.write(part)
            time.sleep(0.02)

    return answer


@pytest.mark.parametrize("part", [b"x: y\r\n", b"\r\nbody"], ids=["headers", "body"])
def test_an_answer_that_drips_is_given_up(part: bytes, receiver: Receiver, monkeypatch: pytest.MonkeyPatch):
    """The limit is on the whole call, not on the wait for each byte."""
    monkeypatch.setattr(calling, "TOTAL_SECONDS", 0.5)
    receiver.answer = _dripping(part)
    assert post(receiver.url).text.startswith("no answer within")


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes a connection and closes it without a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: server.accept()[0].close(), daemon=True).start()
        yield server.getsockname()[1]


def test_what_goes_wrong_on_the_way_is_told(silent: int):
    """A server that hangs up, one that is not there, and a name that is not known."""
    for url in (f"http://127.0.0.1:{silent}/", f"http://127.0.0.1:{free_port(None)}/", "http://unknown.invalid/"):
        reply = post(url)
        assert reply.status is None
        assert reply.text


@pytest.fixture
def trusting(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Calls that trust the test's certificate, and names under .example that lead to this machine."""
    look_up = socket.getaddrinfo

    def here(host: Any, *rest: Any, **more: Any) -> Any:
        return look_up("127.0.0.1" if str(host).endswith(".example") else host, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", here)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    calling.certificates.cache_clear()
    yield
    calling.certificates.cache_clear()


@pytest.mark.usefixtures("trusting")
def test_the_certificate_must_be_for_the_name_though_the_address_is_pinned(receiver: Receiver, certificate: Path):
    """A right name arrives over TLS with its own Host header; the same server under another name is refused."""
    receiver.use_tls(certificate)
    assert post(f"https://hook.example:{receiver.port}/").status == 204
    assert receiver.received[0].headers["host"] == f"hook.example:{receiver.port}"
    other = post(f"https://other.example:{receiver.port}/")
    assert other.status is None
    assert "certificate" in other.text.lower()
    assert len(receiver.received) == 1


def test_a_certificate_of_nobody_is_refused(receiver: Receiver, certificate: Path):
    """Without the test's certificate among the trusted ones nothing is sent."""
    receiver.use_tls(certificate)
    assert post(f"https://127.0.0.1:{receiver.port}/").status is None
    assert receiver.received == []
