"""Work in a child process with limits on memory and time: whatever kills the child is an answer, never the end of us.

The parent writes one JSON request to the child's standard input; the child answers on standard output in frames (a
type byte, a length of four bytes, the bytes): blocks of data, then one JSON result. Where the child dies instead,
:class:`ChildDied` says how, for the person whose file it was.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Literal, NoReturn, Protocol

How = Literal["memory", "cpu", "timeout", "aborted", "killed", "crashed"]
Write = Callable[[bytes], None]

_BLOCK, _RESULT = b"B", b"R"
_HEAD = struct.Struct(">cI")
_PIPE_BYTES = 1 << 20
_NO_MEMORY, _CRASHED = 77, 78  # exit statuses of our own
_PR_SET_PDEATHSIG = 1
_ROOT = Path(__file__).resolve().parent.parent

_SENTENCES: dict[How, tuple[str, str]] = {
    "memory": (
        "Reading the file took more memory than is allowed. Save it again with only the table in it, or as CSV.",
        "La lettura del file ha richiesto più memoria del consentito. Salvarlo di nuovo con la sola tabella, o in CSV.",
    ),
    "cpu": (
        "Reading the file took more time than is allowed. Save it again with only the table in it, or as CSV.",
        "La lettura del file ha richiesto più tempo del consentito. Salvarlo di nuovo con la sola tabella, o come CSV.",
    ),
    "timeout": (
        "Reading the file did not end in the time that is allowed. Send it again, or save it as CSV.",
        "La lettura del file non è terminata nel tempo consentito. Inviarlo di nuovo, o salvarlo come CSV.",
    ),
    "aborted": (
        "The file makes the spreadsheet reader break off: it is damaged or not what it claims to be. Open it in a "
        "spreadsheet program and save it again, or save it as CSV.",
        "Il file fa interrompere il lettore: è danneggiato o non è ciò che dichiara. Aprirlo in un foglio di calcolo e "
        "salvarlo di nuovo, o salvarlo come CSV.",
    ),
    "killed": (
        "The process that read the file was ended from outside, three times. Send the file again.",
        "Il processo che leggeva il file è stato terminato dall'esterno, tre volte. Inviare di nuovo il file.",
    ),
    "crashed": (
        "The file could not be read, and the reader does not know why. Save it again, or save it as CSV.",
        "Il file non è stato letto e il lettore non sa perché. Salvarlo di nuovo, o salvarlo come CSV.",
    ),
}


class ChildDied(Exception):
    """The child ended without a result: how, and a sentence in two languages; ``detail`` is for the log."""

    def __init__(self, how: How, detail: str = "") -> None:
        self.how, self.detail = how, detail
        self.en, self.it = _SENTENCES[how]
        super().__init__(f"{self.en} [{how}] {detail}".strip())


class Refusal(Protocol):
    """What a handler's exception needs to be passed on as a refusal."""

    code: str
    en: str
    it: str


# The parent's side.

_ready: dict[str, tuple[subprocess.Popen[bytes], IO[bytes]]] = {}  # children that wait for a request, by module
_ready_lock = threading.Lock()


def make_ready(module: str) -> None:
    """Have a child of a module wait for the next request, its imports done.

    To be called now and then by a thread that lives as long as the process: the child dies with it.
    """
    found = _take_ready(module) or _start(module)
    with _ready_lock:
        _ready[module] = found


def let_go(module: str) -> None:
    """End the child that was made ready, if there is one."""
    if (found := _take_ready(module)) is not None:
        found[0].kill()
        found[0].wait()
        _close(found)


def _take_ready(module: str) -> tuple[subprocess.Popen[bytes], IO[bytes]] | None:
    """The child that was made ready, if it is still alive."""
    with _ready_lock:
        found = _ready.pop(module, None)
    if found is None or found[0].poll() is None:
        return found
    _close(found)
    return None


def _close(found: tuple[subprocess.Popen[bytes], IO[bytes]]) -> None:
    for file in (found[0].stdin, found[0].stdout, found[1]):
        if file is not None:
            file.close()


def _start(module: str) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the child
    child = subprocess.Popen(
        [sys.executable, "-m", module],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=errors,
        cwd=_ROOT,
        env=os.environ | {"PYTHONPATH": str(_ROOT), "RUST_BACKTRACE": "0"},
    )
    return child, errors


def run(
    module: str,
    request: dict[str, Any],
    *,
    memory_bytes: int,
    cpu_seconds: int,
    wall_seconds: float,
    on_block: Write,
) -> dict[str, Any]:
    """Run ``python -m module`` and give its blocks to ``on_block`` as they come; the result, or ``{"refused": {...}}``.

    The result tells the child's own use as ``peak_rss_mb`` and ``cpu_seconds``. Raises :class:`ChildDied`, and whatever
    ``on_block`` raises; the child has ended and is reaped in every case.
    """
    asked = {"request": request, "memory_bytes": memory_bytes, "cpu_seconds": cpu_seconds, "parent": os.getpid()}
    child, errors = _take_ready(module) or _start(module)
    with errors:
        try:
            result: dict[str, Any] | None = _listen(child, asked, time.monotonic() + wall_seconds, on_block)
            status = child.wait(timeout=10)
        except (subprocess.TimeoutExpired, TimeoutError):
            raise ChildDied("timeout") from None
        finally:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    with contextlib.suppress(OSError):
                        pipe.close()
        if result is None:
            raise _death(status, errors)
    return result


