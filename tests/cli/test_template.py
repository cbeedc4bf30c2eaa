"""``keymill template``: the file it writes, and what it will not overwrite."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from jobs.kinds.registry import KINDS
from licensing.fields import LANGUAGES, Language

Keymill = Callable[..., Result]


@pytest.fixture
def keymill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Keymill:
    """A function that runs ``keymill template`` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEYMILL_LANGUAGE", "en")
    return lambda *words: CliRunner().invoke(app, ["template", *map(str, words)])


def headers_of(path: Path) -> list[str]:
    """The column titles of a template, without the marks of required columns."""
    if path.suffix == ".xlsx":
        first = next(openpyxl.load_workbook(path).worksheets[0].iter_rows(values_only=True))
        cells = [str(cell) for cell in first if cell is not None]
    else:
        text = path.read_text(encoding="utf-8-sig")
        cells = next(csv.reader(io.StringIO(text), delimiter=";" if ";" in text.splitlines()[0] else ","))
    return [cell.rstrip(" *") for cell in cells]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("suffix", ["xlsx", "csv"])
def test_every_kind_has_a_template_in_both_languages_and_formats(
    keymill: Keymill, kind: str, language: Language, suffix: str, tmp_path: Path
) -> None:
    """The titles of all columns of the kind stand in the first row, in the language asked for."""
    result = keymill(kind, "--lang", language, "-o", f"made.{suffix}", "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout) == {
        "file": f"made.{suffix}",
        "kind": kind,
        "format": suffix,
        "language": language,
    }
    assert headers_of(tmp_path / f"made.{suffix}") == [field.title[language] for field in KINDS[kind].fields]


def test_a_template_has_a_name_without_being_told(keymill: Keymill, tmp_path: Path) -> None:
    """Without -o the file is called as its kind and format."""
    assert keymill("redeem-vouchers").exit_code == 0
    assert keymill("redeem-vouchers", "--format", "csv").exit_code == 0
    assert {path.name for path in tmp_path.iterdir()} == {"redeem-vouchers.xlsx", "redeem-vouchers.csv"}


def test_a_filled_template_is_not_written_over(keymill: Keymill, tmp_path: Path) -> None:
    """A file that exists stays as it is, unless --force says otherwise."""
    (tmp_path / "mine.csv").write_text("filled in")
    refused = keymill("redeem-vouchers", "-o", "mine.csv")
    assert (refused.exit_code, (tmp_path / "mine.csv").read_text()) == (1, "filled in")
    assert "--force" in refused.stderr
    assert keymill("redeem-vouchers", "-o", "mine.csv", "--force").exit_code == 0
    assert headers_of(tmp_path / "mine.csv")[0] == KINDS["redeem-vouchers"].fields[0].title["en"]


def test_an_unknown_kind_or_format_is_wrong_usage(keymill: Keymill) -> None:
    """A kind that is not there ends with 2 and the list of those that are."""
    unknown = keymill("redeem-coupons")
    assert unknown.exit_code == 2
    assert "redeem-vouchers" in unknown.stderr
    assert keymill("redeem-vouchers", "--format", "pdf").exit_code == 2
