"""Removing drops on a real sshd: what they have in hand is handed back, and no order is made twice."""

from __future__ import annotations

import pytest

from config.wiring import App
from jobs import drops, polling
from jobs.refusals import Refused
from models import drops as tables
from models.drops import Drop
from tests.jobs.test_polling import LIST, Make, die, make, parties, put, taken, there
from tests.ssh import Sshd, wait_until

__all__ = ["make", "parties"]  # fixtures


def is_held(app: App, drop: Drop) -> bool:
    """Whether somebody looks into a drop."""
    with tables.only_poller(app.engine, drop.id) as mine:
        return not mine


@pytest.mark.parametrize("step", ["after-claim", "after-fetch", "after-accept", "before-archive", "after-archive"])
def test_a_removed_drop_hands_back_what_it_has_in_hand(step: str, app: App, sshd: Sshd, make: Make) -> None:
    """A poll died; a file that was no batch yet lies in its folder again, for another drop; no order is made twice."""
    drop = make()
    put(sshd, "list.csv")
    die(app, drop, step)
    wait_until(lambda: not is_held(app, drop), "the lock of the killed one is still held")
    before = len(taken(app))
    assert drops.remove(app, drop.name, actor="test") == ([f"{sshd.root}/in/list.csv"] if not before else [])
    assert there(sshd, "processing") == []
    assert there(sshd) == ([] if before else ["list.csv"])
    assert not (app.settings.home / "drops" / str(drop.id)).exists()
    polling.poll(app, make("next"))
    (batch,) = taken(app)
    assert there(sshd, "archive") == [f"{batch.id}-list.csv"] and there(sshd) == []


def test_a_file_whose_name_was_taken_meanwhile_is_not_handed_back(app: App, sshd: Sshd, make: Make) -> None:
    """It goes to the error folder with the reason; the newer one is left alone, and so is what others have in hand."""
    drop, other = make(), make("other")
    put(sshd, "list.csv")
    die(app, drop, "after-claim")
    foreign = sshd.root / "in/processing" / f"{other.token}-1-2-x.csv"
    foreign.write_text(LIST)
    put(sshd, "list.csv", LIST + "ABC-2;Verdi\n")
    wait_until(lambda: not is_held(app, drop), "the lock of the killed one is still held")
    assert drops.remove(app, drop.name, actor="test") == []
    assert there(sshd) == ["list.csv"] and "ABC-2" in (sshd.root / "in/list.csv").read_text()
    assert there(sshd, "processing") == [foreign.name]
    assert there(sshd, "error") == ["list.csv", "list.csv.reason.txt"]
    assert "eliminato" in (sshd.root / "in/error/list.csv.reason.txt").read_text()


def test_a_drop_whose_server_is_away_is_removed_by_force_only(app: App, sshd: Sshd, make: Make) -> None:
    """What it has in hand would be forgotten; one that is being looked into is not removed at all."""
    drop = make(port=1)
    with pytest.raises(Refused, match="remove the drop all the same") as refused:
        drops.remove(app, drop.name, actor="test")
    assert refused.value.code == "drop_unreachable"
    with tables.only_poller(app.engine, drop.id), pytest.raises(Refused, match="in a moment"):
        drops.remove(app, drop.name, force=True, actor="test")
    assert drops.remove(app, drop.name, force=True, actor="test") == []
    assert drops.every(app) == []


def test_a_drop_of_a_folder_that_is_not_there_is_removed(app: App, sshd: Sshd, make: Make) -> None:
    """Nothing is in hand, and no folder is made on the way."""
    make(folders={f"{sshd.root}/nowhere": "redeem-vouchers"})
    assert drops.remove(app, "partner", actor="test") == []
    assert not (sshd.root / "nowhere").exists()
