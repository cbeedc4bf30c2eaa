"""The software that licenses cover: files of releases, for licenses that the asker was seen to hold."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from config.wiring import App
from models import downloads
from models.database import transaction
from models.downloads import Download


def covered(app: App, numbers: Sequence[str]) -> list[Download]:
    """The files that these licenses cover today, newest release first."""
    with transaction(app.engine) as connection:
        return list(downloads.covered(connection, numbers, datetime.now(UTC).date()))
