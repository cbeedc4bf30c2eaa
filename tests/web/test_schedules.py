"""Schedules over the API, as a token of the vendor."""

from __future__ import annotations

from typing import Any

import pytest

from config.wiring import App
from models import audit
from tests.web.conftest import addressed

NIGHTLY = {
    "schedule": "nightly", "job": "reconcile-contracts", "expression": "0 2 * * *", "time_zone": "Europe/Rome",
}  # fmt: skip


@pytest.fixture
def app(world_app: App) -> App:
    """An app with something of each kind."""
    return addressed(world_app)


def test_a_schedule_from_its_beginning_to_its_end(app: App, client: Any) -> None:
    """Added, listed, paused, resumed, asked to run, removed; each of it stands in the audit log."""
    vendor = client("VENDOR")
    added = vendor.post("/api/v1/schedules", json=NIGHTLY)
    assert (added.status_code, added.json()["missed"], len(added.json()["next"])) == (201, "catch_up", 3)
    assert vendor.get("/api/v1/schedules").json()["schedules"] == [added.json()]
    assert vendor.get("/api/v1/schedules/nightly").json() == added.json()
    assert vendor.post("/api/v1/schedules/nightly/pause").json() | {"next": []} == added.json() | {
        "state": "paused", "next": []
    }  # fmt: skip
    assert vendor.post("/api/v1/schedules/nightly/resume").json() == added.json()
    assert vendor.get("/api/v1/schedules/nightly/runs").json() == {"runs": []}
    assert vendor.post("/api/v1/schedules/nightly/runs").status_code == 202
    (run,) = vendor.get("/api/v1/schedules/nightly/runs").json()["runs"]
    assert (run["state"], run["attempts"]) == ("due", 0) and run["asked_by"].endswith("VENDOR")
    assert vendor.delete("/api/v1/schedules/nightly").status_code == 204
    with app.engine.connect() as connection:
        actions = [one[2] for one in audit.latest(connection, 10)]
    assert {"schedule.added", "schedule.paused", "schedule.resumed", "schedule.asked"} <= set(actions)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"job": "retention"}, "missing_argument"),
        ({"job": "no-such-job"}, "unknown_job"),
        ({"expression": "61 * * * *"}, "bad_expression"),
        ({"time_zone": "Europe/Nowhere"}, "unknown_time_zone"),
        ({"arguments": {"days": "3"}}, "unknown_argument"),
    ],
)
def test_what_cannot_be_a_schedule_is_a_problem(client: Any, changes: dict[str, Any], code: str) -> None:
    """A sentence with its code, and nothing is added."""
    vendor = client("VENDOR")
    refused = vendor.post("/api/v1/schedules", json=NIGHTLY | changes)
    assert refused.status_code == 422 and refused.json()["code"] == code, refused.text
    assert vendor.get("/api/v1/schedules").json() == {"schedules": []}


def test_an_unknown_schedule_is_not_found(client: Any) -> None:
    """404 for each thing that can be done with one."""
    vendor = client("VENDOR")
    for method, path in (("GET", ""), ("GET", "/runs"), ("POST", "/runs"), ("POST", "/pause"), ("DELETE", "")):
        assert vendor.request(method, f"/api/v1/schedules/none{path}").status_code == 404, (method, path)
