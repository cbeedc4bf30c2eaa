"""``keymill verify``: what it finds, what it says, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from signing.key_sets import key_set_text, thumbprint
from signing.key_store import generate, newest_signer
from signing.license_files import license_file
from signing.revocations import member, sign_list
from signing.tokens import LicenseClaims, Signer

KEK = bytes(32)
STORED = generate(KEK)
SIGNER: Signer = newest_signer([STORED], KEK, "Keymill tests")
NOW = int(time.time())
YEAR = 365 * 86_400
CLAIMS = LicenseClaims("KMC-1", "KML-1", NOW, NOW + YEAR, "PRO", "2.1", 3, "00:1A")
PERPETUAL = CLAIMS._replace(license_number="KML-2", expires_at=None, host=None)
EXPIRED = CLAIMS._replace(license_number="KML-3", expires_at=1_795_651_200 - YEAR)
TOKEN, PERPETUAL_TOKEN, EXPIRED_TOKEN = SIGNER.sign_many([CLAIMS, PERPETUAL, EXPIRED])
FORGED = TOKEN.rpartition(".")[0] + "." + PERPETUAL_TOKEN.rpartition(".")[2]

Keymill = Callable[..., Result]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the public key set in it."""
    (tmp_path / "keys.json").write_text(key_set_text([STORED.public_key]))
    return tmp_path


@pytest.fixture
def keymill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keymill:
    """A function that runs a command in an English shell, in an empty folder without an installation."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for name in ("KEYMILL_HOME", "KEYMILL_LANGUAGE", "KEYMILL_DEBUG", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: str | Path, stdin: bytes = b"") -> Result:
        return CliRunner().invoke(app, [str(word) for word in words], input=stdin)

    return run


def written(path: Path, content: str | bytes) -> Path:
    """A file with this content."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def document(result: Result) -> Any:
    """The one JSON document on standard output."""
    return json.loads(result.stdout)


def test_one_license_is_told_in_full(folder: Path, keymill: Keymill) -> None:
    """Product, quantity, host and last day stand under each other; exit code 0."""
    result = keymill("verify", written(folder / "a.lic", license_file(TOKEN, CLAIMS, "Rossi S.p.A.")))
    last_day = time.strftime("%Y-%m-%d", time.gmtime(NOW + YEAR - 1))
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [
        "License: KML-1",
        "Product: PRO",
        "Version: 2.1",
        "Quantity: 3",
        "Customer: KMC-1",
        "Host: 00:1A",
        f"Valid until: {last_day}",
        "Issuer: Keymill tests",
        "The license is valid.",
    ]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.lic", "\ufeff" + license_file(TOKEN, CLAIMS).replace("\n", "\r\n")),
        ("token.txt", TOKEN),
        ("token.txt", f"  {TOKEN}\r\n"),
        ("utf16.txt", license_file(TOKEN, CLAIMS).encode("utf-16")),
        ("mail.txt", f"Dear customer,\n\n{license_file(TOKEN, CLAIMS)}\nKind regards\n"),
        ("link.txt", f"https://example.org/?key={TOKEN}"),
    ],
)
def test_a_license_is_found_in_any_text(folder: Path, keymill: Keymill, name: str, content: str | bytes) -> None:
    """License file, bare key, UTF-16, in a letter or an address: one valid license."""
    result = keymill("verify", "--json", written(folder / name, content))
    assert result.exit_code == 0
    assert document(result)["counts"] == {"valid": 1}


def test_a_key_is_given_as_it_is_or_on_standard_input(folder: Path, keymill: Keymill) -> None:
    """A key in place of a file, or ``-`` for what comes through a pipe."""
    key_set = folder / "keys.json"
    assert keymill("verify", TOKEN, "--jwks", key_set).exit_code == 0
    assert keymill("verify", "-", "--jwks", key_set, stdin=TOKEN.encode()).exit_code == 0
    assert keymill("verify", FORGED, "--jwks", key_set).exit_code == 1


