"""``keymill keys`` on a real database: listing, rotating, exporting, changing the key-encryption key."""

from __future__ import annotations

import json
import secrets
import time
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from cli.main import app
from jobs import keys
from models import audit
from models.database import transaction
from signing.key_sets import parse_key_set
from signing.revocations import read_list

OLD_KEK, NEW_KEK = (b64encode(secrets.token_bytes(32)).decode() for _ in range(2))

Keymill = Callable[..., Result]


@pytest.fixture
def keymill(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keymill:
    """A function that runs a command of an installation on a fresh database."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "DATABASE_URL": database_url.replace("postgresql+psycopg:", "postgresql:"),
        "REDIS_URL": "redis://127.0.0.1:9/0",
        "STORE_URL": (tmp_path / "store").as_uri(),
        "KEY_ENCRYPTION_KEY": OLD_KEK,
        "HOME": str(tmp_path),
        "LANGUAGE": "en",
    }.items():
        monkeypatch.setenv(f"KEYMILL_{name}", value)
    monkeypatch.delenv("KEYMILL_DEBUG", raising=False)
    return lambda *words: CliRunner().invoke(app, ["keys", *map(str, words)])


def test_keys_are_listed_oldest_to_newest(keymill: Keymill) -> None:
    """Without keys it says so; after two rotations both stand there and the newest signs."""
    assert "no signing key yet" in keymill("list").stdout
    kids = [json.loads(keymill("rotate", "--json").stdout)["kid"] for _ in range(2)]
    listed = json.loads(keymill("list", "--json").stdout)["keys"]
    assert [(key["kid"], key["signs"]) for key in listed] == [(kids[0], False), (kids[1], True)]
    shown = keymill("list", "--lang", "it").stdout
    assert shown.index(kids[0]) < shown.index(kids[1])
    assert shown.count("firma") == 1


def test_rotating_is_audited_with_the_person_at_the_terminal(keymill: Keymill, engine: Engine) -> None:
    """The audit log says who made which key."""
    result = keymill("rotate")
    assert result.exit_code == 0
    with transaction(engine) as connection:
        ((_, actor, action, subject, _),) = audit.latest(connection, 5)
    assert actor.startswith("cli")
    assert action == "signing_key.add"
    assert subject.removeprefix("signing key ") in result.stdout


def test_the_exported_key_set_verifies_what_is_signed(keymill: Keymill, engine: Engine, tmp_path: Path) -> None:
    """On standard output or in a file: the JWK set of all public keys and nothing else; the first key is made."""
    printed = keymill("export").stdout
    kid = keys.list_keys(engine)[0].kid
    assert set(parse_key_set(printed)) == {kid}
    assert keymill("export", "-o", tmp_path / "keys.json").exit_code == 0
    assert (tmp_path / "keys.json").read_text() == printed


def test_the_revocation_list_is_published(keymill: Keymill, engine: Engine, tmp_path: Path) -> None:
    """It is stored, and written into a file that the published keys verify; the counts are told."""
    assert keymill("export", "-o", tmp_path / "keys.json").exit_code == 0
    told = keymill("revocations", "-o", tmp_path / "list.jwt", "--json")
    assert json.loads(told.stdout)["counts"] == {"revoked": 0, "superseded": 0, "rehosted": 0}
    found = read_list((tmp_path / "list.jwt").read_text(), parse_key_set((tmp_path / "keys.json").read_text()))
    assert found.issued_at <= time.time()
    assert "names 0 licenses" in keymill("revocations").stdout


def test_a_file_that_cannot_be_written_is_refused(keymill: Keymill, tmp_path: Path) -> None:
    """Exporting into a folder that is not there ends with 1 and names the file."""
    result = keymill("export", "-o", tmp_path / "missing" / "keys.json")
    assert result.exit_code == 1
    assert "missing" in result.stderr
    assert "cannot be written" in result.stderr


def test_the_key_encryption_key_can_be_changed(
    keymill: Keymill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After rewrapping only the new key-encryption key rotates; the old one is refused in the reader's language."""
    kid = json.loads(keymill("rotate", "--json").stdout)["kid"]
    (tmp_path / "new").write_text(NEW_KEK + "\n")
    result = keymill("rewrap", "--to", tmp_path / "new", "--json")
    expected = {"rewrapped": [kid], "lost": [], "secrets": 0, "lost_secrets": 0}
    assert (result.exit_code, json.loads(result.stdout)) == (0, expected)
    refused = keymill("rotate", "--lang", "it")
    assert refused.exit_code == 1
    assert refused.stderr.startswith(f"La chiave di cifratura non apre la chiave di firma {kid}.")
    monkeypatch.setenv("KEYMILL_KEY_ENCRYPTION_KEY", NEW_KEK)
    assert keymill("rotate").exit_code == 0


def test_a_lost_key_encryption_key_needs_a_word(keymill: Keymill, monkeypatch: pytest.MonkeyPatch) -> None:
    """With another key-encryption key a rotation is refused unless the old one is said to be lost."""
    keymill("rotate")
    monkeypatch.setenv("KEYMILL_KEY_ENCRYPTION_KEY", NEW_KEK)
    assert keymill("rotate").exit_code == 1
    assert keymill("rotate", "--lost").exit_code == 0
    result = keymill("rewrap", "--to", "missing")
    assert result.exit_code == 1
    assert "missing cannot be read" in result.stderr


def test_a_new_key_encryption_key_must_be_one(keymill: Keymill, tmp_path: Path) -> None:
    """A file with a password in it is refused, with the way to make a key."""
    (tmp_path / "new").write_text("hunter2")
    result = keymill("rewrap", "--to", tmp_path / "new")
    assert result.exit_code == 1
    assert "openssl rand -base64 32" in result.stderr


def test_bad_settings_are_refused_before_anything_starts(keymill: Keymill, monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that cannot be used ends with 1 and names its variable."""
    monkeypatch.setenv("KEYMILL_KEY_ENCRYPTION_KEY", "short")
    result = keymill("list")
    assert result.exit_code == 1
    assert "KEYMILL_KEY_ENCRYPTION_KEY" in result.stderr
    assert "Traceback" not in result.stderr


def test_an_outage_of_the_database_is_told(keymill: Keymill, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that does not answer is a sentence that names its setting."""
    monkeypatch.setenv("KEYMILL_DATABASE_URL", "postgresql://nobody:secret@127.0.0.1:9/nothing")
    result = keymill("list", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["refused"] == "database_unavailable"
    assert "KEYMILL_DATABASE_URL" in result.stderr
    assert "secret" not in result.stderr


def test_the_private_key_is_never_printed(keymill: Keymill, engine: Engine) -> None:
    """No command prints a private member or the wrapped key."""
    results = [keymill(*words) for words in (["export"], ["list"], ["list", "--json"], ["rotate"])]
    assert [result.exit_code for result in results] == [0] * 4
    printed = "".join(result.stdout for result in results)
    assert '"d"' not in printed
    for key in keys.list_keys(engine):
        assert b64encode(key.wrapped).decode()[:20] not in printed
