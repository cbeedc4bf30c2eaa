"""Permissions: each includes those before it."""

from __future__ import annotations

from itertools import product

from licensing.permissions import PERMISSIONS, allows


def test_each_permission_includes_the_lesser_ones():
    """All nine pairs."""
    allowed = {(held, needed) for held, needed in product(PERMISSIONS, PERMISSIONS) if allows(held, needed)}
    assert allowed == {
        ("read", "read"), ("submit", "read"), ("submit", "submit"),
        ("manage", "read"), ("manage", "submit"), ("manage", "manage"),
    }  # fmt: skip
