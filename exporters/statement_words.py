"""The words of reports, and numbers, sums and days as their readers write them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import cache

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal

from licensing.contracts import Period
from licensing.fields import LANGUAGES, Language

_WORDS: dict[str, tuple[str, str]] = {
    "title": ("Usage statement", "Estratto d'uso"),
    "summary": ("Reconciliation of contracts", "Riconciliazione dei contratti"),
    "summary_sheet": ("Summary", "Riepilogo"),
    "statements": ("Statements", "Estratti"),
    "customer": ("Customer", "Cliente"),
    "customer_number": ("Customer no.", "N. cliente"),
    "contract": ("Contract", "Contratto"),
    "term": ("Term", "Durata"),
    "until": ("Counted to", "Contato fino al"),
    "batch": ("Batch", "Lotto"),
    "product": ("Product", "Prodotto"),
    "period": ("Period", "Periodo"),
    "from": ("From", "Dal"),
    "to": ("To", "Al"),
    "state": ("State", "Stato"),
    "open": ("open", "aperto"),
    "closed": ("closed", "chiuso"),
    "adjusted": ("adjusted", "rettifica"),
    "committed": ("Committed", "Impegnato"),
    "allowed": ("Allowed", "Consentito"),
    "used": ("Used", "Usato"),
    "drawn": ("Drawn", "Prelevato"),
    "peak": ("Peak", "Massimo"),
    "peak_day": ("Peak on", "Massimo il"),
    "over": ("Over", "Oltre"),
    "owed": ("Owed", "Dovuto"),
    "owed_from": ("Owed from", "Dovuto dal"),
    "currency": ("Currency", "Valuta"),
    "missing_days": ("Days without report", "Giorni senza dati"),
    "no": ("No.", "N."),
    "since": ("from", "dal"),
    "replaced": ("replaced", "sostituito"),
    "number": ("Statement", "Estratto"),
    "attention": ("Attention", "Attenzione"),
    "flag_owed": ("owed", "dovuto"),
    "flag_over": ("over, not owed", "oltre, non dovuto"),
    "flag_tolerated": ("over, tolerated", "oltre, tollerato"),
    "flag_adjusted": ("adjusted", "rettificato"),
    "flag_missing": ("reports missing", "dati mancanti"),
    "owed_closed": ("Owed for closed periods", "Dovuto per periodi chiusi"),
    "owed_open": ("So far in open periods", "Finora, periodi aperti"),
    "owed_adjusted": ("Adjusted to", "Rettificato a"),
    "nothing": ("nothing", "nulla"),
    "none": ("none", "nessuno"),
    "day": ("Day", "Giorno"),
    "chart_data": ("What the charts show", "I dati dei grafici"),
    "usage": ("Usage against commitment", "Uso e impegno"),
    "no_data": ("no report", "nessun dato"),
    "notes": ("Notes", "Note"),
    "back": ("Back to the summary", "Torna al riepilogo"),
    "metric_peak": ("counted by peak", "conta il massimo"),
    "metric_average": ("counted by average", "conta la media"),
    "policy_true_up": ("excess owed from the first day over", "eccesso dovuto dal primo giorno"),
    "policy_true_forward": ("excess owed from the next period on", "eccesso dovuto dal periodo seguente"),
    "policy_hard_stop": ("no excess", "nessun eccesso"),
    "more_rows": (
        "and {0} more statements: all of them are in the contract's workbook, which you can ask for.",
        "e altri {0} estratti: sono tutti nella cartella di lavoro del contratto, che si può chiedere.",
    ),
    "more_charts": (
        "Charts of {0} more products are in the contract's workbook.",
        "I grafici di altri {0} prodotti sono nella cartella di lavoro del contratto.",
    ),
    "more_notes": ("and {0} more notes.", "e altre {0} note."),
    "one_day": ("1 day", "1 giorno"),
    "days": ("{0} days", "{0} giorni"),
    "gap": (
        "{0}: nothing was reported on {1} ({2}), which is not read as zero.",
        "{0}: nessun dato per {1} ({2}), che non vale zero.",
    ),
    "gap_days": (
        "{0}, {1}: nothing is known of {2}, which is not read as zero.",
        "{0}, {1}: nulla si sa di {2}, che non vale zero.",
    ),
    "adjustment": (
        "{0}, {1}: statement {2} replaces {3}, because reports came late. Owed before: {4}; now: {5}.",
        "{0}, {1}: l'estratto {2} sostituisce il {3}, per dati arrivati in ritardo. Dovuto prima: {4}; ora: {5}.",
    ),
    "tolerated": (
        "{0}, {1}: {2} over what is allowed, which is within the tolerance of {3} % and not owed.",
        "{0}, {1}: {2} oltre il consentito, entro la tolleranza del {3} %: non dovuto.",
    ),
    "amendment": (
        "{0}: {1} committed from {2} on, {3} before.",
        "{0}: {1} impegnate dal {2}, {3} prima.",
    ),
    "trace": (
        "Every figure comes from reports and draw-downs that can be named: quote the number of the statement.",
        "Ogni cifra deriva da dati e prelievi che si possono indicare: citare il numero dell'estratto.",
    ),
    "open_means": (
        "An open period still runs: its figures are those of the days so far.",
        "Un periodo aperto è in corso: le cifre sono quelle dei giorni trascorsi.",
    ),
    "list_cut": (
        "{0} of {1} statements, those to be looked at first; all of them are in the CSV and JSON files.",
        "{0} di {1} estratti, quelli da guardare per primi; sono tutti nei file CSV e JSON.",
    ),
    "totals_of": ("{0} statements of {1} contracts", "{0} estratti di {1} contratti"),
}


def word(name: str, language: Language, *values: object) -> str:
    """A word or a sentence with its values."""
    en, it = _WORDS[name]
    text = it if language == "it" else en
    return text.format(*values) if values else text


class Writing:
    """A language with a locale's way to write numbers, sums and days."""

    def __init__(self, language: Language, locale: str | None = None) -> None:
        """``locale``: that of the reader, taken where it is of one of our languages; that language then goes first."""
        known = _locale(locale)
        of_reader = next((one for one in LANGUAGES if known is not None and known.language == one), None)
        self.language: Language = of_reader or language
        self._locale = known if known is not None and of_reader else Locale.parse(_USUAL[self.language])

    def word(self, name: str, *values: object) -> str:
        """A word or a sentence with its values."""
        return word(name, self.language, *values)

    def number(self, value: Decimal | int) -> str:
        """A quantity, with decimals only where there are some."""
        return str(format_decimal(value, "#,##0.##", locale=self._locale))

    def amount(self, value: Decimal) -> str:
        """A sum with two decimals, without its currency."""
        return str(format_decimal(value, "#,##0.00", locale=self._locale))

    def money(self, value: Decimal, currency: str | None) -> str:
        """A sum with its currency, always with two decimals."""
        if not currency:
            return self.amount(value)
        return str(format_currency(value, currency, locale=self._locale, currency_digits=False, format=None))

    def sums(self, found: Mapping[str, Decimal]) -> list[str]:
        """Sums by currency."""
        return [self.money(value, currency) for currency, value in found.items()]

    def day(self, value: date) -> str:
        """A day with the name of its month."""
        return str(format_date(value, "medium", locale=self._locale))

    def short_day(self, value: date) -> str:
        """Day and month."""
        return str(format_date(value, _SHORT[self.language], locale=self._locale))

    def period(self, period: Period) -> str:
        """The first and the last day."""
        if period.starts == period.ends:
            return self.day(period.starts)
        return f"{self.day(period.starts)} – {self.day(period.ends)}"

    def days(self, count: int) -> str:
        """How many days."""
        return self.word("one_day") if count == 1 else self.word("days", self.number(count))

    def month(self, value: date) -> str:
        """The name of a month, short."""
        return str(format_date(value, "MMM", locale=self._locale))


_USUAL: dict[Language, str] = {"en": "en_GB", "it": "it_IT"}
_SHORT: dict[Language, str] = {"en": "d MMM", "it": "d MMM"}


@cache
def _locale(name: str | None) -> Locale | None:
    try:
        return Locale.parse(name.replace("-", "_")) if name else None
    except (ValueError, UnknownLocaleError):
        return None
