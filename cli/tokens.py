"""``keymill tokens``: the API tokens of accounts."""

from __future__ import annotations

from typing import Annotated

import typer

from cli.output import Json, Lang, actor, opened_app, speak
from licensing.permissions import Permission

app = typer.Typer(help="API tokens of accounts.", no_args_is_help=True)


@app.command("create")
def create(
    account: Annotated[str, typer.Option(help="Account that the token acts for.")],
    name: Annotated[str, typer.Option(help="What uses it.")],
    permission: Annotated[Permission, typer.Option(help="read, submit batches, or manage tokens too.")] = "submit",
    kind: Annotated[list[str] | None, typer.Option(help="Only for this batch kind; may be repeated.")] = None,
    days: Annotated[int, typer.Option(help="How long it is good.", min=1)] = 90,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Make an API token. It is shown this once; only its hash is kept."""
    out = speak(as_json, lang)
    from jobs import api_tokens

    with opened_app() as opened:
        made = api_tokens.create(opened, account, name, permission, actor=actor(), kinds=kind, days=days)
    out.line(made["secret"])
    kept = out.pick(
        f"Keep it safe: it cannot be shown again. It is good until {made['expires']:%Y-%m-%d}.",
        f"Conservarlo al sicuro: non può essere mostrato di nuovo. Vale fino al {made['expires']:%Y-%m-%d}.",
    )
    if not as_json:  # beside standard output, where a script finds the token alone
        typer.echo(kept, err=True)
    out.document(made)


@app.command("list")
def list_tokens(
    account: Annotated[str | None, typer.Option(help="Only those of one account.")] = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """List the API tokens, newest first, with when each was last used."""
    out = speak(as_json, lang)
    from jobs import api_tokens

    with opened_app() as opened:
        found = api_tokens.listed(opened, account)
    titles = (
        ("Token", "Token"), ("Begins", "Inizia"), ("Name", "Nome"), ("Account", "Account"), ("May", "Può"),
        ("Kinds", "Tipi"), ("State", "Stato"), ("Expires", "Scade"), ("Last used", "Ultimo uso"),
    )  # fmt: skip
    rows = [
        [
            str(one["token"]), one["start"], one["name"], one["account"], one["permission"],
            ", ".join(one["kinds"]) if one["kinds"] else out.pick("all", "tutti"), one["state"],
            f"{one['expires']:%Y-%m-%d}", f"{one['last_used']:%Y-%m-%d %H:%M}" if one["last_used"] else "",
        ]
        for one in found
    ]  # fmt: skip
    out.table([out.pick(*title) for title in titles], rows)
    out.document({"tokens": found})


@app.command("revoke")
def revoke(
    token: Annotated[int, typer.Argument(help="Number of the token.", metavar="TOKEN")],
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """End an API token at once."""
    out = speak(as_json, lang)
    from jobs import api_tokens

    with opened_app() as opened:
        api_tokens.revoke(opened, token, actor=actor())
    out.say(f"Token {token} is no longer good.", f"Il token {token} non vale più.")
    out.document({"token": token, "revoked": True})
