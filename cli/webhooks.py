"""``keymill webhooks``: where events of accounts are sent, what became of it, and sending it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from cli.output import Json, Lang, Output, actor, opened_app, speak

if TYPE_CHECKING:
    from config.wiring import App

app = typer.Typer(help="Webhooks: endpoints, their secrets and deliveries.", no_args_is_help=True)
Number = Annotated[int, typer.Argument(help="Number of the webhook, as keymill webhooks list shows it.")]
OfAccount = Annotated[str | None, typer.Option("--account", help="Only those of this account.")]
Types = Annotated[
    list[str] | None, typer.Option("--type", help="Event type, may be given several times; default: all of them.")
]
NewTypes = Annotated[
    list[str] | None, typer.Option("--type", help="Event type, may be given several times; default: as they are.")
]


@app.command("add")
def add(
    account: Annotated[str, typer.Argument(help="Account whose events are sent.")],
    url: Annotated[str, typer.Argument(help="Address that they are sent to, https.")],
    types: Types = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Send an account's events to an address. Prints the secret that they are signed with, this once."""
    from jobs import endpoints

    out = speak(as_json, lang)
    with opened_app() as opened:
        made = endpoints.add(opened, account, url, types or None, actor=actor())
    out.say(f"Webhook {made.id} is active.", f"Il webhook {made.id} è attivo.")
    _tell_secret(out, made.id, made.secret)


@app.command("list")
def list_webhooks(account: OfAccount = None, as_json: Json = False, lang: Lang = None) -> None:
    """List the webhooks with their state, and how many deliveries wait or failed."""
    from jobs import endpoints

    out = speak(as_json, lang)
    with opened_app() as opened:
        found = endpoints.listed(opened, id_of(opened, account), language=out.language)
    out.document({"webhooks": found})
    titles = ("", "Account", "URL", *out.pick("Types/State/Waiting/Failed", "Tipi/Stato/In attesa/Fallite").split("/"))
    out.table(
        titles,
        [
            (
                str(one["id"]),
                one["account"],
                one["url"],
                _named(out, one["types"]),
                one["state"] + (f" ({one['reason']['sentence']})" if one["reason"] else ""),
                str(one["waiting"]),
                str(one["failed"]),
            )
            for one in found
        ],
    )


def _named(out: Output, types: list[str] | None) -> str:
    return ", ".join(types or [out.pick("all", "tutti")])


def id_of(opened: App, account: str | None) -> int | None:
    """The account that is meant; None: all of them."""
    from jobs.control import find_account

    if account is None:
        return None
    with opened.engine.connect() as connection:
        return find_account(connection, account).id


