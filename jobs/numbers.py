"""Fresh numbers and codes: the one place where chance comes in.

Numbers that are no secret come in ascending order: what is written and looked up together then lies side by side in its
index (docs/decisions/0006-schema.md). Vouchers, which are worth money to whoever guesses one, do not.
"""

from __future__ import annotations

import secrets

from licensing import codes


def license_numbers(count: int) -> list[str]:
    """So many new license numbers, in ascending order."""
    return sorted(codes.license_numbers(secrets.token_bytes(codes.LICENSE.random_symbols * count), count))


def voucher_codes(count: int) -> list[str]:
    """So many new voucher codes of 100 random bits each."""
    return codes.voucher_codes(secrets.token_bytes(codes.VOUCHER.random_symbols * count), count)


def notification_codes(count: int) -> list[str]:
    """So many new IDs of upgrade notifications, in ascending order."""
    return sorted(codes.notification_codes(secrets.token_bytes(codes.NOTIFICATION.random_symbols * count), count))


def account_numbers(count: int) -> list[str]:
    """So many new account numbers."""
    return codes.account_numbers(secrets.token_bytes(codes.ACCOUNT.random_symbols * count), count)
