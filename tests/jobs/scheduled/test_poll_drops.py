"""The schedule that looks into drops: every active one, whatever is wrong with another."""

from __future__ import annotations

from dataclasses import replace

from config.wiring import App
from jobs import drops
from models.drops import Drop
from tests.apps import account, one
from tests.jobs.scheduled.test_batches_of_schedules import add, run_now
from tests.ssh import Sshd


def test_one_drop_that_fails_keeps_no_other_back(app: App, sshd: Sshd) -> None:
    """A server that is not there is counted and noted with its drop; the file of the other one is a batch; a paused
    drop is left alone; a second run finds nothing to do."""
    account(app, "OEM", confirm="auto")
    (sshd.root / "in").mkdir()
    (sshd.root / "in/list.csv").write_text("code;company\nABC-1;Rossi\n")
    folders = {f"{sshd.root}/in": "redeem-vouchers"}
    drop = Drop("b", "OEM", "127.0.0.1", sshd.port, sshd.user, sshd.host_key, str(sshd.key), folders, "*", 0, "")
    for changed in (replace(drop, name="a", port=1), replace(drop, name="paused"), drop):
        drops.add(app, changed, actor="test")
    drops.set_state(app, "paused", "paused", actor="test")
    add(app, "poll-drops")
    assert run_now(app, "poll-drops")["counts"] == {"taken": 1, "refused": 0, "failed": 1}
    assert (drops.find(app, "a").error or {})["code"] == "drop_unreachable"
    assert drops.find(app, "paused").polled_at is None
    assert run_now(app, "poll-drops")["counts"]["taken"] == 0
    assert one(app, "SELECT count(*) FROM batches") == 1
