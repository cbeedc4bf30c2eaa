"""Logging: one stream for our code and the libraries."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import logging, structlog
from config.logging import configure
from config.settings import Settings
configure(Settings(log={form!r}))
structlog.get_logger("keymill.test").info("chunk done", rows=7, city="Forlì")
logging.getLogger("library").warning("slow %s", "query")
logging.getLogger("botocore").info("noise")
try:
    password = "secret-" + "sesame"
    1 / 0
except ZeroDivisionError:
    structlog.get_logger("keymill.test").exception("broken")
"""


def logged(form: str) -> tuple[str, str]:
    """What a process with that log form writes to standard output and standard error."""
    program = [sys.executable, "-X", "utf8", "-c", PROGRAM.format(form=form)]
    done = subprocess.run(program, cwd=Path(__file__).parents[2], capture_output=True, encoding="utf-8", check=True)
    return done.stdout, done.stderr


def test_json_has_one_object_a_line():
    """With KEYMILL_LOG=json every line is an object with level, logger, time and the event's fields."""
    out, err = logged("json")
    ours, library, broken = [json.loads(line) for line in err.splitlines()]
    assert out == ""
    assert (ours["event"], ours["level"], ours["logger"], ours["rows"]) == ("chunk done", "info", "keymill.test", 7)
    assert "Forlì" in err
    assert (library["event"], library["level"]) == ("slow query", "warning")
    assert broken["exception"][0]["exc_type"] == "ZeroDivisionError"
    assert all("timestamp" in line for line in (ours, library, broken))


def test_text_is_readable_and_uncoloured_off_a_terminal():
    """On a pipe the log is plain text, on standard error."""
    out, err = logged("text")
    assert out == ""
    assert "chunk done" in err and "rows=7" in err and "slow query" in err and "noise" not in err
    assert "\x1b[" not in err


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_traceback_never_tells_the_values_of_variables(form: str):
    """Keys and passwords stand in local variables where things break; the log shows the lines and not them."""
    _, err = logged(form)
    assert "ZeroDivisionError" in err
    assert "sesame" not in err.replace('"secret-" + "sesame"', "")
