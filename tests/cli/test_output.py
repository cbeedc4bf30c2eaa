"""How a command ends when it is told to."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

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


def test_a_signal_ends_what_is_under_way(listening: None) -> None:
    """As an exception, so that everything that was started is put in order."""
    with pytest.raises(SystemExit) as caught:
        os.kill(os.getpid(), signal.SIGHUP)
    assert caught.value.code == 128 + signal.SIGHUP
