"""Settings: defaults, the environment, and every problem told at once."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from pydantic import SecretStr

from config.setting_problems import SettingsProblem
from config.settings import PREFIX, Limits, Settings, load


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No KEYMILL_ variable of the machine reaches these tests."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


def test_nothing_set_means_the_embedded_stack():
    """Without any variable the embedded servers and a local store are used."""
    settings = load()
    assert settings.is_embedded
    assert settings.home == Path(".keymill")
    assert settings.effective_store_url == (Path.cwd() / ".keymill" / "store").as_uri()


def test_published_limits():
    """The limits are those that DESIGN publishes."""
    assert Limits().to_json() == {
        "file_bytes": 200_000_000,
        "rows": 1_048_576,
        "columns": 256,
        "cell_characters": 32_767,
        "cells": 20_000_000,
        "unpacked_bytes": 2_000_000_000,
        "zip_entries": 1_000,
        "zip_ratio": 200,
    }


def test_variables_are_read_and_blank_ones_are_not_set(monkeypatch: pytest.MonkeyPatch):
    """Numbers, limits and languages come from the environment; an empty variable counts as none."""
    monkeypatch.setenv("KEYMILL_CHUNK_ROWS", "500")
    monkeypatch.setenv("KEYMILL_LIMITS__ROWS", "77")
    monkeypatch.setenv("KEYMILL_LANGUAGE", "it")
    monkeypatch.setenv("KEYMILL_ISSUER", "")
    settings = load()
    assert (settings.chunk_rows, settings.limits.rows, settings.language, settings.issuer) == (500, 77, "it", "keymill")


def test_every_problem_is_told_at_once(monkeypatch: pytest.MonkeyPatch):
    """Wrong values and missing ones stand in one message, in English and Italian, and no secret is shown."""
    monkeypatch.setenv("KEYMILL_DATABASE_URL", "mysql://me:hunter2@host/db")
    monkeypatch.setenv("KEYMILL_CHUNK_ROWS", "many")
    monkeypatch.setenv("KEYMILL_ATTEMPTS", "0")
    monkeypatch.setenv("KEYMILL_LANGUAGE", "fr")
    monkeypatch.setenv("KEYMILL_LIMITS__ROWS", "-1")
    with pytest.raises(SettingsProblem) as told:
        load()
    names = {
        "KEYMILL_DATABASE_URL",
        "KEYMILL_CHUNK_ROWS",
        "KEYMILL_ATTEMPTS",
        "KEYMILL_LANGUAGE",
        "KEYMILL_LIMITS__ROWS",
        "KEYMILL_STORE_URL",
        "KEYMILL_KEY_ENCRYPTION_KEY",
    }
    assert {problem.variable for problem in told.value.problems} == names
    for sentence in (told.value.sentence("en"), told.value.sentence("it")):
        assert all(name in sentence for name in names)
        assert "hunter2" not in sentence
    assert "must be at least 1 ('0')" in told.value.en
    assert "deve essere almeno 1 ('0')" in told.value.it


def test_a_database_of_ones_own_asks_for_a_store_and_a_key(monkeypatch: pytest.MonkeyPatch):
    """Nothing shared or secret has a default as soon as the database is not the embedded one."""
    monkeypatch.setenv("KEYMILL_DATABASE_URL", "postgresql://keymill@db/keymill")
    with pytest.raises(SettingsProblem, match=r"STORE_URL(.|\n)*KEY_ENCRYPTION_KEY"):
        load()
    monkeypatch.setenv("KEYMILL_STORE_URL", "s3://bucket/keymill")
    monkeypatch.setenv("KEYMILL_KEY_ENCRYPTION_KEY_FILE", "/run/secrets/kek")
    assert not load().is_embedded


def test_settings_travel_to_a_child_process(monkeypatch: pytest.MonkeyPatch):
    """The variables made from settings give the same settings again."""
    settings = Settings(
        database_url="postgresql://keymill@db/keymill",
        store_url="s3://bucket/keymill",
        key_encryption_key=SecretStr("secret"),
        limits=Limits(rows=5),
        sweep_seconds=0.5,
        home=Path("/srv/keymill"),
    )
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert load() == settings


def test_secrets_are_not_printed():
    """A settings object in a log or a traceback does not show the key-encryption key."""
    assert "hunter2" not in repr(Settings(key_encryption_key=SecretStr("hunter2")))


@pytest.mark.parametrize(
    "url",
    [
        "smtp://host",
        "smtps://host:465/",
        "smtp+starttls://user:%40@mail.example.com:587",
        "smtp://[::1]:25",
    ],
)
def test_mail_needs_a_sender(url: str, monkeypatch: pytest.MonkeyPatch):
    """A mail server without an address to send from is refused at the start; with one it is taken."""
    monkeypatch.setenv("KEYMILL_SMTP_URL", url)
    with pytest.raises(SettingsProblem, match="KEYMILL_MAIL_FROM is missing"):
        load()
    monkeypatch.setenv("KEYMILL_MAIL_FROM", "keymill@example.com")
    assert load().smtp_url == url


@pytest.mark.parametrize("url", ["http://host", "smtp://", "smtp://u:p/w@host", "smtp://host:port", "smtp://host/box"])
def test_a_mail_server_that_cannot_be_read_is_refused(url: str, monkeypatch: pytest.MonkeyPatch):
    """Without showing the value, which may hold a password."""
    monkeypatch.setenv("KEYMILL_SMTP_URL", url)
    monkeypatch.setenv("KEYMILL_MAIL_FROM", "keymill@example.com")
    with pytest.raises(SettingsProblem, match="KEYMILL_SMTP_URL must match") as problem:
        load()
    assert f"{url!r}" not in problem.value.en