def test_many_licenses_get_a_line_each_and_a_total(folder: Path, keymill: Keymill) -> None:
    """A result file: every key is checked where it stands; one bad one makes exit code 1, with the total on stderr."""
    text = f"code;key\nA;{TOKEN}\nB;{EXPIRED_TOKEN}\nC;{FORGED}\nD;{PERPETUAL_TOKEN}\n"
    file = written(folder / "result.csv", text)
    result = keymill("verify", file)
    assert result.exit_code == 1
    lines = result.stdout.splitlines()
    assert len(lines) == 4
    assert lines[0].startswith(f"{file}:2: KML-1  PRO 2.1 × 3  Host: 00:1A  20")
    assert lines[1] == f"{file}:3: The license was valid until 2025-11-25 and has expired."
    assert lines[2].startswith(f"{file}:4: The signature does not fit")
    assert lines[3] == f"{file}:5: KML-2  PRO 2.1 × 3  Host: any  perpetual"
    assert result.stderr == "2 of 4 licenses are not valid: expired 1, bad_signature 1.\n"


def test_quiet_names_only_what_is_not_valid(folder: Path, keymill: Keymill) -> None:
    """With --quiet valid licenses are counted and not named, in text and in JSON."""
    file = written(folder / "result.csv", f"{TOKEN}\n{FORGED}\n{TOKEN}\n")
    assert len(keymill("verify", "-q", file).stdout.splitlines()) == 1
    told = document(keymill("verify", "-q", "--json", file))
    assert told["counts"] == {"valid": 2, "bad_signature": 1}
    assert [entry["code"] for entry in told["licenses"]] == ["bad_signature"]


def test_json_says_what_the_license_says(folder: Path, keymill: Keymill) -> None:
    """Flat names and plain values; a host or end that is not set is null."""
    file = written(folder / "two.txt", f"{TOKEN}\n{PERPETUAL_TOKEN}\n")
    first, second = document(keymill("verify", "--json", file))["licenses"]
    assert first == {
        "place": f"{file}:1",
        "code": "valid",
        "sentence": "The license is valid.",
        "license": "KML-1",
        "product": "PRO",
        "version": "2.1",
        "quantity": 3,
        "customer": "KMC-1",
        "host": "00:1A",
        "valid_until": time.strftime("%Y-%m-%d", time.gmtime(NOW + YEAR - 1)),
        "maintained_until": None,
        "issuer": "Keymill tests",
    }
    assert (second["host"], second["valid_until"]) == (None, None)


def test_a_refusal_in_json_has_its_code_and_sentence(folder: Path, keymill: Keymill) -> None:
    """What is refused is one JSON document too, and the sentence is on standard error all the same."""
    result = keymill("verify", "--json", "--lang", "it", written(folder / "a.txt", FORGED))
    assert result.exit_code == 1
    told = document(result)
    assert told["refused"] == "bad_signature"
    assert told["sentence"].startswith("La firma non corrisponde")
    assert result.stderr == told["sentence"] + "\n"


def test_a_zip_of_license_files_is_looked_into(folder: Path, keymill: Keymill) -> None:
    """Every .lic of a ZIP is verified under its name, and other files in it are passed over."""
    bundle = folder / "bundle.zip"
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("Rossi/KML-1.lic", license_file(TOKEN, CLAIMS))
        archive.writestr("Rossi/KML-2.LIC", license_file(PERPETUAL_TOKEN, PERPETUAL))
        archive.writestr("index.csv", FORGED)
    told = document(keymill("verify", "--json", bundle))
    assert told["counts"] == {"valid": 2}
    assert [entry["place"] for entry in told["licenses"]] == [f"{bundle}:Rossi/KML-1.lic", f"{bundle}:Rossi/KML-2.LIC"]


def test_a_hostile_zip_is_refused_entry_by_entry(folder: Path, keymill: Keymill) -> None:
    """A bomb is unpacked no further than a license is long, a broken entry is told, and the good one is found."""
    bundle = folder / "bundle.zip"
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.lic", b"\0" * 50_000_000)
        archive.writestr("broken.lic", license_file(TOKEN, CLAIMS))
        archive.writestr("good.lic", license_file(TOKEN, CLAIMS))
        broken = archive.getinfo("broken.lic").header_offset
    content = bytearray(bundle.read_bytes())
    content[broken + 60] ^= 0xFF
    bundle.write_bytes(content)
    told = document(keymill("verify", "--json", bundle))
    assert [entry["code"] for entry in told["licenses"]] == ["not_a_license", "not_a_license", "valid"]


