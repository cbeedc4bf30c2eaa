"""Where the key-encryption key comes from."""

from __future__ import annotations

import threading
from base64 import b64encode
from pathlib import Path

import pytest
from pydantic import SecretStr

from config.key_encryption_keys import load_key_encryption_key
from config.setting_problems import SettingsProblem
from config.settings import Settings

KEY = bytes(range(32))
TEXT = b64encode(KEY).decode()


def test_the_variable_wins_over_the_file(tmp_path: Path):
    """A key in the environment is used as it is; no file is looked at or made."""
    settings = Settings(home=tmp_path, key_encryption_key=SecretStr(TEXT), key_encryption_key_file=tmp_path / "no")
    assert load_key_encryption_key(settings) == KEY
    assert list(tmp_path.iterdir()) == []


def test_a_file_holds_the_key_in_base64_or_as_bytes(tmp_path: Path):
    """Both forms of a key file are read."""
    for content in (TEXT.encode() + b"\n", KEY):
        (tmp_path / "kek").write_bytes(content)
        assert load_key_encryption_key(Settings(key_encryption_key_file=tmp_path / "kek")) == KEY


def test_the_embedded_stack_makes_a_key_once(tmp_path: Path):
    """Commands that start at once on a new home agree on one key, in a file that only its owner reads."""
    settings, found = Settings(home=tmp_path / "home"), set()
    threads = [threading.Thread(target=lambda: found.add(load_key_encryption_key(settings))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 1
    (made,) = (tmp_path / "home").iterdir()
    assert made.stat().st_mode & 0o777 == 0o600


def test_no_key_is_made_for_a_database_of_ones_own(tmp_path: Path):
    """A key that one machine made up could not be opened by the others."""
    settings = Settings(home=tmp_path, database_url="postgresql://db/keymill")
    with pytest.raises(SettingsProblem, match="KEYMILL_KEY_ENCRYPTION_KEY_FILE cannot be used"):
        load_key_encryption_key(settings)
    assert list(tmp_path.iterdir()) == []


def test_a_bad_key_is_told_without_showing_it(tmp_path: Path):
    """A key of the wrong length names the variable and how to make one, not the key."""
    with pytest.raises(SettingsProblem, match="openssl rand") as told:
        load_key_encryption_key(Settings(home=tmp_path, key_encryption_key=SecretStr("hunter2")))
    assert "hunter2" not in told.value.en
    (tmp_path / "kek").write_text("hunter2")
    with pytest.raises(SettingsProblem, match="KEYMILL_KEY_ENCRYPTION_KEY_FILE"):
        load_key_encryption_key(Settings(key_encryption_key_file=tmp_path / "kek"))
