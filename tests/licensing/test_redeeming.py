"""Redeeming: the answer for every state of a voucher and every way of asking."""

from __future__ import annotations

import itertools
from datetime import date

import pytest

from licensing.codes import match_key, voucher_codes
from licensing.outcomes import CODES
from licensing.redeeming import Earlier, Offer, Request, decide_redemption, is_same_request

TODAY = date(2026, 11, 25)
YESTERDAY, TOMORROW = date(2026, 11, 24), date(2026, 11, 26)
OURS, OTHERS = 7, 8
KEY = match_key(voucher_codes(bytes(20), 1)[0])
MISTYPED = KEY[:-1] + ("1" if KEY[-1] == "0" else "0")
ASKED = Request(KEY, "rossispa", "IT", "")
HOSTED = ASKED._replace(host_id="00:1A")
SAME = Earlier("KML-1", "rossispa", "IT", "")
OTHER = Earlier("KML-1", "bianchisrl", "IT", "")


def offered(**changed: object) -> Offer:
    """A voucher of ours that can be redeemed, but for what is changed."""
    return Offer(OURS, "minted", None, "PRO", False)._replace(**changed)  # type: ignore[arg-type]


def expected(request: Request, offer: Offer | None, earlier: Earlier | None) -> str:
    """The rule once more, as the table of a page: the first line that fits is the answer."""
    ours = offer is not None and offer.oem_id == OURS
    table = [
        (not ours and request.key == MISTYPED, "mistyped_code"),
        (not ours, "unknown_voucher"),
        (ours and offer is not None and offer.state == "void", "voucher_void"),
        (earlier == SAME and request.host_id == "", "already_issued"),
        (earlier is not None, "already_redeemed"),
        (offer is not None and offer.state == "redeemed", "already_redeemed"),
        (offer is not None and offer.expires == YESTERDAY, "voucher_expired"),
        (offer is not None and offer.host_bound and request.host_id == "", "host_required"),
        (True, "issued"),
    ]
    return next(code for fits, code in table if fits)


def test_every_state_and_way_of_asking_has_its_answer() -> None:
    """Owner x state x expiry x host x earlier license x code x host given: as the table says, all codes met."""
    offers: list[Offer | None] = [
        Offer(owner, state, expires, "PRO", bound)
        for owner, state, expires, bound in itertools.product(
            (OURS, OTHERS),
            ("minted", "redeemed", "void"),
            (None, YESTERDAY, TODAY, TOMORROW),
            (False, True),
        )
    ]
    requests = [request._replace(key=key) for request in (ASKED, HOSTED) for key in (KEY, MISTYPED, "RSI26")]
    met = set()
    for request, offer, earlier in itertools.product(requests, [*offers, None], (None, SAME, OTHER)):
        answer = decide_redemption(request, offer, earlier, account_id=OURS, today=TODAY)
        assert answer.code == expected(request, offer, earlier), (request, offer, earlier)
        assert answer.code in CODES
        assert (answer.license_number == "KML-1") is (answer.code == "already_issued")
        assert (answer.field is None) is (answer.code in ("issued", "already_issued"))
        met.add(answer.code)
    assert met == {
        *("mistyped_code", "unknown_voucher", "voucher_void", "already_issued", "already_redeemed"),
        *("voucher_expired", "host_required", "issued"),
    }


@pytest.mark.parametrize("state", ["minted", "redeemed", "void"])
@pytest.mark.parametrize("earlier", [None, SAME, OTHER])
def test_someone_elses_voucher_answers_like_one_that_does_not_exist(state: str, earlier: Earlier | None) -> None:
    """Nothing in the answer tells that the code exists for somebody else."""
    foreign = decide_redemption(ASKED, offered(oem_id=OTHERS, state=state), earlier, account_id=OURS, today=TODAY)
    assert foreign == decide_redemption(ASKED, None, None, account_id=OURS, today=TODAY)


def test_a_voucher_can_be_redeemed_on_its_last_day_and_not_after() -> None:
    """The expiry date is the last day; the answer after it names the date."""
    last_day = decide_redemption(ASKED, offered(expires=TODAY), None, account_id=OURS, today=TODAY)
    assert last_day.code == "issued"
    too_late = decide_redemption(ASKED, offered(expires=YESTERDAY), None, account_id=OURS, today=TODAY)
    assert (too_late.code, too_late.detail) == ("voucher_expired", "2026-11-24")


def test_a_key_is_given_again_after_the_voucher_expired() -> None:
    """What was issued stays issued: the same row gets its key again even when the voucher's date has passed."""
    offer = offered(state="redeemed", expires=YESTERDAY)
    assert decide_redemption(ASKED, offer, SAME, account_id=OURS, today=TODAY).code == "already_issued"


def test_a_redeemed_voucher_whose_license_is_not_at_hand_is_never_redeemed_twice() -> None:
    """One license per voucher, even where the earlier license was not found."""
    answer = decide_redemption(ASKED, offered(state="redeemed"), None, account_id=OURS, today=TODAY)
    assert answer.code == "already_redeemed"


def test_a_host_bound_product_names_itself_when_the_host_is_missing() -> None:
    """The sentence says which product needs a host."""
    answer = decide_redemption(ASKED, offered(host_bound=True), None, account_id=OURS, today=TODAY)
    assert (answer.code, answer.detail, answer.field) == ("host_required", "PRO", "host_id")
    assert decide_redemption(HOSTED, offered(host_bound=True), None, account_id=OURS, today=TODAY).code == "issued"


@pytest.mark.parametrize(
    ("company", "country", "host", "same"),
    [
        ("rossispa", "IT", "H1", True),
        ("rossispa", "", "", True),
        ("rossispa", "", "H1", True),
        ("rossispa", "IT", "", True),
        ("rossispa", "DE", "H1", False),
        ("rossispa", "IT", "H2", False),
        ("bianchisrl", "IT", "H1", False),
        ("bianchisrl", "", "", False),
    ],
)
def test_a_row_asks_again_when_nothing_in_it_says_otherwise(company: str, country: str, host: str, same: bool) -> None:
    """A blank cell leaves alone and agrees; another company, country or host does not."""
    request = Request(KEY, company, country, host)
    assert is_same_request(request, Earlier("KML-1", "rossispa", "IT", "H1")) is same


def test_a_country_added_later_agrees_and_a_host_added_later_does_not() -> None:
    """The key says nothing of the country; a key without host is not the key that a row with a host asks for."""
    assert is_same_request(ASKED, SAME._replace(country=""))
    assert not is_same_request(HOSTED, SAME)
