"""What a client must not be able to do at our SFTP server, tried over the protocol itself."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import asyncssh
import pytest

from config.wiring import App
from jobs.reading import source_name
from models import batches
from models.batches import Batch
from storage.sftp.closed import Closed
from storage.sftp.session import Session
from tests.apps import account
from tests.ssh import Client, Server, Start, make_key, wait_until

LIST = b"code;company\nABC-1234;Rossi\n"
KIND = "inbox/redeem-vouchers"
T = TypeVar("T")
Work = Callable[[asyncssh.SSHClientConnection, asyncssh.SFTPClient], Awaitable[T]]


@pytest.fixture(autouse=True)
def parties(app: App) -> None:
    """Two accounts."""
    account(app, "OEM", confirm="auto")
    account(app, "OTHER", confirm="auto")


def connection(client: Client, **options: object) -> Any:
    """A connection of the asyncssh client."""
    usual = {"username": client.user, "client_keys": [str(client.key)], "known_hosts": str(client.known_hosts)}
    return asyncssh.connect("127.0.0.1", client.port, config=None, agent_path=None, **usual | options)


def speak(client: Client, work: Work[T]) -> T:
    """Do something over SFTP as an account."""

    async def run() -> T:
        async with connection(client) as conn, conn.start_sftp_client() as sftp:
            return await work(conn, sftp)

    return asyncio.run(run())


def taken(app: App) -> list[Batch]:
    """All batches, oldest first."""
    with app.engine.connect() as connection:
        return batches.latest(connection, account_id=None, limit=99)[::-1]


def test_no_operation_is_left_to_the_library() -> None:
    """Whatever the library's server can do on a file system, ours answers itself; a new version may bring more."""
    theirs = {name for name, value in vars(asyncssh.SFTPServer).items() if callable(value) and name[0] != "_"}
    harmless = {"convert_attrs", "format_longname"}
    assert theirs - set(vars(Session)) - set(vars(Closed)) == harmless


ESCAPES = (
    "/etc/passwd",
    "../../../../etc/passwd",
    "inbox/../../../etc/passwd",
    f"{KIND}/../../../../../etc/passwd",
    f"{KIND}/..",
    "/proc/self/environ",
    "inbox/mint-vouchers/x.csv",
    "inbox/nothing/x.csv",
    f"{KIND}/sub/x.csv",
    "outbox/x.csv",
    "archive/x.csv",
    "error/x.csv",
    "x.csv",
    "",
    f"{KIND}/a\\b",
    f"{KIND}/a\nb",
    f"{KIND}/a\0b",
    f"{KIND}/{'x' * 201}",
    f"{KIND}/{'ü' * 101}",
)


def test_nothing_outside_the_tree_is_read_written_or_named(server: Server, app: App, tmp_path: Path) -> None:
    """Absolute paths, ``..``, other kinds, other rooms, names that no file can have: every operation refuses them."""
    secret = tmp_path / "secret.csv"
    secret.write_bytes(LIST)
    escapes = [*ESCAPES, str(secret), f"../../../..{secret}", str(server.spool("OTHER", KIND, "x.csv"))]

    async def attack(conn: asyncssh.SSHClientConnection, sftp: asyncssh.SFTPClient) -> list[str]:
        passed = []
        async with sftp.open(f"{KIND}/mine.part", "wb") as file:
            await file.write(LIST)
        for path in escapes:
            attempts: dict[str, Callable[[], Any]] = {
                "read": partial(sftp.open, path, "rb"),
                "write": partial(sftp.open, path, "wb"),
                "append": partial(sftp.open, path, "ab"),
                "remove": partial(sftp.remove, path),
                "mkdir": partial(sftp.mkdir, path),
                "rmdir": partial(sftp.rmdir, path),
                "away": partial(sftp.rename, path, f"{KIND}/stolen.part"),
                "there": partial(sftp.rename, f"{KIND}/mine.part", path),
                "over": partial(sftp.posix_rename, f"{KIND}/mine.part", path),
                "utime": partial(sftp.utime, path, (1, 1)),
            }
            for name, work in attempts.items():
                try:
                    await work()
                    passed.append(f"{name} {path!r}")
                except asyncssh.SFTPError as error:
                    assert str(tmp_path) not in str(error)
        assert await sftp.realpath("../../..") == "/"
        assert await sftp.realpath(f"{KIND}/../../../..//x/./y") == "/x/y"
        return passed

    assert speak(server.client("OEM"), attack) == []
    assert secret.read_bytes() == LIST
    assert taken(app) == []
    assert sorted(path.name for path in server.spool("OEM").rglob("*") if path.is_file()) == ["mine.part"]


