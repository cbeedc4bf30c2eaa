"""Our SFTP server, met by the real OpenSSH client: what is taken and when, and what comes back."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from config.wiring import App
from jobs import control
from jobs.reading import source_name
from models import audit, batches
from models.batches import Batch
from tests.apps import account, product
from tests.ssh import Client, Server, Start, wait_until

LIST = "code;company\nABC-1234;Rossi\n"
KIND = "inbox/redeem-vouchers"


@pytest.fixture(autouse=True)
def parties(app: App) -> None:
    """An OEM whose files run at once, and one that looks at previews in Italian."""
    account(app, "OEM", confirm="auto")
    account(app, "ROSSI", confirm="ask", locale="it")
    product(app, "P")


def taken(app: App) -> list[Batch]:
    """All batches, oldest first."""
    with app.engine.connect() as connection:
        return batches.latest(connection, account_id=None, limit=99)[::-1]


def wait_for(app: App, count: int) -> list[Batch]:
    """Wait until there are so many batches."""
    wait_until(lambda: len(taken(app)) >= count, f"no {count} batches")
    return taken(app)


def write(folder: Path, name: str, text: str | bytes = LIST) -> Path:
    """A local file to send."""
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def names(client: Client, folder: str) -> list[str]:
    """What a folder shows, without itself and its parent."""
    listed = client.sftp(f"ls -1a {folder}").splitlines()[1:]
    found = [line.rsplit("/", 1)[-1] for line in listed]
    return sorted(name for name in found if name not in (".", ".."))


def settled(server: Server, account_number: str = "OEM") -> bool:
    """Whether nothing is on its way any more."""
    return not list(server.spool(account_number, "taken").glob("*/*"))


def test_a_closed_file_becomes_a_batch_and_its_results_come_back(
    server: Server, app: App, drive: Callable[[], None], tmp_path: Path
) -> None:
    """From ``put`` to ``get``: the file leaves the inbox, the results lie in the outbox byte for byte, the file in the
    archive."""
    oem = server.client("OEM")
    assert names(oem, "/") == ["archive", "error", "inbox", "outbox"]
    assert "redeem-vouchers" in names(oem, "inbox")
    assert "mint-vouchers" not in names(oem, "inbox")
    oem.sftp(f"put {write(tmp_path, 'list.csv')} {KIND}/list.csv")
    (batch,) = wait_for(app, 1)
    assert (batch.filename, batch.kind, batch.state) == ("list.csv", "redeem-vouchers", "received")
    assert names(oem, "outbox") == []
    drive()
    folder = f"outbox/{batch.id}-list.csv"
    assert names(oem, "outbox") == [f"{batch.id}-list.csv"]
    files = {file["file"]: file for file in (taken(app)[0].results or {})["files"]}
    assert names(oem, folder) == sorted(files)
    assert {"list-result.csv", "list-rejected.csv", "list-manifest.json"} <= set(files)
    (tmp_path / "got").mkdir()
    oem.sftp(f"get -R {folder} {tmp_path}/got/", f"get archive/{batch.id}-list.csv {tmp_path}/got/sent.csv")
    for name, file in files.items():
        assert (tmp_path / "got" / f"{batch.id}-list.csv" / name).read_bytes() == b"".join(app.store.get(file["name"]))
    assert (tmp_path / "got" / "sent.csv").read_text() == LIST
    assert names(oem, KIND) == []


def test_every_name_of_a_file_under_way_waits_for_its_rename(server: Server, app: App, tmp_path: Path) -> None:
    """``.*``, ``*.part``, ``*.tmp``, ``*.filepart``, ``*.incomplete`` are left alone, with a marker too; renamed, each
    is taken once."""
    oem = server.client("OEM")
    for number, name in enumerate((".list", "a.part", "b.TMP", "c.filepart", "d.incomplete")):
        path = write(tmp_path, "local", LIST + f"ABC-{number};Verdi\n")
        oem.sftp(f"put {path} {KIND}/{name}")
        if number:
            oem.sftp(f"put {path} {KIND}/{name}.done")
        assert name in names(oem, KIND)
        assert len(taken(app)) == number
        oem.sftp(f"rename {KIND}/{name} {KIND}/list-{number}.csv")
        assert wait_for(app, number + 1)[-1].filename == f"list-{number}.csv"
    wait_until(lambda: settled(server), "files are on their way")
    assert names(oem, KIND) == []
    assert len(taken(app)) == 5


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_an_upload_that_breaks_is_never_taken_and_can_be_resumed(
    how: signal.Signals, server: Server, app: App, tmp_path: Path
) -> None:
    """The client is killed or given up in the middle, under its final name, at the end of a line: the library closes
    the file just as a client would, and OpenSSH itself closes it on Ctrl-C. ``reput`` sends the rest."""
    oem = server.client("OEM")
    line = b"ABC-1234;" + b"R" * 54 + b"\n"  # 64 bytes: every block of the client ends with a line
    path = write(tmp_path, "list.csv", b"code;company".ljust(63) + b"\n" + line * 400_000)
    sending = subprocess.Popen(
        ["sftp", *oem.options, "-l", "20000", "-b", "-", oem.place],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert sending.stdin is not None
    sending.stdin.write(f"put {path} {KIND}/list.csv\n")
    sending.stdin.flush()
    partial = server.spool("OEM", KIND, "list.csv")
    wait_until(lambda: partial.exists() and partial.stat().st_size > 500_000, "nothing arrives")
    sending.send_signal(how)
    sending.stdin.close()
    sending.wait()
    size = -1
    while size != partial.stat().st_size:  # the server has seen the end once nothing grows and nobody holds the lock
        size = partial.stat().st_size
        time.sleep(0.3)
    assert 0 < size < path.stat().st_size
    assert taken(app) == []
    oem.sftp(f"reput {path} {KIND}/list.csv")
    (batch,) = wait_for(app, 1)
    assert batch.size == path.stat().st_size
    assert b"".join(app.store.get(source_name(batch.sha256))) == path.read_bytes()


def test_a_file_that_is_not_whole_waits_and_says_why(server: Server, app: App, tmp_path: Path) -> None:
    """A table whose last line does not end, a workbook without its end and an empty file stay in the inbox; a marker
    or the whole file lets them go."""
    oem = server.client("OEM")
    oem.sftp(
        f"put {write(tmp_path, 'cut.csv', LIST[:-1])} {KIND}/cut.csv",
        f"put {write(tmp_path, 'cut.xlsx', b'PK' + bytes([3, 4]) + b'x' * 99)} {KIND}/cut.xlsx",
        f"put {write(tmp_path, 'empty.csv', '')} {KIND}/empty.csv",
    )
    reasons = ["cut.csv.reason.txt", "cut.xlsx.reason.txt", "empty.csv.reason.txt"]
    wait_until(lambda: names(oem, "error") == reasons, "no reasons")
    assert names(oem, KIND) == ["cut.csv", "cut.xlsx", "empty.csv"]
    oem.sftp(f"get error/cut.csv.reason.txt {tmp_path}/reason")
    assert "last line does not end" in (tmp_path / "reason").read_text()
    assert taken(app) == []
    oem.sftp(f"put {write(tmp_path, 'marker', '')} {KIND}/cut.csv.done")
    assert wait_for(app, 1)[0].filename == "cut.csv"
    wait_until(lambda: names(oem, KIND) == ["cut.xlsx", "empty.csv"], "marker or file are left")
    oem.sftp(f"put {write(tmp_path, 'empty.csv')} {KIND}/empty.csv")
    wait_for(app, 2)
    wait_until(lambda: names(oem, "error") == ["cut.xlsx.reason.txt"], "reasons that no longer hold are left")


def test_an_account_with_markers_waits_for_them(server: Server, app: App, tmp_path: Path) -> None:
    """Closing and renaming take nothing; ``NAME.done`` after the file does; a marker without its file is no promise."""
    from jobs import ssh_keys

    ssh_keys.set_marker(app, "OEM", True, actor="test")
    oem = server.client("OEM")
    path, marker = write(tmp_path, "list.csv"), write(tmp_path, "marker", "")
    oem.sftp(f"put {marker} {KIND}/list.csv.done", f"put {path} {KIND}/x.part", f"rename {KIND}/x.part {KIND}/list.csv")
    assert names(oem, KIND) == ["list.csv"]
    assert taken(app) == []
    oem.sftp(f"put {marker} {KIND}/list.csv.part", f"rename {KIND}/list.csv.part {KIND}/list.csv.done")
    assert wait_for(app, 1)[0].filename == "list.csv"
    assert names(oem, KIND) == []


def test_the_same_file_again_is_the_same_batch_and_another_one_is_not(server: Server, app: App, tmp_path: Path) -> None:
    """Name, time and size make the identity: with its time kept (``-p``) a repetition is the batch that there is, other
    bytes under the same identity are refused, and without ``-p`` it is a new order."""
    oem = server.client("OEM")
    path = write(tmp_path, "list.csv")
    os.utime(path, (1_700_000_000, 1_700_000_000))
    for _ in range(2):
        oem.sftp(f"put -p {path} {KIND}/list.csv")
        wait_until(lambda: settled(server) and bool(taken(app)), "not taken")
    assert len(taken(app)) == 1
    path.write_text(LIST.replace("Rossi", "Verdi"))
    os.utime(path, (1_700_000_000, 1_700_000_000))
    oem.sftp(f"put -p {path} {KIND}/list.csv")
    wait_until(lambda: names(oem, "error") == ["list.csv", "list.csv.reason.txt"], "not refused")
    oem.sftp(f"put {path} {KIND}/list.csv")
    assert len(wait_for(app, 2)) == 2


def test_a_refused_file_comes_back_with_its_reason_in_the_language_of_the_account(
    start_server: Start, app: App, tmp_path: Path
) -> None:
    """The file and a text beside it lie in ``error``; the account may delete them."""
    limits = app.settings.limits.model_copy(update={"file_bytes": 20})
    server = start_server()
    rossi = server.client("ROSSI")
    object.__setattr__(server.app, "settings", server.app.settings.model_copy(update={"limits": limits}))
    rossi.sftp(f"put {write(tmp_path, 'list.csv')} {KIND}/list.csv")
    wait_until(lambda: names(rossi, "error") == ["list.csv", "list.csv.reason.txt"], "not refused")
    rossi.sftp(f"get error/list.csv.reason.txt {tmp_path}/reason", "rm error/*")
    assert "se ne accettano al massimo 20" in (tmp_path / "reason").read_text()
    assert names(rossi, "error") == []
    assert taken(app) == []


def test_a_preview_and_a_failure_are_told_in_the_outbox(
    server: Server, app: App, drive: Callable[[], None], tmp_path: Path
) -> None:
    """What waits for confirmation shows a summary, what could not be read a reason; confirmed, the results come."""
    rossi = server.client("ROSSI")
    rossi.sftp(f"put {write(tmp_path, 'list.csv')} {KIND}/list.csv")
    (batch,) = wait_for(app, 1)
    drive()
    rossi.sftp(f"get outbox/{batch.id}-list.csv/preview.txt {tmp_path}/preview")
    text = (tmp_path / "preview").read_text()
    assert f"lotto {batch.id}" in text and "attende conferma" in text and "rejected" in text and "A2" in text
    control.confirm(app, batch.id, actor="test")
    drive()
    assert "list-manifest.json" in names(rossi, f"outbox/{batch.id}-list.csv")
    rossi.sftp(f"put {write(tmp_path, 'x.bin', bytes([0, 1, 2]) * 50 + bytes([10]))} {KIND}/x.bin")
    failed = wait_for(app, 2)[-1]
    drive()
    assert names(rossi, f"outbox/{failed.id}-x.bin") == ["reason.txt"]


def test_deleted_results_are_out_of_sight_only(
    server: Server, app: App, drive: Callable[[], None], tmp_path: Path
) -> None:
    """A file or a folder of the outbox may be deleted; the store keeps it, and nobody else's view changes."""
    oem = server.client("OEM")
    oem.sftp(f"put {write(tmp_path, 'list.csv')} {KIND}/list.csv")
    (batch,) = wait_for(app, 1)
    drive()
    folder = f"outbox/{batch.id}-list.csv"
    before = names(oem, folder)
    oem.sftp(f"rm {folder}/list-manifest.json")
    assert names(oem, folder) == [name for name in before if name != "list-manifest.json"]
    oem.sftp(f"rmdir {folder}")
    assert names(oem, "outbox") == []
    for file in (taken(app)[0].results or {})["files"]:
        assert app.store.exists(file["name"])


