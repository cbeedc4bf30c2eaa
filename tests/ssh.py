"""The real OpenSSH: keys, its client against our server, and its server for our poller."""

from __future__ import annotations

import getpass
import os
import pwd
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from config.embedded_processes import free_port
from config.wiring import App
from jobs import sftp, ssh_keys

PATIENCE_SECONDS = 30


def wait_until(is_so: Callable[[], bool], what: str) -> None:
    """Wait for something that another thread or process does."""
    limit = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < limit, what
        time.sleep(0.02)


def make_key(path: Path, kind: str = "ed25519", *options: str) -> Path:
    """Make a key pair with ssh-keygen; the private half's file."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-f", path, *options], check=True)
    return path


@dataclass
class Client:
    """The OpenSSH client as one user."""

    port: int
    user: str
    key: Path
    known_hosts: Path

    @property
    def options(self) -> list[str]:
        """Options that sftp, scp and ssh share: this key, this host key, nothing of the user's own."""
        words = {
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
            "IdentityFile": self.key,
            "UserKnownHostsFile": self.known_hosts,
            "StrictHostKeyChecking": "yes",
            "Port": self.port,
        }
        return ["-F", "/dev/null", *(part for name, value in words.items() for part in ("-o", f"{name}={value}"))]

    @property
    def place(self) -> str:
        """Where to: the user and the host."""
        return f"{self.user}@127.0.0.1"

    def sftp(self, *commands: str, ok: bool = True) -> str:
        """Run a batch of sftp commands; what it printed, errors too."""
        done = subprocess.run(
            ["sftp", *self.options, "-b", "-", self.place],
            input="\n".join(commands) + "\n",
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode == 0) is ok, done.stdout + done.stderr
        return done.stdout + done.stderr

    def run(self, program: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run scp or ssh with its own words after the options."""
        return subprocess.run([program, *self.options, *words], capture_output=True, text=True, timeout=60)


@dataclass
class Server:
    """Our SFTP server in a thread."""

    port: int
    folder: Path
    app: App

    def client(self, account: str, name: str = "key") -> Client:
        """A client with a key of its own for an account."""
        key = self.folder / f"{account}-{name}"
        if not key.exists():
            make_key(key)
            ssh_keys.add(self.app, account, key.with_suffix(".pub").read_text(), actor="test")
        known = self.folder / "known_hosts"
        if not known.exists():
            words = ["ssh-keyscan", "-p", str(self.port), "127.0.0.1"]
            known.write_text(subprocess.run(words, capture_output=True, text=True, check=True).stdout)
        return Client(self.port, account, key, known)

    def spool(self, account: str, *names: str) -> Path:
        """A place in the spool of an account."""
        return self.app.settings.home.joinpath("sftp", account, *names)


Start = Callable[..., Server]


@pytest.fixture
def start_server(openssh: None, app: App, tmp_path: Path) -> Iterator[Start]:
    """Starts our server on a free port, with settings of its own; it is stopped after the test."""
    running: list[tuple[threading.Thread, threading.Event]] = []

    def start(**changed: object) -> Server:
        mine = App(app.settings.model_copy(update={"sftp_host": "127.0.0.1", "sftp_port": 0} | changed), *app_rest(app))
        ended, told, ports = threading.Event(), threading.Event(), list[int]()
        failed: list[BaseException] = []

        def started(port: int) -> None:
            ports.append(port)
            told.set()

        def serve() -> None:
            try:
                sftp.serve(mine, ended, started=started)
            except BaseException as error:
                failed.append(error)
                told.set()
                raise

        thread = threading.Thread(target=serve)
        thread.start()
        running.append((thread, ended))
        assert told.wait(PATIENCE_SECONDS)
        assert not failed
        return Server(ports[0], tmp_path, mine)

    yield start
    for thread, ended in running:
        ended.set()
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()


def app_rest(app: App) -> tuple:
    """What an app has besides its settings."""
    return app.engine, app.store, app.kek


@pytest.fixture
def server(start_server: Start) -> Server:
    """Our server as it is by default."""
    return start_server()


@dataclass
class Sshd:
    """A real sshd with a configuration of its own, serving a folder by SFTP to the user who runs the tests."""

    folder: Path
    port: int
    key: Path
    user: str
    process: subprocess.Popen[bytes]

    @property
    def host_key(self) -> str:
        """The public host key, algorithm and key."""
        return " ".join((self.folder / "host").with_suffix(".pub").read_text().split()[:2])

    @property
    def root(self) -> Path:
        """The folder that clients see."""
        return self.folder / "root"

    def stop(self) -> None:
        """End it with every session."""
        for pid in _children(self.process.pid):
            _kill(pid)
        self.process.kill()
        self.process.wait()


def _children(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    found = [int(word) for word in listed.stdout.split()]
    return [one for child in found for one in (*_children(child), child)]


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, 9)


def sshd_program() -> str | None:
    """Where sshd is; it is seldom on a user's own path."""
    return shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")


@pytest.fixture(scope="session")
def openssh(skip_at_home: Callable[[str], NoReturn]) -> None:
    """The real client and server are installed."""
    if not (shutil.which("sftp") and sshd_program()):
        skip_at_home("openssh-client and openssh-server are not installed")


def start_sshd(folder: Path, settings: Mapping[str, str] | None = None, port: int | None = None) -> Sshd:
    """Start a sshd on a free port; keys are made where there are none."""
    (folder / "root").mkdir(parents=True, exist_ok=True)
    for name in ("host", "user"):
        if not (folder / name).exists():
            make_key(folder / name)
    program = sshd_program()
    assert program
    if os.getuid() == 0:  # separation of privileges needs this folder, which a service would make
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    port = port or free_port(None)
    words = {
        "Port": port,
        "ListenAddress": "127.0.0.1",
        "HostKey": folder / "host",
        "AuthorizedKeysFile": folder / "user.pub",
        "PidFile": "none",
        "StrictModes": "no",
        "UsePAM": "no",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "PermitRootLogin": "prohibit-password",
        "MaxStartups": "100",
        "Subsystem": f"sftp internal-sftp -d {folder / 'root'}",
    }
    config = folder / "sshd_config"
    config.write_text("".join(f"{name} {value}\n" for name, value in (words | dict(settings or {})).items()))
    with (folder / "sshd.log").open("ab") as log:
        process = subprocess.Popen([program, "-D", "-e", "-f", str(config)], stdout=log, stderr=log)
    wait_until(lambda: _listens(port) or process.poll() is not None, "sshd does not listen")
    assert process.poll() is None, (folder / "sshd.log").read_text()
    user = pwd.getpwuid(os.getuid()).pw_name if os.getuid() == 0 else getpass.getuser()
    return Sshd(folder, port, folder / "user", user, process)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def sshd(openssh: None, tmp_path: Path) -> Iterator[Sshd]:
    """A real sshd with an empty folder."""
    started = start_sshd(tmp_path / "sshd")
    yield started
    started.stop()
