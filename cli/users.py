"""``keymill users``: the people of accounts, who sign in to the web portal."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from cli.output import Json, Lang, Output, actor, opened_app, speak
from licensing.fields import Language
from licensing.permissions import Permission

app = typer.Typer(help="People who may sign in.", no_args_is_help=True)

Email = Annotated[str, typer.Argument(help="E-mail address of the user.", metavar="EMAIL")]
Stdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]


@app.command("add")
def add(
    email: Email,
    account: Annotated[str, typer.Option(help="Account that the user belongs to.")],
    name: Annotated[str, typer.Option(help="Name of the person.")],
    permission: Annotated[Permission, typer.Option(help="read, submit batches, or manage users and tokens too.")] = (
        "submit"
    ),
    password_stdin: Stdin = False,
    locale: Annotated[Language | None, typer.Option(help="Language of the person.")] = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Add a user. The password is asked for, or read from standard input."""
    out = speak(as_json, lang)
    from jobs import users

    password = _password(password_stdin, out)
    with opened_app() as opened:
        made = users.add(opened, account, email, name, permission, actor=actor(), password=password, locale=locale)
    out.say(f"{email} may sign in for {made['account']}.", f"{email} può accedere per {made['account']}.")
    out.document(made)


@app.command("list")
def list_users(
    account: Annotated[str | None, typer.Option(help="Only those of one account.")] = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """List the users, oldest first."""
    out = speak(as_json, lang)
    from jobs import users

    with opened_app() as opened:
        found = users.listed(opened, account)
    titles = (("E-mail", "E-mail"), ("Name", "Nome"), ("Account", "Account"), ("May", "Può"), ("State", "Stato"))
    rows = [[one["email"], one["name"], one["account"], one["permission"], one["state"]] for one in found]
    out.table([out.pick(*title) for title in titles], rows)
    out.document({"users": found})


@app.command("password")
def password(email: Email, password_stdin: Stdin = False, as_json: Json = False, lang: Lang = None) -> None:
    """Give a user another password; whoever is signed in with the old one is signed out."""
    out = speak(as_json, lang)
    from jobs import users

    new = _password(password_stdin, out)
    with opened_app() as opened:
        users.set_password(opened, email, new, actor=actor())
    out.say(f"{email} has a new password.", f"{email} ha una nuova password.")
    out.document({"email": email, "password": "set"})


@app.command("suspend")
def suspend(email: Email, as_json: Json = False, lang: Lang = None) -> None:
    """Keep a user out from now on."""
    out = speak(as_json, lang)
    from jobs import users

    with opened_app() as opened:
        users.suspend(opened, email, actor=actor())
    out.say(f"{email} can no longer sign in.", f"{email} non può più accedere.")
    out.document({"email": email, "state": "suspended"})


@app.command("unlink")
def unlink(email: Email, as_json: Json = False, lang: Lang = None) -> None:
    """Let the next sign-in with OpenID Connect under this address say anew who the user is; ends all sessions."""
    out = speak(as_json, lang)
    from jobs import users

    with opened_app() as opened:
        users.forget_openid(opened, email, actor=actor())
    out.say(
        f"Whoever signs in next with the verified address {email} is this user.",
        f"Chi accederà per primo con l'indirizzo verificato {email} sarà questo utente.",
    )
    out.document({"email": email, "openid": None})


def _password(from_stdin: bool, out: Output) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return str(typer.prompt(out.pick("Password", "Password"), hide_input=True, confirmation_prompt=True, err=True))
