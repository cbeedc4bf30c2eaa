"""Lists of other systems that are read as they come: how each is recognised, and which of its columns are ours."""

from __future__ import annotations

from typing import NamedTuple


class Layout(NamedTuple):
    """A foreign layout: the headers that tell it, and the known fields that its headers stand for."""

    name: str
    told_by: tuple[str, ...]
    columns: dict[str, str]


# One line a layout; headers are compared as in headers.py. A list without any header is the layout CODE_LIST.
LAYOUTS = (
    Layout(
        "voucherify",
        ("Code", "Voucher Type", "Discount Type", "Redemption Limit"),
        {"Code": "voucher_code", "Expiration Date": "expires"},
    ),
    Layout(
        "talon-one",
        ("value", "expirydate", "limitval"),
        {"value": "voucher_code", "expirydate": "expires"},
    ),
)
CODE_LIST = "code-list"
CODE_LIST_FIELD = "voucher_code"
