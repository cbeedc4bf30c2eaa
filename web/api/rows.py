"""The rows of a batch with their answers."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from jobs import answers
from web import auditing
from web.api.batches import BatchNumber
from web.callers import Reader

router = APIRouter(prefix="/batches/{batch}/rows", tags=["batches"])
Outcome = Literal["issued", "unchanged", "accepted", "rejected", "skipped"]


class Cell(BaseModel):
    """One cell as it came."""

    column: str
    title: str | None
    value: Any = Field(
        description="Text, number, truth value or null; a date as `{date: ...}`, what cannot be read as "
        "`{unreadable: ...}`."
    )


class CellFault(BaseModel):
    """What is wrong with a cell."""

    column: str
    code: str
    sentence: str


class AnsweredRow(BaseModel):
    """One row and its answer; `outcome` is null until it has one."""

    row: int = Field(description="Its place among the rows, from 1.")
    sheet_row: int = Field(description="The line of the file.")
    cells: list[Cell]
    outcome: Outcome | None
    code: str | None
    sentence: str | None
    faults: list[CellFault]
    license: str | None
    key: str | None = Field(description="The signed license key.")
    product: str | None
    quantity: int | None
    valid_until: date | None


class RowPage(BaseModel):
    """A page of rows in file order."""

    rows: list[AnsweredRow]
    next: int | None = Field(description="Give it as `after` for the next page; null on the last one.")


@router.get("", operation_id="list_rows")
def page(
    batch: BatchNumber,
    caller: Reader,
    after: Annotated[int, Query(ge=0, le=2**31 - 1, description="Rows after this one.")] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    outcome: Annotated[list[Outcome] | None, Query(description="Only rows with this outcome.")] = None,
    code: Annotated[list[str] | None, Query(description="Only rows with this code.", max_length=50)] = None,
    of: Annotated[Literal["run", "preview"], Query(description="What rows got, or what the preview says.")] = "run",
) -> RowPage:
    """Rows with their answers, keys included: a page that has keys is written into the audit log."""
    found = answers.page(
        caller.seen,
        batch,
        after=after,
        limit=limit,
        language=caller.language,
        outcomes=outcome or (),
        codes=code or (),
        previewed=of == "preview",
    )
    if keys := sum(one["key"] is not None for one in found):
        auditing.saw_keys(caller, "keys.read", f"batch {batch}", rows=[found[0]["row"], found[-1]["row"]], keys=keys)
    more = found[-1]["row"] if len(found) == limit else None
    return RowPage(rows=[AnsweredRow(**one) for one in found], next=more)