def _listen(child: subprocess.Popen[bytes], asked: dict[str, Any], deadline: float, on_block: Write) -> Any:
    """Send the request and take frames until the child closes its output; None if no result came."""
    assert child.stdin is not None
    assert child.stdout is not None
    with contextlib.suppress(BrokenPipeError):  # it died already: its exit status says how
        child.stdin.write(json.dumps(asked).encode())
        child.stdin.close()
    frames = _Frames(child.stdout.fileno(), deadline)
    while (head := frames.take(_HEAD.size)) is not None:
        kind, length = _HEAD.unpack(head)
        body = frames.take(length)
        if body is None:
            return None
        if kind == _RESULT:
            return json.loads(body)
        on_block(body)
    return None


class _Frames:
    """Exact numbers of bytes out of a pipe, until a moment in time."""

    def __init__(self, descriptor: int, deadline: float) -> None:
        self._descriptor, self._deadline = descriptor, deadline
        self._poll = select.poll()  # unlike a selector it holds no descriptor of its own
        self._poll.register(descriptor, select.POLLIN)

    def take(self, count: int) -> bytes | None:
        """So many bytes, or None at the end of the pipe. Raises ``TimeoutError``."""
        taken = bytearray()
        while len(taken) < count:
            if not self._poll.poll(max(0.0, self._deadline - time.monotonic()) * 1000):
                raise TimeoutError
            part = os.read(self._descriptor, min(count - len(taken), _PIPE_BYTES))
            if not part:
                return None
            taken += part
        return bytes(taken)


def _death(status: int, errors: IO[bytes]) -> ChildDied:
    errors.seek(0)
    said = errors.read(100_000).decode("utf-8", "replace")
    last = said.strip().splitlines()[-1][:300] if said.strip() else ""
    if status == _NO_MEMORY or "memory allocation" in said or "MemoryError" in said:
        return ChildDied("memory", last)
    by_signal: dict[int, How] = {
        -signal.SIGXCPU: "cpu",
        -signal.SIGKILL: "killed",
        -signal.SIGTERM: "killed",
        -signal.SIGABRT: "aborted",
        -signal.SIGSEGV: "aborted",
        -signal.SIGBUS: "aborted",
        -signal.SIGILL: "aborted",
    }
    return ChildDied(by_signal.get(status, "crashed"), f"status {status} {last}".strip())


# The child's side.


def serve(handler: Callable[[dict[str, Any], Write], dict[str, Any]]) -> NoReturn:
    """Answer the one request on standard input by ``handler(request, write)``, under the limits that came with it.

    An exception with ``code``, ``en`` and ``it`` is passed on as a refusal; any other one ends the child.
    """
    output = os.dup(1)
    os.dup2(2, 1)  # what a library prints must not get between the frames
    given = sys.stdin.buffer.read()
    if not given:  # made ready, and never asked
        os._exit(0)
    asked = json.loads(given)
    _limit(asked)
    status = 0
    try:
        result = _answer(handler, asked["request"], lambda block: _send(output, _BLOCK, block))
        usage = resource.getrusage(resource.RUSAGE_SELF)
        result |= {"peak_rss_mb": _peak_rss_mb(), "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 2)}
        _send(output, _RESULT, json.dumps(result).encode())
    except MemoryError:
        status = _NO_MEMORY
    except BaseException as error:  # a panic of a Rust library is no Exception
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        status = _CRASHED
    sys.stderr.flush()
    os._exit(status)


def _answer(
    handler: Callable[[dict[str, Any], Write], dict[str, Any]], request: dict[str, Any], write: Write
) -> dict[str, Any]:
    try:
        return handler(request, write)
    except Exception as error:
        code, en, it = (getattr(error, name, None) for name in ("code", "en", "it"))
        if not (isinstance(code, str) and isinstance(en, str) and isinstance(it, str)):
            raise
        return {"refused": {"code": code, "en": en, "it": it}}


def _limit(asked: dict[str, Any]) -> None:
    """Take on the limits, and die with the parent."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != asked["parent"]:
        os._exit(_CRASHED)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (asked["memory_bytes"], asked["memory_bytes"]))
    resource.setrlimit(resource.RLIMIT_CPU, (asked["cpu_seconds"], asked["cpu_seconds"] + 5))


def _peak_rss_mb() -> int:
    """The most memory this process held; ``ru_maxrss`` would be the parent's, if that is larger."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


def _send(output: int, kind: bytes, body: bytes) -> None:
    view = memoryview(_HEAD.pack(kind, len(body)) + body)
    while view:
        view = view[os.write(output, view) :]