def test_scp_and_parallel_clients_work(server: Server, app: App, tmp_path: Path) -> None:
    """Today's scp speaks SFTP; ten clients at once are ten batches; ``scp -O`` and anything but SFTP is refused."""
    oem = server.client("OEM")
    paths = [write(tmp_path, f"list-{n}.csv", LIST + f"ABC-{n};Bianchi\n") for n in range(10)]
    sending = [
        subprocess.Popen(["scp", "-q", *oem.options, str(path), f"{oem.place}:{KIND}/{path.name}"]) for path in paths
    ]
    assert [one.wait() for one in sending] == [0] * 10
    assert {batch.filename for batch in wait_for(app, 10)} == {path.name for path in paths}
    assert oem.run("scp", "-O", str(paths[0]), f"{oem.place}:{KIND}/old.csv").returncode != 0
    for words in ((oem.place, "true"), (oem.place,), ("-s", oem.place, "netconf")):
        assert oem.run("ssh", *words).returncode != 0
    assert oem.run("ssh", "-o", "ExitOnForwardFailure=yes", "-N", "-R", "0:127.0.0.1:1", oem.place).returncode != 0
    assert oem.run("ssh", "-W", f"127.0.0.1:{server.port}", oem.place).returncode != 0
    assert len(taken(app)) == 10


