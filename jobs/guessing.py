"""Which kind a file is for, when its sender does not say: found by its header, and told with the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from config import children
from config.wiring import App
from importers.guessing import Candidate, Fit, choose
from jobs.control import find_account
from jobs.kinds.registry import KINDS
from jobs.reading import child_limits, wanted_of
from jobs.refusals import Refused
from licensing.field_catalogue import FIELDS
from licensing.fields import Language
from models import header_mappings
from models.database import transaction

_SHOWN = 3  # kinds that nearly fit
# What to do about it on a command line; a page has a better way.
ADVICE: dict[Language, str] = {
    "en": " Say what it is for: --kind KIND",
    "it": " Indicare per cosa: --kind TIPO",
}


@dataclass(frozen=True, slots=True)
class Guess:
    """The kind, and a sentence that says by which columns it was found."""

    kind: str
    en: str
    it: str

    def sentence(self, language: Language) -> str:
        """The sentence for a person."""
        return self.it if language == "it" else self.en


@dataclass(frozen=True, slots=True)
class Look:
    """What a file's header says to each kind that its account may send, and its titles, whatever they say."""

    fits: tuple[Fit, ...]
    titles: tuple[str, ...]

    def guess(self) -> Guess:
        """The kind that the file is for. Raises :class:`Refused` where no kind, or no one kind, fits."""
        chosen = choose(self.fits)
        if len(chosen) != 1:
            raise _cannot_tell(chosen) if chosen else _nothing_fits(self.fits)
        return Guess(
            chosen[0].kind,
            f"Taken for {chosen[0].kind}: {_because(chosen[0], 'en')}.",
            f"Preso per {chosen[0].kind}: {_because(chosen[0], 'it')}.",
        )


def guess(app: App, account_number: str, path: Path, given: Mapping[str, str]) -> Guess:
    """The kind that a file of an account is for. Raises :class:`Refused` where no kind, or no one kind, fits."""
    return look(app, account_number, path, given).guess()


def look(app: App, account_number: str, path: Path, given: Mapping[str, str]) -> Look:
    """Hold a file against every kind that its account may send. Raises :class:`Refused` for what cannot be read."""
    with transaction(app.engine) as connection:
        account = find_account(connection, account_number)
        mapped = header_mappings.of_account(connection, account.id)
    # A value for the whole batch tells something too: only kinds with such a column can be meant.
    kinds = [kind for kind in KINDS.values() if account.type in kind.senders and given.keys() <= set(kind.names)]
    if not kinds:
        raise _unclear("No kind that this account may send has such columns.", "Nessun tipo ammesso ha queste colonne.")
    candidates = [
        Candidate(kind.name, wanted_of(kind, account, given, mapped.get(kind.name, {})), kind.takes_any_column)
        for kind in kinds
    ]
    request = {
        "path": str(path.absolute()),
        "candidates": [one._asdict() | {"wanted": one.wanted.to_json()} for one in candidates],
        "limits": app.settings.limits.to_json(),
    }
    limits = child_limits(app, path.stat().st_size)
    try:
        answer = children.run("jobs.children.guessing", request, on_block=lambda _: None, **limits)
    except children.ChildDied as death:
        raise Refused(f"reader_{death.how}", death.en, death.it) from death
    if "refused" in answer:
        raise Refused(**answer["refused"])
    return Look(tuple(Fit.from_json(fit) for fit in answer["fits"]), tuple(answer["titles"]))


def _because(fit: Fit, language: Language) -> str:
    """By which columns: the titles of the file, with ours where they differ."""
    shown = []
    for name, title in fit.titles.items():
        ours = FIELDS[name].title[language]
        shown.append(title if title.casefold() == ours.casefold() else f"{title} = {ours}")
    layout = "" if fit.layout is None else {"en": f"layout {fit.layout}, ", "it": f"formato {fit.layout}, "}[language]
    columns = {"en": "columns", "it": "colonne"}[language]
    others = {"en": " and data of your own", "it": " e dati propri"}[language] if fit.takes_others else ""
    return f"{layout}{columns} {', '.join(shown)}{others}"


def _cannot_tell(chosen: list[Fit]) -> Refused:
    kinds = [fit.kind for fit in chosen]
    return _unclear(
        f"The file could be for {' or '.join(kinds)}.",
        f"Il file potrebbe essere per {' o '.join(kinds)}.",
    )


def _nothing_fits(found: Sequence[Fit]) -> Refused:
    """No kind fits: the ones that lack least are named, with what they lack."""
    nearest = sorted(found, key=lambda fit: (len(fit.missing), -len(fit.places)))[:_SHOWN]
    lacking: dict[Language, str] = {
        language: "; ".join(
            f"{fit.kind}: {', '.join(FIELDS[name].title[language] for name in fit.missing)}" for fit in nearest
        )
        for language in ("en", "it")
    }
    if not nearest:
        return _unclear("No row of the file looks like a header.", "Nessuna riga del file sembra un'intestazione.")
    return _unclear(
        f"The file fits no kind. Missing for {lacking['en']}.",
        f"Il file non corrisponde a nessun tipo. Manca per {lacking['it']}.",
    )


def _unclear(en: str, it: str) -> Refused:
    return Refused("kind_unclear", en + ADVICE["en"], it + ADVICE["it"])
