"""``poll-drops``: look into the drops on other SFTP servers and take what has settled there."""

from __future__ import annotations

from jobs.job import Argument, Due, Job, Stopped

DROP = Argument("drop", {"en": "Only the drop of this name", "it": "Solo il drop con questo nome"})


def poll(due: Due) -> None:
    """Look into each drop. What goes wrong in one is noted with it and keeps no other one back; repeatable."""
    from jobs import polling  # the SFTP library is large, and every command knows this job

    for drop in polling.active(due.app, due.arguments.get("drop")):
        if due.ended.is_set():
            raise Stopped
        polled = polling.poll(due.app, drop)
        with due.step():
            due.counts["taken"] += len(polled.taken)
            due.counts["refused"] += len(polled.refused)
            due.counts["failed"] += polled.error is not None


JOB = Job(
    name="poll-drops",
    title={"en": "Look into drops on other SFTP servers", "it": "Controllare i drop su altri server SFTP"},
    run=poll,
    told={
        "en": "{taken} files taken, {refused} refused; {failed} drops with a problem (keymill drops list)",
        "it": "{taken} file presi, {refused} rifiutati; {failed} drop con un problema (keymill drops list)",
    },
    arguments=(DROP,),
)
