"""A cron expression in Italian: the shapes that people use. The library that reads them explains in English only.

It goes by the times that an expression stands for, not by how it is written: ``MON-FRI`` and ``1-5`` are the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cronsim import CronSim

_DAYS = ("domenica", "lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato")
_MONTHS = (
    "gennaio", "febbraio", "marzo", "aprile", "maggio", "giugno", "luglio", "agosto", "settembre", "ottobre",
    "novembre", "dicembre",
)  # fmt: skip
_MOST_TIMES = 4  # of a day that are told one by one


def explained(cron: CronSim) -> str | None:
    """When an expression is due, in words; None for one that is better read as it is."""
    if cron.seconds != {0}:
        return None
    days, times = _days(cron), _times(cron)
    if days is None or times is None:
        return None
    is_of_day = times.startswith("alle")
    if not days:
        return f"Ogni giorno {times}" if is_of_day else times[0].upper() + times[1:]
    return f"{days} {times}" if is_of_day else f"{days}, {times}"


def _times(cron: CronSim) -> str | None:
    """At which times of a day."""
    minutes, hours = sorted(cron.minutes), sorted(cron.hours)
    if len(hours) == 24:
        step = _step(minutes, 60)
        if step is not None:
            return "ogni minuto" if step == 1 else f"ogni {step} minuti"
        return f"ogni ora al minuto {minutes[0]}" if len(minutes) == 1 else None
    if len(minutes) > 1:
        return None
    step = _step(hours, 24)
    if step is not None and len(hours) > _MOST_TIMES:
        return f"ogni {step} ore al minuto {minutes[0]}"
    if len(hours) > _MOST_TIMES:
        return None
    return _listed(f"alle {hour:02}:{minutes[0]:02}" for hour in hours)


def _step(found: Sequence[int], of: int) -> int | None:
    """How far apart the values are, where they go round evenly from 0."""
    step = of // len(found)
    return step if step < of and list(found) == list(range(0, of, step)) else None


def _days(cron: CronSim) -> str | None:
    """On which days; "" for every day."""
    is_any_day, is_any_month = len(cron.days) == 31, len(cron.months) == 12
    weekdays = _weekdays(cron)
    if not cron.day_and and not (is_any_day and weekdays == ""):
        return None  # days of the month or of the week, as cron has it where neither begins with a star
    if weekdays is None or (weekdays and not (is_any_day and is_any_month)):
        return None
    if weekdays or (is_any_day and is_any_month):
        return weekdays
    if is_any_day or len(cron.days) > _MOST_TIMES:
        return None
    if cron.days == {CronSim.LAST}:
        named = "L'ultimo giorno"
    elif min(cron.days) < 0:
        return None
    else:
        named = "Il giorno " if len(cron.days) == 1 else "I giorni "
        named += _listed(map(str, sorted(cron.days)))
    months = "ogni mese" if is_any_month else _listed(_MONTHS[month - 1] for month in sorted(cron.months))
    return f"{named} di {months}"


def _weekdays(cron: CronSim) -> str | None:
    """On which days of the week, Monday first; "" for all, None for the first Monday of a month and the like."""
    found: set[int] = set()
    for day in cron.weekdays:
        if not isinstance(day, int):
            return None
        found.add(day % 7)
    if len(found) == 7:
        return ""
    days = sorted(found, key=lambda day: day or 7)
    if len(days) > 2 and found == set(range(days[0], days[-1] + 1)):
        return f"Dal {_DAYS[days[0]]} al {_DAYS[days[-1]]}"
    return "Ogni " + _listed(_DAYS[day] for day in days)


def _listed(words: Iterable[str]) -> str:
    *others, last = words
    return f"{', '.join(others)} e {last}" if others else last
