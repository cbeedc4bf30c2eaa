"""Children: whatever happens to one is an answer, the parent lives on, and nothing of the child is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from config.children import ChildDied, let_go, make_ready, run

ROOT = Path(__file__).parents[2]


def ask(
    request: dict[str, Any], on_block: Callable[[bytes], None] = lambda block: None, **limits: Any
) -> dict[str, Any]:
    """Run one task with limits that are plenty."""
    given = {"memory_bytes": 500_000_000, "cpu_seconds": 20, "wall_seconds": 60.0} | limits
    return run("tests.config.child_tasks", request, on_block=on_block, **given)


def children() -> set[psutil.Process]:
    """The children of this process, in no order: numbers of processes begin anew at some time."""
    return set(psutil.Process().children())


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """After each test there is no new child and no zombie, and as many open files as before."""
    others = children()
    before = list(Path("/proc/self/fd").iterdir())
    yield
    assert children() == others
    assert len(list(Path("/proc/self/fd").iterdir())) <= len(before)


def test_blocks_come_whole_and_in_order_before_the_result():
    """Large blocks, empty ones, and what a library prints in between."""
    blocks: list[bytes] = []
    result = ask({"do": "echo", "blocks": 40, "size": 300_000, "say": "è tutto"}, blocks.append)
    assert blocks == [bytes([number]) * 300_000 for number in range(40)]
    assert result["said"] == "è tutto"
    assert result["peak_rss_mb"] > 0
    assert ask({"do": "echo", "blocks": 2, "size": 0, "say": ""}, blocks.append)["said"] == ""
    assert blocks[40:] == [b"", b""]


def test_a_child_that_was_made_ready_takes_the_next_request():
    """One waits, however often it is asked for; a dead one is replaced; each answers once."""
    module = "tests.config.child_tasks"
    for kill in (False, True):
        others = children()  # a worker within this process may have one ready, too
        make_ready(module)
        (ready,) = children() - others
        make_ready(module)
        assert children() == {*others, ready}
        if kill:
            ready.kill()
            psutil.wait_procs([ready])
        assert ask({"do": "echo", "blocks": 0, "size": 0, "say": "è tutto"})["said"] == "è tutto"
        assert children() == others


def test_one_that_waits_is_let_go():
    """It has ended, and there is nothing to let go any more."""
    others = children()
    make_ready("tests.config.child_tasks")
    for _ in range(2):
        let_go("tests.config.child_tasks")
        assert children() == others


def test_a_large_request_arrives():
    """More than a pipe holds."""
    text = "x" * 3_000_000
    assert ask({"do": "echo", "blocks": 0, "size": 0, "say": text})["said"] == text


def test_what_is_written_to_standard_output_is_no_frame():
    """Standard output is not where the frames go."""
    assert "peak_rss_mb" in ask({"do": "garble"})


def test_a_refusal_is_an_answer():
    """An exception that carries code and sentences is passed on."""
    refused = ask({"do": "refuse"})["refused"]
    assert refused == {"code": "bad_file", "en": "It is bad.", "it": "È cattivo."}


@pytest.mark.parametrize(
    ("request_", "how"),
    [
        ({"do": "grow"}, "memory"),
        ({"do": "spin"}, "cpu"),
        ({"do": "fail"}, "crashed"),
        ({"do": "panic"}, "crashed"),
        ({"do": "exit"}, "crashed"),
        ({"do": "die", "signal": signal.SIGKILL}, "killed"),
        ({"do": "die", "signal": signal.SIGTERM}, "killed"),
        ({"do": "die", "signal": signal.SIGABRT}, "aborted"),
        ({"do": "die", "signal": signal.SIGSEGV}, "aborted"),
    ],
)
def test_every_death_has_its_name_and_two_sentences(request_: dict[str, Any], how: str):
    """Memory, time, signals, exceptions, and an exit without a word."""
    with pytest.raises(ChildDied) as death:
        ask(request_, cpu_seconds=1 if how == "cpu" else 60)
    assert death.value.how == how
    assert death.value.en != death.value.it


def test_a_child_that_hangs_is_ended():
    """Waiting costs no processor time; the clock on the wall ends it."""
    seen: list[bytes] = []
    with pytest.raises(ChildDied) as death:
        ask({"do": "sleep"}, seen.append, wall_seconds=1.5)
    assert death.value.how == "timeout"
    assert not psutil.pid_exists(int(seen[0]))


def test_a_module_that_does_not_exist_has_crashed():
    """The child's own word is kept for the log."""
    with pytest.raises(ChildDied) as death:
        run("tests.config.nothing", {}, memory_bytes=500_000_000, cpu_seconds=5, wall_seconds=20, on_block=print)
    assert death.value.how == "crashed"
    assert "nothing" in death.value.detail


def test_what_the_parent_raises_over_a_block_ends_the_child():
    """The child has no one to talk to any more."""

    def stop(block: bytes) -> None:
        raise RuntimeError(block.decode())

    with pytest.raises(RuntimeError) as caught:
        ask({"do": "sleep"}, stop)
    assert not psutil.pid_exists(int(str(caught.value)))


def test_limits_hold_and_no_core_is_left():
    """Address space as asked, and never a core file."""
    found = ask({"do": "limits"}, memory_bytes=400_000_000)
    assert found["RLIMIT_CORE"] == [0, 0]
    assert found["RLIMIT_AS"] == [400_000_000, 400_000_000]


def test_the_child_dies_with_its_parent(tmp_path: Path):
    """A worker that is killed leaves nobody behind."""
    told = tmp_path / "pid"
    code = (
        "from config.children import run; from pathlib import Path\n"
        "run('tests.config.child_tasks', {'do': 'sleep'}, memory_bytes=500_000_000, cpu_seconds=9, wall_seconds=99,"
        f" on_block=lambda block: Path({str(told)!r}).write_bytes(block + b'.'))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)})
    try:
        _until(lambda: told.exists() and told.read_text().endswith("."))
        child = psutil.Process(int(told.read_text()[:-1]))
    finally:
        parent.kill()
        parent.wait()
    _until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)


def _until(condition: Callable[[], bool]) -> None:
    limit = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < limit
        time.sleep(0.02)
