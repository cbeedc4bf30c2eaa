"""Who may import whom: the contracts of pyproject.toml, and what import-linter cannot see."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "cli", "config", "exporters", "importers", "jobs", "licensing", "models", "scheduler", "signing", "storage", "web",
)  # fmt: skip
MODULES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Every import of a module as (module, name); the name is empty for ``import module``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", alias.name) for alias in node.names)


def test_import_contracts_hold():
    """Layers and one home per package, as import-linter sees them."""
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_lean_on_the_standard_library_only():
    """No module of licensing imports anything else, so the rules run anywhere and are tested without anything."""
    for path in (ROOT / "licensing").glob("*.py"):
        foreign = {
            module for module, _ in imports(path) if module.split(".")[0] not in {*sys.stdlib_module_names, "licensing"}
        }
        assert foreign == set(), path


def test_the_rules_have_no_clock_and_no_chance_but_minting():
    """Rules decide from what they are given. Only minting a code draws random bits."""
    forbidden = {"time", "random", "os", "io", "socket", "subprocess", "pathlib", "threading"}
    for path in (ROOT / "licensing").glob("*.py"):
        found = {module for module, _ in imports(path)} & forbidden
        assert found == set(), path
        assert "now(" not in path.read_text(), path
        if path.name != "codes.py":
            assert "secrets" not in {module for module, _ in imports(path)}, path


def test_outside_models_sqlalchemy_is_two_types():
    """Queries live in models; jobs name a connection or an engine and hand it on."""
    for path in MODULES:
        if path.relative_to(ROOT).parts[0] != "models":
            named = {(module, name) for module, name in imports(path) if module.split(".")[0] == "sqlalchemy"}
            assert named <= {("sqlalchemy", "Connection"), ("sqlalchemy", "Engine")}, path


@pytest.mark.parametrize("package", [package for package in PACKAGES if (ROOT / package).exists()])
def test_a_package_imports_without_reading_or_connecting(package: str, tmp_path: Path):
    """Importing every module of a package in an empty folder without any variable leaves no file and no thread."""
    modules = [
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in sorted((ROOT / package).rglob("*.py"))
        if "migrations" not in path.parts and path.name != "__main__.py"
    ]
    code = f"import importlib, threading\nfor name in {modules!r}: importlib.import_module(name)\n" + (
        "assert threading.active_count() == 1"
    )
    bare = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, env=bare, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []
