"""Licenses that the signing tests sign and check."""

from __future__ import annotations

from signing.tokens import LicenseClaims

KEK = bytes(range(32))
NOW = 1_795_600_000  # a moment on 25 November 2026
DAY = 86_400

PLAIN = LicenseClaims("KMC-CUST", "KML-1", NOW - DAY, NOW + DAY, "PRO", "2.1", 1)
CLAIMS = (
    PLAIN,
    PLAIN._replace(license_number="KML-2", expires_at=None, quantity=2_000_000_000),
    PLAIN._replace(license_number="KML-3", host="00:1A:2B", sku='W"eird\\SKU\n', version="é日本🍕"),
    PLAIN._replace(license_number="KML-4", host="", customer_number="</script>\u2028"),
)
