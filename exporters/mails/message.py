"""A letter as a message: plain text, and the same as simple HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from html import escape

from exporters.mails.letter import Letter
from licensing.fields import Language

LONGEST_SUBJECT = 200


class BadAddress(ValueError):
    """A text that is not one mail address."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """From whom to whom, when the event was, and the id that every attempt of a delivery has in common."""

    sender: str
    receiver: str
    at: datetime
    message_id: str


def message(letter: Letter, language: Language, envelope: Envelope) -> EmailMessage:
    """The message, the same for the same letter and envelope. Raises :class:`BadAddress`."""
    made = EmailMessage()
    made["Subject"] = _one_line(letter.subject)[:LONGEST_SUBJECT]
    made["From"] = _address(envelope.sender)
    made["To"] = _address(envelope.receiver)
    made["Date"] = envelope.at
    made["Message-ID"] = envelope.message_id
    made["Auto-Submitted"] = "auto-generated"
    made["Content-Language"] = language
    made.set_content(_text(letter))
    made.add_alternative(_html(letter, language), subtype="html")
    return made


def _one_line(text: str) -> str:
    """A text as it may stand in a header: no line end, no other control character."""
    return " ".join("".join(character if character.isprintable() else " " for character in text).split())


def _address(text: str) -> Address:
    try:
        return Address(addr_spec=text)
    except Exception as problem:  # the parser raises whatever it stumbled over
        raise BadAddress(f"not a mail address: {_one_line(text)}") from problem


def _text(letter: Letter) -> str:
    parts = ["\n".join(letter.sentences)]
    if letter.rows:
        parts.append("\n".join(_aligned([letter.titles, *letter.rows])))
    parts += [part for part in (letter.after, letter.link) if part]
    return "\n\n".join(parts) + "\n"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]


def _html(letter: Letter, language: Language) -> str:
    parts = [_tag("p", sentence) for sentence in letter.sentences]
    if letter.rows:
        rows = ["".join(_tag("th", title) for title in letter.titles)]
        rows += ["".join(_tag("td", cell) for cell in row) for row in letter.rows]
        parts.append("<table>" + "".join(f"<tr>{row}</tr>" for row in rows) + "</table>")
    if letter.after:
        parts.append(_tag("p", letter.after))
    if letter.link:
        parts.append(f'<p><a href="{escape(letter.link)}">{escape(letter.link)}</a></p>')
    style = "td, th { text-align: left; padding: 2px 12px 2px 0 }"
    head = f'<head><meta charset="utf-8"><title>{escape(letter.subject)}</title><style>{style}</style></head>'
    return f'<!DOCTYPE html>\n<html lang="{language}">{head}<body>\n' + "\n".join(parts) + "\n</body></html>\n"


def _tag(name: str, text: str) -> str:
    return f"<{name}>{escape(text)}</{name}>"
