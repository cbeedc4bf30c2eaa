"""What an account can say of its webhooks and mails: where they go, with which secrets, and once more."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any, Literal, NamedTuple, TypedDict
from urllib.parse import urlsplit

from sqlalchemy import Connection

from config.wiring import App
from jobs import addresses, delivering
from jobs.control import find_account
from jobs.delivering import Attempt
from jobs.refusals import Refused
from licensing.fields import Language
from licensing.values import is_email
from models import accounts, audit, outbox, subscriptions, webhooks
from models.database import transaction
from models.webhooks import Endpoint, Secret
from signing.webhooks import generate

LONGEST_URL = 2_000
MOST = 50  # webhooks of an account, and mail addresses: an event is one message to each


class Added(NamedTuple):
    """A new endpoint and its secret, which is shown this once."""

    id: int
    secret: str


class Changes(TypedDict, total=False):
    """What is to be different of an endpoint; what is left out stays. ``types`` None: all of them."""

    url: str
    types: Sequence[str] | None


def add(app: App, account: str, url: str, types: Sequence[str] | None, *, actor: str) -> Added:
    """Let an account's events go to an address, all or those of some types. Raises :class:`Refused`."""
    checked = _checked_types(types)
    _check_url(url, private_too=app.settings.webhooks_private)
    with transaction(app.engine) as connection:
        owner = find_account(connection, account)
        _check_number(webhooks.count(connection, owner.id))
        endpoint_id = webhooks.add(connection, owner.id, url, checked)
        if endpoint_id is None:
            raise _known(account)
        shown = _new_secret(app, connection, endpoint_id)
        audit.record(connection, actor, "webhook.added", f"webhook {endpoint_id}", account=account, url=url)
    return Added(endpoint_id, shown)


def edit(app: App, endpoint_id: int, changes: Changes, *, actor: str) -> None:
    """Let a webhook have another address or get other types of events; it keeps its secrets and its log.

    What waits goes to the new address. Raises :class:`Refused`.
    """
    if "url" in changes:
        _check_url(changes["url"], private_too=app.settings.webhooks_private)
    with transaction(app.engine) as connection:
        found = _find(connection, endpoint_id)
        url = changes.get("url", found.url)
        types = _checked_types(changes["types"]) if "types" in changes else found.types
        if (url, types) == (found.url, found.types):
            return
        if not webhooks.redirect(connection, endpoint_id, url, types):
            raise _known(accounts.by_id(connection, found.account_id).number)
        audit.record(
            connection, actor, "webhook.changed", f"webhook {endpoint_id}",
            url=url, types=types, before={"url": found.url, "types": found.types},
        )  # fmt: skip


def listed(app: App, account_id: int | None = None, *, language: Language = "en") -> list[dict[str, Any]]:
    """The webhooks that are seen through an app, of one account or all, with how many deliveries wait and failed."""
    with transaction(app.engine) as connection:
        found = webhooks.listed(connection, account_id)
    return [one | {"reason": _in_words(one["reason"], language)} for one in found]


def _in_words(reason: Mapping[str, str] | None, language: Language) -> dict[str, str] | None:
    return None if reason is None else {"code": reason["code"], "sentence": reason[language]}


def find(app: App, endpoint_id: int, *, language: Language = "en") -> dict[str, Any]:
    """A webhook that is seen through an app. Raises :class:`Refused`."""
    found = next((one for one in listed(app, language=language) if one["id"] == endpoint_id), None)
    if found is None:
        raise _unknown(endpoint_id)
    return found


def mails(app: App, account_id: int | None = None) -> list[dict[str, Any]]:
    """The addresses that get messages, of one account or all, or were told to get none, with how many mails failed."""
    with transaction(app.engine) as connection:
        return subscriptions.listed(connection, account_id)


def deliveries(
    app: App,
    *,
    account_id: int | None = None,
    endpoint_id: int | None = None,
    state: str | None,
    before: int | None,
    limit: int,
    language: Language = "en",
) -> list[dict[str, Any]]:
    """The newest deliveries that are seen through an app, of an account, of a webhook or of all, mails too.

    Where nothing was answered because nothing was sent, the answer says why.
    """
    with transaction(app.engine) as connection:
        found = outbox.log(
            connection, account_id=account_id, endpoint_id=endpoint_id, state=state, before=before, limit=limit
        )
    for one in found:
        reason = one.pop("reason")
        if reason and reason["en"] == one["answer"]:  # or the version before has tried again
            one["answer"] = reason[language]
    return found


