"""The request key of ``keymill submit``: on disk before anything is sent, the same for a call that is made again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cli import sending
from cli.output import Refused

ASKED = ["redeem-vouchers", "OEM", False, "continue", False, []]


@pytest.fixture
def upload(tmp_path: Path) -> Path:
    """A file to send."""
    path = tmp_path / "list.csv"
    path.write_text("code\nX\n")
    return path


def test_a_call_that_died_finds_its_key_again(tmp_path: Path, upload: Path) -> None:
    """The same bytes and options have one key whatever the file is called: a pipe gets a new name at each call."""
    first = sending.kept_key(tmp_path, upload, ASKED)
    copy = tmp_path / "keymill-x1y2"
    copy.write_bytes(upload.read_bytes())
    assert sending.kept_key(tmp_path, copy, ASKED) == first
    assert first.note is not None
    assert first.note.read_text() == first.key != ""


def test_other_bytes_and_other_options_are_other_requests(tmp_path: Path, upload: Path) -> None:
    """Every part of a request makes a key of its own."""
    keys = {sending.kept_key(tmp_path, upload, ASKED).key}
    for place, value in enumerate(["load-vouchers", "OEM2", True, "stop", True, [["company", "Rossi"]]]):
        keys.add(sending.kept_key(tmp_path, upload, [*ASKED[:place], value, *ASKED[place + 1 :]]).key)
    upload.write_text("code\nY\n")
    keys.add(sending.kept_key(tmp_path, upload, ASKED).key)
    assert len(keys) == 8


def test_a_forgotten_key_is_not_used_again(tmp_path: Path, upload: Path) -> None:
    """Once the answer is there the same file is a new order, and nothing is left on disk."""
    first = sending.kept_key(tmp_path, upload, ASKED)
    first.forget()
    first.forget()
    assert list((tmp_path / "requests").iterdir()) == []
    assert sending.kept_key(tmp_path, upload, ASKED).key != first.key


def test_two_calls_at_once_are_one_request(tmp_path: Path, upload: Path) -> None:
    """Whoever comes second takes the key of the first."""
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: sending.kept_key(tmp_path, upload, ASKED).key, range(64)))
    assert len(set(found)) == 1
    assert len(list((tmp_path / "requests").iterdir())) == 1


def test_a_home_that_takes_no_note_is_told(tmp_path: Path, upload: Path) -> None:
    """Without a place for the key nothing is sent, and the sentence names the folder."""
    (tmp_path / "requests").write_text("a file where the folder should be")
    with pytest.raises(Refused, match="requests") as refused:
        sending.kept_key(tmp_path, upload, ASKED)
    assert refused.value.code == "home_not_writable"
