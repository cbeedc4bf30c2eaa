"""``keymill users`` and ``keymill tokens``, and ``keymill web`` as a process of its own."""

from __future__ import annotations

import json
import signal
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from config.embedded_processes import free_port
from tests.cli.test_batches import COMMAND, called
from tests.cli.test_serving import PATIENCE_SECONDS, Start, named_servers, start, wait_until

__all__ = ["start"]  # a fixture


@pytest.fixture
def env(database_url: str, valkey_url: str, tmp_path: Path) -> dict[str, str]:
    """The environment of commands on servers of the test."""
    return named_servers(database_url, valkey_url, tmp_path)


def told(env: dict[str, str], *words: str, stdin: str = "") -> Any:
    """The JSON document of a command that is done."""
    done = called(env, *words, "--json", input=stdin)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_users_and_tokens_and_the_server(env: dict[str, str], start: Start):
    """A user is added with a password from standard input; a token is shown once, opens the API, and is revoked."""
    words = ("--account", "VENDOR", "--name", "Ada", "--password-stdin")
    assert told(env, "users", "add", "ada@example.com", *words, stdin="a long password\n")["account"] == "VENDOR"
    again = called(env, "users", "add", "ADA@example.com", *words, "--lang", "it", input="a long password\n")
    assert (again.returncode, "Esiste già" in again.stderr) == (1, True)
    assert told(env, "users", "password", "ada@example.com", "--password-stdin", stdin="another password\n")
    assert told(env, "users", "unlink", "ada@example.com") == {"email": "ada@example.com", "openid": None}
    assert told(env, "users", "suspend", "ada@example.com")["state"] == "suspended"
    [user] = told(env, "users", "list", "--account", "VENDOR")["users"]
    assert (user["email"], user["state"]) == ("ada@example.com", "suspended")
    made = told(env, "tokens", "create", "--account", "VENDOR", "--name", "ci", "--kind", "load-accounts")
    port = free_port(None)
    url = f"http://127.0.0.1:{port}"
    server = start(env | {"KEYMILL_LISTEN": f"127.0.0.1:{port}"}, "web")
    wait_until(lambda: answers(url), "it did not start")
    headers = {"Authorization": f"Bearer {made['secret']}"}
    assert httpx.get(f"{url}/api/v1/account", headers=headers).json()["kinds"] == ["load-accounts"]
    assert "last_used" in told(env, "tokens", "list")["tokens"][0]
    assert made["start"] in called(env, "tokens", "list").stdout
    assert told(env, "tokens", "revoke", str(made["token"]))["revoked"]
    assert httpx.get(f"{url}/api/v1/account", headers=headers).status_code == 401
    assert called(env, "tokens", "revoke", "999").returncode == 1
    with httpx.stream("GET", f"{url}/.well-known/jwks.json"):
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=PATIENCE_SECONDS) == 0


def answers(url: str) -> bool:
    """Whether a server answers."""
    try:
        return httpx.get(f"{url}/healthz").status_code == 200
    except httpx.TransportError:
        return False


def test_a_taken_address(env: dict[str, str], start: Start):
    """A second server on the same port ends with 1."""
    port = free_port(None)
    env = env | {"KEYMILL_LISTEN": f"127.0.0.1:{port}"}
    start(env, "web")
    wait_until(lambda: answers(f"http://127.0.0.1:{port}"), "it did not start")
    assert subprocess.run([*COMMAND, "web"], env=env, capture_output=True, timeout=120).returncode == 1


def test_proxies_are_believed_only_when_trusted(env: dict[str, str], start: Start):
    """The address that a trusted proxy names is the caller's; anybody else's word is not taken."""
    for trusted, address in (("127.0.0.1", "192.0.2.7"), ("192.0.2.1", "127.0.0.1")):
        port = free_port(None)
        server = start(env | {"KEYMILL_LISTEN": f"127.0.0.1:{port}", "KEYMILL_TRUSTED_PROXIES": trusted}, "web")
        url = f"http://127.0.0.1:{port}"
        wait_until(partial(answers, url), "it did not start")
        made = told(env, "tokens", "create", "--account", "VENDOR", "--name", "ci")
        headers = {"Authorization": f"Bearer {made['secret']}", "X-Forwarded-For": "192.0.2.7"}
        assert httpx.get(f"{url}/api/v1/account", headers=headers).status_code == 200
        assert told(env, "tokens", "list")["tokens"][0]["last_used_from"] == address
        server.terminate()
