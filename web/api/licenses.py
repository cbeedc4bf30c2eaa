"""Licenses: looked up, shown with their keys, verified."""

from __future__ import annotations

import time
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from jobs import keys, searching
from signing.key_sets import parse_key_set
from signing.verification import CODES, LONGEST_LICENSE, verify
from web import auditing
from web.callers import Reader

router = APIRouter(prefix="/licenses", tags=["licenses"])
State = Literal["active", "superseded", "rehosted", "revoked", "expired"]
Number = Annotated[str, Field(max_length=64)]


class LicenseLine(BaseModel):
    """A license in a line, without its key."""

    number: str
    customer: str = Field(description="Number of the customer's account.")
    company: str
    product: str
    version: str
    quantity: int
    host: str | None
    state: State
    valid_until: date | None
    maintained_until: date | None


class LicenseList(BaseModel):
    """A page of licenses, newest first."""

    licenses: list[LicenseLine]
    next: str | None = Field(description="Give it as `after` for the next page; null on the last one.")


class Maintenance(BaseModel):
    """A support contract."""

    starts: date
    ends: date
    level: str | None
    support_contact: str | None


class Share(BaseModel):
    """Who else may see it."""

    account: str
    permission: Literal["read", "manage"]
    since: datetime


class Datum(BaseModel):
    """What its owner wrote beside it."""

    name: str
    value: str
    type: Literal["text", "number", "date", "flag"]


class Notification(BaseModel):
    """An upgrade that it is entitled to."""

    notification: str
    product: str
    version: str
    left: int
    state: str


class Link(BaseModel):
    """One of the licenses that came of the same purchase."""

    number: str
    parent: str | None
    cause: str | None
    product: str
    version: str
    quantity: int
    host: str | None
    state: State


class LicenseCard(LicenseLine):
    """Everything about a license."""

    key: str = Field(description="The signed license key.")
    reference: str | None
    issued_at: datetime
    ended_at: datetime | None
    end_reason: str | None
    batch: int
    row: int
    voucher: str | None
    serial: str | None
    maintenance: list[Maintenance]
    shares: list[Share]
    data: list[Datum]
    notifications: list[Notification]
    chain: list[Link]


class Presented(BaseModel):
    """What is to be verified."""

    license: str = Field(max_length=LONGEST_LICENSE, description="A license key, or the text of a .lic file.")


class Verdict(BaseModel):
    """What a check of the signature, the term and the present state found."""

    valid: bool
    code: str = Field(description=f"One of: {', '.join(CODES)}.")
    sentence: str
    claims: dict[str, Any] = Field(description="What the license says, once its signature was found good.")


@router.get("", operation_id="list_licenses")
def search(
    caller: Reader,
    customer: Annotated[Number | None, Query(description="Number of the customer's account.")] = None,
    product: Annotated[Number | None, Query(description="SKU.")] = None,
    host: Annotated[str | None, Query(max_length=255)] = None,
    state: State | None = None,
    where: Annotated[
        list[str] | None, Query(description="User-defined data: `NAME=VALUE`, `NAME>VALUE` and so on.", max_length=10)
    ] = None,
    after: Annotated[Number | None, Query(description="After this license, in the order of the list.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> LicenseList:
    """Licenses that the account holds, acts for or was shared, newest first. Keys are shown one by one only."""
    given = {"customer": customer, "product": product, "host": host, "state": state, "after": after}
    filters = {name: value for name, value in given.items() if value is not None}
    found = searching.licenses(caller.seen, filters, where or (), limit)
    more = found[-1]["number"] if len(found) == limit else None
    return LicenseList(licenses=[LicenseLine(**one) for one in found], next=more)


@router.get("/{number}", operation_id="show_license")
def show(number: Annotated[str, Path(max_length=64)], caller: Reader) -> LicenseCard:
    """Everything about a license, its key included: that is written into the audit log."""
    found = searching.license(caller.seen, number)
    auditing.saw_keys(caller, "key.read", f"license {found['number']}")
    return LicenseCard(**found)


@router.post("/verify", operation_id="verify_license")
def check(presented: Presented, caller: Reader) -> Verdict:
    """Verify a license key with this installation's public keys, and hold it against the license's present state."""
    public_keys = parse_key_set(keys.public_key_set(caller.app.engine))
    verdict = verify(presented.license, public_keys, now=time.time())
    if verdict.valid:
        verdict = searching.present_verdict(caller.app, verdict)
    return Verdict(
        valid=verdict.valid,
        code=verdict.code,
        sentence=verdict.sentence(caller.language),
        claims=dict(verdict.claims),
    )
