"""Statements of flexible contracts, with where their figures come from."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from jobs import explaining
from web.callers import Reader

router = APIRouter(prefix="/statements", tags=["statements"])
State = Literal["open", "closed", "adjusted"]


class StatementLine(BaseModel):
    """What reconciliation says of one contract line in one period. Amounts and averages are decimal texts."""

    statement: int
    contract: str
    customer: str
    product: str
    state: State
    starts: date
    ends: date
    until: date = Field(description="The last day that was counted.")
    metric: str
    policy: str
    committed: int
    drawn: int
    used: Decimal
    peak: int
    over: Decimal
    unused: Decimal
    owed: Decimal
    currency: str | None
    missing_days: int


class StatementList(BaseModel):
    """A page of statements, newest first."""

    statements: list[StatementLine]
    next: int | None = Field(description="Give it as `before` for the next page; null on the last one.")


class Place(BaseModel):
    """The row of a batch that something came from."""

    batch: int
    row: int


class Commitment(Place):
    """What was committed from a day on."""

    since: date
    quantity: int
    price: Decimal


class DrawDown(Place):
    """What was drawn, or given back."""

    day: date
    quantity: int
    license: str
    reference: str | None
    cost_center: str | None


class UsageReport(Place):
    """What was reported; `counts` is false where it was corrected."""

    day: date
    host: str
    quantity: int
    counts: bool


class StatementCard(StatementLine, Place):
    """A statement with the rows that its figures came from."""

    peak_day: date | None
    is_tolerated: bool
    owed_from: date | None
    causes: list[tuple[int, int]] | None = Field(description="Of an adjustment: reports that came late (batch, row).")
    commitments: list[Commitment]
    drawn_by: list[DrawDown]
    reports: list[UsageReport]


@router.get("", operation_id="list_statements")
def latest(
    caller: Reader,
    contract: Annotated[str | None, Query(max_length=64)] = None,
    state: State | None = None,
    before: Annotated[int | None, Query(ge=1, le=2**63 - 1)] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> StatementList:
    """Statements of the contracts that the account holds or acts for, newest first."""
    found = explaining.latest(caller.seen, contract=contract, state=state, before=before, limit=limit)
    more = found[-1]["statement"] if len(found) == limit else None
    return StatementList(statements=[StatementLine(**one) for one in found], next=more)


@router.get("/{statement}", operation_id="explain_statement")
def explain(statement: Annotated[int, Path(ge=1, le=2**63 - 1)], caller: Reader) -> StatementCard:
    """A statement, and the batch and row of everything that it was made of."""
    return StatementCard(**explaining.explain(caller.seen, statement))
