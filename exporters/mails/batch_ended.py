"""``batch.ended``: a batch is done, failed or cancelled."""

from __future__ import annotations

from exporters.mails.letter import STATES, Data, Letter, because, outcome_table, pick
from licensing.fields import Language


def letter(data: Data, language: Language) -> Letter:
    """How the batch ended, why if it failed, and how many rows got what."""
    state = STATES[data["state"]][language]
    titles, rows = outcome_table(data, language)
    sentences = [
        pick(
            language,
            f"Batch {data['batch']} ({data['kind']}, file {data['file']}) is {state}.",
            f"Il lotto {data['batch']} ({data['kind']}, file {data['file']}) è {state}.",
        )
    ]
    if data["reason"]:
        sentences.append(because(data, language))
    rejected = data["outcomes"]["rejected"]
    return Letter(
        pick(language, f"Batch {state}: {data['file']}", f"Lotto {state}: {data['file']}"),
        sentences,
        titles if rows else (),
        rows,
        pick(
            language,
            "The rejected rows are in a file of their own among the results: correct them there and send it.",
            "Le righe rifiutate sono in un file a parte tra i risultati: correggerle lì e inviarlo.",
        )
        if rejected
        else "",
        data["links"]["page"],
    )
