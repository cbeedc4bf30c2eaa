"""``keymill mails``: who gets an account's messages by mail, and whether mail can be sent at all."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.output import Json, Lang, Output, actor, opened_app, speak
from cli.webhooks import OfAccount, Types, id_of, tell_replayed
from licensing.fields import Language

app = typer.Typer(help="Mails: who gets which messages.", no_args_is_help=True)
Account = Annotated[str, typer.Argument(help="Account whose messages they are.")]
Address = Annotated[str, typer.Argument(help="Mail address.")]


@app.command("list")
def list_mails(account: OfAccount = None, as_json: Json = False, lang: Lang = None) -> None:
    """List the addresses that get messages: the accounts' own, and those that were subscribed."""
    from jobs import endpoints

    out = speak(as_json, lang)
    with opened_app() as opened:
        found = endpoints.mails(opened, id_of(opened, account))
    out.document({"mails": found})
    titles = out.pick("Address/Types/Language/Failed", "Indirizzo/Tipi/Lingua/Fallite").split("/")
    out.table(
        ("Account", *titles),
        [
            (one["account"], one["address"], _types(out, one["types"]), one["language"] or "", str(one["failed"]))
            for one in found
        ],
    )


def _types(out: Output, types: list[str] | None) -> str:
    return out.pick("all", "tutti") if types is None else ", ".join(types) or out.pick("none", "nessuno")


@app.command("subscribe")
def subscribe(
    account: Account,
    address: Address,
    types: Types = None,
    mail_lang: Annotated[
        Language | None, typer.Option("--mail-lang", help="Language of the mails; default: the account's.")
    ] = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Send an account's messages to an address too, or only some types to an address that gets all of them."""
    _save(speak(as_json, lang), account, address, types or None, mail_lang)


@app.command("stop")
def stop(account: Account, address: Address, as_json: Json = False, lang: Lang = None) -> None:
    """Send an address, the account's own or a subscribed one, nothing more."""
    _save(speak(as_json, lang), account, address, [], None)


def _save(out: Output, account: str, address: str, types: list[str] | None, language: Language | None) -> None:
    from jobs import endpoints

    with opened_app() as opened:
        endpoints.subscribe(opened, account, address, types, language, actor=actor())
    out.say(f"{address} gets: {_types(out, types)}.", f"{address} riceve: {_types(out, types)}.")
    out.document({"account": account, "address": address, "types": types, "language": language})


@app.command("replay")
def replay(account: Account, address: Address, as_json: Json = False, lang: Lang = None) -> None:
    """Send all mails to an address again that failed, under the same message ids."""
    from jobs import endpoints

    out = speak(as_json, lang)
    with opened_app() as opened:
        count = endpoints.replay_mails(opened, account, address, actor=actor())
    tell_replayed(out, count)


@app.command("test")
def test(address: Address, as_json: Json = False, lang: Lang = None) -> None:
    """Send a mail to an address now, and say what the mail server answers."""
    from jobs import mailing

    out = speak(as_json, lang)
    with opened_app() as opened:
        posted = mailing.send_test(opened.settings, address, out.language)
    if posted.status != mailing.ACCEPTED:
        told = " ".join(str(part) for part in (posted.status, posted.text) if part)
        out.refuse(
            "not_delivered",
            f"The mail server did not take the mail: {told[:500]}",
            f"Il server di posta non ha accettato il messaggio: {told[:500]}",
            status=posted.status,
        )
    out.say("The mail server took the mail.", "Il server di posta ha accettato il messaggio.")
    out.document({"address": address, "status": posted.status})
