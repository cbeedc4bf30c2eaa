"""The proxy that makes the object store fail: what a client of it meets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from tests.crash.proxies import Proxy


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """A proxy before a server that sends back what it gets."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            with client:
                while block := client.recv(100):
                    client.sendall(block)

    threading.Thread(target=serve, daemon=True).start()
    found = Proxy(server.getsockname()[1])
    yield found
    found.close()
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def _connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=0.5)


def _answer(client: socket.socket) -> bytes:
    client.sendall(b"ping")
    return client.recv(4)


def test_passes_on(proxy: Proxy) -> None:
    """What is sent comes back."""
    with _connected(proxy) as client:
        assert _answer(client) == b"ping"


def test_refuses(proxy: Proxy) -> None:
    """A proxy that refuses takes no connection and cuts those it had; healed it takes them again."""
    with _connected(proxy) as client:
        assert _answer(client) == b"ping"
        proxy.fail("refuse")
        assert client.recv(4) == b""
        with pytest.raises(OSError):
            _connected(proxy)
        proxy.heal()
    with _connected(proxy) as client:
        assert _answer(client) == b"ping"


def test_hangs(proxy: Proxy) -> None:
    """A proxy that hangs takes everything and answers nothing."""
    proxy.fail("hang")
    with _connected(proxy) as client:
        with pytest.raises(TimeoutError):
            _answer(client)
        proxy.heal()
        assert client.recv(4) == b""


def test_cuts(proxy: Proxy) -> None:
    """A proxy that cuts ends every connection, old and new."""
    with _connected(proxy) as old:
        assert _answer(old) == b"ping"
        proxy.fail("cut")
        assert old.recv(4) == b""
        with _connected(proxy) as new:
            new.settimeout(2)
            assert new.recv(4) == b""
