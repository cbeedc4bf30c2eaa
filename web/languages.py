"""The language that a reader asks for."""

from __future__ import annotations

from licensing.fields import LANGUAGES, Language


def accepted(header: str | None, usual: Language) -> Language:
    """The language of an ``Accept-Language`` header that we have and that is wanted most, else the usual one."""
    wanted: list[tuple[float, int, Language]] = []
    for place, part in enumerate((header or "").split(",")[:20]):
        tag, _, parameters = part.strip().partition(";")
        quality = _quality(parameters)
        for language in LANGUAGES:
            if quality > 0 and tag.strip().lower().split("-")[0] == language:
                wanted.append((-quality, place, language))
    return min(wanted)[2] if wanted else usual


def _quality(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    try:
        return float(value) if name.strip() == "q" else 1.0
    except ValueError:
        return 0.0