NO_LICENSES = {
    "empty": b"",
    "a letter": b"Dear customer, your license follows.",
    "cut off": license_file(TOKEN, CLAIMS)[:-60].encode(),
    "a picture": bytes(range(256)) * 20,
    "an empty ZIP": b"PK\x05\x06" + bytes(18),
}


def test_a_license_on_the_revocation_list_is_told(folder: Path, keymill: Keymill) -> None:
    """The list is read with the same key set; its age is told; a license on it is not valid, others are."""
    text = sign_list(SIGNER, NOW, [("rehosted", member("KML-1", "2026-11-25"))]).decode()
    path = written(folder / "list.jwt", text)
    license = written(folder / "one.lic", TOKEN)
    moved = keymill("verify", license, "--revocations", path)
    assert moved.exit_code == 1
    assert "moved to another host on 2026-11-25" in moved.stderr
    assert f"Revocation list of {datetime.fromtimestamp(NOW, UTC):%Y-%m-%d %H:%M} UTC" in moved.stdout
    assert document(keymill("verify", license, "--revocations", path, "--json"))["licenses"][0]["code"] == "rehosted"
    other = written(folder / "other.lic", PERPETUAL_TOKEN)
    assert keymill("verify", other, "--revocations", path).exit_code == 0


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", TOKEN.encode(), b"a.b.c"])
def test_what_is_no_revocation_list_is_refused(folder: Path, keymill: Keymill, content: bytes) -> None:
    """No license is checked against half a list: the file is named, with the reason."""
    path = written(folder / "list.jwt", content)
    refused = keymill("verify", written(folder / "one.lic", TOKEN), "--revocations", path)
    assert (refused.exit_code, "list.jwt: This is" in refused.stderr) == (1, True)


@pytest.mark.parametrize("name", NO_LICENSES)
def test_a_file_without_a_license_is_refused(folder: Path, keymill: Keymill, name: str) -> None:
    """Nothing that could be verified is not a success."""
    result = keymill("verify", "--json", written(folder / "file", NO_LICENSES[name]))
    assert result.exit_code == 1
    assert document(result)["counts"] == {"not_a_license": 1}


def test_files_with_key_sets_of_their_own_are_checked_each_with_its_own(folder: Path, keymill: Keymill) -> None:
    """The key set beside each file is the default; one named with --jwks is for all."""
    other = generate(KEK)
    (folder / "other").mkdir()
    (folder / "other" / "jwks.json").write_text(key_set_text([other.public_key]))
    theirs = written(folder / "other" / "b.txt", newest_signer([other], KEK, "them").sign_many([CLAIMS])[0])
    ours = written(folder / "a.txt", TOKEN)
    assert document(keymill("verify", "--json", ours, theirs))["counts"] == {"valid": 2}
    told = document(keymill("verify", "--json", "--jwks", folder / "keys.json", ours, theirs))
    assert told["counts"] == {"valid": 1, "unknown_key": 1}


