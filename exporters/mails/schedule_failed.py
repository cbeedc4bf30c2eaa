"""``schedule.failed``: a scheduled run did not succeed and is not tried again."""

from __future__ import annotations

from exporters.mails.letter import Data, Letter, because, pick
from licensing.fields import Language


def letter(data: Data, language: Language) -> Letter:
    """Which run failed, when it was due, and why."""
    return Letter(
        pick(language, f"Schedule failed: {data['schedule']}", f"Pianificazione fallita: {data['schedule']}"),
        [
            pick(
                language,
                f"The run of {data['schedule']} ({data['job']}) that was due at {data['due']} failed.",
                f"L'esecuzione di {data['schedule']} ({data['job']}) prevista per {data['due']} è fallita.",
            ),
            because(data, language),
        ],
    )