@app.command("change")
def change(
    webhook: Number,
    url: Annotated[str | None, typer.Option("--url", help="Another address, https; default: as it is.")] = None,
    types: NewTypes = None,
    every: Annotated[bool, typer.Option("--every-type", help="Every type from now on.")] = False,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Give a webhook another address or other types; it keeps its secret and its log."""
    from jobs import endpoints

    out = speak(as_json, lang)
    if (url is None and not types and not every) or (types and every):
        raise typer.BadParameter(
            out.pick("Give --url, and --type or --every-type.", "Indicare --url, e --type oppure --every-type.")
        )
    changes: endpoints.Changes = {}
    if url is not None:
        changes["url"] = url
    if types or every:
        changes["types"] = types or None
    with opened_app() as opened:
        endpoints.edit(opened, webhook, changes, actor=actor())
        found = endpoints.find(opened, webhook)
    told = f"{found['url']}: {_named(out, found['types'])}"
    out.say(f"Webhook {webhook} is changed. {told}", f"Il webhook {webhook} è modificato. {told}")
    out.document({"webhook": webhook, "url": found["url"], "types": found["types"]})


@app.command("rotate")
def rotate(
    webhook: Number,
    keep_hours: Annotated[
        float, typer.Option("--keep-hours", min=0, help="How long the older secrets sign beside the new one.")
    ] = 24,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Make a new secret for a webhook. Until the older ones end, every message has a signature of each."""
    from jobs import endpoints

    out = speak(as_json, lang)
    with opened_app() as opened:
        secret = endpoints.rotate(opened, webhook, keep_hours, actor=actor())
    _tell_secret(out, webhook, secret)


@app.command("pause")
def pause(webhook: Number, as_json: Json = False, lang: Lang = None) -> None:
    """Let a webhook's messages wait until it is resumed."""
    out = speak(as_json, lang)
    _change(out, webhook, "paused", f"Webhook {webhook} is paused.", f"Il webhook {webhook} è in pausa.")


@app.command("resume")
def resume(webhook: Number, as_json: Json = False, lang: Lang = None) -> None:
    """Let a webhook go on that was paused or disabled."""
    out = speak(as_json, lang)
    _change(out, webhook, "active", f"Webhook {webhook} is active.", f"Il webhook {webhook} è attivo.")


@app.command("remove")
def remove(webhook: Number, as_json: Json = False, lang: Lang = None) -> None:
    """Remove a webhook; its log stays, what waits for it fails."""
    out = speak(as_json, lang)
    _change(out, webhook, "removed", f"Webhook {webhook} is removed.", f"Il webhook {webhook} è rimosso.")


def _change(out: Output, webhook: int, state: Literal["active", "paused", "removed"], en: str, it: str) -> None:
    from jobs import endpoints

    with opened_app() as opened:
        endpoints.change(opened, webhook, state, actor=actor())
    out.say(en, it)
    out.document({"webhook": webhook, "state": state})


@app.command("deliveries")
def deliveries(
    webhook: Annotated[int | None, typer.Argument(help="Only those of this webhook; default: mails too.")] = None,
    account: OfAccount = None,
    state: Annotated[
        Literal["waiting", "delivered", "failed"] | None, typer.Option("--state", help="Only those in this state.")
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, help="How many at most.")] = 50,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Show the newest deliveries of webhooks and mails: how often they were tried, and the last answer."""
    from jobs import endpoints

    out = speak(as_json, lang)
    with opened_app() as opened:
        found = endpoints.deliveries(
            opened,
            account_id=id_of(opened, account),
            endpoint_id=webhook,
            state=state,
            before=None,
            limit=limit,
            language=out.language,
        )
    out.document({"deliveries": found})
    titles = ("", *out.pick("Event/To/State/Attempts/Answer", "Evento/A/Stato/Tentativi/Risposta").split("/"))
    out.table(titles, [_line(one) for one in found])


def _line(one: dict[str, Any]) -> tuple[str, ...]:
    answer = " ".join(str(part) for part in (one["status"], one["answer"]) if part)
    event = f"{one['type']}, {one['subject']}"
    return str(one["id"]), event, one["to"], one["state"], str(one["attempts"]), answer[:80]


@app.command("replay")
def replay(
    delivery: Annotated[int | None, typer.Argument(help="Number of the delivery, as deliveries shows it.")] = None,
    webhook: Annotated[int | None, typer.Option("--webhook", help="All of this webhook that failed.")] = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Send a delivery again (a mail too), or all of a webhook that failed, under the same message ids."""
    from jobs import endpoints

    out = speak(as_json, lang)
    if (delivery is None) == (webhook is None):
        raise typer.BadParameter(out.pick("Give a delivery or --webhook.", "Indicare una consegna oppure --webhook."))
    with opened_app() as opened:
        count = endpoints.replay(opened, delivery_id=delivery, endpoint_id=webhook, actor=actor())
    tell_replayed(out, count)


def tell_replayed(out: Output, count: int) -> None:
    """Say how many deliveries are sent again."""
    out.say(f"{count} deliveries are sent again.", f"{count} consegne vengono rinviate.")
    out.document({"replayed": count})


@app.command("test")
def test(webhook: Number, as_json: Json = False, lang: Lang = None) -> None:
    """Send a webhook a test message now, and say what it answers."""
    from jobs import endpoints

    out = speak(as_json, lang)
    with opened_app() as opened:
        attempt = endpoints.send_test(opened, webhook, actor=actor())
    if not attempt.arrived:
        told = " ".join(str(part) for part in (attempt.status, attempt.told(out.language).strip()) if part)
        out.refuse(
            "not_delivered",
            f"The test message did not arrive: {told[:500]}",
            f"Il messaggio di prova non è arrivato: {told[:500]}",
            status=attempt.status,
        )
    out.say(f"It arrived, the answer is {attempt.status}.", f"È arrivato, la risposta è {attempt.status}.")
    out.document({"webhook": webhook, "status": attempt.status})


def _tell_secret(out: Output, webhook: int, secret: str) -> None:
    out.say(
        f"Its messages are signed with this secret, which is not shown again: {secret}",
        f"I suoi messaggi sono firmati con questo segreto, che non verrà più mostrato: {secret}",
    )
    out.document({"webhook": webhook, "secret": secret})
