"""Batches: sent, listed, shown, confirmed, cancelled."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query, Request, Response
from pydantic import AfterValidator, BaseModel, Field
from starlette.concurrency import run_in_threadpool

from jobs import control, guessing, intake, status, uploads
from jobs.kinds.registry import KINDS
from jobs.refusals import Refused
from web import bodies
from web.callers import Caller, Reader, Sender
from web.problems import NotAnswered

router = APIRouter(prefix="/batches", tags=["batches"])

BatchNumber = Annotated[int, Path(ge=1, le=2**63 - 1, description="Number of the batch.")]


def _known(kind: str) -> str:
    if kind not in KINDS:
        raise ValueError(f"one of: {', '.join(KINDS)}")
    return kind


KindName = Annotated[str, AfterValidator(_known), Query(json_schema_extra={"enum": list(KINDS)})]
State = Literal["received", "reading", "previewed", "running", "exporting", "done", "failed", "cancelled"]
_KEY = re.compile(r'"?([\x21\x23-\x5b\x5d-\x7e]{1,200})"?')


class Progress(BaseModel):
    """How far a stage has come."""

    stage: str
    done: int = Field(description="Rows that are through.")
    of: int | None = Field(description="Rows of the file; null until it was read.")


class BatchLine(BaseModel):
    """A batch in a line."""

    batch: int
    account: str
    kind: str
    state: State
    file: str
    sha256: str
    size: int = Field(description="Bytes.")
    rows: int | None
    received: datetime
    finished: datetime | None
    progress: Progress
    codes: dict[str, int] = Field(description="How many rows got each code, so far.")
    outcomes: dict[str, int] = Field(description="How many rows got each outcome, so far.")


class Reason(BaseModel):
    """Why a batch failed or was stopped."""

    code: str
    sentence: str


class Options(BaseModel):
    """What the sender asked for."""

    confirm: Literal["ask", "auto"]
    on_error: Literal["continue", "stop"]
    exact: bool
    given: dict[str, str]
    language: Literal["en", "it"]


class Noticed(BaseModel):
    """What was noticed in some cells."""

    code: str
    sentence: str
    count: int
    cells: list[str] = Field(description="The first few, C17 for example.")


class Trouble(Noticed):
    """What rows are refused for."""

    column: str | None


class Parked(BaseModel):
    """Rows that were set aside after three failures."""

    stage: str
    chunk: int
    rows: list[int]
    reason: str


class Counts(BaseModel):
    """Rows by code and by outcome."""

    codes: dict[str, int]
    outcomes: dict[str, int]


class ResultFile(BaseModel):
    """A file that a batch left."""

    file: str = Field(description="Name to save it under.")
    role: str
    rows: int
    size: int = Field(description="Bytes.")
    sha256: str
    how: str


class BatchReport(BatchLine):
    """Everything about a batch."""

    language: Literal["en", "it"]
    reason: Reason | None
    options: Options
    reading: dict[str, Any] | None = Field(description="What was found out about the file.")
    problems: list[Trouble]
    warnings: list[Noticed]
    parked: list[Parked]
    preview: Counts
    differs_from_preview: int
    stage_seconds: dict[str, float]
    results: list[ResultFile]


class BatchList(BaseModel):
    """A page of batches, newest first."""

    batches: list[BatchLine]
    next: int | None = Field(description="Give it as `before` for the next page; null on the last one.")


class Accepted(BaseModel):
    """A request that was taken."""

    batch: int
    new: bool = Field(description="False: this request came before, and this is its batch.")
    same_bytes_as: int | None = Field(description="An earlier batch of the same kind with the same bytes.")
    kind: str
    guessed_because: str | None = Field(description="Where no kind was named: why it was taken for this one.")


_BODY = {
    "requestBody": {
        "description": "The file as it is, or a form with the one part `file`; nothing where `upload` is given.",
        "required": False,
        "content": {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in bodies.RAW}
        | {
            bodies.MULTIPART: {
                "schema": {
                    "type": "object",
                    "properties": {"file": {"type": "string", "format": "binary"}},
                    "required": ["file"],
                    "additionalProperties": False,
                }
            }
        },
    }
}


class Asked(BaseModel):
    """How a file is to be taken."""

    kind: Annotated[
        str | None,
        Field(description="Batch kind; left out: told by the header.", json_schema_extra={"enum": list(KINDS)}),
    ] = None
    filename: Annotated[
        str | None, Field(max_length=255, description="Name of the file; a form's part brings its own.")
    ] = None
    confirm: Annotated[
        Literal["ask", "auto"] | None, Field(description="auto: run without asking; else as the account is set.")
    ] = None
    on_error: Annotated[Literal["continue", "stop"], Field(description="stop: all rows or none.")] = "continue"
    exact: Annotated[bool, Field(description="Do nothing where an answer would differ from its preview.")] = False
    value: Annotated[list[str], Field(description="A value for all rows: `column=value`.", max_length=50)] = Field(
        default_factory=list
    )
    upload: Annotated[
        str | None, Field(max_length=100, description="An upload in pieces that has all of them, instead of a body.")
    ] = None


@router.post(
    "",
    operation_id="send_batch",
    status_code=201,
    responses={
        200: {"model": Accepted, "description": "The same request came before"},
        201: {"headers": {"Location": {"description": "The batch.", "schema": {"type": "string"}}}},
    },
    openapi_extra=_BODY,
)
async def send(
    request: Request,
    response: Response,
    caller: Sender,
    asked: Annotated[Asked, Query()],
    idempotency_key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            description="Required. One for each order that is meant: a repeated request with the same key is the same "
            "batch. 1 to 200 visible characters, in quotes or not.",
            max_length=202,
        ),
    ] = None,
) -> Accepted:
    """Send a file as a batch. Up to 100 MB in one request; larger ones better as an upload in pieces."""
    key = _request_key(idempotency_key)
    if asked.kind is not None:
        caller.require_kind(asked.kind)
    given = dict(map(_pair, asked.value))
    most = caller.app.settings.limits.file_bytes
    async with bodies.received(request, most) as body:
        if asked.upload is None and not body.path.stat().st_size:
            raise Refused("empty_body", "The body is empty. Send the file.", "Il corpo è vuoto. Inviare il file.")
        found, sentence = await run_in_threadpool(_accept, caller, asked, given, key, body)
    accepted, kind = found
    response.status_code = 201 if accepted.is_new else 200
    response.headers["Location"] = f"/api/v1/batches/{accepted.batch_id}"
    return Accepted(
        batch=accepted.batch_id,
        new=accepted.is_new,
        same_bytes_as=accepted.same_bytes_as,
        kind=kind,
        guessed_because=sentence,
    )


def _accept(
    caller: Caller, asked: Asked, given: dict[str, str], key: str, body: bodies.Received
) -> tuple[tuple[intake.Accepted, str], str | None]:
    path, name = body.path, asked.filename or body.filename
    upload = None
    if asked.upload is not None:
        upload = uploads.find(caller.seen, asked.upload)
        path = path.with_name("assembled")
        uploads.assemble(caller.app, upload, path)
        name = name or upload.filename
    kind, sentence = asked.kind, None
    if kind is None:
        guess = guessing.guess(caller.app, caller.account, path, given)
        kind, sentence = guess.kind, guess.sentence(caller.language)
        caller.require_kind(kind)
    accepted = intake.accept(
        caller.app,
        intake.Request(
            account=caller.account,
            kind=kind,
            path=path,
            filename=bodies.file_name(name, "upload"),
            request_key=key,
            confirm=asked.confirm,
            on_error=asked.on_error,
            exact=asked.exact,
            given=given,
            language=caller.language,
            door="api",
        ),
    )
    if upload is not None:
        uploads.use(caller.app, upload)
    return (accepted, kind), sentence


def _request_key(header: str | None) -> str:
    match = _KEY.fullmatch((header or "").strip())
    if match is None:
        raise NotAnswered(
            "key_missing",
            "The header Idempotency-Key is needed: 1 to 200 visible characters, one key for each order that is meant. "
            "A request that is sent again with its key is not taken twice.",
            "Serve l'intestazione Idempotency-Key: da 1 a 200 caratteri visibili, una chiave per ogni ordine. "
            "Una richiesta inviata di nuovo con la sua chiave non viene presa due volte.",
        )
    return match.group(1)


def _pair(text: str) -> tuple[str, str]:
    column, equals, value = text.partition("=")
    if not equals:
        raise Refused("bad_value", f"{text[:100]!r} is not column=value.", f"{text[:100]!r} non è colonna=valore.")
    return column.strip().lower().replace("-", "_").replace(" ", "_"), value


@router.get("", operation_id="list_batches")
def latest(
    caller: Reader,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1, description="Older than this one.")] = None,
    kind: KindName | None = None,
    state: State | None = None,
    account: Annotated[str | None, Query(max_length=64, description="Of one account; for the vendor.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> BatchList:
    """The newest batches first."""
    found = status.latest(caller.seen, account, limit, before=before, kind=kind, state=state)
    more = found[-1]["batch"] if len(found) == limit else None
    return BatchList(batches=[BatchLine(**one) for one in found], next=more)


@router.get("/{batch}", operation_id="show_batch")
def show(batch: BatchNumber, caller: Reader) -> BatchReport:
    """A batch: where it stands, what its rows got or would get, problems with their cells, result files."""
    found = status.of_batch(caller.seen, batch, caller.language)
    return BatchReport(**found | {"results": (found["results"] or {}).get("files", [])})


@router.post("/{batch}/confirm", operation_id="confirm_batch")
def confirm(
    batch: BatchNumber,
    caller: Sender,
    exact: Annotated[bool, Query(description="Do nothing where an answer would differ from its preview.")] = False,
) -> BatchLine:
    """Let a previewed batch run. Confirming twice is the same as once."""
    caller.require_kind(status.line_of(caller.seen, batch)["kind"])
    control.confirm(caller.app, batch, actor=caller.actor, exact=exact)
    return BatchLine(**status.line_of(caller.seen, batch))


@router.post("/{batch}/cancel", operation_id="cancel_batch")
def cancel(batch: BatchNumber, caller: Sender) -> BatchLine:
    """Stop a batch: what is done stays, the rest is skipped."""
    caller.require_kind(status.line_of(caller.seen, batch)["kind"])
    control.cancel(caller.app, batch, actor=caller.actor)
    return BatchLine(**status.line_of(caller.seen, batch))
