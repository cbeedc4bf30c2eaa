"""``keymill keys``: the signing keys of this installation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.output import Json, Lang, actor, opened_app, read_file, speak, write_file

app = typer.Typer(help="Signing keys and the public key set.", no_args_is_help=True)


@app.command("list")
def list_keys(as_json: Json = False, lang: Lang = None) -> None:
    """List the signing keys, oldest to newest: the newest signs, all of them verify."""
    from jobs import keys

    out = speak(as_json, lang)
    with opened_app() as app:
        found = keys.list_keys(app.engine)
    listed = [{"kid": key.kid, "created": key.created_at, "signs": key is found[-1]} for key in found]
    out.document({"keys": listed})
    if found:
        rows = [
            (key.kid, f"{key.created_at:%Y-%m-%d %H:%M}", out.pick("signs", "firma") if key is found[-1] else "")
            for key in found
        ]
        out.table((out.pick("Key", "Chiave"), out.pick("Created", "Creata"), ""), rows)
    else:
        out.say(
            "There is no signing key yet; the first one is made when it is needed.",
            "Non c'è ancora una chiave di firma; la prima viene creata quando serve.",
        )


@app.command("rotate")
def rotate(
    lost: Annotated[
        bool, typer.Option("--lost", help="Go on although the key-encryption key of the present key is lost.")
    ] = False,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Make a new signing key; what older keys signed stays valid."""
    from jobs import keys

    out = speak(as_json, lang)
    with opened_app() as app:
        kid = keys.rotate(app.engine, app.kek, actor=actor(), lost=lost)
    out.say(
        f"The key {kid} signs from now on. Publish the key set again: keymill keys export",
        f"D'ora in poi firma la chiave {kid}. Pubblicare di nuovo l'insieme di chiavi: keymill keys export",
    )
    out.document({"kid": kid})


@app.command("export")
def export(
    to: Annotated[Path | None, typer.Option("-o", "--output", help="File to write; default: standard output.")] = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Export the public keys as a JWK set: what anyone needs to verify a license key."""
    from jobs import keys

    out = speak(as_json, lang)
    with opened_app() as app:
        keys.ensure_signing_key(app.engine, app.kek, actor=actor())
        key_set = keys.public_key_set(app.engine)
    if to is None:
        typer.echo(key_set, nl=False)
        return
    write_file(to, key_set.encode())
    out.say(f"The public keys are in {to}", f"Le chiavi pubbliche sono in {to}")
    out.document({"file": to})


@app.command("rewrap")
def rewrap(
    to: Annotated[Path, typer.Option("--to", help="File that holds the new key-encryption key, in base64.")],
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Encrypt the signing keys under another key-encryption key, while workers sign on."""
    from jobs import keys
    from signing.key_store import key_encryption_key

    out = speak(as_json, lang)
    new_kek = key_encryption_key(read_file(to))
    with opened_app() as app:
        done, lost, secrets, lost_secrets = keys.rewrap_all(app.engine, app.kek, new_kek, actor=actor())
    if lost:
        names = ", ".join(lost)
        out.say(
            f"Left as they are, because nothing opens them (they only verify): {names}",
            f"Lasciate come sono, perché nulla le apre (servono solo a verificare): {names}",
        )
    if lost_secrets:
        out.say(
            f"{lost_secrets} secrets of webhooks are opened by neither key. Make new ones: keymill webhooks rotate",
            f"{lost_secrets} segreti di webhook non si aprono con nessuna chiave. Crearne di nuovi: "
            "keymill webhooks rotate",
        )
    out.say(
        f"{len(done)} signing keys and {secrets} webhook secrets are now encrypted under the key in {to}. Set "
        "KEYMILL_KEY_ENCRYPTION_KEY or KEYMILL_KEY_ENCRYPTION_KEY_FILE to it before a process starts again.",
        f"{len(done)} chiavi di firma e {secrets} segreti di webhook sono ora cifrati con la chiave in {to}. Impostare "
        "KEYMILL_KEY_ENCRYPTION_KEY o KEYMILL_KEY_ENCRYPTION_KEY_FILE prima che un processo riparta.",
    )
    out.document({"rewrapped": done, "lost": lost, "secrets": secrets, "lost_secrets": lost_secrets})


@app.command("revocations")
def revoked(
    to: Annotated[Path | None, typer.Option("-o", "--output", help="Also write the list into this file.")] = None,
    as_json: Json = False,
    lang: Lang = None,
) -> None:
    """Publish the signed revocation list: licenses that were revoked, or that others replaced."""
    from jobs import revocations
    from models.database import transaction

    out = speak(as_json, lang)
    with opened_app() as app, transaction(app.engine) as connection:
        published = revocations.publish(app, connection)
    if to is not None:
        write_file(to, bytes(published.token))
    total = sum(published.counts.values())
    told = ", ".join(f"{state} {count:,}" for state, count in published.counts.items())
    out.say(
        f"The list names {total:,} licenses ({told}). In the object store: {revocations.NAME}",
        f"L'elenco indica {total:,} licenze ({told}). Nell'archivio dei file: {revocations.NAME}",
    )
    if to is not None:
        out.say(f"And in {to}", f"E in {to}")
    out.document({"name": revocations.NAME, "sha256": published.sha256, "counts": published.counts, "file": to})