def test_the_key_set_of_the_installation_wins(
    folder: Path, keymill: Keymill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A key set that came along with a license cannot replace the one that KEYMILL_HOME holds."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "keys.json").write_text(key_set_text([generate(KEK).public_key]))
    monkeypatch.setenv("KEYMILL_HOME", str(home))
    assert document(keymill("verify", "--json", written(folder / "a.txt", TOKEN)))["counts"] == {"unknown_key": 1}


@pytest.mark.parametrize(
    ("key_set", "code"),
    [
        (None, "unusable_file"),
        ("junk", "bad_key_set"),
        ('{"keys": [{"kty": "OKP", "crv": "Ed25519", "d": "x"}]}', "bad_key_set"),
        ('{"keys": []}', "unknown_key"),
    ],
)
def test_a_key_set_that_cannot_be_used_is_refused(
    folder: Path, keymill: Keymill, key_set: str | None, code: str
) -> None:
    """Missing, broken, private or empty: refused, and the sentence names the file where it is the file's fault."""
    path = folder / "given.json"
    if key_set is not None:
        path.write_text(key_set)
    result = keymill("verify", "--json", "--jwks", path, TOKEN)
    assert result.exit_code == 1
    assert document(result)["refused"] == code
    assert ("given.json" in result.stderr) is (code != "unknown_key")


def test_without_a_key_set_the_sentence_says_where_to_put_it(tmp_path: Path, keymill: Keymill) -> None:
    """No key set anywhere: refused with the two ways to give one."""
    result = keymill("verify", written(tmp_path / "a.txt", TOKEN))
    assert result.exit_code == 1
    assert "--jwks" in result.stderr
    assert "keys.json" in result.stderr


@pytest.mark.parametrize("source", ["missing.lic", "x" * 5000, "a\0b", "."])
def test_what_is_neither_file_nor_key_is_refused(keymill: Keymill, folder: Path, source: str) -> None:
    """A name that is no file, or a folder, is refused with a sentence and no traceback."""
    result = keymill("verify", source, "--jwks", folder / "keys.json")
    assert result.exit_code == 1
    assert "cannot be read" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_license_cannot_steer_the_terminal(folder: Path, keymill: Keymill) -> None:
    """Control characters in what a license says are not printed."""
    (token,) = SIGNER.sign_many([CLAIMS._replace(host="\x1b[2J\x07evil")])
    result = keymill("verify", written(folder / "a.txt", token))
    assert "\x1b" not in result.stdout
    assert "evil" in result.stdout


@pytest.mark.parametrize(
    ("variables", "italian"),
    [
        ({}, False),
        ({"KEYMILL_LANGUAGE": "it"}, True),
        ({"LANG": "it_IT.UTF-8"}, True),
        ({"LANG": "it_IT.UTF-8", "LC_ALL": "de_DE.UTF-8"}, False),
        ({"LANG": "it_IT.UTF-8", "KEYMILL_LANGUAGE": "en"}, False),
    ],
)
def test_the_language_comes_from_the_environment(
    folder: Path, keymill: Keymill, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], italian: bool
) -> None:
    """KEYMILL_LANGUAGE, else the locale, else English; --lang before all of them."""
    file = written(folder / "a.txt", TOKEN)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert ("La licenza è valida." in keymill("verify", file).stdout) is italian
    assert "La licenza è valida." in keymill("verify", "--lang", "it", file).stdout
    assert "The license is valid." in keymill("verify", "--lang", "en", file).stdout


def test_wrong_usage_ends_with_2(keymill: Keymill) -> None:
    """No file, an unknown option or language: exit code 2."""
    assert keymill("verify").exit_code == 2
    assert keymill("verify", "--nonsense", "x").exit_code == 2
    assert keymill("verify", "--lang", "de", "x").exit_code == 2


def test_an_unexpected_error_is_one_sentence_and_a_log(
    folder: Path, keymill: Keymill, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A mistake of ours ends with 1 and names the file with the traceback; KEYMILL_DEBUG=1 lets it through."""

    def fail(*_: object) -> None:
        raise ZeroDivisionError("planted")

    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("KEYMILL_HOME", str(home))
    monkeypatch.setattr("cli.verify.checked", fail)
    result = keymill("verify", "--json", TOKEN)
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert "ZeroDivisionError: planted" in result.stderr
    (log,) = home.iterdir()
    assert document(result)["log"] == str(log)
    assert "Traceback" in log.read_text()
    monkeypatch.setenv("KEYMILL_DEBUG", "1")
    assert isinstance(keymill("verify", TOKEN).exception, ZeroDivisionError)


def test_verify_and_help_load_neither_database_nor_spreadsheets() -> None:
    """What makes a command slow to start is not imported by those that a person waits for."""
    program = (
        "import sys\nfrom cli.main import app\n"
        "try: app(sys.argv[1:])\nexcept SystemExit: pass\n"
        "print([n for n in ('sqlalchemy', 'pandas', 'openpyxl', 'boto3', 'dramatiq', 'psycopg', 'pydantic_settings')"
        " if n in sys.modules], file=sys.stderr)"
    )
    for words in (["--help"], ["verify", TOKEN, "--jwks", "/nonexistent"], ["keys", "--help"]):
        command = [sys.executable, "-c", program, *words]
        told = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2], check=True)
        assert told.stderr.splitlines()[-1] == "[]"


def test_the_signing_key_of_these_tests_is_published(folder: Path) -> None:
    """The key set that the tests verify with names the key that signed."""
    assert json.loads((folder / "keys.json").read_text())["keys"][0]["kid"] == thumbprint(STORED.public_key)
