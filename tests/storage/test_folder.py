"""What only the folder store must do: survive disks that fail and writers that are killed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from storage.folder import FolderStore
from storage.objects import StoreUnavailable


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    """An empty folder store."""
    return FolderStore(tmp_path / "store")


def test_a_folder_that_is_gone_is_an_outage(store: FolderStore, tmp_path: Path) -> None:
    """A disk that is not mounted is not an empty store: nothing is written beside it, and it works when it is back."""
    store.put("a", [b"x"])
    store.root.rename(tmp_path / "away")
    for attempt in (
        lambda: store.put("b", [b"y"]), lambda: list(store.get("a")), lambda: store.exists("a"),
        lambda: store.size("a"), lambda: store.delete(["a"]), lambda: list(store.list()), store.check,
    ):  # fmt: skip
        with pytest.raises(StoreUnavailable):
            attempt()
    assert not store.root.exists()
    (tmp_path / "away").rename(store.root)
    assert b"".join(store.get("a")) == b"x"


def test_a_place_that_cannot_be_written_is_an_outage(store: FolderStore) -> None:
    """A file where a folder is needed (which also root cannot pass) is told as an outage, with the reason."""
    store.put("a", [b"x"])
    with pytest.raises(StoreUnavailable, match="a"):
        store.put("a/b", [b"x"])
    with pytest.raises(StoreUnavailable):
        FolderStore(store.root / "a" / "nested")


def test_a_killed_writer_leaves_nothing_visible(store: FolderStore) -> None:
    """Kill -9 in the middle of a put: no object, and the check clears the rest away once it is a day old."""
    program = (
        "import sys, time, pathlib\nfrom storage.folder import FolderStore\n"
        "def blocks():\n    yield b'x' * 100_000\n    print('writing', flush=True)\n    time.sleep(60)\n"
        "FolderStore(pathlib.Path(sys.argv[1])).put('a', blocks())\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(store.root)], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        writer.kill()
    assert list(store.list()) == []
    aside = store.root / ".partial"
    store.check()
    assert len(list(aside.iterdir())) == 1
    for left in aside.iterdir():
        os.utime(left, (time.time() - 90_000,) * 2)
    store.check()
    assert list(aside.iterdir()) == []


def test_the_working_folder_is_not_an_object(store: FolderStore) -> None:
    """What is being written is never listed."""
    (store.root / ".partial" / "half").write_bytes(b"x")
    assert list(store.list()) == list(store.list(".")) == list(store.list(".partial/")) == []
