"""Everything that a person can meet is documented, and the reference says what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from config.settings import Limits, Settings
from docs import generate
from jobs.kinds.registry import KINDS
from licensing.field_catalogue import FIELDS
from licensing.outcomes import CODES

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", generate.pages())
def test_the_reference_is_current(name: str):
    """Each page is what ``make docs`` writes now."""
    path = generate.DOCS / name
    assert path.exists() and path.read_text() == generate.pages()[name], "run: make docs"


def test_no_page_of_the_reference_is_left_over():
    """A page that the generator no longer makes is gone."""
    found = {f"reference/{path.name}" for path in (generate.DOCS / "reference").glob("*.md")}
    assert found <= set(generate.pages())


def test_every_kind_column_code_and_setting_stands_in_the_reference():
    """The generator forgets none of them."""
    pages = generate.pages()
    assert [name for name in KINDS if f"\n## {name}\n" not in pages["reference/kinds.md"]] == []
    assert [name for name in FIELDS if f"\n## {name}\n" not in pages["reference/columns.md"]] == []
    assert [code for code in CODES if f"`{code}`" not in pages["reference/outcomes.md"]] == []
    names = [f"KEYMILL_{name.upper()}" for name in Settings.model_fields if name != "limits"]
    names += [f"KEYMILL_LIMITS__{name.upper()}" for name in Limits.model_fields]
    assert [name for name in names if f"`{name}`" not in pages["reference/settings.md"]] == []


def test_every_setting_says_what_it_means():
    """A setting without a description would be an empty cell."""
    fields = [*Settings.model_fields.items(), *Limits.model_fields.items()]
    assert [name for name, field in fields if name != "limits" and not field.description] == []


# Settings of doors that are still to come.
PLANNED = {"workers"}


def test_every_setting_is_read():
    """A setting that no code reads would be a promise that nothing keeps."""
    packages = ("cli", "config", "exporters", "importers", "jobs", "scheduler", "signing", "storage", "web")
    modules = [path for package in packages for path in (ROOT / package).rglob("*.py")]
    code = "\n".join(path.read_text() for path in modules if path.name != "settings.py")
    unread = {name for name in Settings.model_fields if not re.search(rf"\.{name}\b", code)}
    assert unread <= PLANNED


def test_variables_named_in_texts_exist():
    """README, guides, decisions, compose file and Dockerfile name no KEYMILL_ variable that does nothing."""
    known = {f"KEYMILL_{name}".upper() for name in Settings.model_fields}
    known |= {f"KEYMILL_LIMITS__{name}".upper() for name in Limits.model_fields}
    texts = [ROOT / "README.md", ROOT / "docker-compose.yml", ROOT / "Dockerfile", *(ROOT / "docs").rglob("*.md")]
    for path in texts:
        named = set(re.findall(r"KEYMILL_[A-Z_]+[A-Z]", path.read_text()))
        assert {name for name in named if not name.startswith("KEYMILL_TEST_")} <= known, path


def test_every_decision_is_numbered_and_argued():
    """Each decision record has a number of its own, says why and what else was thought of."""
    records = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
    assert len({path.name[:4] for path in records}) == len(records)
    for path in records:
        text = path.read_text()
        assert re.match(rf"# {int(path.name[:4])}\. \S", text), path
        for part in ("Context", "Alternatives"):
            assert re.search(rf"^(## |\*\*){part}", text, re.MULTILINE), (path, part)


def test_links_between_pages_lead_somewhere():
    """Every relative link of the README and the docs names a file that exists."""
    for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path}: {target}"
