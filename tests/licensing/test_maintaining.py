"""The rule of loading maintenance: every answer, and what becomes of the contract."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from licensing.maintaining import Contract, decide_maintenance

FIRST, LAST, LATER = date(2026, 1, 1), date(2026, 12, 31), date(2027, 6, 30)
NOTHING = Contract(None, None, None, None)
KNOWN = Contract(FIRST, LAST, "gold", "a@b.it")


@pytest.mark.parametrize(
    ("wanted", "known", "code", "detail", "field"),
    [
        (Contract(FIRST, LAST, None, None), None, "created", "", None),
        (Contract(None, LAST, None, None), None, "missing_value", "starts", "starts"),
        (Contract(FIRST, None, None, None), None, "missing_value", "ends", "ends"),
        (Contract(LAST, FIRST, None, None), None, "dates_reversed", "2026-12-31 > 2026-01-01", "ends"),
        (Contract(LATER, None, None, None), KNOWN, "dates_reversed", "2027-06-30 > 2026-12-31", "starts"),
        (NOTHING, KNOWN, "unchanged", "", None),
        (KNOWN, KNOWN, "unchanged", "", None),
        (Contract(None, LATER, "silver", None), KNOWN, "updated", "ends, level", None),
        (Contract(None, None, None, "c@d.it"), KNOWN, "updated", "support_contact", None),
    ],
)
def test_each_answer(wanted: Contract, known: Contract | None, code: str, detail: str, field: str | None):
    """Every answer of the rule, with the column that is at fault."""
    decision = decide_maintenance(wanted, known, is_renewed=False)
    assert (decision.code, decision.detail, decision.field) == (code, detail, field)


def test_a_renewal_holds_the_dates_but_not_the_rest():
    """Once a customer has renewed, a load changes the level and the contact, and refuses to move the days."""
    refused = decide_maintenance(Contract(None, LATER, "silver", None), KNOWN, is_renewed=True)
    assert (refused.code, refused.detail, refused.field) == ("maintenance_renewed", "2026-12-31", "ends")
    assert decide_maintenance(Contract(FIRST, LAST, "silver", None), KNOWN, is_renewed=True).code == "updated"


CONTRACTS = st.builds(
    Contract,
    st.none() | st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    st.none() | st.dates(date(2020, 1, 1), date(2030, 1, 1)),
    st.sampled_from([None, "gold", "silver"]),
    st.sampled_from([None, "a@b.it"]),
)


@given(CONTRACTS, st.sampled_from([None, KNOWN]))
def test_a_blank_erases_nothing_and_the_same_row_again_changes_nothing(wanted: Contract, known: Contract | None):
    """What is written holds every cell of the row and, where it is blank, what there was; again it is unchanged."""
    decision = decide_maintenance(wanted, known, is_renewed=False)
    if decision.effect is not None:
        before = known or NOTHING
        assert decision.effect == tuple(b if w is None else w for w, b in zip(wanted, before, strict=True))
        assert decide_maintenance(wanted, decision.effect, is_renewed=True).code == "unchanged"
