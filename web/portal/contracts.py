"""Flexible contracts and their statements, with charts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Annotated, Any

from babel import dates
from fastapi import APIRouter, Path, Query, Request
from markupsafe import Markup
from starlette.responses import Response

from jobs import contracts, explaining
from licensing.fields import Language
from web import charts
from web.portal.pages import first_of, page
from web.portal.visitors import Signed

router = APIRouter()
PAGE = 25


@router.get("/contracts")
def listed(request: Request, me: Signed, after: Annotated[str | None, Query(max_length=64)] = None) -> Response:
    """The contracts that the account holds or acts for."""
    found = contracts.listed(me.seen, after=after, limit=PAGE + 1)
    shown, more = first_of(found, PAGE, "key")
    return page(request, me.reader, "contracts.html", contracts=shown, next=more)


@router.get("/contracts/{number}")
def show(request: Request, number: Annotated[str, Path(max_length=64)], me: Signed) -> Response:
    """A contract: what is committed, drawn and used of each line, period by period."""
    found = contracts.card(me.seen, number)
    for line in found["lines"]:
        line["chart"] = _chart(line["statements"], me.language)
    return page(request, me.reader, "contract.html", contract=found)


def _chart(statements: Sequence[dict[str, Any]], language: Language) -> Markup:
    """What was used in each period, adjustments in place of what they adjust."""
    latest = {one["starts"]: one for one in statements}
    periods = [
        charts.Period(dates.format_date(starts, "MMM yy", locale=language), one["committed"], one["used"])
        for starts, one in sorted(latest.items())
    ]
    return charts.committed_and_used(periods, language)


@router.get("/statements/{statement}")
def explain(request: Request, statement: Annotated[int, Path(ge=1, le=2**63 - 1)], me: Signed) -> Response:
    """A statement, and the rows that its figures came from."""
    found = explaining.explain(me.seen, statement)
    return page(request, me.reader, "statement.html", statement=found, chart=_day_by_day(found, me.language))


def _day_by_day(statement: dict[str, Any], language: Language) -> Markup:
    """What was reported for each day of a statement, against what was committed then."""
    reported: dict[date, int] = {}
    for one in statement["reports"]:
        if one["counts"] and one["day"] >= statement["starts"]:
            reported[one["day"]] = reported.get(one["day"], 0) + one["quantity"]
    days = []
    for number in range((statement["until"] - statement["starts"]).days + 1):
        day = statement["starts"] + timedelta(days=number)
        committed = next((one["quantity"] for one in reversed(statement["commitments"]) if one["since"] <= day), 0)
        days.append(charts.Period(dates.format_date(day, "d MMM", locale=language), committed, reported.get(day)))
    return charts.day_by_day(days, language)
