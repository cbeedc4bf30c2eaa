"""manifest.json: what came in, what was answered, and which files hold the answers, with their digests."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from licensing.outcomes import CODES, OUTCOMES

MEDIA_TYPE = "application/json"
FORMAT = 1  # grows when a name in the manifest changes its meaning


@dataclass(frozen=True, slots=True)
class SourceFile:
    """The file that was sent."""

    name: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class ResultFile:
    """One file that was made: ``what`` it is (result, rejected, codes, licenses), and a sentence on ``how``."""

    name: str
    what: str
    sha256: str
    size: int
    rows: int
    how: str = ""


def manifest(
    *,
    batch: int,
    kind: str,
    account: str,
    source: SourceFile,
    counts: Mapping[str, int],
    files: Sequence[ResultFile],
    created: datetime,
    version: str,
    notes: Sequence[str] = (),
) -> bytes:
    """The manifest's bytes: the same for the same facts. ``counts`` says how many rows got each code."""
    by_outcome = Counter(dict.fromkeys(OUTCOMES, 0))
    for code, rows in counts.items():
        by_outcome[CODES[code].outcome] += rows
    document = {
        "format": FORMAT,
        "batch": batch,
        "kind": kind,
        "account": account,
        "created": created.astimezone(UTC).isoformat(timespec="seconds"),
        "keymill": version,
        "source": asdict(source),
        "rows": sum(counts.values()),
        "outcomes": dict(by_outcome),
        "codes": dict(sorted(counts.items())),
        "files": [asdict(file) for file in sorted(files, key=lambda file: file.name)],
        "notes": list(notes),
    }
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()