def find_delivery(app: App, delivery_id: int) -> None:
    """Raises :class:`Refused` for a delivery that is not seen through an app."""
    with transaction(app.engine) as connection:
        if not outbox.is_known(connection, delivery_id):
            raise Refused(
                "unknown_delivery",
                f"There is no delivery {delivery_id}. See: keymill webhooks deliveries",
                f"Non esiste la consegna {delivery_id}. Vedere: keymill webhooks deliveries",
            )


def rotate(app: App, endpoint_id: int, keep_hours: float, *, actor: str) -> str:
    """Make a new secret; what is sent is signed with the older ones too, for so many hours. The new secret.

    Raises :class:`Refused`.
    """
    with transaction(app.engine) as connection:
        _find(connection, endpoint_id)
        webhooks.expire_secrets(connection, endpoint_id, keep_hours * 3600)
        shown = _new_secret(app, connection, endpoint_id)
        audit.record(connection, actor, "webhook.rotated", f"webhook {endpoint_id}", keep_hours=keep_hours)
    return shown


def change(app: App, endpoint_id: int, state: Literal["active", "paused", "removed"], *, actor: str) -> None:
    """Pause an endpoint, let it go on, or remove it. What waits for a removed one fails. Raises :class:`Refused`."""
    with transaction(app.engine) as connection:
        _find(connection, endpoint_id)
        webhooks.change_state(connection, endpoint_id, state)
        if state == "removed":
            webhooks.expire_secrets(connection, endpoint_id, 0)
            outbox.give_up(connection, endpoint_id, delivering.REMOVED)
        audit.record(connection, actor, f"webhook.{state}", f"webhook {endpoint_id}")


def replay(app: App, *, delivery_id: int | None = None, endpoint_id: int | None = None, actor: str) -> int:
    """Send a delivery again, or all of an endpoint that failed, with the same message ids: how many.

    Raises :class:`Refused`.
    """
    with transaction(app.engine) as connection:
        if endpoint_id is not None:
            _find(connection, endpoint_id)
        count = outbox.replay(connection, delivery_id=delivery_id, endpoint_id=endpoint_id)
        if delivery_id is not None and not count:
            raise Refused(
                "nothing_to_replay",
                f"Delivery {delivery_id} is not known, is being tried just now, or its webhook was removed.",
                f"La consegna {delivery_id} non è nota, è in corso ora, oppure il suo webhook è stato rimosso.",
            )
        subject = f"webhook {endpoint_id}" if delivery_id is None else f"delivery {delivery_id}"
        audit.record(connection, actor, "delivery.replayed", subject, count=count)
    return count


def replay_mails(app: App, account: str, address: str, *, actor: str) -> int:
    """Send all mails again that failed of an account's messages to an address that gets any: how many.

    Raises :class:`Refused`.
    """
    with transaction(app.engine) as connection:
        owner = find_account(connection, account)
        known = subscriptions.listed(connection, owner.id)
        if not any(one["address"].lower() == address.lower() and one["types"] != [] for one in known):
            raise Refused(
                "unknown_mail",
                f"Account {account} sends {address} no mail. See: keymill mails list",
                f"L'account {account} non invia posta a {address}. Vedere: keymill mails list",
            )
        count = outbox.replay(connection, account_id=owner.id, address=address)
        audit.record(connection, actor, "delivery.replayed", f"account {account}", address=address, count=count)
    return count


def send_test(app: App, endpoint_id: int, *, actor: str) -> Attempt:
    """Send an endpoint a ``webhook.test`` event now, whatever its state and types. Raises :class:`Refused`."""
    with transaction(app.engine) as connection:
        _find(connection, endpoint_id)
        delivery_id = outbox.add_test(connection, endpoint_id, f"test {secrets.token_hex(8)}")
        delivery = outbox.claim_one(connection, delivery_id, seconds=delivering.WEBHOOK_LEASE_SECONDS)
        audit.record(connection, actor, "webhook.tested", f"webhook {endpoint_id}")
    return delivering.deliver(app, delivery)


