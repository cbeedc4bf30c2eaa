"""Taking back what a row did: possible as far as nothing has been built on it."""

from __future__ import annotations

from typing import Literal

from licensing.decisions import Decision
from licensing.drawing import Offer

# What a row may have done, in the words of a kind's ``takes_back``.
Effect = Literal[
    "license", "replacement", "renewal", "registration", "revocation", "share", "mint_order", "new_voucher",
    "void_voucher", "new_serial", "notifications",
]  # fmt: skip


def kept(why: str) -> Decision:
    """The answer to a row that stays as it is: ``why`` names what has been built on it, or what it has become."""
    return Decision("kept_in_use", why, field="row")


def decide_license(state: str, *, is_renewed: bool) -> Decision:
    """Whether a license that a row issued, or that is what was left of another, can be taken back."""
    if state != "active":
        return kept(state)
    return kept("renewed") if is_renewed else Decision("reverted")


def decide_drawn_again(quantity: int, offer: Offer, drawn: int) -> Decision:
    """Whether so much, which went back to its pool when it was revoked, is drawn again, where so much is drawn by now.

    As a draw-down of today would be: in the term only, and under a hard stop only what is left.
    """
    if offer.closed:
        return kept(offer.closed.code)
    if offer.most is not None and drawn + quantity > offer.most:
        return kept(f"pool_exhausted {max(0, offer.most - drawn)} / {quantity}")
    return Decision("reverted")


def decide_share_of(left: int, total: int) -> Decision:
    """Whether things that a row made many of (codes, notifications) can be taken back: those that nobody has used."""
    if left == total:
        return Decision("reverted")
    return Decision("reverted_in_part", f"{left} / {total}") if left else kept(f"0 / {total}")
