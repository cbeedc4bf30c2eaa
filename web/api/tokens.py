"""API tokens of the account, and whose token this is."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from jobs import api_tokens
from jobs.api_tokens import MOST_DAYS, MOST_NAME, USUAL_DAYS
from jobs.kinds.registry import KINDS
from licensing.permissions import Permission
from web.callers import Keeper, Reader
from web.problems import NotAnswered

router = APIRouter(tags=["tokens"])


class Self(BaseModel):
    """Whom the token acts for, and what it may do."""

    account: str
    type: str = Field(description="vendor, oem, distributor or customer.")
    permission: Permission
    kinds: list[str] | None = Field(description="null: every kind that the account may send.")


class Token(BaseModel):
    """A token without its secret."""

    token: int
    account: str
    name: str
    start: str = Field(description="The first characters, to know it again.")
    kinds: list[str] | None
    permission: Permission
    state: Literal["active", "expired", "revoked"]
    created: datetime
    created_by: str
    expires: datetime
    revoked: datetime | None
    last_used: datetime | None
    last_used_from: str | None


class NewToken(Token):
    """A token that was made just now."""

    secret: str = Field(description="The token itself. It cannot be shown again.")


class Wanted(BaseModel):
    """The token that is to be made."""

    name: str = Field(min_length=1, max_length=MOST_NAME, pattern=r"^[^\x00-\x1f]+$", description="What uses it.")
    permission: Permission = "submit"
    kinds: list[Annotated[str, Field(json_schema_extra={"enum": list(KINDS)})]] | None = Field(
        default=None, min_length=1, max_length=50
    )
    days: int = Field(default=USUAL_DAYS, ge=1, le=MOST_DAYS, description="How long it is good.")


@router.get("/account", operation_id="show_account")
def myself(caller: Reader) -> Self:
    """Whom this token acts for."""
    return Self(
        account=caller.account,
        type=caller.account_type,
        permission=caller.permission,
        kinds=None if caller.kinds is None else sorted(caller.kinds),
    )


@router.get("/tokens", operation_id="list_tokens")
def listed(caller: Keeper) -> list[Token]:
    """The account's tokens, newest first, with when each was last used."""
    return [Token(**one) for one in api_tokens.listed(caller.seen, caller.account)]


@router.post("/tokens", operation_id="create_token", status_code=201)
def create(wanted: Wanted, caller: Keeper) -> NewToken:
    """Make a token for the account. One that is for some kinds only makes no token for others."""
    if caller.kinds is not None and not (wanted.kinds and caller.kinds.issuperset(wanted.kinds)):
        raise NotAnswered(
            "kind_not_allowed",
            f"This token can make others only for its own kinds: {', '.join(sorted(caller.kinds))}.",
            f"Questo token può crearne altri solo per i propri tipi: {', '.join(sorted(caller.kinds))}.",
        )
    made = api_tokens.create(
        caller.app,
        caller.account,
        wanted.name,
        wanted.permission,
        actor=caller.actor,
        kinds=wanted.kinds,
        days=wanted.days,
    )
    return NewToken(**made)


@router.delete("/tokens/{token}", operation_id="revoke_token", status_code=204, response_class=Response)
def revoke(token: Annotated[int, Path(ge=1, le=2**63 - 1)], caller: Keeper) -> None:
    """End a token at once. Revoking twice is the same as once."""
    api_tokens.revoke(caller.app, token, actor=caller.actor, account_number=caller.account)
