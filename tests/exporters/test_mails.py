"""Letters and messages: every event in both languages, text and HTML alike, and headers that nobody can add to."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.mails.letter import Letter
from exporters.mails.message import LONGEST_SUBJECT, BadAddress, Envelope, message
from exporters.mails.registry import LETTERS
from licensing.fields import LANGUAGES, Language
from models.outbox import EventType

OUTCOMES = {"issued": 3, "unchanged": 0, "accepted": 0, "rejected": 2, "skipped": 0}
BATCH: dict[str, Any] = {
    "batch": 12, "kind": "redeem-vouchers", "file": "list.csv", "state": "done", "rows": 5, "outcomes": OUTCOMES,
    "codes": {}, "reason": None, "links": {"page": "https://keys.example.com/batches/12"},
}  # fmt: skip
REASON = {"code": "c", "en": "It was so.", "it": "Era così."}
NOTIFICATION = {"notification": "N-1", "product": "CAD", "version": "5.0", "license": "L-1", "quantity": 7}
STATEMENT = {
    "statement": 4, "contract": "FC-1", "product": "CAD", "state": "closed", "starts": "2026-01-01",
    "ends": "2026-03-31", "owed": 12.5, "currency": "EUR",
}  # fmt: skip
DATA: dict[str, dict[str, Any]] = {
    "batch.previewed": BATCH,
    "batch.ended": BATCH,
    "upgrades.notified": {"batch": 12, "count": 3, "notifications": [NOTIFICATION]},
    "statements.closed": {"batch": 12, "count": 1, "statements": [STATEMENT]},
    "schedule.failed": {"schedule": "nightly", "job": "reconcile-contracts", "due": "2026-03-31", "reason": REASON},
    "webhook.disabled": {"endpoint": 3, "account": "OEM", "url": "https://example.com/", "reason": REASON},
}
ENVELOPE = Envelope(
    "keymill@example.com", "anna@example.it", datetime(2026, 3, 31, 8, tzinfo=UTC), "<msg_1.7@keys.example.com>"
)


class Words(HTMLParser):
    """The texts of an HTML page."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.found.append(data)


def parts(mail: EmailMessage) -> tuple[str, Words]:
    """The text of a message as it was sent, and what its HTML says."""
    read = message_from_bytes(mail.as_bytes(), policy=policy.default)
    plain, html = read.get_body(("plain",)), read.get_body(("html",))
    assert plain is not None and html is not None
    words = Words()
    words.feed(html.get_content())
    return plain.get_content(), words


def test_every_event_has_a_letter():
    """A type without one could not be mailed."""
    assert set(LETTERS) == set(get_args(EventType)) == set(DATA)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", LETTERS)
def test_a_letter_says_the_same_in_text_and_html(name: str, language: Language):
    """Every sentence and cell stands in both, under a subject and in the reader's language."""
    letter = LETTERS[name](DATA[name], language)
    text, words = parts(message(letter, language, ENVELOPE))
    html = "\n".join(words.found)
    for said in [*letter.sentences, *(cell for row in letter.rows for cell in row), letter.after, letter.link]:
        assert said in text
        assert said in html
    other: Language = "it" if language == "en" else "en"
    translated = LETTERS[name](DATA[name], other)
    assert letter.subject != translated.subject
    assert not set(letter.sentences) & set(translated.sentences)


def test_the_ends_of_a_batch_are_told_apart():
    """Failed with its reason; rejected rows with what to do about them, and not where there are none."""
    failed = LETTERS["batch.ended"](BATCH | {"state": "failed", "reason": REASON}, "it")
    assert failed.subject == "Lotto fallito: list.csv"
    assert "Era così." in failed.sentences
    assert "correct them" in LETTERS["batch.ended"](BATCH, "en").after
    assert LETTERS["batch.ended"](BATCH | {"outcomes": OUTCOMES | {"rejected": 0}}, "en").after == ""


def test_what_is_not_named_is_counted():
    """A long list is cut, and the letter says by how much."""
    assert LETTERS["upgrades.notified"](DATA["upgrades.notified"], "en").after == "And 2 more."
    assert LETTERS["statements.closed"](DATA["statements.closed"], "en").after == ""


def test_the_headers_of_a_message():
    """Who, to whom, when the event was, an id of its own, and that no person wrote it."""
    mail = message_from_bytes(message(LETTERS["batch.ended"](BATCH, "en"), "en", ENVELOPE).as_bytes())
    assert (mail["From"], mail["To"]) == ("keymill@example.com", "anna@example.it")
    assert (mail["Message-ID"], mail["Auto-Submitted"]) == ("<msg_1.7@keys.example.com>", "auto-generated")
    assert mail["Date"] == "Tue, 31 Mar 2026 08:00:00 +0000"


@given(st.text(max_size=400))
def test_nothing_in_a_subject_becomes_a_header(subject: str):
    """Whatever a file is called, the message has the headers that it has, each once, and one line of subject."""
    made = message(Letter("x" + subject, ["Hello."]), "en", ENVELOPE).as_bytes()
    read = message_from_bytes(made, policy=policy.default)
    plain = message_from_bytes(message(Letter("x", ["Hello."]), "en", ENVELOPE).as_bytes(), policy=policy.default)
    assert read.keys() == plain.keys()
    assert len(read["Subject"]) <= LONGEST_SUBJECT
    assert "\n" not in read["Subject"] and "\r" not in read["Subject"]


@given(st.text(max_size=60))
def test_nothing_in_a_letter_becomes_markup(text: str):
    """A file called like a tag stays a text."""
    link = "https://e.it/?a=1&b='\""
    _, words = parts(message(Letter("s", [text, "<b>"], ("T",), [("<i>",)], "<u>", link), "en", ENVELOPE))
    assert words.tags <= {"html", "head", "meta", "title", "style", "body", "p", "table", "tr", "th", "td", "a"}


@pytest.mark.parametrize(
    "address", ["", "anna", "anna@", "a@b.it, c@d.it", "a@b.it\r\nBcc: c@d.it", "a@b.it\nx", "<a@b.it>", "a b@c.it"]
)
def test_what_is_not_one_address_is_refused(address: str):
    """Neither receiver nor sender can smuggle in another one."""
    with pytest.raises(BadAddress):
        message(Letter("s", ["x"]), "en", Envelope("keymill@example.com", address, ENVELOPE.at, "<1@x>"))
