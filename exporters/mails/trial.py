"""A mail that somebody asked for, to see whether mail works."""

from __future__ import annotations

from exporters.mails.letter import Letter, pick
from licensing.fields import Language


def letter(language: Language) -> Letter:
    """That it works."""
    return Letter(
        pick(language, "Keymill can send mail", "Keymill può inviare posta"),
        [
            pick(
                language,
                "This mail was asked for with keymill mails test.",
                "Questo messaggio è stato richiesto con keymill mails test.",
            )
        ],
    )
