"""Fresh numbers: which of them come in order, and which must not."""

from __future__ import annotations

from jobs import numbers


def test_numbers_that_are_no_secret_ascend_and_voucher_codes_do_not() -> None:
    """What is written together lies side by side in its index; a voucher tells nothing of the next one."""
    for fresh in (numbers.license_numbers(500), numbers.notification_codes(500)):
        assert fresh == sorted(set(fresh))
    vouchers = numbers.voucher_codes(500)
    assert len(set(vouchers)) == 500
    assert vouchers != sorted(vouchers)
