"""What a rule says about one row."""

from __future__ import annotations

from typing import Any, NamedTuple


class Decision(NamedTuple):
    """One row's answer: a code of ``licensing.outcomes``, what its sentence adds, the field at fault, what it needs.

    ``license_number`` names the license that the row gets or got before, ``order_id`` where its codes come from (a mint
    order, a release that owners are notified of); ``effect`` is what must be written to make
    the answer true, in the kind's own terms.
    """

    code: str
    detail: str = ""
    field: str | None = None
    license_number: str | None = None
    order_id: int | None = None
    effect: Any = None
