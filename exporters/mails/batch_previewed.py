"""``batch.previewed``: a batch was previewed and waits to be confirmed."""

from __future__ import annotations

from exporters.mails.letter import Data, Letter, outcome_table, pick
from licensing.fields import Language


def letter(data: Data, language: Language) -> Letter:
    """What each row would get, and that nothing was done yet."""
    titles, rows = outcome_table(data, language)
    return Letter(
        pick(language, f"Preview ready: {data['file']}", f"Anteprima pronta: {data['file']}"),
        [
            pick(
                language,
                f"Batch {data['batch']} ({data['kind']}, file {data['file']}) was previewed. Nothing has been done "
                "yet: it waits for your confirmation.",
                f"Il lotto {data['batch']} ({data['kind']}, file {data['file']}) ha un'anteprima. Nulla è stato "
                "ancora eseguito: attende la vostra conferma.",
            ),
            pick(language, "This is what its rows would get:", "Questo è ciò che le righe otterrebbero:"),
        ],
        titles,
        rows,
        link=data["links"]["page"],
    )
