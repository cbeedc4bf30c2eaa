"""Signing in with an OpenID Connect provider, which is a real one in a process of its own."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest
from pydantic import SecretStr

from config.embedded_processes import free_port
from config.wiring import App
from jobs import users
from models import users as stored
from models.database import transaction
from tests.apps import account, one
from tests.web.portal.conftest import Person
from tests.web.portal.provider import CLIENT, SECRET

Visit = Callable[..., Person]
ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """The address of a provider."""
    port = free_port(None)
    process = subprocess.Popen([sys.executable, "-m", "tests.web.portal.provider", str(port)], cwd=ROOT)
    try:
        deadline = time.monotonic() + 30
        while True:
            assert process.poll() is None and time.monotonic() < deadline
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def changed(issuer: str) -> dict[str, Any]:
    """Settings with the provider."""
    return {"openid_issuer": issuer, "openid_client_id": CLIENT, "openid_client_secret": SecretStr(SECRET)}


@pytest.fixture
def email(app: App) -> str:
    """A user without a password."""
    account(app, "OEM")
    users.add(app, "OEM", "ann@oem.example", "Ann", "submit", actor="test")
    return "ann@oem.example"


def go(person: Person, **more: str) -> httpx.Response:
    """Follow the link to the provider, tell it what to say, and come back."""
    away = person.client.get("/sign-in/openid?next=/licenses", follow_redirects=False)
    assert away.status_code == 303
    return person.client.get(f"{away.headers['location']}&{urlencode(more)}")


def test_whoever_the_provider_knows_is_signed_in(email: str, visit: Visit):
    """And comes to the page that was asked for. The sign-in page offers it."""
    ann = visit()
    assert "Sign in with your organization" in ann.get("/sign-in?next=/licenses")
    assert go(ann, email=email.upper()).url.path == "/licenses"
    assert ann.client.get("/me").url.path == "/me"


def test_what_is_sent_along_is_what_the_standard_asks_for(app: App, issuer: str, visit: Visit):
    """Code flow with PKCE, state and nonce of their own each time; no secret in the address."""
    seen = []
    for _ in range(2):
        away = visit().client.get("/sign-in/openid", follow_redirects=False).headers["location"]
        assert away.startswith(f"{issuer}/authorize?") and "secret" not in away
        seen.append({name: values[0] for name, values in parse_qs(urlsplit(away).query).items()})
    assert seen[0]["response_type"] == "code" and seen[0]["code_challenge_method"] == "S256"
    assert seen[0]["redirect_uri"] == f"{app.settings.public_url}/sign-in/openid/back"
    for name in ("state", "nonce", "code_challenge"):
        assert seen[0][name] != seen[1][name] and len(seen[0][name]) >= 43


@pytest.mark.parametrize(
    "fault",
    ["issuer", "audience", "expired", "nonce", "no nonce", "no subject", "long subject", "party",
     "shared secret", "unsigned", "foreign key"],
)  # fmt: skip
def test_an_id_token_with_anything_wrong_lets_nobody_in(fault: str, email: str, visit: Visit):
    """Each check alone keeps somebody out, with a sentence."""
    ann = visit()
    answer = go(ann, email=email, fault=fault)
    assert answer.status_code == 422 and "did not work" in answer.text
    assert ann.client.get("/me").url.path == "/sign-in"


@pytest.mark.parametrize("fault", ["unverified", "no e-mail"])
def test_the_first_time_the_address_must_be_verified(fault: str, email: str, visit: Visit):
    """Later it is not asked for: the subject says who it is."""
    ann = visit()
    answer = go(ann, email=email, sub="ann", fault=fault)
    assert answer.status_code == 422 and "has no access here" in answer.text
    go(ann, email=email, sub="ann")
    assert go(visit(), email=email, sub="ann", fault=fault).url.path == "/licenses"


def test_an_address_that_is_given_to_another_person_does_not_bring_the_user(app: App, email: str, visit: Visit):
    """Issuer and subject of the first sign-in decide; the refusal is audited, and the user unlinked on purpose only."""
    ann, bob = visit(), visit()
    assert go(ann, email=email, sub="ann").url.path == "/licenses"
    assert "has no access here" in go(bob, email=email, sub="bob").text
    assert bob.client.get("/me").url.path == "/sign-in"
    assert go(visit(), email="ann.married@oem.example", sub="ann").url.path == "/licenses"
    refused = (
        "SELECT detail->'openid'->>1 FROM audit_log WHERE action = 'session.refused' AND subject <> 'unknown user'"
    )
    assert one(app, refused) == "bob"
    users.forget_openid(app, email, actor="test")
    assert ann.client.get("/me").url.path == "/sign-in"
    assert go(bob, email=email, sub="bob").url.path == "/licenses"
    assert "has no access here" in go(ann, email=email, sub="ann").text


def test_a_subject_of_another_provider_is_another_person(app: App, email: str, visit: Visit, issuer: str):
    """Two providers may use the same name for two people."""
    with transaction(app.engine) as connection:
        stored.set_openid(connection, users.listed(app, "OEM")[0]["user"], "https://former.example", "ann")
    assert "has no access here" in go(visit(), email=email, sub="ann").text


def test_an_answer_belongs_to_the_browser_that_asked(email: str, visit: Visit):
    """A code that somebody else fetched signs nobody in, nor does one that is used again."""
    ann, eve = visit(), visit()
    away = eve.client.get("/sign-in/openid", follow_redirects=False).headers["location"]
    back = httpx.get(f"{away}&{urlencode({'email': email})}").headers["location"]
    assert ann.client.get(back).status_code == 422  # without the cookie
    go(ann, email="nobody@x.example")
    assert ann.client.get(back).status_code == 422  # with one of its own
    assert eve.client.get(back).url.path == "/batches"
    assert eve.client.get(back).status_code == 422


def test_who_has_no_access_here_is_told_so(app: App, email: str, visit: Visit):
    """The provider says who somebody is; an account must have let them in."""
    assert "bob@oem.example has no access here" in go(visit(), email="bob@oem.example").text
    users.suspend(app, email, actor="test")
    assert "has no access here" in go(visit(), email=email).text


@pytest.mark.parametrize("changed", [{}])
def test_without_a_provider_there_is_no_such_page(visit: Visit):
    """Nothing offers it, and the addresses do not exist."""
    nobody = visit()
    assert "organization" not in nobody.get("/sign-in")
    nobody.get("/sign-in/openid", 404)
    nobody.get("/sign-in/openid/back?code=x&state=y", 404)


@pytest.mark.parametrize(
    "changed", [{"openid_issuer": "http://127.0.0.1:9", "openid_client_id": "x", "openid_client_secret": None}]
)
def test_a_provider_that_is_away_is_told(visit: Visit):
    """And passwords go on."""
    answer = visit().client.get("/sign-in/openid")
    assert answer.status_code == 422 and "use your password" in answer.text
