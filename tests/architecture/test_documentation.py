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
DECISIONS = ROOT / "docs" / "decisions"


@pytest.mark.parametrize("name", generate.pages())
def test_the_reference_is_current(name: str):
    """Each page of docs/reference is what ``make docs`` writes now."""
    path = generate.REFERENCE / name
    assert path.exists() and path.read_text() == generate.pages()[name], "run: make docs"


def test_no_page_of_the_reference_is_left_over():
    """A page that the generator no longer makes is gone."""
    assert {path.name for path in generate.REFERENCE.glob("*.md")} == set(generate.pages())


def test_every_kind_column_code_and_setting_stands_in_the_reference():
    """The generator forgets none of them."""
    pages = generate.pages()
    assert [name for name in KINDS if f"\n## {name}\n" not in pages["kinds.md"]] == []
    assert [name for name in FIELDS if f"\n## {name}\n" not in pages["columns.md"]] == []
    assert [code for code in CODES if f"`{code}`" not in pages["outcomes.md"]] == []
    names = [f"KEYMILL_{name.upper()}" for name in Settings.model_fields if name != "limits"]
    names += [f"KEYMILL_LIMITS__{name.upper()}" for name in Limits.model_fields]
    assert [name for name in names if f"`{name}`" not in pages["settings.md"]] == []


def test_every_setting_says_what_it_means():
    """A setting without a description would be an empty cell."""
    fields = [*Settings.model_fields.items(), *Limits.model_fields.items()]
    assert [name for name, field in fields if name != "limits" and not field.description] == []


def test_variables_named_in_texts_exist():
    """README, guides, decisions, compose file and Dockerfile name no KEYMILL_ variable that does nothing."""
    known = {f"KEYMILL_{name}".upper() for name in Settings.model_fields}
    known |= {f"KEYMILL_LIMITS__{name}".upper() for name in Limits.model_fields}
    texts = [ROOT / "README.md", ROOT / "docker-compose.yml", ROOT / "Dockerfile", *(ROOT / "docs").rglob("*.md")]
    for path in texts:
        named = set(re.findall(r"KEYMILL_[A-Z_]+[A-Z]", path.read_text()))
        assert {name for name in named if not name.startswith("KEYMILL_TEST_")} <= known, path


def test_every_decision_is_numbered_and_listed():
    """Each decision record has its own number, the three headings, and a line in the index."""
    index = (DECISIONS / "README.md").read_text()
    records = sorted(DECISIONS.glob("[0-9]*.md"))
    numbers = [path.name[:4] for path in records]
    assert len(set(numbers)) == len(numbers)
    for path in records:
        assert f"({path.name})" in index, path
        text = path.read_text()
        assert all(f"\n## {heading}" in text for heading in ("Context", "Decision", "Alternatives")), path


def test_links_between_pages_lead_somewhere():
    """Every relative link of the README and the docs names a file that exists."""
    for path in [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text()):
            if "://" not in target:
                assert (path.parent / target).exists(), f"{path}: {target}"
