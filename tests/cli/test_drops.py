"""``keymill sftp``, ``ssh-keys`` and ``drops`` as a person runs them."""

from __future__ import annotations

import json
import signal
import subprocess
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app as commands
from config.wiring import App
from tests.apps import account
from tests.cli.test_batches import COMMAND, called, environment
from tests.ssh import Client, Sshd, make_key

Keymill = Callable[..., Result]


@pytest.fixture
def variables(app: App, tmp_path: Path) -> dict[str, str]:
    """The environment of commands on the test's own servers."""
    key = b64encode(app.kek).decode()
    return app.settings.environment() | {"KEYMILL_KEY_ENCRYPTION_KEY": key, "KEYMILL_LANGUAGE": "en", "COLUMNS": "200"}


@pytest.fixture
def keymill(variables: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Keymill:
    """A function that runs a command."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return lambda *words: CliRunner().invoke(commands, [str(word) for word in words])


def test_keys_are_added_listed_and_revoked(keymill: Keymill, app: App, tmp_path: Path) -> None:
    """A key belongs to one account for good; what is no public key, or a short one, is refused in both languages."""
    account(app, "OEM")
    account(app, "OTHER")
    public = make_key(tmp_path / "key", "ed25519", "-C", "anna@acme").with_suffix(".pub")
    added = json.loads(keymill("ssh-keys", "add", public, "--account", "oem", "--json").stdout)
    assert (added["account"], added["comment"]) == ("OEM", "anna@acme")
    assert "anna@acme" in keymill("ssh-keys", "list", "--account", "OEM").stdout
    assert json.loads(keymill("ssh-keys", "list", "--account", "OTHER", "--json").stdout) == {"keys": []}
    again = keymill("ssh-keys", "add", public, "--account", "OTHER")
    assert again.exit_code == 1
    assert "added before" in again.stderr
    short = make_key(tmp_path / "short", "rsa", "-b", "1024").with_suffix(".pub")
    for bad in (short, tmp_path / "key"):
        refused = keymill("ssh-keys", "add", bad, "--account", "OEM", "--lang", "it")
        assert refused.exit_code == 1
        assert ".pub" in refused.stderr
    assert keymill("ssh-keys", "revoke", added["fingerprint"]).exit_code == 0
    assert keymill("ssh-keys", "revoke", added["fingerprint"]).exit_code == 0
    (listed,) = json.loads(keymill("ssh-keys", "list", "--json").stdout)["keys"]
    assert listed["revoked_at"]
    assert keymill("ssh-keys", "revoke", "SHA256:nothing").exit_code == 1
    assert keymill("ssh-keys", "marker", "--account", "OEM").exit_code == 0
    assert keymill("ssh-keys", "marker", "--account", "OEM", "--off").exit_code == 0


def test_the_server_runs_as_a_command_and_ends_when_told(variables: dict[str, str], app: App, tmp_path: Path) -> None:
    """It says its port, serves a real client, ends with 0 on SIGTERM, and refuses a port that is taken."""
    account(app, "OEM")
    env = environment(tmp_path) | variables | {"KEYMILL_SFTP_HOST": "127.0.0.1", "KEYMILL_SFTP_PORT": "0"}
    server = subprocess.Popen([*COMMAND, "sftp", "--json"], env=env, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        port = json.loads(server.stdout.readline())["port"]
        key = make_key(tmp_path / "key")
        words = ["ssh-keys", "add", f"{key}.pub", "--account", "OEM"]
        assert called(env, *words).returncode == 0
        known = tmp_path / "known"
        scan = ["ssh-keyscan", "-p", str(port), "127.0.0.1"]
        known.write_text(subprocess.run(scan, capture_output=True, text=True, check=True).stdout)
        client = Client(port, "OEM", key, known)
        assert "inbox" in client.sftp("ls -1")
        taken = env | {"KEYMILL_SFTP_PORT": str(port)}
        refused = subprocess.run([*COMMAND, "sftp"], env=taken, capture_output=True, text=True, timeout=60)
        assert refused.returncode == 1
        assert "KEYMILL_SFTP_PORT" in refused.stderr
        assert "Traceback" not in refused.stderr
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=30) == 0
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
    renewed = subprocess.Popen(
        [*COMMAND, "sftp", "--new-host-key", "--json"], env=env | {"KEYMILL_SFTP_PORT": str(port)},
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert renewed.stdout is not None
    try:
        renewed.stdout.readline()
        assert "HOST IDENTIFICATION HAS CHANGED" in client.sftp("ls", ok=False)
    finally:
        renewed.terminate()
        assert renewed.wait(timeout=30) == 0
        renewed.stdout.close()


def test_a_drop_from_adding_to_removing(keymill: Keymill, app: App, sshd: Sshd) -> None:
    """Added with the key that the server shows, tried out, polled, listed with its files, paused, removed."""
    account(app, "OEM", confirm="auto")
    (sshd.root / "in").mkdir()
    place = ["--host", "127.0.0.1", "--port", sshd.port, "--login", sshd.user, "--key-file", sshd.key]
    words = ["drops", "add", "partner", "--account", "OEM", *place, "--settle", 0, "--folder"]
    assert keymill(*words, "nothing").exit_code == 1
    assert "may not send" in keymill(*words, "in=mint-vouchers").stderr
    added = json.loads(keymill(*words, f"{sshd.root}/in=redeem-vouchers", "--json").stdout)
    assert added["host_key"] == sshd.host_key
    assert "already" in keymill(*words, f"{sshd.root}/in=redeem-vouchers").stderr
    assert "0 files" in keymill("drops", "test", "partner").stdout
    (sshd.root / "in/list.csv").write_text("code;company\nABC-1;Rossi\n")
    (sshd.root / "in/bad.csv").write_text("")
    told = keymill("drops", "poll").stdout
    assert "1 taken, 1 refused, 0 not settled yet" in told
    assert "The file is empty." in told
    listed = keymill("drops", "list", "partner").stdout
    assert "list.csv" in listed and "The file is empty." in listed
    document = json.loads(keymill("drops", "list", "partner", "--json").stdout)
    assert {file["state"] for file in document["files"]} == {"taken", "refused"}
    assert keymill("drops", "pause", "partner").exit_code == 0
    assert json.loads(keymill("drops", "poll", "--json").stdout) == {"polled": []}
    assert keymill("drops", "pause", "partner", "--off").exit_code == 0
    assert keymill("drops", "remove", "partner").exit_code == 0
    assert "no drop partner" in keymill("drops", "poll", "partner").stderr


def test_what_is_wrong_with_a_drop_is_told_and_is_exit_code_1(keymill: Keymill, app: App, sshd: Sshd) -> None:
    """A server that cannot be reached, a folder that is not there, a host key that is none."""
    account(app, "OEM")
    words = ["drops", "add", "x", "--account", "OEM", "--host", "127.0.0.1", "--login", sshd.user]
    words += ["--key-file", str(sshd.key), "--folder", "/nowhere=redeem-vouchers", "--port"]
    assert "No SFTP connection" in keymill(*words, 1).stderr
    (sshd.folder / "bad").write_text("no key")
    assert "ssh-ed25519" in keymill(*words, sshd.port, "--host-key-file", sshd.folder / "bad").stderr
    assert keymill(*words, sshd.port, "--host-key-file", sshd.folder / "host.pub").exit_code == 0
    for command in (("test", "x"), ("poll", "x")):
        failed = keymill("drops", *command)
        assert failed.exit_code == 1
        assert "/nowhere" in failed.stderr
    assert "/nowhere" in keymill("drops", "list", "--lang", "it").stdout.replace("\n", "")
