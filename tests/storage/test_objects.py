"""What every object store does alike, tried on each."""

from __future__ import annotations

import hashlib
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.objects import BadName, MissingObject, ObjectStore, WrongDigest, checked_name
from storage.opening import open_store

BLOCK = bytes(range(256)) * 1024  # 256 kB
LARGE = 70  # blocks: 17.5 MB, three parts


def sha256(data: bytes) -> str:
    """In hexadecimal."""
    return hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    "blocks", [[], [b""], [b"one"], [b"one ", b"", b"two"], [BLOCK] * 32, [BLOCK] * 33, [BLOCK * LARGE]]
)
def test_what_was_put_is_got_back(store: ObjectStore, blocks: list[bytes]) -> None:
    """Nothing, a little, exactly one part, a little more and several parts come back byte for byte."""
    data = b"".join(blocks)
    stored = store.put("batches/1/result.xlsx", blocks, media_type="text/plain")
    assert (stored.name, stored.size, stored.sha256) == ("batches/1/result.xlsx", len(data), sha256(data))
    assert b"".join(store.get("batches/1/result.xlsx")) == data
    assert store.exists("batches/1/result.xlsx")
    assert store.size("batches/1/result.xlsx") == len(data)


def test_the_last_put_wins(store: ObjectStore) -> None:
    """A name that is used again holds the new bytes."""
    store.put("a", [b"old"])
    store.put("a", [b"new one"])
    assert b"".join(store.get("a")) == b"new one"
    assert list(store.list()) == ["a"]


@pytest.mark.parametrize("count", [1, LARGE])
def test_a_wrong_digest_stores_nothing(store: ObjectStore, count: int) -> None:
    """Bytes that are not the expected ones do not become visible, nor do they replace what was there."""
    store.put("kept", [b"before"])
    for name in ("new", "kept"):
        with pytest.raises(WrongDigest) as problem:
            store.put(name, iter([BLOCK] * count), expected_sha256="0" * 64)
        assert sha256(BLOCK * count) in problem.value.it
    assert list(store.list()) == ["kept"]
    assert b"".join(store.get("kept")) == b"before"


@pytest.mark.parametrize("count", [1, LARGE])
def test_a_right_digest_is_accepted(store: ObjectStore, count: int) -> None:
    """The expected bytes are stored."""
    store.put("a", [BLOCK] * count, expected_sha256=sha256(BLOCK * count))
    assert store.size("a") == len(BLOCK) * count


@pytest.mark.parametrize("count", [1, LARGE])
def test_a_source_that_breaks_off_leaves_nothing(store: ObjectStore, count: int) -> None:
    """An error in the stream comes through as it is (an OSError too), and nothing half-written is visible."""

    def breaking() -> Iterator[bytes]:
        for _ in range(count):
            yield BLOCK
        raise ConnectionResetError("the sender went away")

    with pytest.raises(ConnectionResetError):
        store.put("half", breaking())
    assert not store.exists("half")
    assert list(store.list()) == []


def test_files_go_in_and_out(store: ObjectStore, tmp_path: Path) -> None:
    """A file is stored and fetched whole; a wrong digest leaves no file."""
    (tmp_path / "in").write_bytes(BLOCK * 3)
    assert store.put_file("f", tmp_path / "in", expected_sha256=sha256(BLOCK * 3)).size == len(BLOCK) * 3
    assert store.fetch("f", tmp_path / "out").sha256 == sha256(BLOCK * 3)
    assert (tmp_path / "out").read_bytes() == BLOCK * 3
    with pytest.raises(WrongDigest):
        store.fetch("f", tmp_path / "wrong", expected_sha256="0" * 64)
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {"in", "out"}


def test_a_missing_object_is_told(store: ObjectStore, tmp_path: Path) -> None:
    """Reading what is not there is an error of its own that names it; asking whether it is there is none."""
    assert not store.exists("no/such")
    for attempt in (
        lambda: list(store.get("no/such")), lambda: store.size("no/such"),
        lambda: store.fetch("no/such", tmp_path / "x"),
    ):  # fmt: skip
        with pytest.raises(MissingObject, match="no/such"):
            attempt()
    assert not (tmp_path / "x").exists()


def test_deleting_is_repeatable(store: ObjectStore) -> None:
    """Deleted objects are gone; deleting them again is no error."""
    for name in ("a/1", "a/2", "b"):
        store.put(name, [b"x"])
    for _ in range(2):
        store.delete(["a/1", "b"])
        assert list(store.list()) == ["a/2"]


def test_listing_goes_by_the_beginning_of_names(store: ObjectStore) -> None:
    """Any beginning will do, not only whole folders; names come in the order of their bytes."""
    for name in ("b/2", "b/10", "b-1", "a/x", "b/é", "c"):
        store.put(name, [b"x"])
    assert list(store.list("b/")) == ["b/10", "b/2", "b/é"]
    assert list(store.list("b")) == ["b-1", "b/10", "b/2", "b/é"]
    assert list(store.list("b/1")) == ["b/10"]
    assert list(store.list("none/")) == list(store.list("../")) == []


@pytest.mark.parametrize("name", ["plain.txt", "Società Rossi & Figli/chiave + 100% #1?.lic", "日本/許可.lic"])
def test_a_link_gives_the_object_to_whoever_has_it(store: ObjectStore, name: str) -> None:
    """The link needs no credentials, whatever the name."""
    store.put(name, [b"signed"])
    link = store.link(name, 60, 'il file "è".lic')
    assert link is not None
    with urlopen(link, timeout=10) as answer:
        assert answer.read() == b"signed"


def test_the_check_leaves_nothing(store: ObjectStore) -> None:
    """A store that works passes the start-up check, which cleans up."""
    store.check()
    assert list(store.list()) == []


def test_memory_stays_flat(store: ObjectStore) -> None:
    """100 MB go through without being held: at most some parts at a time."""
    tracemalloc.start()
    try:
        store.put("large", (BLOCK for _ in range(400)))
        for _ in store.get("large"):
            pass
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 45_000_000


def test_names_that_could_lead_elsewhere_are_refused(store: ObjectStore) -> None:
    """Names are relative paths of plain segments; no operation takes another one."""
    for name in ("", "/abs", "../up", "a/../b", "a//b", "a/", ".", "a/./b", "a\\b", "a\x00b", "a\nb", "x" * 256):
        for attempt in (
            lambda name=name: store.put(name, [b"x"]), lambda name=name: list(store.get(name)),
            lambda name=name: store.exists(name), lambda name=name: store.delete([name]),
            lambda name=name: store.link(name, 60, "x"),
        ):  # fmt: skip
            with pytest.raises(BadName):
                attempt()


@given(st.text())
def test_a_checked_name_stays_below_its_folder(name: str) -> None:
    """Whatever passes is a path below the root."""
    try:
        checked_name(name)
    except (BadName, UnicodeEncodeError):
        return
    root = Path("/root-of-all")
    assert (root / name).resolve().is_relative_to(root)
    assert (root / name).resolve() != root


@pytest.mark.parametrize(
    "url", ["", "/var/store", "http://host/bucket", "s3://", "file://otherhost/dir", "file:relative"]
)
def test_other_urls_are_refused(url: str) -> None:
    """A URL that names neither kind of store is refused with an example."""
    with pytest.raises(ValueError, match="s3://bucket/prefix"):
        open_store(url)
