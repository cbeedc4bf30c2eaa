"""What a poller does on a real sshd, with and without ``posix-rename``, which not every server has."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.drops import DropProblem, Found, Grown, Remote, Target, connected, pinnable_host_key
from storage.sftp.spool import Room, Spool
from tests.ssh import Sshd, start_sshd


@pytest.fixture(params=["", "-P posix-rename"])
def remote(openssh: None, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Remote, Path]]:
    """A connection, and the folder that it sees."""
    root = tmp_path / "sshd" / "root"
    settings = {"Subsystem": f"sftp internal-sftp -d {root} {request.param}"}
    server = start_sshd(tmp_path / "sshd", settings)
    with connected(Target("127.0.0.1", server.port, server.user, server.host_key, server.key)) as found:
        yield found, root
    server.stop()


def test_replacing_and_claiming(remote: tuple[Remote, Path]) -> None:
    """A replaced file is gone, on either kind of server; a claim never replaces one, and of a file that is gone it
    fails."""
    client, root = remote
    for name in ("a", "b", "c"):
        (root / name).write_text(name)
    client.replace("a", "b")
    assert (root / "b").read_text() == "a"
    assert not client.claim("b", "c")
    assert (root / "c").read_text() == "c"
    assert client.claim("b", "d")
    assert not client.claim("b", "e")
    assert sorted(path.name for path in root.iterdir()) == ["c", "d"]


def test_files_are_listed_without_folders_and_links(remote: tuple[Remote, Path]) -> None:
    """Only regular files, with their size and time; folders are made once, files removed once."""
    client, root = remote
    client.make_folder("sub")
    client.make_folder("sub")
    (root / "link").symlink_to("/etc/passwd")
    client.write("file", "text")
    os.utime(root / "file", (1_700_000_000, 1_700_000_000))
    assert client.files(".") == [Found("file", 4, 1_700_000_000)]
    client.remove("file")
    client.remove("file")
    assert client.files(".") == []
    with pytest.raises(DropProblem, match="missing"):
        client.files("missing")


def test_fetching_goes_on_and_notices_another_size(remote: tuple[Remote, Path], tmp_path: Path) -> None:
    """What is here already is not asked for again; a file of another size than it had leaves nothing here."""
    client, root = remote
    content, local = os.urandom(9_000_000), tmp_path / "local"
    (root / "file").write_bytes(content)
    local.write_bytes(content[:5_000_001])
    client.fetch("file", local, len(content))
    assert local.read_bytes() == content
    for size in (len(content) - 1, len(content) + 1):
        with pytest.raises(Grown):
            client.fetch("file", local, size)
        assert not local.exists()


def test_the_host_key_to_pin(sshd: Sshd) -> None:
    """It is the key that the server shows, with its fingerprint."""
    key, fingerprint = pinnable_host_key("127.0.0.1", sshd.port)
    assert key == sshd.host_key
    assert fingerprint.startswith("SHA256:")


def test_what_nobody_came_back_to_is_forgotten(tmp_path: Path) -> None:
    """By the time when it came, whatever time its sender gave it; what is on its way stays."""
    spool = Spool(tmp_path, "OEM", Room(100, 100, 10))
    old = spool.inbox("kind") / "old.part"
    old.write_text("x")
    os.utime(old, (1, 1))
    spool.explain("refused.csv", "why")
    taken = tmp_path / "OEM/taken/kind/1-list.csv"
    taken.parent.mkdir(parents=True)
    taken.write_text("x")
    spool.forget_older_than(60)
    assert old.exists()
    time.sleep(0.05)
    spool.forget_older_than(0.01)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["1-list.csv"]
