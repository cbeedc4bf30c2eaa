"""What becomes of a file that was dropped by SFTP, here or on another server: a batch, or a refusal with its reason."""

from __future__ import annotations

from pathlib import Path

from config.settings import Settings
from config.wiring import App
from jobs import intake
from jobs.intake import Request
from jobs.kinds.registry import KINDS
from jobs.refusals import Refused
from licensing.fields import LANGUAGES, Language
from models import batches
from models.accounts import Account
from models.database import transaction
from models.drop_boxes import KEY_PREFIX
from storage.objects import StoreUnavailable

PASSING = {StoreUnavailable.code}  # refusals that say "later"


def kinds_of(account: Account) -> tuple[str, ...]:
    """The kinds that an account may send, by name."""
    return tuple(sorted(kind.name for kind in KINDS.values() if account.type in kind.senders))


def language_of(account: Account, settings: Settings) -> Language:
    """The language of an account's files, as its locale says."""
    spoken = (account.locale or "").lower()[:2]
    return next((language for language in LANGUAGES if language == spoken), settings.language)


def batch_of(app: App, account: Account, identity: str) -> int | None:
    """The batch that a file was made, if it was."""
    with transaction(app.engine) as connection:
        found = batches.by_request_key(connection, account.id, f"{KEY_PREFIX}{identity}")
    return found.id if found else None


def take(app: App, account: Account, kind: str, name: str, path: Path, identity: str) -> int:
    """Make a batch of a file that was dropped; its id. The same identity (name, time and size) is the same batch.

    Raises :class:`Refused`; with a code of :data:`PASSING` for something that may go well later.
    """
    request = Request(
        account=account.number,
        kind=kind,
        path=path,
        filename=name,
        request_key=f"{KEY_PREFIX}{identity}",
        language=language_of(account, app.settings),
        door="sftp",
    )
    try:
        return intake.accept(app, request).batch_id
    except Refused as refused:
        if refused.code == "key_reused":
            raise Refused(
                "file_reused",
                f"A file of this name, time and size was sent before with another content ({refused.en})",
                f"Un file con questo nome, ora e dimensione è già stato inviato con un altro contenuto ({refused.it})",
            ) from refused
        raise
