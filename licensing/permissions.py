"""What a person or a program may do for an account: each permission includes those that stand before it."""

from __future__ import annotations

from typing import Literal, get_args

Permission = Literal["read", "submit", "manage"]
PERMISSIONS: tuple[Permission, ...] = get_args(Permission)


def allows(held: Permission, needed: Permission) -> bool:
    """Whether somebody who holds a permission may do what another one is needed for."""
    return PERMISSIONS.index(held) >= PERMISSIONS.index(needed)
