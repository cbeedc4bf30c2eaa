"""People who use the portal: over HTTP with a cookie jar, and in a real browser."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import httpx
import pytest
from playwright.sync_api import Browser, sync_playwright
from pydantic import SecretStr

from cli.serving import processes
from config.wiring import App
from jobs import users
from licensing.fields import Language
from licensing.permissions import Permission
from tests.web.conftest import TLS

PASSWORD = "correct horse battery"
CHROMIUM = "/usr/bin/chromium"


class Person:
    """Somebody with a browser that keeps cookies and sends forms as browsers do."""

    def __init__(self, server: str, language: str = "en") -> None:
        self.server = server
        headers = {"Accept": "text/html", "Accept-Language": language}
        self.client = httpx.Client(base_url=server, headers=headers, verify=TLS, timeout=60, follow_redirects=True)

    def sign_in(self, email: str, password: str = PASSWORD, **more: str) -> httpx.Response:
        """Sign in."""
        return self.send("/sign-in", email=email, password=password, **more)

    def get(self, address: str, status: int = 200) -> str:
        """A page as text, which must have a status."""
        response = self.client.get(address)
        assert response.status_code == status, (address, response.status_code, response.text[-2000:])
        return response.text

    def csrf(self) -> str:
        """The token of the forms of this session."""
        found = re.search(r'name="csrf" value="(\w+)"', self.get("/me"))
        assert found
        return found[1]

    def send(self, address: str, /, origin: str | None = None, **fields: Any) -> httpx.Response:
        """Send a form from a page of the portal, or of another ``origin``."""
        return self.client.post(address, data=fields, headers={"Origin": origin or self.server})

    def post(self, address: str, /, **fields: Any) -> httpx.Response:
        """Send a form of a page that needs a session."""
        return self.send(address, csrf=self.csrf(), **fields)

    def upload(self, content: str | bytes, filename: str = "list.csv") -> httpx.Response:
        """Send a file, and follow to the page that says what it is for."""
        body = content if isinstance(content, bytes) else content.encode()
        return self.client.post(
            "/upload", data={"csrf": self.csrf()}, files={"file": (filename, body)}, headers={"Origin": self.server}
        )


@pytest.fixture
def join(app: App) -> Callable[..., str]:
    """Call it with an account and an e-mail address for a user who may sign in with :data:`PASSWORD`."""

    def add(account: str, email: str, permission: Permission = "manage", locale: Language | None = None) -> str:
        users.add(app, account, email, email.split("@")[0], permission, actor="test", password=PASSWORD, locale=locale)
        return email

    return add


@pytest.fixture
def visit(server: str) -> Iterator[Callable[..., Person]]:
    """Call it for somebody who is not signed in, or with an e-mail address for somebody who is."""
    people: list[Person] = []

    def come(email: str | None = None, language: str = "en") -> Person:
        people.append(Person(server, language))
        if email is not None:
            assert "/sign-in" not in str(people[-1].sign_in(email).url)
        return people[-1]

    yield come
    for person in people:
        person.client.close()


@pytest.fixture
def working(app: App) -> Iterator[None]:
    """Two real workers and a scheduler."""
    key = SecretStr(base64.b64encode(app.kek).decode())
    with processes(replace(app, settings=app.settings.model_copy(update={"key_encryption_key": key})), 2):
        yield


@pytest.fixture(scope="module")
def browser(skip_at_home: Callable[[str], NoReturn]) -> Iterator[Browser]:
    """The system's Chromium."""
    if not Path(CHROMIUM).exists():
        skip_at_home(f"{CHROMIUM}: install it with `apt-get install chromium`")
    with _driven() as browser:
        yield browser


@contextmanager
def _driven() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        try:
            yield browser
        finally:
            browser.close()
