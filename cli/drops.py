"""``keymill drops``: folders on other people's SFTP servers that are looked into."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import Json, Lang, Output, actor, opened_app, read_file, speak

if TYPE_CHECKING:
    from jobs.polling import Polled

app = typer.Typer(help="Drops on other SFTP servers.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Name of the drop.", metavar="NAME")]


@app.command("add")
def add(
    name: Name,
    account: Annotated[str, typer.Option("--account", help="Account whose files they are.")],
    host: Annotated[str, typer.Option("--host", help="Host of the SFTP server.")],
    login: Annotated[str, typer.Option("--login", help="User name there.")],
    key_file: Annotated[Path, typer.Option("--key-file", help="Private key, on every machine with a scheduler.")],
    folders: Annotated[list[str], typer.Option("--folder", help="FOLDER=KIND; may be repeated.")],
    port: Annotated[int, typer.Option("--port", min=1, max=65_535)] = 22,
    host_key_file: Annotated[
        Path | None,
        typer.Option("--host-key-file", help="Public host key; default: the one that the server shows now."),
    ] = None,
    pattern: Annotated[str, typer.Option("--pattern", help="Only files of such a name.")] = "*",
    settle: Annotated[int, typer.Option("--settle", min=0, help="Seconds that a file must not have changed.")] = 30,
    marker: Annotated[str, typer.Option("--marker", help="Suffix of a file that says another is whole (.done).")] = "",
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Look into folders of an SFTP server from now on."""
    out = speak(as_json, lang)
    from jobs import drops
    from models.drops import Drop

    host_key = read_file(host_key_file).decode(errors="replace") if host_key_file else ""
    given = Drop(
        name,
        account,
        host,
        port,
        login,
        host_key,
        str(key_file.absolute()),
        drops.folders_of(folders),
        pattern,
        settle,
        marker,
    )
    with opened_app() as app:
        drop, fingerprint = drops.add(app, given, actor=actor())
    out.say(
        f"The drop {name} is looked into with every poll. Its host key {fingerprint} is pinned: compare it with what "
        f"the server's operator says. To check all: keymill drops test {name}",
        f"Il drop {name} viene esaminato a ogni controllo. La sua chiave host {fingerprint} è registrata: confrontarla "
        f"con quella comunicata dal gestore. Per verificare tutto: keymill drops test {name}",
    )
    out.document({"drop": name, "host_key": drop.host_key, "fingerprint": fingerprint})


@app.command("list")
def list_drops(
    name: Annotated[str | None, typer.Argument(help="Only this drop, with its latest files.")] = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """List drops, how they stand and what went wrong; of one drop the latest files too."""
    out = speak(as_json, lang)
    from jobs import drops

    with opened_app() as app:
        found = drops.every(app) if name is None else [drops.find(app, name)]
        files = [] if name is None else drops.latest_files(app, name)
    titles = (
        ("Drop", "Account", "Server", "State", "Last poll", "Error")
        if out.language == "en"
        else ("Drop", "Account", "Server", "Stato", "Ultimo controllo", "Errore")
    )
    rows = [
        (
            drop.name,
            drop.account,
            f"{drop.login}@{drop.host}:{drop.port}",
            drop.state,
            f"{drop.polled_at:%Y-%m-%d %H:%M}" if drop.polled_at else "",
            out.pick(drop.error["en"], drop.error["it"]) if drop.error else "",
        )
        for drop in found
    ]
    out.table(titles, rows)
    for file in files:
        reason = out.pick(file["reason"]["en"], file["reason"]["it"]) if file["reason"] else ""
        became = file["batch"] or reason
        out.line(f"{file['seen']:%Y-%m-%d %H:%M}  {file['state']:<8} {file['path']}  {became}")
    hidden = ("id", "host_key")
    listed = [{key: getattr(d, key) for key in d.__dataclass_fields__ if key not in hidden} for d in found]
    out.document({"drops": listed, "files": files})


@app.command("poll")
def poll(
    name: Annotated[str | None, typer.Argument(help="Only this drop, also a paused one; default: all active.")] = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Look into drops now, as the scheduler does."""
    out = speak(as_json, lang)
    from jobs import drops, polling

    with opened_app() as app:
        asked = polling.active(app) if name is None else [drops.find(app, name)]
        found = [polling.poll(app, drop) for drop in asked]
    for one in found:
        _tell(out, one)
    out.document({"polled": [one.document() for one in found]})
    if any(one.error for one in found):
        raise typer.Exit(1)


def _tell(out: Output, polled: Polled) -> None:
    if polled.is_busy:
        out.say(f"{polled.drop}: somebody looks into it now.", f"{polled.drop}: qualcuno lo sta esaminando ora.")
        return
    for path, batch in polled.taken.items():
        out.say(f"{polled.drop}: {path} is batch {batch}", f"{polled.drop}: {path} è il lotto {batch}")
    for path, reason in polled.refused.items():
        out.line(f"{polled.drop}: {path}: {reason}")
    taken, refused, waiting = len(polled.taken), len(polled.refused), len(polled.waiting)
    out.say(
        f"{polled.drop}: {taken} taken, {refused} refused, {waiting} not settled yet",
        f"{polled.drop}: {taken} presi, {refused} rifiutati, {waiting} non ancora stabili",
    )
    if polled.error:
        typer.echo(out.pick(polled.error["en"], polled.error["it"]), err=True)


@app.command("pause")
def pause(
    name: Name,
    off: Annotated[bool, typer.Option("--off", help="Let it go on.")] = False,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Do not look into a drop for a while."""
    out = speak(as_json, lang)
    from jobs import drops

    state = "active" if off else "paused"
    with opened_app() as app:
        drops.set_state(app, name, state, actor=actor())
    if off:
        out.say(f"The drop {name} goes on.", f"Il drop {name} riprende.")
    else:
        out.say(f"The drop {name} is paused.", f"Il drop {name} è in pausa.")
    out.document({"drop": name, "state": state})


@app.command("remove")
def remove(
    name: Name,
    force: Annotated[bool, typer.Option("--force", help="Even if its server cannot be reached.")] = False,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Forget a drop; its files there and its batches here stay, what it has in hand there goes back to its folder."""
    out = speak(as_json, lang)
    from jobs import drops

    with opened_app() as app:
        handed_back = drops.remove(app, name, force=force, actor=actor())
    out.say(f"The drop {name} is forgotten.", f"Il drop {name} è stato eliminato.")
    for path in handed_back:
        out.say(f"{path} lies there again.", f"{path} è di nuovo al suo posto.")
    out.document({"removed": name, "handed_back": handed_back})


@app.command("test")
def test(name: Name, as_json: Json = False, lang: Lang = None) -> None:
    """Check connection, host key and folders of a drop, and say what to mend."""
    out = speak(as_json, lang)
    from jobs import drops

    with opened_app() as app:
        counts = drops.try_out(app, name)
    for folder, count in counts.items():
        out.say(
            f"{folder}: {count} files; reading, writing, renaming and deleting work.",
            f"{folder}: {count} file; lettura, scrittura, rinomina ed eliminazione funzionano.",
        )
    out.document({"drop": name, "files": counts})
