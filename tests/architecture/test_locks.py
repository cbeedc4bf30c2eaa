"""The lock files fit pyproject.toml, and every file in them is held to a hash."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
LOCKS = {
    "requirements.lock": [*PROJECT["dependencies"], *EXTRAS["embedded"], *EXTRAS["dev"], *EXTRAS["otel"]],
    "requirements.production.lock": PROJECT["dependencies"],
    "requirements.traced.lock": [*PROJECT["dependencies"], *EXTRAS["otel"]],
}


def locked(name: str) -> dict[str, set[str]]:
    """The versions that a lock file has of each package."""
    found: dict[str, set[str]] = {}
    for package, version in re.findall(r"^([\w.-]+)==([^\s;\\]+)", (ROOT / name).read_text(), re.MULTILINE):
        found.setdefault(canonicalize_name(package), set()).add(version)
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_every_dependency_is_locked_within_its_range(name: str):
    """What pyproject.toml asks for stands in the lock, in a version that it allows; else run make lock."""
    have = locked(name)
    for line in LOCKS[name]:
        wanted = Requirement(line)
        versions = have.get(canonicalize_name(wanted.name))
        assert versions, f"{wanted.name}: run make lock"
        assert all(wanted.specifier.contains(version) for version in versions), f"{line}: run make lock"


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_hashes(name: str):
    """No package can be swapped for another one of the same version."""
    entries = re.split(r"^(?=[\w.-]+==)", (ROOT / name).read_text(), flags=re.MULTILINE)[1:]
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []


@pytest.mark.parametrize("name", list(LOCKS)[1:])
def test_production_has_the_versions_that_were_tested(name: str):
    """What is installed in production is what the tests ran with."""
    tested = locked("requirements.lock")
    assert {name: have for name, have in locked(name).items() if not have <= tested[name]} == {}