def test_what_an_outage_or_a_crash_left_is_taken_up(
    start_server: Start, app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is away while a file comes in: it waits on disk; the next server takes it, once."""
    away = tmp_path / "away"
    server = start_server()
    oem = server.client("OEM")
    (tmp_path / "store").rename(away)
    oem.sftp(f"put {write(tmp_path, 'list.csv')} {KIND}/list.csv")
    wait_until(lambda: not settled(server), "not in hand")
    assert taken(app) == []
    assert names(oem, KIND) == []
    away.rename(tmp_path / "store")
    again = start_server()  # shares the spool
    wait_until(lambda: settled(again), "not taken up")
    assert [batch.filename for batch in taken(app)] == ["list.csv"]


def test_limits_are_told_while_writing(start_server: Start, app: App, tmp_path: Path) -> None:
    """Size of a file, size of all and number of files: writing beyond fails at once and nothing is taken."""
    limits = app.settings.limits.model_copy(update={"file_bytes": 100_000})
    server = start_server(limits=limits, sftp_quota_bytes=150_000, sftp_quota_files=3)
    oem = server.client("OEM")
    big, small = write(tmp_path, "big.csv", LIST * 5_000), write(tmp_path, "small.csv", "x" * 90_000)
    oem.sftp(f"put {big} {KIND}/big.part", ok=False)
    oem.sftp(f"rm {KIND}/big.part", f"put {small} {KIND}/1.part")
    oem.sftp(f"put {small} {KIND}/2.part", ok=False)
    oem.sftp(f"rm {KIND}/*.part")
    oem.sftp(*(f"put {write(tmp_path, 'tiny')} {KIND}/{n}.part" for n in range(3)))
    oem.sftp(f"put {tmp_path}/tiny {KIND}/3.part", ok=False)
    assert taken(app) == []


def test_sign_ins_are_audited_and_keys_can_be_taken_away(server: Server, app: App) -> None:
    """Who came in and who did not is in the audit log; a revoked key, a suspended account and another's key open
    nothing, also for a session that is open."""
    from jobs import ssh_keys

    oem, other = server.client("OEM"), server.client("ROSSI")
    oem.sftp("ls")
    stolen = Client(server.port, "ROSSI", oem.key, oem.known_hosts)
    stolen.sftp("ls", ok=False)
    Client(server.port, "NOBODY", oem.key, oem.known_hosts).sftp("ls", ok=False)

    def logged() -> list[tuple[str, str]]:
        with app.engine.connect() as connection:
            return [(row[1], row[2]) for row in audit.latest(connection, 50) if row[2].startswith("login.")][::-1]

    wait_until(lambda: len(logged()) == 3, "not audited")
    assert sorted(logged()) == [
        ("NOBODY", "login.refused"),
        ("OEM", "login.accepted"),
        ("ROSSI", "login.refused"),
    ]
    session = subprocess.Popen(
        ["sftp", *oem.options, oem.place],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert session.stdin is not None
    session.stdin.write("ls -1\n")
    session.stdin.flush()
    wait_until(lambda: len(logged()) == 4, "not signed in")
    (key,) = ssh_keys.list_keys(app, "OEM")
    assert key.last_used_at is not None
    ssh_keys.revoke(app, key.fingerprint, actor="test")
    out, _ = session.communicate("ls -1 outbox\n")
    assert "ermission denied" in out
    oem.sftp("ls", ok=False)
    other.sftp("ls")
    account(app, "ROSSI", state="suspended")
    other.sftp("ls", ok=False)


def test_guessing_is_stopped(start_server: Start, app: App) -> None:
    """After so many failures the address is turned away unheard, with the right key too; connections are counted."""
    server = start_server(sftp_failed_logins=3)
    oem = server.client("OEM")
    oem.sftp("ls")
    for _ in range(3):
        Client(server.port, "GUESS", oem.key, oem.known_hosts).sftp("ls", ok=False)
    wait_until(lambda: oem.run("sftp", "-b", "/dev/null", oem.place).returncode != 0, "not kept out")


def test_several_servers_show_the_same_host_key(start_server: Start) -> None:
    """The key is made once and stored encrypted: a client that knows one server knows the other."""
    first, second = start_server(), start_server()
    client = first.client("OEM")
    known = client.known_hosts.read_text().replace(str(first.port), str(second.port))
    client.known_hosts.write_text(known)
    Client(second.port, "OEM", client.key, client.known_hosts).sftp("ls")