def test_there_are_no_links_modes_or_owners(server: Server, app: App, tmp_path: Path) -> None:
    """Links of both kinds, reading a link, owners, sizes by path and the server's disks are refused; modes are ignored,
    and a link that is planted in the spool is not followed."""
    secret = tmp_path / "secret.csv"
    secret.write_bytes(LIST)

    async def attack(conn: asyncssh.SSHClientConnection, sftp: asyncssh.SFTPClient) -> None:
        async with sftp.open(f"{KIND}/mine.part", "wb") as file:
            await file.write(LIST)
        for work in (
            lambda: sftp.symlink(str(secret), f"{KIND}/link.csv"),
            lambda: sftp.symlink("mine.part", f"{KIND}/link.csv"),
            lambda: sftp.link(f"{KIND}/mine.part", f"{KIND}/link.csv"),
            lambda: sftp.readlink(f"{KIND}/mine.part"),
            lambda: sftp.chown(f"{KIND}/mine.part", 0, 0),
            lambda: sftp.truncate(f"{KIND}/mine.part", 1 << 40),
            lambda: sftp.statvfs("/"),
            lambda: sftp.open(f"{KIND}/planted.csv", "wb"),
            lambda: sftp.open("error/planted.csv", "rb"),
            lambda: sftp.rename(f"{KIND}/planted.csv", f"{KIND}/x.csv"),
        ):
            with pytest.raises(asyncssh.SFTPError):
                await work()
        await sftp.chmod(f"{KIND}/mine.part", 0o6777)
        assert [str(entry.filename) for entry in [e async for e in sftp.scandir("outbox")]] == [".", ".."]

    for room in (KIND, "error"):
        server.spool("OEM", room).mkdir(parents=True, exist_ok=True)
        server.spool("OEM", room, "planted.csv").symlink_to(secret)
    speak(server.client("OEM"), attack)
    mine = server.spool("OEM", KIND, "mine.part").stat()
    assert mine.st_mode & 0o7777 == 0o600
    assert mine.st_size == len(LIST)
    assert secret.read_bytes() == LIST
    assert taken(app) == []


def test_holes_overlaps_and_two_writers(server: Server, app: App) -> None:
    """Parts may come in any order; a file with a hole is not taken, and of two writers the second is refused."""

    async def send(conn: asyncssh.SSHClientConnection, sftp: asyncssh.SFTPClient) -> None:
        async with sftp.open(f"{KIND}/hole.csv", "wb") as file:
            await file.write(LIST, 100)
        async with sftp.open(f"{KIND}/late.csv", "wb") as file:
            await file.write(LIST[20:], 20)
            await file.write(LIST[10:20], 10)
            await file.write(LIST[:15], 0)
            with pytest.raises(asyncssh.SFTPError):
                await sftp.open(f"{KIND}/late.csv", "ab")
            for work in (sftp.remove(f"{KIND}/late.csv"), sftp.rename(f"{KIND}/late.csv", f"{KIND}/x.csv")):
                with pytest.raises(asyncssh.SFTPError):
                    await work
            with pytest.raises(asyncssh.SFTPError):
                await sftp.posix_rename(f"{KIND}/hole.csv", f"{KIND}/late.csv")

    speak(server.client("OEM"), send)
    wait_until(lambda: len(taken(app)) == 1, "not taken")
    assert taken(app)[0].filename == "late.csv"
    assert b"".join(app.store.get(source_name(taken(app)[0].sha256))) == LIST
    assert server.spool("OEM", KIND, "hole.csv").exists()
    assert "never arrived" in server.spool("OEM", "error", "hole.csv.reason.txt").read_text()


def test_renaming_onto_another_file(server: Server) -> None:
    """Plain rename is refused, ``posix-rename`` replaces, as on other servers."""

    async def rename(conn: asyncssh.SSHClientConnection, sftp: asyncssh.SFTPClient) -> None:
        for name in ("a.part", "b.part"):
            async with sftp.open(f"{KIND}/{name}", "wb") as file:
                await file.write(name.encode())
        with pytest.raises(asyncssh.SFTPError):
            await sftp.rename(f"{KIND}/a.part", f"{KIND}/b.part")
        await sftp.posix_rename(f"{KIND}/a.part", f"{KIND}/b.part")

    speak(server.client("OEM"), rename)
    assert [path.read_text() for path in server.spool("OEM", KIND).iterdir()] == ["a.part"]


def test_a_shortened_upload_is_not_taken(server: Server, app: App) -> None:
    """Clients cut an upload that they give up and close it; cut to nothing, it begins anew."""

    async def send(conn: asyncssh.SSHClientConnection, sftp: asyncssh.SFTPClient) -> None:
        async with sftp.open(f"{KIND}/cut.csv", "wb") as file:
            await file.write(LIST + LIST)
            await file.truncate(len(LIST))
        async with sftp.open(f"{KIND}/anew.csv", "wb") as file:
            await file.write(b"wrong" * 100)
            await file.truncate(0)
            await file.write(LIST, 0)

    speak(server.client("OEM"), send)
    wait_until(lambda: len(taken(app)) == 1, "not taken")
    assert taken(app)[0].filename == "anew.csv"
    assert "given up" in server.spool("OEM", "error", "cut.csv.reason.txt").read_text()


