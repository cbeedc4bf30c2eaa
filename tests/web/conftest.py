"""A web server in a thread, on real servers, and clients that hold tokens."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI

from config.embedded_processes import free_port
from config.wiring import App
from jobs import api_tokens
from licensing.permissions import Permission
from web.app import create

Client = Callable[..., httpx.Client]
_idle: list[FastAPI] = []
TLS = ssl.create_default_context()  # not used here, but each client would read all authorities for one of its own


@pytest.fixture
def changed() -> dict[str, Any]:
    """Settings that a test wants to be other than usual."""
    return {}


@pytest.fixture
def app(app: App, changed: dict[str, Any]) -> App:
    """The app, told under which address its server will be reached."""
    return addressed(app, **changed)


def addressed(app: App, **changed: Any) -> App:
    """An app with an address for its server, and no quota to speak of."""
    port = free_port(None)
    address = {"listen": f"127.0.0.1:{port}", "public_url": f"http://127.0.0.1:{port}", "requests_a_minute": 100_000}
    return replace(app, settings=app.settings.model_copy(update=address | changed))


@contextmanager
def _application(app: App) -> Iterator[FastAPI]:
    """The application that answers from an app: one that is not in use, or a new one.

    It takes a quarter of a second to find out anew what each route needs, and holds nothing of an app but the app.
    """
    application = _idle.pop() if _idle else create(app)
    application.state.keymill, application.openapi_schema = app, None
    yield application
    _idle.append(application)


@contextmanager
def serving(app: App) -> Iterator[str]:
    """A server in a thread; its URL."""
    with _application(app) as application:
        yield from _served(app, application)


def _served(app: App, application: FastAPI) -> Iterator[str]:
    host, _, port = app.settings.listen.rpartition(":")
    config = uvicorn.Config(application, host=host, port=int(port), log_config=None, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.01)
    try:
        yield app.settings.public_url
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def server(app: App) -> Iterator[str]:
    """The URL of a server that answers from the app."""
    with serving(app) as url:
        yield url


@pytest.fixture
def client(app: App, server: str) -> Iterator[Client]:
    """Call it with an account for a client that holds a token of it."""
    opened: list[httpx.Client] = []

    def open_it(account: str, permission: Permission = "manage", *, kinds: list[str] | None = None) -> httpx.Client:
        secret = api_tokens.create(app, account, "test", permission, actor="test", kinds=kinds)["secret"]
        client = httpx.Client(base_url=server, headers={"Authorization": f"Bearer {secret}"}, verify=TLS, timeout=60)
        opened.append(client)
        return client

    yield open_it
    for one in opened:
        one.close()


@pytest.fixture
def raw(app: App, server: str) -> Iterator[Callable[[], socket.socket]]:
    """Call it for a connection over which bytes are sent as they are."""
    opened: list[socket.socket] = []

    def open_it() -> socket.socket:
        host, _, port = app.settings.listen.rpartition(":")
        opened.append(socket.create_connection((host, int(port)), timeout=30))
        return opened[-1]

    yield open_it
    for one in opened:
        one.close()
