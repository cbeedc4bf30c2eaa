"""A file under a name that tells its format: the spreadsheet libraries go by the name, and tell less without."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def named(path: Path, suffix: str) -> Iterator[str]:
    """Another path to the same file, for as long as it takes to open it."""
    with tempfile.TemporaryDirectory(prefix="keymill-") as folder:
        link = Path(folder) / f"upload.{suffix}"
        link.symlink_to(path.resolve())
        yield str(link)
