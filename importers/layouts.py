"""Lists of other systems that are read as they come: how each is recognised, and which of its columns are ours."""

from __future__ import annotations

from typing import NamedTuple


class Layout(NamedTuple):
    """A foreign layout: the headers that tell it, and the known fields that its headers stand for.

    A header with None is not ours, though one of our columns bears the same name. ``kinds``: the batch kinds that such
    a list is for, the likeliest first.
    """

    name: str
    told_by: tuple[str, ...]
    columns: dict[str, str | None]
    kinds: tuple[str, ...]


_WEB_REGISTER_COLUMNS: dict[str, str | None] = {
    "Product Name": "product", "Part Number": "product", "Product Version": "version", "Seat Count": "quantity",
    "Copies": "quantity", "Sold To": "company",
}  # fmt: skip
_FOR_SERIALS = ("load-serials", "register-serials")

# One entry a layout; headers are compared as in headers.py. A list without any header is the layout CODE_LIST.
LAYOUTS = (
    Layout(
        "voucherify",
        ("Code", "Voucher Type", "Discount Type", "Redemption Limit"),
        {"Code": "voucher_code", "Expiration Date": "expires"},
        ("redeem-vouchers", "load-vouchers"),
    ),
    Layout(
        "talon-one",
        ("value", "expirydate", "limitval"),
        {"value": "voucher_code", "expirydate": "expires"},
        ("redeem-vouchers", "load-vouchers"),
    ),
    # XML (an element webregkey each), or a data import template saved as "Unicode text".
    *(
        Layout("flexnet-web-register-keys", (title,), {title: "serial", **_WEB_REGISTER_COLUMNS}, _FOR_SERIALS)
        for title in ("webregkey", "webregkeyid", "Web Register Key", "Web Register Key ID")
    ),
    Layout(
        "licensespring",
        ("license__license_key", "product__short_code"),
        {
            "license__license_key": "serial",
            "product__short_code": "product",
            "license__max_activations": "quantity",
            "customer__company_name": "company",
            "customer__email": "email",
            "customer__last_name": "contact",
            "customer__country": "country",
            "customer__reference": "reference",
        },
        _FOR_SERIALS,
    ),
    Layout(
        "snipe-it",
        ("Item name", "serial number", "seats", "Licensed To Name"),
        {
            "serial number": "serial",
            "Item name": "product",
            "seats": "quantity",
            "company": "company",
            "Licensed To Name": "contact",
            "Licensed to Email": "email",
            "Email": None,  # of the person that the license was handed out to
        },
        _FOR_SERIALS,
    ),
    # An entitlement has no number that a key could be asked for with: it tells of products.
    Layout(
        "servicenow-entitlements",
        ("Publisher part number", "Purchased rights"),
        {
            "Publisher part number": "product",
            "Product": "name",
            "Version": "version",
            "Platform": None,
            "Language": None,
        },
        ("load-products",),
    ),
    Layout(
        "broadcom-license-folder",
        ("License Key", "Folder Name", "Contract End Date"),
        {"License Key": "license", "Contract End Date": "ends"},
        ("load-maintenance", "annotate-licenses"),
    ),
    Layout(
        "flexnet-reconciliation-summary",
        ("accountID", "productID", "usageFromStatement"),
        {"accountID": "customer_number", "productID": "product", "endDate": "date", "usageFromStatement": "quantity"},
        ("report-usage",),
    ),
    Layout(
        "autopilot-devices",
        ("Device Serial Number", "Hardware Hash"),
        {"Device Serial Number": "host_id"},
        ("register-serials",),
    ),
)
CODE_LIST = "code-list"
CODE_LIST_FIELD = "voucher_code"


def kinds_of(name: str | None) -> tuple[str, ...]:
    """The batch kinds that lists of a layout are for, the likeliest first."""
    return next((layout.kinds for layout in LAYOUTS if layout.name == name), ())
