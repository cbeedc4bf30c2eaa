"""What is handed out comes back unchanged and in time, or not at all."""

from __future__ import annotations

import time

import pytest

from config.wiring import App
from jobs import sealing

LATER = int(time.time()) + 3600


def test_what_was_sealed_is_opened_for_its_purpose_only(app: App) -> None:
    """The same values come back; for another purpose, with any character changed or missing, or over time, nothing."""
    text = sealing.sealed(app, "one thing", ["a", 1, None], LATER)
    assert sealing.opened(app, "one thing", text) == ["a", 1, None]
    assert sealing.opened(app, "another thing", text) is None
    for place in range(len(text)):
        other = "A" if text[place] != "A" else "B"
        assert sealing.opened(app, "one thing", text[:place] + other + text[place + 1 :]) in (None, ["a", 1, None])
        assert sealing.opened(app, "one thing", text[:place]) is None
    assert sealing.opened(app, "one thing", sealing.sealed(app, "one thing", [], int(time.time()) - 1)) is None


@pytest.mark.parametrize("text", ["", "=", "ü", "a b", "%%%", "\0"])
def test_what_was_never_sealed_is_not_opened(app: App, text: str) -> None:
    """Whatever somebody makes up is no seal, and no error."""
    assert sealing.opened(app, "one thing", text) is None