def test_a_connection_that_ends_with_open_files_takes_none(server: Server, app: App) -> None:
    """The channel is closed, or the connection is, while whole files are still open: they stay where they are."""

    async def leave(conn: asyncssh.SSHClientConnection, sftp: asyncssh.SFTPClient) -> None:
        for number in range(5):
            file = await sftp.open(f"{KIND}/{number}.csv", "wb")
            await file.write(LIST)

    async def abort(conn: asyncssh.SSHClientConnection, sftp: asyncssh.SFTPClient) -> None:
        await leave(conn, sftp)
        conn.abort()

    client = server.client("OEM")
    for work in (leave, abort):
        speak(client, work)
        assert sorted(path.name for path in server.spool("OEM", KIND).iterdir()) == [f"{n}.csv" for n in range(5)]
        assert taken(app) == []

    async def again(conn: asyncssh.SSHClientConnection, sftp: asyncssh.SFTPClient) -> None:
        async with sftp.open(f"{KIND}/0.csv", "wb") as file:
            await file.write(LIST)
        assert (await sftp.stat(f"{KIND}/0.csv")).size == len(LIST)  # some clients look after what they sent

    speak(client, again)
    wait_until(lambda: len(taken(app)) == 1, "not taken")


def test_strange_requests_are_answered(server: Server) -> None:
    """Copies between handles stay within the rules; wrong modes of a handle and too many of them are refused."""

    async def ask(conn: asyncssh.SSHClientConnection, sftp: asyncssh.SFTPClient) -> None:
        async with sftp.open(f"{KIND}/a.part", "wb") as file:
            await file.write(LIST)
            with pytest.raises(asyncssh.SFTPError):
                await file.read(10, 0)
            with pytest.raises(asyncssh.SFTPError):
                await file.statvfs()
        with pytest.raises(asyncssh.SFTPError):
            await sftp.remote_copy(f"{KIND}/a.part", f"{KIND}/b.part")
        opened = []
        with pytest.raises(asyncssh.SFTPError):
            for number in range(100):
                opened.append(await sftp.open(f"{KIND}/many-{number}.part", "wb"))
        assert len(opened) == 64

    speak(server.client("OEM"), ask)


def test_only_a_key_opens_and_only_its_own_account(server: Server, app: App, tmp_path: Path) -> None:
    """Passwords and interactive questions are not offered, a public key without its private half opens nothing, and a
    name that is changed in between does not mix accounts."""
    oem, other = server.client("OEM"), server.client("OTHER")

    async def refused(**options: object) -> bool:
        try:
            async with connection(oem, **options):
                return False
        except asyncssh.PermissionDenied:
            return True

    assert asyncio.run(refused(client_keys=None, password="secret"))
    assert asyncio.run(refused(client_keys=[str(other.key)]))
    unknown = make_key(tmp_path / "unknown", "rsa", "-b", "3072")
    assert asyncio.run(refused(client_keys=[str(unknown)]))

    async def who(conn: asyncssh.SSHClientConnection, sftp: asyncssh.SFTPClient) -> None:
        await sftp.mkdir(KIND)

    with pytest.raises(asyncssh.SFTPError):
        speak(other, who)


def test_one_connection_tries_a_few_keys_only(server: Server, tmp_path: Path) -> None:
    """After six wrong keys the seventh, right one comes too late."""
    oem = server.client("OEM")
    wrong = [str(make_key(tmp_path / f"wrong-{number}")) for number in range(6)]

    async def come(keys: list[str]) -> bool:
        try:
            async with connection(oem, client_keys=keys):
                return True
        except (asyncssh.Error, OSError):
            return False

    assert asyncio.run(come([*wrong[:5], str(oem.key)]))
    assert not asyncio.run(come([*wrong, str(oem.key)]))


def test_connections_are_limited(start_server: Start) -> None:
    """So many for one account, and so many in all."""
    server = start_server(sftp_connections=4, sftp_connections_an_account=2)
    oem, other = server.client("OEM"), server.client("OTHER")

    async def count(*clients: Client) -> int:
        opened = []
        try:
            for client in clients:
                opened.append(await connection(client))
        except (asyncssh.Error, OSError):
            pass
        for conn in opened:
            conn.close()
            await conn.wait_closed()
        return len(opened)

    assert asyncio.run(count(oem, oem, oem)) == 2
    wait_until(lambda: asyncio.run(count(other)) == 1, "places are not given back")
    assert asyncio.run(count(oem, oem, other, other, other)) == 4


def test_the_process_runs_as_one_user_and_tells_nothing_of_it(server: Server) -> None:
    """Listings name no user of the machine."""
    listed = server.client("OEM").sftp("ls -l inbox")
    assert os.environ.get("USER", "root") not in listed
