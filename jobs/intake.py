"""The one way in: every door (web, API, SFTP, command line, schedule) hands its files to :func:`accept`."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection

from config import tracing
from config.wiring import App
from jobs import approving, broker, pipeline
from jobs.control import find_account
from jobs.kind import Kind
from jobs.kinds.registry import find
from jobs.reading import source_name
from jobs.refusals import Refused
from licensing.fields import Language
from models import audit, batches, header_mappings
from models.accounts import Account
from models.database import transaction
from storage.objects import StoreUnavailable


@dataclass(frozen=True, slots=True)
class Request:
    """What a sender asks for. ``given`` holds values for the whole batch (``--set column=value``).

    ``actor``: who stands in the audit log; "": the account.
    """

    account: str
    kind: str
    path: Path
    filename: str
    request_key: str
    confirm: Literal["ask", "auto"] | None = None
    on_error: Literal["continue", "stop"] = "continue"
    exact: bool = False
    given: Mapping[str, str] = field(default_factory=dict)
    language: Language = "en"
    door: str = "cli"
    actor: str = ""


@dataclass(frozen=True, slots=True)
class Accepted:
    """A batch that was recorded, now or when the same request came before."""

    batch_id: int
    is_new: bool
    same_bytes_as: int | None = None


def accept(app: App, request: Request) -> Accepted:
    """Store a file under its digest and record its batch.

    The request key decides identity: the same key and request is the same batch. Raises :class:`Refused`.
    """
    with tracing.span("accept", kind=request.kind, door=request.door):
        accepted = _accept(app, request)
        tracing.tell(batch=accepted.batch_id)
        return accepted


def _accept(app: App, request: Request) -> Accepted:
    size = request.path.stat().st_size
    check_size(app, size)
    sha256 = _digest(request.path)
    with transaction(app.engine) as connection:
        account = _sender(connection, request)
        kind = _kind(request, account)
        given = _given(kind, request.given)
        options = _options(connection, account, request, given)
        digest = _request_digest(request.kind, sha256, options)
        earlier = batches.by_request_key(connection, account.id, request.request_key)
    if earlier is not None:
        return _same_or_refused(earlier, digest)
    _store(app, request.path, sha256)
    record = {
        "account_id": account.id,
        "kind": kind.name,
        "filename": request.filename,
        "sha256": sha256,
        "size": size,
        "request_key": request.request_key,
        "request_digest": digest,
        "options": options,
        "trace": tracing.context(),
    }
    with transaction(app.engine) as connection:
        batches.lock_source(connection, sha256)
        _store(app, request.path, sha256)  # again, if retention deleted an old batch's at this moment
        batch_id = batches.add(connection, record)
        if batch_id is None:  # the same key came in through another door at this moment
            earlier = batches.by_request_key(connection, account.id, request.request_key)
            assert earlier is not None
            return _same_or_refused(earlier, digest)
        twin = batches.with_same_bytes(connection, account.id, kind.name, sha256, batch_id)
        audit.record(
            connection,
            request.actor or account.number,
            "batch.received",
            f"batch {batch_id}",
            door=request.door,
            sha256=sha256,
        )
        planned = pipeline.begin(connection, batch_id)
    broker.wake(app.settings.redis_url, batch_id, planned)
    return Accepted(batch_id, True, twin)


def check_size(app: App, size: int) -> None:
    """Refuse a file of so many bytes if that is too large. Raises :class:`Refused`."""
    most = app.settings.limits.file_bytes
    if size > most:
        raise Refused(
            "file_too_large",
            f"The file has {size:,} bytes and at most {most:,} are taken. Split it into several files.",
            f"Il file ha {size:,} byte e se ne accettano al massimo {most:,}. Dividerlo in più file.",
        )


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sender(connection: Connection, request: Request) -> Account:
    account = find_account(connection, request.account)
    check_active(account)
    return account


def check_active(account: Account) -> None:
    """Raises :class:`Refused` for an account that may not send."""
    if account.state != "active":
        raise Refused(
            "account_suspended",
            f"The account {account.number} is suspended. Ask the vendor.",
            f"L'account {account.number} è sospeso. Rivolgersi al fornitore.",
        )


def _kind(request: Request, account: Account) -> Kind:
    kind = find(request.kind)
    if account.type not in kind.senders:
        senders = ", ".join(sorted(kind.senders))
        raise Refused(
            "wrong_sender",
            f"{kind.name} batches come from accounts of the type {senders}; {account.number} is of the type "
            f"{account.type}.",
            f"I lotti {kind.name} provengono da account di tipo {senders}; {account.number} è di tipo {account.type}.",
        )
    return kind


def _given(kind: Kind, given: Mapping[str, str]) -> dict[str, str]:
    unknown = sorted(set(given) - set(kind.names))
    if unknown:
        columns = ", ".join(kind.names)
        raise Refused(
            "unknown_column",
            f"{kind.name} has no column {unknown[0]}. Its columns are: {columns}.",
            f"{kind.name} non ha la colonna {unknown[0]}. Le colonne sono: {columns}.",
        )
    return {name: value for name, value in given.items() if value.strip()}


def _options(connection: Connection, account: Account, request: Request, given: dict[str, str]) -> dict[str, Any]:
    return {
        "confirm": request.confirm or account.confirm,
        "on_error": request.on_error,
        "exact": request.exact,
        "given": given,
        "language": request.language,
        "approval": approving.may_concern(account, request.kind),
        "mapped": header_mappings.of_account(connection, account.id).get(request.kind, {}),
    }


_NOT_ASKED = ("language", "approval", "mapped")  # whoever sends a request again means the same, whatever these are now


def _request_digest(kind: str, sha256: str, options: dict[str, Any]) -> str:
    asked = {name: value for name, value in options.items() if name not in _NOT_ASKED}
    return hashlib.sha256(json.dumps([kind, sha256, asked], sort_keys=True).encode()).hexdigest()


def _same_or_refused(earlier: batches.Batch, digest: str) -> Accepted:
    if earlier.request_digest == digest:
        return Accepted(earlier.id, False)
    raise Refused(
        "key_reused",
        f"The request key was used before for another request (batch {earlier.id}). Use a new key for a new order.",
        f"La chiave di richiesta è già stata usata per un'altra richiesta (lotto {earlier.id}). Usare una nuova chiave "
        "per un nuovo ordine.",
    )


def _store(app: App, path: Path, sha256: str) -> None:
    try:
        if not app.store.exists(source_name(sha256)):
            app.store.put_file(source_name(sha256), path, expected_sha256=sha256)
    except StoreUnavailable as outage:
        nothing = " Nothing was recorded.", " Nulla è stato registrato."
        raise Refused(outage.code, outage.en + nothing[0], outage.it + nothing[1]) from outage
