"""``keymill schedules`` on a real database: added, listed, shown, paused, run, removed, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from typer.testing import CliRunner, Result

from cli.main import app
from jobs.scheduled.registry import JOBS
from tests.cli.test_serving import named_servers

Keymill = Callable[..., Result]
NIGHTLY = ("add", "nightly", "--job", "expire-vouchers", "--cron", "30 2 * * *", "--zone", "Europe/Rome")


@pytest.fixture
def keymill(engine: Engine, valkey_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keymill:
    """A function that runs ``keymill schedules`` on a fresh database."""
    url = engine.url.render_as_string(hide_password=False)
    for name, value in named_servers(url, valkey_url, tmp_path).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("KEYMILL_DEBUG", raising=False)
    return lambda *words: CliRunner().invoke(app, ["schedules", *words])


def document(result: Result) -> Any:
    """The JSON document of a command that went well."""
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def test_jobs_are_listed_with_their_arguments(keymill: Keymill) -> None:
    """Every job of the registry, in both languages."""
    assert [one["job"] for one in document(keymill("jobs", "--json"))] == list(JOBS)
    told = keymill("jobs", "--lang", "it").stdout
    assert all(name in told for name in JOBS) and "days" in told and "Eliminare" in told


def test_a_schedule_is_added_and_shows_when_it_is_due(keymill: Keymill) -> None:
    """In words, with the next three times in its own zone, at half past two each."""
    told = keymill(*NIGHTLY).stdout
    assert "At 02:30 every day" in told and told.count(" 02:30:00 +0") + told.count(" 03:00:00 +02:00") == 3
    shown = document(keymill("show", "nightly", "--json"))
    assert (shown["expression"], shown["time_zone"], shown["missed"]) == ("30 2 * * *", "Europe/Rome", "skip")
    times = [datetime.fromisoformat(one) for one in shown["next"]]
    assert times == sorted(times) and len(times) == 3
    assert document(keymill("list", "--json")) == [shown]
    assert "Nessun" not in keymill("list", "--lang", "it").stdout


def test_a_schedule_is_paused_resumed_and_removed(keymill: Keymill) -> None:
    """Paused it has no next time; resumed it has; removed it is gone. A second time does no harm."""
    keymill(*NIGHTLY)
    for _ in range(2):
        assert document(keymill("pause", "nightly", "--json"))["state"] == "paused"
    assert document(keymill("show", "nightly", "--json"))["next"] == []
    assert "paused" in keymill("list").stdout and "sospesa" in keymill("show", "nightly", "--lang", "it").stdout
    for _ in range(2):
        assert len(document(keymill("resume", "nightly", "--json"))["next"]) == 3
    assert document(keymill("remove", "nightly", "--json")) == {"schedule": "nightly", "removed": True}
    assert document(keymill("list", "--json")) == []
    assert "no schedules yet" in keymill("list").stdout


def test_a_run_out_of_turn_shows_what_it_did(keymill: Keymill) -> None:
    """Also of a paused schedule; the history has it, and who asked."""
    keymill(*NIGHTLY)
    keymill("pause", "nightly")
    assert "Nothing has run yet" in keymill("history", "nightly").stdout
    told = document(keymill("run", "nightly", "--json"))
    assert (told["state"], told["did"], told["attempts"]) == ("done", "0 vouchers expired", 1)
    assert told["asked_by"].startswith("cli")
    assert document(keymill("history", "--json")) == [told]
    assert "0 voucher scaduti" in keymill("history", "nightly", "--lang", "it").stdout


def test_a_run_that_fails_ends_with_code_1(keymill: Keymill, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason stands in the table and in the document."""
    monkeypatch.setenv("KEYMILL_ATTEMPTS", "1")
    keymill("add", "bad", "--job", "notify-upgrades", "--cron", "0 3 * * *", "--set", "account=NOBODY")
    result = keymill("run", "bad", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["reason"]["code"] == "unknown_account"
    assert "No account NOBODY" in keymill("history", "bad").stdout


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("add", "a b", *NIGHTLY[2:]), "bad_name"),
        (NIGHTLY, "name_taken"),
        (("add", "x", "--job", "dance", *NIGHTLY[4:]), "unknown_job"),
        (("add", "x", *NIGHTLY[2:5], "30 25 * * *"), "bad_expression"),
        (("add", "x", *NIGHTLY[2:5], "0 0 */30 2 MON#5"), "never_due"),
        (("add", "x", *NIGHTLY[2:6], "--zone", "Mars/Olympus"), "unknown_time_zone"),
        (("add", "x", *NIGHTLY[2:], "--set", "days=3"), "unknown_argument"),
        (("add", "x", "--job", "retention", *NIGHTLY[4:]), "missing_argument"),
        (("add", "x", "--job", "retention", *NIGHTLY[4:], "--set", "days=0"), "bad_argument"),
        (("add", "x", "--job", "retention", *NIGHTLY[4:], "--set", "days=many"), "bad_argument"),
        (("show", "x"), "unknown_schedule"),
        (("run", "x"), "unknown_schedule"),
        (("pause", "x"), "unknown_schedule"),
        (("resume", "x"), "unknown_schedule"),
        (("remove", "x"), "unknown_schedule"),
        (("history", "x"), "unknown_schedule"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(keymill: Keymill, words: tuple[str, ...], code: str) -> None:
    """Exit code 1, a stable code, and another sentence in Italian; nothing is added."""
    keymill(*NIGHTLY)
    told = [keymill(*words, "--json", "--lang", language) for language in ("en", "it")]
    assert [(one.exit_code, json.loads(one.stdout)["refused"]) for one in told] == [(1, code)] * 2
    assert told[0].stderr != told[1].stderr
    assert [one["schedule"] for one in document(keymill("list", "--json"))] == ["nightly"]


def test_wrong_usage_ends_with_code_2(keymill: Keymill) -> None:
    """An argument without a value, and a policy that there is not."""
    assert keymill(*NIGHTLY, "--set", "days").exit_code == 2
    assert keymill(*NIGHTLY, "--missed", "perhaps").exit_code == 2
