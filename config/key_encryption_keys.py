"""The key-encryption key: from the environment, from a file, or, with the embedded database only, made here once."""

from __future__ import annotations

import os
import secrets
import tempfile
from base64 import b64encode
from pathlib import Path

import structlog

from config.setting_problems import Problem, SettingsProblem
from config.settings import PREFIX, Settings
from signing.key_store import KEK_BYTES, BadKeyEncryptionKey, key_encryption_key

log = structlog.get_logger("keymill.keys")


def load_key_encryption_key(settings: Settings) -> bytes:
    """The 32 bytes that encrypt the signing keys. Raises :class:`SettingsProblem`."""
    if settings.key_encryption_key is not None:
        return _parsed("KEY_ENCRYPTION_KEY", settings.key_encryption_key.get_secret_value())
    path = settings.key_encryption_key_file
    if path is None:
        path = settings.home / "key-encryption-key"
        if settings.is_embedded:
            _make_once(path)
    try:
        return _parsed("KEY_ENCRYPTION_KEY_FILE", path.read_bytes())
    except OSError as problem:
        raise _unusable("KEY_ENCRYPTION_KEY_FILE", f"{path}: {problem.strerror}") from problem


def _make_once(path: Path) -> None:
    """Make the key file, readable by its owner only. Of two commands that start at once, one makes it."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    made, name = tempfile.mkstemp(prefix=f"{path.name}.", dir=path.parent)  # mode 0600
    new = Path(name)
    with os.fdopen(made, "wb") as file:
        file.write(b64encode(secrets.token_bytes(KEK_BYTES)) + b"\n")
    try:
        os.link(new, path)
        log.info("A key-encryption key was made. Keep a copy of it: without it no signing key opens.", file=str(path))
    except FileExistsError:
        pass
    finally:
        new.unlink()


def _parsed(name: str, material: str | bytes) -> bytes:
    try:
        return key_encryption_key(material)
    except BadKeyEncryptionKey as problem:
        raise _unusable(name, str(problem)) from problem


def _unusable(name: str, reason: str) -> SettingsProblem:
    return SettingsProblem([Problem(PREFIX + name, f"cannot be used: {reason}", f"non è utilizzabile: {reason}")])