def subscribe(
    app: App, account: str, address: str, types: Sequence[str] | None, language: Language | None, *, actor: str
) -> None:
    """Say which messages of an account an address gets: all (None), some, or none. Raises :class:`Refused`."""
    checked = _checked_types(types)
    if not is_email(address) or not address.isprintable():
        raise Refused(
            "bad_email",
            f"{address!r} is not a mail address. Give one like name@example.com.",
            f"{address!r} non è un indirizzo di posta. Indicarne uno come nome@example.com.",
        )
    with transaction(app.engine) as connection:
        owner = find_account(connection, account)
        _check_number(subscriptions.count(connection, owner.id, address))
        subscriptions.save(connection, owner.id, address, checked, language)
        audit.record(connection, actor, "mail.subscribed", f"account {account}", address=address, types=checked)


def unsubscribe(app: App, account: str, address: str, *, actor: str) -> None:
    """Send an address nothing more. The account's own is kept as one that gets nothing, others are forgotten."""
    with transaction(app.engine) as connection:
        owner = find_account(connection, account)
        if address.lower() == (owner.email or "").lower():
            subscriptions.save(connection, owner.id, address, [], None)
        else:
            subscriptions.remove(connection, owner.id, address)
        audit.record(connection, actor, "mail.unsubscribed", f"account {account}", address=address)


def _find(connection: Connection, endpoint_id: int) -> Endpoint:
    endpoint = webhooks.by_id(connection, endpoint_id, lock=True)
    if endpoint is None:
        raise _unknown(endpoint_id)
    return endpoint


def _unknown(endpoint_id: int) -> Refused:
    return Refused(
        "unknown_webhook",
        f"There is no webhook {endpoint_id}. See: keymill webhooks list",
        f"Non esiste il webhook {endpoint_id}. Vedere: keymill webhooks list",
    )


def _known(account: str) -> Refused:
    return Refused(
        "known_webhook",
        f"Account {account} has a webhook with this address already. See: keymill webhooks list",
        f"L'account {account} ha già un webhook con questo indirizzo. Vedere: keymill webhooks list",
    )


def _check_number(count: int) -> None:
    if count >= MOST:
        raise Refused(
            "too_many_receivers",
            f"The account has {count} of them, and at most {MOST} are taken. Remove one first.",
            f"L'account ne ha già {count}, e se ne accettano al massimo {MOST}. Rimuoverne prima uno.",
        )


def _new_secret(app: App, connection: Connection, endpoint_id: int) -> str:
    made = generate(app.kek)
    webhooks.add_secret(connection, endpoint_id, Secret(made.name, made.wrapped))
    return made.shown


def _checked_types(types: Sequence[str] | None) -> list[str] | None:
    unknown = [name for name in types or () if name not in outbox.TYPES]
    if unknown:
        known = ", ".join(outbox.TYPES)
        raise Refused(
            "unknown_event_type",
            f"No event type {', '.join(unknown)} is known. Known are: {known}",
            f"Nessun tipo di evento {', '.join(unknown)} è noto. Sono noti: {known}",
        )
    return None if types is None else list(dict.fromkeys(types))


def _check_url(url: str, *, private_too: bool) -> None:
    """Refuse what could never be called. Names are looked up, and their addresses checked, at every call."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    schemes = ("https", "http") if private_too else ("https",)
    if not host or len(url) > LONGEST_URL or not url.isprintable() or " " in url or parts.scheme not in schemes:
        raise Refused(
            "bad_webhook_url",
            "A webhook needs an https address, like https://example.com/keymill.",
            "Un webhook richiede un indirizzo https, come https://example.com/keymill.",
        )
    if parts.username is not None or parts.fragment:
        raise Refused(
            "bad_webhook_url",
            "The address of a webhook may hold no user name and no part after #.",
            "L'indirizzo di un webhook non può contenere un nome utente né una parte dopo #.",
        )
    if not private_too and _is_private_number(host):
        raise Refused(
            "private_address",
            f"{host} is not a public address; webhooks are never sent into a private network.",
            f"{host} non è un indirizzo pubblico; i webhook non vengono mai inviati in una rete privata.",
        )


def _is_private_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return host == "localhost"
    return not addresses.is_public(host)
