"""The commands on an embedded stack of their own: ``keymill up`` and an OEM's way are real processes.

What the other commands say is said alike by a command that is called within this process, a second sooner.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import sending
from cli.main import app
from config import tracing

Keymill = Callable[..., subprocess.CompletedProcess[str]]
COMMAND = [sys.executable, "-m", "cli.main"]


def environment(home: Path) -> dict[str, str]:
    """The environment of this process, without settings of its own and with a home."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KEYMILL_")}
    return kept | {"KEYMILL_HOME": str(home), "KEYMILL_LANGUAGE": "en", "COLUMNS": "160", "KEYMILL_LOG_LEVEL": "error",
            "KEYMILL_LISTEN": "127.0.0.1:0", "KEYMILL_SFTP_PORT": "0"}  # fmt: skip


def called(env: dict[str, str], *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """A command that is called within this process, with the environment and the answer of one of its own.

    It is never traced: the exporter's thread would go on beside the tests that follow and draw from their ``random``.
    """
    told = CliRunner().invoke(app, list(words), env=env | {"OTEL_SDK_DISABLED": "true"}, **options)
    assert not tracing.is_on()
    if told.exception is not None and not isinstance(told.exception, SystemExit):
        raise told.exception
    return subprocess.CompletedProcess([*words], told.exit_code, told.stdout, told.stderr)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder for the home and the files of this module."""
    made = Path(tempfile.mkdtemp(prefix="keymill-cli-"))
    made.chmod(0o755)  # PostgreSQL's own user has to get through
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def keymill(folder: Path) -> Iterator[Keymill]:
    """Runs a command while ``keymill up`` is up, with an OEM, a product and a list of minted codes."""
    env = environment(folder / "home")
    up = subprocess.Popen([*COMMAND, "up", "--workers", "1", "--json"], env=env, stdout=subprocess.PIPE, text=True)
    assert up.stdout is not None
    count = len(json.loads(up.stdout.readline())["pids"])
    if count != 4:
        up.kill()
    assert count == 4

    def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return called(env, *arguments, **options)

    (folder / "accounts.csv").write_text("account,name,type\nOEM,Oem,oem\n")
    (folder / "products.csv").write_text("product,name\nP,Prod\n")
    (folder / "orders.csv").write_text("oem,product,count\nOEM,P,40\n")
    for kind, name in (("load-accounts", "accounts"), ("load-products", "products"), ("mint-vouchers", "orders")):
        sent = run("submit", str(folder / f"{name}.csv"), "--kind", kind, "--account", "VENDOR", "--wait")
        assert sent.returncode == 0, sent.stderr
    fetched = run("results", "3", "--to", str(folder / "codes"))
    assert fetched.returncode == 0, fetched.stderr
    yield run
    up.send_signal(signal.SIGINT)
    assert up.wait(timeout=60) == 0
    up.stdout.close()


@pytest.fixture(scope="module")
def process(folder: Path, keymill: Keymill) -> Keymill:
    """Runs a command as a process of its own."""
    env = environment(folder / "home")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*COMMAND, *arguments], env=env, capture_output=True, text=True, timeout=120)

    return run


@pytest.fixture(scope="module")
def codes(folder: Path, keymill: Keymill) -> list[str]:
    """The minted codes."""
    lines = (folder / "codes" / "orders-codes.csv").read_text("utf-8-sig").splitlines()
    return [line.split(",")[0] for line in lines[1:]]


def conversion_list(folder: Path, name: str, rows: list[str]) -> str:
    """A list of codes for a company each, as a file."""
    (folder / name).write_text("Codice voucher;Ragione sociale\n" + "".join(f"{row}\n" for row in rows))
    return str(folder / name)


def test_preview_confirm_results_verify(folder: Path, process: Keymill, codes: list[str]) -> None:
    """The way of an OEM: see what each row would get, confirm, fetch the files, check the keys offline."""
    path = conversion_list(folder, "first.csv", [f"{code};Rossi" for code in codes[:10]] + ["KMV-BAD;Rossi"])
    told = json.loads(
        process("submit", path, "--kind", "redeem-vouchers", "--account", "oem", "--preview", "--json").stdout
    )
    assert told["state"] == "previewed"
    assert told["preview"]["outcomes"]["issued"] == 10
    assert told["problems"][0]["cells"] == ["A12"]
    number = str(told["batch"])
    shown = process("show", number, "--lang", "it")
    assert "confirm" in shown.stdout
    assert "errore di battitura" in shown.stdout
    done = json.loads(process("confirm", number, "--wait", "--json").stdout)
    assert (done["state"], done["outcomes"]["issued"], done["outcomes"]["rejected"]) == ("done", 10, 1)
    fetched = json.loads(process("results", number, "--to", str(folder / "out"), "--json").stdout)
    assert {file["role"] for file in fetched["files"]} == {"result", "rejected", "licenses", "manifest"}
    assert process("keys", "export", "-o", str(folder / "keys.json")).returncode == 0
    archive = next(file["path"] for file in fetched["files"] if file["role"] == "licenses")
    assert process("verify", archive, "--jwks", str(folder / "keys.json")).returncode == 0


def test_a_key_names_one_request(folder: Path, keymill: Keymill, codes: list[str]) -> None:
    """The same key and request answers with the same batch; another request under it is refused with exit code 1."""
    path = conversion_list(folder, "keyed.csv", [f"{codes[20]};Rossi"])
    arguments = ("submit", path, "--kind", "redeem-vouchers", "--account", "OEM", "--key", "order-7")
    first = json.loads(keymill(*arguments, "--json").stdout)
    again = json.loads(keymill(*arguments, "--json").stdout)
    assert (again["batch"], first["new"], again["new"]) == (first["batch"], True, False)
    other = keymill(*arguments, "--on-error", "stop")
    assert other.returncode == 1
    assert "used before" in other.stderr


def test_a_request_s_key_is_forgotten_once_it_is_answered(folder: Path, keymill: Keymill, codes: list[str]) -> None:
    """Without --key the same file is a new order each time, with a note that names the earlier one."""
    path = conversion_list(folder, "twice.csv", [f"{codes[21]};Rossi"])
    arguments = ("submit", path, "--kind", "redeem-vouchers", "--account", "OEM")
    first, second = (keymill(*arguments) for _ in range(2))
    assert first.stdout != second.stdout
    assert "same bytes" in second.stdout
    assert list((folder / "home" / "requests").iterdir()) == []


def test_a_call_that_died_can_be_repeated(folder: Path, keymill: Keymill, codes: list[str]) -> None:
    """The key that it left on disk is sent again and finds its batch; after that answer the file is a new order."""
    path = conversion_list(folder, "died.csv", [f"{codes[26]};Rossi"])
    arguments = ("submit", path, "--kind", "redeem-vouchers", "--account", "OEM", "--json")
    died = sending.kept_key(folder / "home", Path(path), ["redeem-vouchers", "OEM", False, "continue", False, []])
    sent = json.loads(keymill(*arguments, "--key", died.key).stdout)  # as far as the call came before it died
    again, later = (json.loads(keymill(*arguments).stdout) for _ in range(2))
    assert (again["batch"], again["new"]) == (sent["batch"], False)
    assert (later["new"], later["same_bytes_as"]) == (True, sent["batch"])


def test_standard_input_and_values_for_the_whole_batch(keymill: Keymill, codes: list[str]) -> None:
    """A bare list of codes comes through a pipe, the company is said once."""
    arguments = ("submit", "-", "--kind", "redeem-vouchers", "--account", "OEM", "--wait", "--json")
    sent = keymill(*arguments, "--set", "company=Rossi SpA", input="\n".join(codes[22:25]))
    assert json.loads(sent.stdout)["outcomes"]["issued"] == 3


def test_a_previewed_batch_can_be_cancelled(folder: Path, keymill: Keymill, codes: list[str]) -> None:
    """Its rows are skipped, and it is listed as cancelled."""
    path = conversion_list(folder, "cancel.csv", [f"{codes[30]};Rossi"])
    arguments = ("submit", path, "--kind", "redeem-vouchers", "--account", "OEM", "--preview", "--json")
    number = json.loads(keymill(*arguments).stdout)["batch"]
    assert keymill("cancel", str(number)).returncode == 0
    limit = time.monotonic() + 60
    while json.loads(keymill("show", str(number), "--json").stdout)["state"] != "cancelled":
        assert time.monotonic() < limit
    listed = json.loads(keymill("batches", "--account", "OEM", "--json").stdout)
    assert next(entry for entry in listed if entry["batch"] == number)["outcomes"]["skipped"] == 1


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("show", "9999"), 1),
        (("results", "9999", "--to", "x"), 1),
        (("submit", "/nowhere", "--kind", "redeem-vouchers", "--account", "OEM"), 1),
        (("submit", __file__, "--kind", "no-kind", "--account", "OEM"), 1),
        (("submit", __file__, "--kind", "redeem-vouchers", "--account", "OEM", "--set", "x"), 2),
        (("submit", __file__, "--kind", "redeem-vouchers", "--account", "OEM", "--on-error", "dance"), 2),
        (("submit", __file__), 2),
        (("batches", "--account", "NOBODY"), 1),
    ],
)
def test_refusals_have_a_sentence_and_usage_a_code_of_its_own(
    keymill: Keymill, arguments: tuple[str, ...], code: int
) -> None:
    """Exit 1 with a sentence on standard error for what cannot be done, 2 for wrong usage, never a traceback."""
    answered = keymill(*arguments)
    assert answered.returncode == code
    assert answered.stderr.strip()
    assert "Traceback" not in answered.stderr


def test_a_file_that_is_no_table_fails_with_its_reason(keymill: Keymill, tmp_path: Path) -> None:
    """The batch fails, the command says why and exits with 1."""
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(200))
    arguments = ("submit", str(tmp_path / "picture.png"), "--kind", "redeem-vouchers", "--account", "OEM", "--wait")
    answered = keymill(*arguments)
    assert answered.returncode == 1
    assert "failed" in answered.stdout


def test_a_batch_is_taken_back(folder: Path, keymill: Keymill, codes: list[str]) -> None:
    """A preview, then the run: both say row by row what goes; what did nothing is refused with a sentence."""
    path = conversion_list(folder, "revert.csv", [f"{code};Rossi" for code in codes[31:34]])
    arguments = ("--kind", "redeem-vouchers", "--account", "OEM", "--wait", "--json")
    number = str(json.loads(keymill("submit", path, *arguments).stdout)["batch"])
    previewed = json.loads(keymill("revert", number, "--preview", "--json").stdout)
    assert (previewed["state"], previewed["preview"]["codes"]) == ("previewed", {"reverted": 3})
    assert json.loads(keymill("confirm", str(previewed["batch"]), "--wait", "--json").stdout)["codes"] == {
        "reverted": 3
    }
    again = keymill("revert", number, "--wait")
    assert "unchanged" in again.stdout
    assert keymill("submit", path, *arguments).returncode == 0
    refused = keymill("revert", str(previewed["batch"] + 1))
    assert (refused.returncode, "did nothing" in refused.stderr) == (1, True)


def test_the_kind_is_told_by_the_header(folder: Path, keymill: Keymill, codes: list[str]) -> None:
    """Without --kind the command says what it takes the file for and why; what it cannot tell, it refuses."""
    path = conversion_list(folder, "guess.csv", [f"{codes[35]};Rossi"])
    told = keymill("submit", path, "--account", "OEM", "--wait")
    assert "Taken for redeem-vouchers: columns Codice voucher" in told.stdout
    document = json.loads(keymill("submit", path, "--account", "OEM", "--wait", "--json").stdout)
    assert (document["kind"], document["codes"]) == ("redeem-vouchers", {"already_issued": 1})
    assert document["guessed_because"].startswith("Taken for redeem-vouchers")
    (folder / "nothing.csv").write_text("Colour\nred\n")
    refused = keymill("submit", str(folder / "nothing.csv"), "--account", "OEM")
    assert (refused.returncode, "--kind KIND" in refused.stderr) == (1, True)


def test_licenses_are_looked_up(folder: Path, keymill: Keymill, codes: list[str]) -> None:
    """A list with what they are, and one of them with its owner and key."""
    path = conversion_list(folder, "lookup.csv", [f"{codes[36]};Look & Up"])
    assert keymill("submit", path, "--account", "OEM", "--wait").returncode == 0
    listed = json.loads(keymill("licenses", "--product", "P", "--limit", "1", "--json").stdout)
    assert (listed[0]["company"], listed[0]["state"]) == ("Look & Up", "active")
    assert "Look & Up" in keymill("licenses", "--customer", listed[0]["customer"]).stdout
    shown = keymill("license", listed[0]["number"], "--lang", "it")
    assert "Ragione sociale: Look & Up" in shown.stdout
    assert "eyJ" in shown.stdout
    assert "No license fits" in keymill("licenses", "--where", "colour=red").stdout
    refused = keymill("license", "L-0")
    assert (refused.returncode, "keymill licenses" in refused.stderr) == (1, True)


def test_a_statement_is_explained(folder: Path, keymill: Keymill) -> None:
    """From a contract and its usage to a statement, and from its figures back to the rows."""
    files = {
        "customer.csv": "account,name,type\nACME,Acme,customer\n",
        "contract.csv": "contract,customer number,product,quantity,unit price,term start,term (months),period,"
        "report every (days)\nFC-1,ACME,P,100,12,2026-01-01,12,quarter,31\n",
        "usage.csv": "contract,product,date,quantity\nFC-1,P,2026-02-01,110\n",
        "night.csv": "contract,product,date\nFC-1,P,2026-02-10\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
        sent = keymill("submit", str(folder / name), "--account", "VENDOR", "--wait", "--json")
        assert json.loads(sent.stdout)["outcomes"]["accepted"] == 1, sent.stdout
    told = json.loads(keymill("explain", "1", "--json").stdout)
    assert (told["contract"], told["over"], told["owed"]) == ("FC-1", "10.00", "78.67")
    shown = keymill("explain", "1")
    assert "Committed 100, drawn 0, used 110.00 (peak), peak 110 on 2026-02-01" in shown.stdout
    assert "dovuto" in keymill("explain", "1", "--lang", "it").stdout
    assert keymill("explain", "99").returncode == 1
