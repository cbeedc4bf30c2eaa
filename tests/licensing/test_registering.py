"""The rule of registering a serial, exhaustively and against a plain model."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.codes import serial_codes
from licensing.registering import Earlier, Offer, Party, Request, decide_registration

KEY = "CERT0001"
ASKED = Request(KEY, 7, "", None, "")
OFFER = Offer("unregistered", "license", False, 10, None, "SUITE", False)


def test_a_serial_of_another_says_nothing_else():
    """Whatever is asked, and whatever the serial holds, another owner's serial gets one and the same answer."""
    others: tuple[Party, ...] = (8, ("rossi", "IT"))
    for owner, prints, remaining, quantity in product(others, (True, False), (0, 5), (None, 3, 99)):
        offer = OFFER._replace(state="registered", owner=owner, prints_key=prints, remaining=remaining)
        earlier = [Earlier("KML-1", "", 5, "")]
        decision = decide_registration(ASKED._replace(quantity=quantity), offer, earlier)
        assert (decision.code, decision.detail, decision.license_number) == ("already_registered", "", None)


@pytest.mark.parametrize(
    ("request_", "offer", "code", "detail"),
    [
        (ASKED, None, "unknown_serial", ""),
        (ASKED._replace(key="KMS" + "0" * 20 + "1"), None, "mistyped_code", ""),
        (ASKED, OFFER._replace(state="void"), "serial_void", ""),
        (ASKED, OFFER._replace(purpose="renewal"), "serial_renews_maintenance", ""),
        (ASKED, OFFER._replace(prints_key=True), "no_key_needed", ""),
        (ASKED, OFFER._replace(prints_key=True, owner=7), "unchanged", ""),
        (ASKED, OFFER._replace(remaining=0, owner=7), "serial_used_up", ""),
        (ASKED._replace(quantity=11), OFFER, "quantity_not_left", "10"),
        (ASKED, OFFER._replace(host_bound=True), "host_required", "SUITE"),
        (ASKED._replace(host_id="H1"), OFFER._replace(host_bound=True), "issued", ""),
        (ASKED._replace(quantity=10), OFFER, "issued", ""),
    ],
)
def test_each_answer(request_: Request, offer: Offer | None, code: str, detail: str):
    """Every answer of the rule, for a customer with the id 7."""
    decision = decide_registration(request_, offer, ())
    assert (decision.code, decision.detail) == (code, detail)


def test_minted_serials_pass_the_check():
    """A serial that Keymill mints is unknown, not mistyped, where it was never loaded."""
    (code,) = serial_codes(bytes(range(20)), 1)
    assert decide_registration(ASKED._replace(key=code.replace("-", "")), None, ()).code == "unknown_serial"


ORDERS = st.lists(
    st.tuples(st.sampled_from(["", "H1", "H2"]), st.none() | st.integers(1, 6), st.sampled_from(["", "A", "B"])),
    max_size=12,
)


@given(ORDERS, st.integers(1, 15))
def test_issued_and_left_are_what_was_bought(orders: list[tuple[str, int | None, str]], bought: int):
    """In any sequence of rows, issued plus left is bought, and a row sent once more gets what it got before."""
    remaining, earlier = bought, list[Earlier]()
    for host, quantity, reference in orders:
        request = Request(KEY, 7, host, quantity, reference)
        decision = decide_registration(request, OFFER._replace(remaining=remaining, owner=7), earlier)
        if decision.code == "issued":
            taken = quantity or remaining
            number = f"KML-{len(earlier)}"
            earlier.append(Earlier(number, host, taken, reference))
            remaining -= taken
            again = decide_registration(request, OFFER._replace(remaining=remaining, owner=7), earlier)
            assert again.code == "already_issued"
            if host:
                assert again.license_number is not None
        else:
            assert decision.code in ("already_issued", "serial_used_up", "quantity_not_left")
        assert remaining >= 0
        assert remaining + sum(one.quantity for one in earlier) == bought
