"""One mail: the only place that speaks SMTP, with the server that the settings name."""

from __future__ import annotations

import smtplib
import ssl
from contextlib import suppress
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import make_msgid
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from config.settings import Settings
from exporters.mails import trial
from exporters.mails.message import BadAddress, Envelope, message
from jobs.refusals import Refused
from licensing.fields import Language

ACCEPTED = 250
STEP_SECONDS = 10.0  # for each answer of the server
PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


class Posted(NamedTuple):
    """What the server said: its code (None where there was none), its words, and whether to try again."""

    status: int | None
    text: str
    may_be_tried_again: bool


def send(settings: Settings, mail: EmailMessage) -> Posted:
    """Hand a message over once. Never raises for what the server does.

    What a server says for good (5xx) of a receiver or a message is final; trouble before that, a refused sign-in too,
    may be mended by operations and is tried again.
    """
    try:
        server = _signed_in(settings)
        try:
            server.send_message(mail)
        finally:
            _leave(server)
    except smtplib.SMTPRecipientsRefused as refused:
        [(status, words)] = refused.recipients.values()
        return _refused(status, words, is_final=status >= 500)
    except smtplib.SMTPDataError as refused:
        return _refused(refused.smtp_code, refused.smtp_error, is_final=refused.smtp_code >= 500)
    except smtplib.SMTPResponseException as refused:
        return _refused(refused.smtp_code, refused.smtp_error, is_final=False)
    except (smtplib.SMTPException, OSError) as problem:
        return Posted(None, str(problem) or type(problem).__name__, may_be_tried_again=True)
    return Posted(ACCEPTED, "", may_be_tried_again=False)


def send_test(settings: Settings, address: str, language: Language) -> Posted:
    """Send a mail that says only that mail works. Raises :class:`Refused` where no server is set."""
    if not settings.smtp_url:
        raise Refused(
            "no_mail_server",
            "No mail server is set. Set KEYMILL_SMTP_URL and KEYMILL_MAIL_FROM.",
            "Nessun server di posta è impostato. Impostare KEYMILL_SMTP_URL e KEYMILL_MAIL_FROM.",
        )
    envelope = Envelope(settings.mail_from, address, datetime.now(UTC), make_msgid(domain="keymill"))
    try:
        return send(settings, message(trial.letter(language), language, envelope))
    except BadAddress as problem:
        return Posted(None, str(problem), may_be_tried_again=False)


def _refused(status: int, words: bytes | str, *, is_final: bool) -> Posted:
    text = words.decode(errors="replace") if isinstance(words, bytes) else words
    return Posted(status, text, not is_final)


def _leave(server: smtplib.SMTP) -> None:
    """End the conversation; what the server says to that changes nothing."""
    with suppress(smtplib.SMTPException, OSError):
        server.quit()
    server.close()


def _signed_in(settings: Settings) -> smtplib.SMTP:
    """A connection that is encrypted and signed in as the URL says."""
    url = urlsplit(settings.smtp_url)
    host, port = url.hostname or "", url.port or PORTS[url.scheme]
    if url.scheme == "smtps":
        context = ssl.create_default_context()
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=STEP_SECONDS, context=context)
    else:
        server = smtplib.SMTP(host, port, timeout=STEP_SECONDS)
    try:
        if url.scheme == "smtp+starttls":
            server.starttls(context=ssl.create_default_context())
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
    except BaseException:
        server.close()
        raise
    return server
