"""Batch kinds and their templates."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel
from starlette.responses import Response

from jobs.kinds.registry import KINDS, find
from licensing.fields import Language
from web.callers import Reader

router = APIRouter(prefix="/kinds", tags=["kinds"])
MEDIA_TYPES = {
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "csv": "text/csv",
}


class KindColumn(BaseModel):
    """A column that a kind knows."""

    name: str
    title: str
    note: str
    required: bool


class BatchKind(BaseModel):
    """A batch kind that the account may send."""

    kind: str
    title: str
    columns: list[KindColumn]


@router.get("", operation_id="list_kinds")
def kinds(caller: Reader) -> list[BatchKind]:
    """The kinds that this token may send, with their columns."""
    language = caller.language
    return [
        BatchKind(
            kind=kind.name,
            title=kind.title[language],
            columns=[
                KindColumn(
                    name=field.name, title=field.title[language], note=field.note[language], required=field.required
                )
                for field in kind.fields
            ],
        )
        for kind in KINDS.values()
        if caller.account_type in kind.senders and (caller.kinds is None or kind.name in caller.kinds)
    ]


@router.get(
    "/{kind}/template",
    operation_id="fetch_template",
    response_class=Response,
    responses={
        200: {
            "description": "An empty file, ready to be filled in",
            "content": {one: {"schema": {"type": "string", "format": "binary"}} for one in MEDIA_TYPES.values()},
        }
    },
)
def template(
    kind: Annotated[str, Path(json_schema_extra={"enum": list(KINDS)})],
    caller: Reader,
    form: Annotated[Literal["xlsx", "csv"], Query(alias="format")] = "xlsx",
    language: Annotated[Language | None, Query(description="Default: of Accept-Language.")] = None,
) -> Response:
    """The template of a kind, with notes, drop-downs and an example."""
    from exporters.templates import template as rendered  # the workbook library is a fifth of a server's start

    content = rendered(find(kind).fields, kind, language or caller.language, form)
    headers = {"Content-Disposition": f'attachment; filename="{kind}.{form}"'}
    return Response(content, media_type=MEDIA_TYPES[form], headers=headers)
