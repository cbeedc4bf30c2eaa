"""``redeem-vouchers`` from a list to outcomes, on a real database."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest

from config.wiring import App
from jobs import control, status
from jobs.refusals import Refused
from models import vouchers
from models.database import copy_line, scalar, transaction
from tests.apps import account, outcome_codes, product, state

Submit = Callable[..., int]
HEADER = "Voucher code;Company;Country;Host ID\n"


@pytest.fixture
def codes(app: App) -> list[str]:
    """Forty vouchers of OEM (the last expired, the one before for a host-bound product) and one of OTHER."""
    account(app, "OEM")
    account(app, "OTHER")
    product(app, "P", term_months=12)
    product(app, "HOST", host_bound=True)
    found = [f"ACME-{number:04d}-XY" for number in range(41)]
    with transaction(app.engine) as connection:
        oem, other = (scalar(connection, "SELECT id FROM accounts WHERE number = :n", n=n) for n in ("OEM", "OTHER"))
        plain, host = (scalar(connection, "SELECT id FROM products WHERE sku = :s", s=s) for s in ("P", "HOST"))
        for number, code in enumerate(found):
            owner = other if number == 40 else oem
            expires = date(2020, 1, 31) if number == 39 else None
            bound = host if number == 38 else plain
            vouchers.add(connection, [copy_line(code.replace("-", ""), code, owner, bound, None, None, expires, None)])
    return found


def lines(*rows: str) -> str:
    """A list with a header."""
    return HEADER + "".join(row + "\n" for row in rows)


def test_every_row_gets_the_answer_it_deserves(app: App, submit: Submit, codes: list[str]) -> None:
    """Good, repeated, repeated for another, unknown, someone else's, expired, host missing, no company, mistyped."""
    text = lines(
        f"{codes[0]};Rossi SpA;IT;",
        f"{codes[0].lower().replace('-', ' ')};Rossi S.p.A.;IT;",
        f"{codes[0]};Bianchi;IT;",
        "ACME-9999-ZZ;Rossi SpA;IT;",
        f"{codes[40]};Rossi SpA;IT;",
        f"{codes[39]};Rossi SpA;IT;",
        f"{codes[38]};Rossi SpA;IT;",
        f"{codes[38]};Rossi SpA;IT;H1",
        f"{codes[1]};;IT;",
        "KMV-0000000-0000000-0000001;Rossi SpA;IT;",
    )
    assert outcome_codes(app, submit(text)) == [
        "issued",
        "already_issued",
        "already_redeemed",
        "unknown_voucher",
        "unknown_voucher",
        "voucher_expired",
        "host_required",
        "issued",
        "missing_value",
        "mistyped_code",
    ]


def test_a_file_sent_again_gets_the_same_keys(app: App, submit: Submit, codes: list[str]) -> None:
    """A second batch of the same rows is unchanged and names the same licenses."""
    text = lines(*(f"{code};Rossi;IT;" for code in codes[:25]))
    first, second = submit(text), submit(text)
    assert outcome_codes(app, first) == ["issued"] * 25
    assert outcome_codes(app, second) == ["already_issued"] * 25
    with app.engine.connect() as connection:
        same = scalar(
            connection,
            "SELECT count(*) FROM outcomes a JOIN outcomes b USING (ordinal, license_number)"
            " WHERE a.batch_id = :a AND b.batch_id = :b",
            a=first,
            b=second,
        )
        assert same == 25
        assert scalar(connection, "SELECT count(*) FROM licenses") == 25


def test_file_order_decides_across_chunks(app: App, submit: Submit, codes: list[str]) -> None:
    """Of rows that compete in different chunks the first one wins, and the later ones are told."""
    rows = [f"{code};First;IT;" for code in codes[:15]] + [f"{code};Second;IT;" for code in codes[:15]]
    rows += [f"{code};First;IT;" for code in codes[:15]]
    found = outcome_codes(app, submit(lines(*rows)))
    assert found == ["issued"] * 15 + ["already_redeemed"] * 15 + ["already_issued"] * 15


def test_a_preview_says_what_the_run_does(app: App, submit: Submit, codes: list[str]) -> None:
    """Previewed codes and counts equal those of the run, repeated rows included, and the preview changes nothing."""
    rows = [f"{code};First;IT;" for code in codes] + [f"{codes[3]};Second;IT;", f"{codes[4]};First;IT;", "x;y;IT;"]
    batch_id = submit(lines(*rows), confirm="ask")
    told = status.of_batch(app, batch_id)
    assert told["state"] == "previewed"
    with app.engine.connect() as connection:
        assert scalar(connection, "SELECT count(*) FROM licenses") == 0
        assert scalar(connection, "SELECT count(*) FROM outcomes") == 0
        previewed = list(connection.exec_driver_sql("SELECT code FROM previews ORDER BY ordinal").scalars())
    control.confirm(app, batch_id, actor="test")
    return_of_run = _driven(app, batch_id)
    assert outcome_codes(app, batch_id) == previewed
    assert return_of_run["codes"] == told["preview"]["codes"]
    assert return_of_run["differs_from_preview"] == 0


