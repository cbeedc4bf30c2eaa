"""manifest.json: what it says, and that it says the same each time."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from exporters.manifests import ResultFile, SourceFile, manifest

FACTS: dict[str, Any] = {
    "batch": 7,
    "kind": "redeem-vouchers",
    "account": "ACME",
    "source": SourceFile("società.xlsx", "ab" * 32, 1234),
    "counts": {"unknown_voucher": 2, "issued": 5, "mistyped_code": 1, "already_issued": 3},
    "files": [ResultFile("result.xlsx", "result", "cd" * 32, 99, 11), ResultFile("a.csv", "rejected", "ef" * 32, 9, 3)],
    "created": datetime(2026, 11, 25, 12, tzinfo=timezone(timedelta(hours=1))),
    "version": "0.1.0",
    "notes": ["values, not the source workbook: more than 50,000 rows"],
}


def test_a_manifest_tells_the_whole_story() -> None:
    """Source, counts by outcome and by code, files with digests, notes, and the time in UTC."""
    document = json.loads(manifest(**FACTS))
    assert document["outcomes"] == {"issued": 5, "unchanged": 3, "accepted": 0, "rejected": 3, "skipped": 0}
    assert document["codes"] == FACTS["counts"]
    assert document["rows"] == 11
    assert document["source"] == {"name": "società.xlsx", "sha256": "ab" * 32, "size": 1234}
    assert [file["name"] for file in document["files"]] == ["a.csv", "result.xlsx"]
    assert document["created"] == "2026-11-25T11:00:00+00:00"
    assert document["notes"] == FACTS["notes"]


def test_the_same_facts_make_the_same_bytes() -> None:
    """Neither the order of counts and files nor the time zone of the clock changes a byte."""
    other = FACTS | {
        "counts": dict(reversed(FACTS["counts"].items())),
        "files": FACTS["files"][::-1],
        "created": FACTS["created"].astimezone(UTC),
    }
    assert manifest(**other) == manifest(**FACTS)


def test_an_unknown_code_is_a_mistake() -> None:
    """A code that is not listed cannot be counted under an outcome."""
    with pytest.raises(KeyError):
        manifest(**FACTS | {"counts": {"no_such_code": 1}})
