"""A letter: what a mail says, before it becomes text and HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from licensing.fields import Language

Data = Mapping[str, Any]
STATES: dict[str, dict[Language, str]] = {
    "done": {"en": "done", "it": "completato"},
    "failed": {"en": "failed", "it": "fallito"},
    "cancelled": {"en": "cancelled", "it": "annullato"},
}
OUTCOME_NAMES: dict[str, dict[Language, str]] = {
    "issued": {"en": "issued", "it": "emesse"},
    "unchanged": {"en": "unchanged", "it": "invariate"},
    "accepted": {"en": "accepted", "it": "accettate"},
    "rejected": {"en": "rejected", "it": "rifiutate"},
    "skipped": {"en": "skipped", "it": "saltate"},
}


@dataclass(frozen=True, slots=True)
class Letter:
    """A subject, sentences, then perhaps a table with its titles, a last sentence, and a link."""

    subject: str
    sentences: Sequence[str]
    titles: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    after: str = ""
    link: str = ""


def pick(language: Language, en: str, it: str) -> str:
    """The text in the reader's language."""
    return it if language == "it" else en


def outcome_table(data: Data, language: Language) -> tuple[Sequence[str], Sequence[Sequence[str]]]:
    """How many rows got which outcome, without the outcomes that none got: titles and rows."""
    counts = data["outcomes"]
    rows = [(names[language], str(counts[outcome])) for outcome, names in OUTCOME_NAMES.items() if counts[outcome]]
    return (pick(language, "Outcome", "Esito"), pick(language, "Rows", "Righe")), rows


def not_named(data: Data, shown: Sequence[Any], language: Language) -> str:
    """How many things of an event stand in no table, as a sentence; empty when all do."""
    left = data["count"] - len(shown)
    return pick(language, f"And {left} more.", f"E altri {left}.") if left else ""


def because(data: Data, language: Language) -> str:
    """The sentence of an event's reason: ``code``, ``en`` and ``it``."""
    return str(data["reason"][language])
