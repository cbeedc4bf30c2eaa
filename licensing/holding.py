"""Holding licenses: what an account may do with one, and what it is told where it may not."""

from __future__ import annotations

from typing import Literal

from licensing.codes import check, match_key
from licensing.decisions import Decision

Access = Literal["own", "manage", "read"]
RANKS: tuple[Access | None, ...] = (None, "read", "manage", "own")


def unknown(number: str) -> Decision:
    """The answer to a license number that the account does not hold, whether there is such a license or not."""
    return Decision("mistyped_code" if check(match_key(number)) == "mistyped" else "unknown_license", field="license")


def refusal(number: str, access: Access | None, needed: Access) -> Decision | None:
    """Why an account may not do this with the license that a row names; None: it may."""
    if access is None:
        return unknown(number)
    if RANKS.index(access) >= RANKS.index(needed):
        return None
    return Decision("license_read_only" if access == "read" else "license_of_another", field="license")