def _driven(app: App, batch_id: int) -> dict[str, object]:
    import os

    from jobs import sweep, working

    heartbeat = working.Heartbeat(app, "test", "worker", "here", os.getpid())
    sweep.sweep(app)
    while working.work_one(app, heartbeat):
        pass
    return status.of_batch(app, batch_id)


def test_all_or_nothing(app: App, submit: Submit, codes: list[str]) -> None:
    """With one bad row an all-or-nothing batch issues nothing; without, everything."""
    good = [f"{code};Rossi;IT;" for code in codes[:12]]
    bad = submit(lines(*good[:11], "ACME-9999-ZZ;Rossi;IT;"), on_error="stop")
    assert outcome_codes(app, bad) == ["batch_stopped"] * 11 + ["unknown_voucher"]
    with app.engine.connect() as connection:
        assert scalar(connection, "SELECT count(*) FROM licenses") == 0
        assert vouchers.sums(connection)["redeemed"] == 0
    assert outcome_codes(app, submit(lines(*good), on_error="stop")) == ["issued"] * 12


def test_exact_refuses_a_run_that_would_differ_from_its_preview(app: App, submit: Submit, codes: list[str]) -> None:
    """What changed between preview and run keeps an exact batch from doing anything."""
    rows = lines(*(f"{code};Rossi;IT;" for code in codes[:5]))
    exact = submit(rows, confirm="ask", exact=True)
    submit(lines(f"{codes[2]};Someone else;IT;"))
    control.confirm(app, exact, actor="test")
    _driven(app, exact)
    assert set(outcome_codes(app, exact)) == {"differs_from_preview", "already_redeemed"}
    with app.engine.connect() as connection:
        assert scalar(connection, "SELECT count(*) FROM licenses") == 1


def test_a_cancelled_preview_skips_every_row(app: App, submit: Submit, codes: list[str]) -> None:
    """A batch that is cancelled before it ran answers every row with skipped, and can be cancelled again."""
    batch_id = submit(lines(*(f"{code};Rossi;IT;" for code in codes[:25])), confirm="ask")
    control.cancel(app, batch_id, actor="test")
    control.cancel(app, batch_id, actor="test")
    _driven(app, batch_id)
    assert state(app, batch_id) == "cancelled"
    assert outcome_codes(app, batch_id) == ["batch_cancelled"] * 25


def test_a_finished_batch_cannot_be_cancelled_or_confirmed_anew(app: App, submit: Submit, codes: list[str]) -> None:
    """Confirming what ran is the same as before; cancelling it is refused."""
    batch_id = submit(lines(f"{codes[0]};Rossi;IT;"))
    control.confirm(app, batch_id, actor="test")
    with pytest.raises(Refused) as refused:
        control.cancel(app, batch_id, actor="test")
    assert refused.value.code == "wrong_state"


def test_a_chunk_that_fails_three_times_is_parked_and_the_others_go_on(
    app: App, submit: Submit, codes: list[str]
) -> None:
    """The rows of a chunk whose licenses the database refuses are skipped with the reason; the others are issued."""
    with app.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN IF NEW.ordinal = 15 THEN RAISE EXCEPTION 'no fifteenth row'; END IF; RETURN NEW; END $$"
        )
        connection.exec_driver_sql(
            "CREATE TRIGGER refuse BEFORE INSERT ON licenses FOR EACH ROW EXECUTE FUNCTION refuse()"
        )
    batch_id = submit(lines(*(f"{code};Rossi;IT;" for code in codes[:30])))
    for _ in range(4):  # a failed chunk waits a second before it is tried again
        import time

        time.sleep(1.1)
        _driven(app, batch_id)
    assert outcome_codes(app, batch_id) == ["issued"] * 12 + ["chunk_parked"] * 4 + ["issued"] * 14
    parked = status.of_batch(app, batch_id)["parked"]
    assert [(entry["stage"], entry["rows"]) for entry in parked] == [("run", [13, 16])]
    assert "no fifteenth row" in parked[0]["reason"]


def test_an_account_that_guesses_is_stopped(app: App, submit: Submit, codes: list[str]) -> None:
    """Too many unknown codes suspend the sender; what waits is skipped, and its next file is refused."""
    object.__setattr__(app, "settings", app.settings.model_copy(update={"unknown_codes_a_day": 15}))
    guesses = [f"ACME-{number:04d}-QQ;Rossi;IT;" for number in range(60)]
    batch_id = submit(lines(*guesses))
    found = outcome_codes(app, batch_id)
    assert found[:10] == ["unknown_voucher"] * 10
    assert found[-30:] == ["account_stopped"] * 30
    assert state(app, batch_id) == "cancelled"
    with pytest.raises(Refused) as refused:
        submit(lines(f"{codes[0]};Rossi;IT;"))
    assert refused.value.code == "account_suspended"
