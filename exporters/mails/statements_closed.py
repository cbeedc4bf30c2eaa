"""``statements.closed``: a customer's statements were closed, or adjusted after they had been."""

from __future__ import annotations

from exporters.mails.letter import Data, Letter, not_named, pick
from licensing.fields import Language

_STATES: dict[str, dict[Language, str]] = {
    "closed": {"en": "closed", "it": "chiuso"},
    "adjusted": {"en": "adjusted", "it": "rettificato"},
}


def letter(data: Data, language: Language) -> Letter:
    """The statements with their periods and what is owed."""
    named = data["statements"]
    contracts = ", ".join(sorted({one["contract"] for one in named}))
    return Letter(
        pick(language, f"Statements: {contracts}", f"Rendiconti: {contracts}"),
        [
            pick(
                language,
                f"Statements of your contracts that were closed or adjusted: {data['count']}.",
                f"Rendiconti dei vostri contratti che sono stati chiusi o rettificati: {data['count']}.",
            )
        ],
        (
            pick(language, "Statement", "Rendiconto"),
            pick(language, "Contract", "Contratto"),
            pick(language, "Product", "Prodotto"),
            pick(language, "Period", "Periodo"),
            pick(language, "State", "Stato"),
            pick(language, "Owed", "Dovuto"),
        ),
        [
            (
                str(one["statement"]),
                one["contract"],
                one["product"],
                f"{one['starts']} - {one['ends']}",
                _STATES[one["state"]][language],
                f"{one['owed']} {one['currency'] or ''}".strip(),
            )
            for one in named
        ],
        not_named(data, named, language),
    )
