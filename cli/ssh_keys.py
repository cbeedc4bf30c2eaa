"""``keymill ssh-keys``: the keys that accounts sign in with at the SFTP server."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.output import Json, Lang, actor, opened_app, read_file, speak

app = typer.Typer(help="SSH keys of accounts, for the SFTP server.", no_args_is_help=True)
Account = Annotated[str, typer.Option("--account", help="Number of the account.")]


@app.command("add")
def add(
    file: Annotated[Path, typer.Argument(help="Public key as OpenSSH writes it (id_ed25519.pub).")],
    account: Account,
    comment: Annotated[str | None, typer.Option(help="Whose key it is; default: the comment in the file.")] = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Let an account sign in with a key; its user name is the account's number."""
    from jobs import ssh_keys

    out = speak(as_json, lang)
    content = read_file(file).decode(errors="replace")
    with opened_app() as app:
        key = ssh_keys.add(app, account, content, actor=actor(), comment=comment)
    out.say(
        f"{key.account} may sign in with the key {key.fingerprint}.",
        f"{key.account} può accedere con la chiave {key.fingerprint}.",
    )
    out.document({"account": key.account, "fingerprint": key.fingerprint, "comment": key.comment})


@app.command("list")
def list_keys(
    account: Annotated[str | None, typer.Option("--account", help="Only of this account.")] = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """List SSH keys, those that were revoked too."""
    from jobs import ssh_keys

    out = speak(as_json, lang)
    with opened_app() as app:
        found = ssh_keys.list_keys(app, account)
    titles = (
        ("Account", "Fingerprint", "Comment", "Added", "Last used", "Revoked")
        if out.language == "en"
        else ("Account", "Impronta", "Commento", "Aggiunta", "Ultimo uso", "Revocata")
    )
    rows = [(k.account, k.fingerprint, k.comment, *(f"{t:%Y-%m-%d %H:%M}" if t else "" for t in k[5:8])) for k in found]
    out.table(titles, rows)
    out.document({"keys": [key._asdict() for key in found]})


@app.command("revoke")
def revoke(
    fingerprint: Annotated[str, typer.Argument(help="Fingerprint, SHA256:... as `list` shows it.")],
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Revoke a key for good, at once."""
    from jobs import ssh_keys

    out = speak(as_json, lang)
    with opened_app() as app:
        ssh_keys.revoke(app, fingerprint, actor=actor())
    out.say(f"Nobody signs in with {fingerprint} any more.", f"Nessuno accede più con {fingerprint}.")
    out.document({"revoked": fingerprint})


@app.command("marker")
def marker(
    account: Account,
    off: Annotated[bool, typer.Option("--off", help="Take files without a marker again.")] = False,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Take files of an account only once an empty file NAME.done was uploaded after them."""
    from jobs import ssh_keys

    out = speak(as_json, lang)
    with opened_app() as app:
        ssh_keys.set_marker(app, account, not off, actor=actor())
    if off:
        out.say("Files are taken when they are closed.", "I file vengono presi alla chiusura.")
    else:
        out.say("Files are taken once NAME.done is there.", "I file vengono presi quando c'è NOME.done.")
    out.document({"account": account, "waits_for_marker": not off})
