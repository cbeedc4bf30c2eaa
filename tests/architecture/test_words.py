"""What every file says of itself, and what none may name."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))
MOST_LINES = 400
CATALOGUES = {"licensing/outcomes.py", "licensing/field_catalogue.py"}  # lists of sentences: an entry is a dozen lines
# Words that would say nothing of what a module or class is for.
EMPTY_WORDS = re.compile(r"(manager|helper|utils?|process|handle|data)$", re.IGNORECASE)


def tracked(pattern: str = "*") -> list[Path]:
    """The files that belong to the project: in version control or about to be."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--deduplicate", pattern]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / line for line in listed.splitlines() if (ROOT / line).is_file()]


def test_every_module_says_what_it_is_for():
    """The first line of each Python file is a docstring."""
    assert [str(path) for path in tracked("*.py") if not ast.get_docstring(ast.parse(path.read_text()))] == []


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_states_a_behaviour(path: Path):
    """Each test function has a docstring, and each test file has a test."""
    found = [
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    ]
    assert found
    assert [node.name for node in found if not ast.get_docstring(node)] == []


def test_files_are_short_and_named_for_what_they_hold():
    """No file of ours grows beyond reading, and none is called helper, utils or the like."""
    ours = [path for path in tracked("*.py") if path.relative_to(ROOT).parts[0] != "tests"]
    read = [path for path in ours if str(path.relative_to(ROOT)) not in CATALOGUES]
    too_long = {path: count for path in read if (count := len(path.read_text().splitlines())) > MOST_LINES}
    assert too_long == {}
    assert [path for path in ours if EMPTY_WORDS.search(path.stem)] == []
    classes = [
        node.name for path in ours for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ClassDef)
    ]
    assert [name for name in classes if EMPTY_WORDS.search(name)] == []


def test_no_file_names_a_package_index_or_a_private_host():
    """Where packages come from is the machine's business: no index host, no find-links, no credentials in a file."""
    forbidden = re.compile(
        rb"pypi\.org|pythonhosted\.org|registry\.npmjs\.org|registry\.yarnpkg|files\.python|/opt/wheels|"
        rb"--index-url\s+https?|--find-links\s+\S|//[^/\s:@'\"{}<>$]+:[^/\s@'\"{}<>$]{4,}@[a-z0-9-]+\.[a-z]"
    )
    here = Path(__file__).resolve()
    assert [path for path in tracked() if path != here and forbidden.search(path.read_bytes())] == []
