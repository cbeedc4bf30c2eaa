"""How a command ends when it is told to."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import output


class Finalized:
    """Something that is told to end while it goes away."""

    def __del__(self) -> None:
        """Meet a signal."""
        os.kill(os.getpid(), signal.SIGTERM)
        for _ in range(1000):  # the handler runs between two steps of a program
            pass


@pytest.fixture
def listening() -> Iterator[None]:
    """Signals are listened to as while a command runs."""
    with output.on_signals(output.ENDINGS, output._leave):
        yield
    output._told_to_end.clear()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_in_a_finalizer_is_not_lost(listening: None) -> None:
    """Python drops what is raised there; the next look ends the command with the signal's code all the same."""
    output.leave_if_told()
    made = Finalized()
    del made
    with pytest.raises(SystemExit) as caught:
        output.leave_if_told()
    assert caught.value.code == 128 + signal.SIGTERM


@pytest.mark.parametrize("how", output.ENDINGS)
def test_a_signal_ends_what_is_under_way(how: signal.Signals, listening: None) -> None:
    """As an exception, so that everything that was started is put in order."""
    with pytest.raises(SystemExit) as caught:
        os.kill(os.getpid(), how)
    assert caught.value.code == 128 + how


def test_ctrl_c_while_a_dataclass_is_made_has_its_own_exit_code(tmp_path: Path) -> None:
    """Python would end by the signal (-2) where a KeyboardInterrupt had met text that is run, though it was caught."""
    (tmp_path / "interrupted.py").write_text(
        "import os, signal\n"
        "from cli import output\n"
        "with output.on_signals(output.ENDINGS, output._leave):\n"
        "    try:\n"
        "        exec('os.kill(os.getpid(), signal.SIGINT)')\n"
        "    finally:\n"
        "        print('put in order')\n"
    )
    words = [sys.executable, "-m", "interrupted"]
    env = os.environ | {"PYTHONPATH": str(tmp_path)}
    ended = subprocess.run(words, env=env, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (130, "put in order\n")
