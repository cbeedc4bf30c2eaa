"""Every outcome code is one that some test has seen."""

from __future__ import annotations

from pathlib import Path

import pytest

from licensing.outcomes import CODES

TESTS = Path(__file__).parents[1]
SAID = "\n".join(path.read_text() for path in sorted(TESTS.rglob("test_*.py")) if path != Path(__file__))


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_expected_by_a_test(code: str) -> None:
    """A code that no test names is one that nothing is known to produce."""
    assert f'"{code}"' in SAID
