"""The page of schedules: added, edited, run, paused and removed, with times in the reader's own zone."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from config.wiring import App
from scheduler import schedules
from scheduler.running import claim, work_off
from tests.apps import account, one
from tests.web.portal.conftest import Person

Visit = Callable[..., Person]
NIGHTLY = {"job": "expire-vouchers", "expression": "30 2 * * *", "time_zone": "Europe/Rome", "missed": "skip"}


@pytest.fixture
def ops(app: App, join: Callable[..., str], visit: Visit) -> Person:
    """An operator in New York."""
    account(app, "VENDOR", "vendor", time_zone="America/New_York")
    return visit(join("VENDOR", "ops@k.example"))


def test_a_schedule_from_its_beginning_to_its_end(app: App, ops: Person):
    """Added, shown in local time, edited, run now with its history, paused, resumed, removed."""
    page = ops.post("/schedules", name="nightly", **NIGHTLY).text
    assert "Mark vouchers past their date" in page and "30 2 * * *" in page
    assert ", 20:30</time>" in page  # half past two in Rome, six hours earlier in New York
    ops.post("/schedules/nightly/change", expression="0 4 * * *", time_zone="UTC", missed="catch_up")
    (found,) = schedules.every(app, "en")
    assert (found["expression"], found["time_zone"], found["missed"]) == ("0 4 * * *", "UTC", "catch_up")
    assert "Load again" in ops.post("/schedules/nightly/run").text
    held = claim(app, "test")
    assert held is not None
    work_off(app, held, threading.Event())
    page = ops.get("/schedules")
    assert "0 vouchers expired" in page and "asked for by ops@k.example" in page and "Load again" not in page
    assert "Let it go on" in ops.post("/schedules/nightly/pause").text
    assert "Let it go on" not in ops.post("/schedules/nightly/resume").text
    ops.post("/schedules/nightly/remove")
    assert schedules.every(app, "en") == []
    assert "no schedule nightly" in ops.post("/schedules/nightly/run").text
    assert ops.post("/schedules/nightly/wind").status_code == 404


def test_a_mistake_is_told_and_what_was_typed_is_kept(app: App, ops: Person):
    """A cron expression, a zone or a name that is none; nothing is added or changed."""
    for changed in ({"expression": "61 * * * *"}, {"time_zone": "Europe/Rom"}, {"name": "a b"}):
        answer = ops.post("/schedules", **{"name": "nightly"} | NIGHTLY | changed)
        assert answer.status_code == 422, changed
        assert 'role="alert"' in answer.text and next(iter(changed.values())) in answer.text
    ops.post("/schedules", name="nightly", **NIGHTLY)
    wrong = ops.post("/schedules/nightly/change", expression="often", time_zone="UTC", missed="skip")
    assert wrong.status_code == 422
    assert [one["expression"] for one in schedules.every(app, "en")] == ["30 2 * * *"]
    assert one(app, "SELECT count(*) FROM audit_log WHERE action LIKE 'schedule.%%'") == 1


def test_what_a_job_is_told_is_changed_with_its_times(app: App, ops: Person):
    """What was empty falls back to what is usual; a refusal keeps what was typed, there and in no other form."""
    keep = {"job": "retention", "expression": "0 5 * * *", "time_zone": "UTC", "missed": "skip"}
    ops.post("/schedules", name="keep", **keep, **{"argument:days": "90"})
    ops.post("/schedules", name="other", **keep, **{"argument:days": "80"})
    changed = {"expression": "0 6 * * *", "argument:days": "40", "argument:messages": "7"}
    assert "days = 40" in ops.post("/schedules/keep/change", **keep | changed).text
    assert schedules.shown(app, "keep", "en")["arguments"] == {"days": "40", "messages": "7"}
    wrong = ops.post("/schedules/keep/change", **keep | {"expression": "7 7 * * *", "argument:days": "soon"})
    assert wrong.status_code == 422 and "whole number" in wrong.text
    assert wrong.text.count('value="soon"') == wrong.text.count('value="7 7 * * *"') == 1
    assert wrong.text.count('value="80"') == 1
    assert schedules.shown(app, "keep", "en")["arguments"] == {"days": "40", "messages": "7"}
    ops.post("/schedules/keep/change", **keep | {"argument:days": "30", "argument:messages": ""})
    assert schedules.shown(app, "keep", "en")["arguments"] == {"days": "30"}
    assert one(app, "SELECT count(*) FROM audit_log WHERE action = 'schedule.changed'") == 2
