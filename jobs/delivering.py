"""Deliveries: webhooks and mails on their way from the outbox, tried until they arrive or three days are over.

Any number of threads and processes may deliver: a delivery is leased to one of them. One that was killed in the middle
leaves a lease that runs out, and the next attempt carries the same message id.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlsplit

import structlog
from sqlalchemy import Connection

from config.wiring import App
from exporters.mails.message import BadAddress, Envelope, message
from exporters.mails.registry import LETTERS
from jobs import calling, mailing, notifying
from jobs.parking import sentence_of
from licensing.fields import LANGUAGES, Language
from models import accounts, audit, outbox, webhooks
from models.database import is_outage, transaction
from models.outbox import Delivery
from models.webhooks import Endpoint
from signing.webhooks import UnopenedSecret, headers, unwrap

log = structlog.get_logger("keymill.deliveries")

MINUTE, HOUR = 60.0, 3600.0
# Waits after each attempt that failed, as the Standard Webhooks specification proposes; then it has failed for good.
WAITS = (5.0, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR)
MOST_ATTEMPTS = len(WAITS) + 1
JITTER = 0.1  # waits are up to so much longer, so that what failed together does not come back together
DISABLED_AFTER_SECONDS = 5 * 24 * HOUR  # without a single success
WEBHOOK_LEASE_SECONDS, MAIL_LEASE_SECONDS = 60.0, 150.0  # longer than the slowest attempt can take
KEPT_CHARACTERS = 1_000  # of an answer, in the delivery log
THREADS = 4  # half of them see to webhooks first, the others to mails
POLL_SECONDS = 1.0

Reason = Mapping[str, str]  # ``code``, and a sentence in ``en`` and ``it``
REMOVED: Reason = {"code": "removed", "en": "The webhook was removed.", "it": "Il webhook è stato rimosso."}
_KILLED: Reason = {
    "code": "killed",
    "en": "The process that delivered ended in the middle of the last attempt.",
    "it": "Il processo che consegnava è terminato durante l'ultimo tentativo.",
}
_NO_MAIL_SERVER: Reason = {
    "code": "no_mail_server",
    "en": "No mail server is set (KEYMILL_SMTP_URL).",
    "it": "Nessun server di posta è impostato (KEYMILL_SMTP_URL).",
}
GONE: Reason = {"code": "gone", "en": "It answered 410 Gone.", "it": "Ha risposto 410 Gone."}


class Attempt(NamedTuple):
    """What came of trying: whether it arrived, whether trying again may help, and the receiver's answer.

    ``reason``: why it was not sent at all.
    """

    arrived: bool
    may_be_tried_again: bool
    status: int | None
    answer: str
    reason: Reason | None = None

    def told(self, language: Language) -> str:
        """The answer, or why there is none, for a person."""
        return self.reason[language] if self.reason else self.answer


def start(app: App, ended: threading.Event) -> list[threading.Thread]:
    """Deliver in threads of this process until ``ended`` is set."""
    threads = [
        threading.Thread(target=_serve, args=(app, ended, number % 2 == 1), name=f"delivery {number}", daemon=True)
        for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    return threads


def join(app: App, threads: Sequence[threading.Thread]) -> None:
    """Let what is under way end, for as long as the settings say; the rest comes back with its lease."""
    limit = time.monotonic() + app.settings.stop_seconds
    for thread in threads:
        thread.join(max(0.0, limit - time.monotonic()))


def _serve(app: App, ended: threading.Event, mails_first: bool) -> None:
    while not ended.is_set():
        try:
            was_busy = deliver_next(app, mails_first=mails_first)
        except Exception as error:  # the database is away: what was under way comes back with its lease
            log.warning("delivery failed", error=f"{type(error).__name__}: {error}"[:500])
            was_busy = False
        if not was_busy:
            ended.wait(POLL_SECONDS)


def deliver_next(app: App, *, mails_first: bool = False) -> bool:
    """Try the delivery whose turn it is. False when none is due."""
    with transaction(app.engine) as connection:
        delivery = outbox.claim(
            connection,
            webhook_seconds=WEBHOOK_LEASE_SECONDS,
            mail_seconds=MAIL_LEASE_SECONDS,
            mails_first=mails_first,
        )
    if delivery is None:
        return False
    deliver(app, delivery)
    return True


def deliver(app: App, delivery: Delivery) -> Attempt:
    """Try a delivery that is leased to this thread, and write down what came of it."""
    try:
        attempt = _try(app, delivery)
    except Exception as error:
        if is_outage(error):
            raise
        log.exception("delivery failed", delivery=delivery.id)
        attempt = Attempt(False, True, None, sentence_of(error))
    kept = "".join(c if c.isprintable() or c == "\n" else " " for c in attempt.answer)[:KEPT_CHARACTERS]
    with transaction(app.engine) as connection:
        # The endpoint first: whoever locks it and deliveries does so in this order.
        endpoint = None
        if delivery.endpoint_id is not None:
            endpoint = webhooks.by_id(connection, delivery.endpoint_id, lock=True)
        state, wait_seconds = _next_step(delivery, attempt)
        held = outbox.settle(
            connection, delivery, state, attempt.status, kept, attempt.reason, again_after_seconds=wait_seconds
        )
        # An answer from an address that the endpoint had before says nothing of the present one.
        if held and endpoint is not None and endpoint.url == delivery.url:
            _judge(app, connection, endpoint, delivery, attempt)
    log.info(
        "delivered" if attempt.arrived else "not delivered",
        delivery=delivery.id,
        message=delivery.message_id,
        to=delivery.url or delivery.address,
        attempt=delivery.attempts,
        status=attempt.status,
    )
    return attempt


def _next_step(delivery: Delivery, attempt: Attempt) -> tuple[outbox.State, float]:
    """The state of a delivery after an attempt, and how many seconds it waits if it waits."""
    if attempt.arrived:
        return "delivered", 0.0
    if not attempt.may_be_tried_again or delivery.attempts >= MOST_ATTEMPTS:
        return "failed", 0.0
    return "waiting", WAITS[delivery.attempts - 1] * (1 + random.uniform(0, JITTER))  # noqa: S311 - no secret


def _try(app: App, delivery: Delivery) -> Attempt:
    if delivery.attempts > MOST_ATTEMPTS:
        return _not_sent(_KILLED)
    return _mail(app, delivery) if delivery.url is None else _call(app, delivery, delivery.url)


def _not_sent(reason: Reason, *, may_be_tried_again: bool = False) -> Attempt:
    return Attempt(False, may_be_tried_again, None, reason["en"], reason)


def _call(app: App, delivery: Delivery, url: str) -> Attempt:
    assert delivery.endpoint_id is not None
    with app.engine.connect() as connection:
        stored = webhooks.secrets_of(connection, delivery.endpoint_id)
    if not stored:  # it was removed a moment ago: nothing leaves unsigned
        return _not_sent(REMOVED)
    try:
        valid = [unwrap(secret.wrapped, secret.name, app.kek) for secret in stored]
    except UnopenedSecret as problem:
        reason = {"code": problem.code, "en": problem.en, "it": problem.it}
        return _not_sent(reason, may_be_tried_again=True)
    body = payload(delivery)
    signed = headers(valid, delivery.message_id, int(time.time()), body)
    told = {"content-type": "application/json", "user-agent": "Keymill", **signed}
    reply = calling.post(url, told, body, private_too=app.settings.webhooks_private)
    arrived = reply.status is not None and 200 <= reply.status < 300
    return Attempt(arrived, reply.status != HTTPStatus.GONE, reply.status, reply.text)


def payload(delivery: Delivery) -> bytes:
    """The body of a webhook: the same bytes at every attempt."""
    told = {"type": delivery.type, "timestamp": delivery.at.astimezone(UTC).isoformat(), "data": delivery.data}
    return json.dumps(told, separators=(",", ":"), ensure_ascii=False).encode()


def _mail(app: App, delivery: Delivery) -> Attempt:
    settings = app.settings
    if not settings.smtp_url:
        return _not_sent(_NO_MAIL_SERVER, may_be_tried_again=True)
    assert delivery.address is not None
    language = next((known for known in LANGUAGES if known == delivery.language), settings.language)
    domain = urlsplit(settings.public_url).hostname
    identity = f"<{delivery.message_id}.{delivery.id}@{domain}>"
    envelope = Envelope(settings.mail_from, delivery.address, delivery.at.astimezone(UTC), identity)
    try:
        posted = mailing.send(settings, message(LETTERS[delivery.type](delivery.data, language), language, envelope))
    except BadAddress as problem:
        return Attempt(False, False, None, str(problem))
    return Attempt(posted.status == mailing.ACCEPTED, posted.may_be_tried_again, posted.status, posted.text)


def _judge(app: App, connection: Connection, endpoint: Endpoint, delivery: Delivery, attempt: Attempt) -> None:
    """Disable an endpoint that says it is gone, or to which nothing has come through for days."""
    if attempt.arrived:
        webhooks.succeeded(connection, endpoint.id)
        return
    failing_seconds = webhooks.failed(connection, endpoint.id)
    if attempt.status == HTTPStatus.GONE:
        reason = GONE
    elif failing_seconds >= DISABLED_AFTER_SECONDS:
        days = int(failing_seconds // (24 * HOUR))
        reason = {
            "code": "failing",
            "en": f"Nothing has arrived there for {days} days.",
            "it": f"Da {days} giorni non vi arriva nulla.",
        }
    else:
        return
    webhooks.change_state(connection, endpoint.id, "disabled", reason)
    given_up = {
        "code": reason["code"],
        "en": f"The webhook was disabled: {reason['en']}",
        "it": f"Il webhook è stato disattivato: {reason['it']}",
    }
    outbox.give_up(connection, endpoint.id, given_up)
    audit.record(connection, "keymill", "webhook.disabled", f"webhook {endpoint.id}", **reason)
    owner = accounts.by_id(connection, endpoint.account_id)
    told = {"endpoint": endpoint.id, "account": owner.number, "url": endpoint.url, "reason": reason}
    subject = f"webhook {endpoint.id}, delivery {delivery.id}, attempt {delivery.attempts}"
    notifying.tell(app, connection, owner.id, "webhook.disabled", subject, told)
    notifying.tell_operations(app, connection, "webhook.disabled", subject, told)
    log.error("webhook disabled", webhook=endpoint.id, account=owner.number, reason=reason["en"])
