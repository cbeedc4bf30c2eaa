"""The one way in: request keys, refusals, equal bytes."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from config.wiring import App
from jobs import intake
from jobs.reading import source_name
from jobs.refusals import Refused
from models import batches
from tests.apps import account, state

Submit = Callable[..., int]
LIST = "code;company\nABC-1234;Rossi\n"


@pytest.fixture(autouse=True)
def parties(app: App) -> None:
    """Two accounts that may send and one that may not."""
    account(app, "OEM")
    account(app, "OTHER")
    account(app, "DIST", "distributor")
    account(app, "GONE", state="suspended")


def test_the_same_key_and_request_is_the_same_batch(app: App, submit: Submit) -> None:
    """A request sent again answers with the batch that it made, and makes no other."""
    assert submit(LIST, key="k") == submit(LIST, key="k", filename="renamed.csv")
    with app.engine.connect() as connection:
        assert len(batches.latest(connection, account_id=None, limit=9)) == 1


def test_the_same_key_for_another_request_is_refused(app: App, submit: Submit) -> None:
    """Other bytes, another kind of handling: a key names one request for ever. Another account has keys of its own."""
    first = submit(LIST, key="k")
    for change in ({"text": LIST + "X;Y\n"}, {"text": LIST, "on_error": "stop"}, {"text": LIST, "confirm": "ask"}):
        with pytest.raises(Refused) as refused:
            submit(key="k", **change)
        assert refused.value.code == "key_reused"
        assert str(first) in refused.value.en
    assert submit(LIST, key="k", account="OTHER") != first


def test_the_same_bytes_under_a_new_key_are_a_new_batch_with_a_warning(
    app: App, submit: Submit, tmp_path: object
) -> None:
    """A second real order is possible; the answer names the earlier one."""
    first = submit(LIST)
    path = app.settings.home.parent / "again.csv"
    path.write_text(LIST)
    accepted = intake.accept(app, intake.Request("oem", "redeem-vouchers", path, "again.csv", "new-key"))
    assert accepted.batch_id != first
    assert accepted.same_bytes_as == first


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"account": "NOBODY"}, "unknown_account"),
        ({"account": "GONE"}, "account_suspended"),
        ({"account": "DIST"}, "wrong_sender"),
        ({"kind": "fly-to-the-moon"}, "unknown_kind"),
        ({"given": {"colour": "red"}}, "unknown_column"),
    ],
)
def test_what_cannot_be_is_refused_in_two_languages(
    app: App, submit: Submit, change: dict[str, object], code: str
) -> None:
    """Every refusal has a code and a sentence in English and another one in Italian, and records nothing."""
    with pytest.raises(Refused) as refused:
        submit(LIST, **change)
    assert refused.value.code == code
    assert refused.value.sentence("it") != refused.value.sentence("en")
    with app.engine.connect() as connection:
        assert batches.latest(connection, account_id=None, limit=9) == []


def test_a_file_over_the_limit_is_refused_with_the_number(app: App, submit: Submit) -> None:
    """The limit is checked before anything is stored."""
    small = app.settings.model_copy(update={"limits": app.settings.limits.model_copy(update={"file_bytes": 10})})
    object.__setattr__(app, "settings", small)
    with pytest.raises(Refused, match="at most 10"):
        submit(LIST)


def test_the_bytes_are_kept_under_their_digest(app: App, submit: Submit) -> None:
    """What was sent can be had again, byte for byte."""
    batch_id = submit(LIST)
    with app.engine.connect() as connection:
        batch = batches.by_id(connection, batch_id)
    assert batch is not None
    assert b"".join(app.store.get(source_name(batch.sha256))) == LIST.encode()


def test_a_file_that_cannot_be_read_fails_with_its_reason(app: App, submit: Submit) -> None:
    """The batch ends as failed, says why, and has no rows."""
    assert state(app, submit(b"\x00\x01\x02 not a table \xff" * 10, filename="x.bin")) == "failed"
