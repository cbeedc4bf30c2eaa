"""What the demo does as somebody's account: send a file, wait for its end, fetch the results, verify the keys."""

from __future__ import annotations

import csv
import io
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

from cli import fetching, progress
from cli.output import Output, Refused

if TYPE_CHECKING:
    from config.wiring import App
    from signing.revocations import RevocationList

VENDOR = "VENDOR"


@dataclass(frozen=True, slots=True)
class Desk:
    """An app, the folder that everything goes to, and the voice that tells of it."""

    app: App
    folder: Path
    output: Output

    def send(self, name: str, content: bytes, kind: str, account: str, title: str = "") -> dict[str, Any]:
        """Send a file as its account would, and wait for its end: the batch's report."""
        from jobs import intake

        path = self.folder / "sent" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        self.output.line(f"{account} → {kind}: {title or name}")
        request = intake.Request(account, kind, path, name, secrets.token_hex(8), "auto", language=self.output.language)
        report = progress.follow(self.app, intake.accept(self.app, request).batch_id, self.output)
        if report["state"] != "done" or (account == VENDOR and report["outcomes"]["rejected"]):
            why = report["reason"] or report["problems"]
            raise failed(f"{name} ended as {report['state']}: {why}", f"{name}: {report['state']}: {why}")
        return report

    def listed(self, report: Mapping[str, Any], role: str) -> list[list[str]]:
        """The rows of a CSV file that a batch left, without the header."""
        file = next(file for file in report["results"]["files"] if file["role"] == role)
        text = b"".join(self.app.store.get(file["name"])).decode("utf-8-sig")
        return list(csv.reader(io.StringIO(text)))[1:]

    def fetch(self, report: Mapping[str, Any]) -> Path:
        """Fetch the results of a batch; the path of the result file."""
        target = self.folder / "results" / f"batch-{report['batch']}"
        files = fetching.fetch_all(self.app, report["results"]["files"], target, self.output)
        return Path(next(file["path"] for file in files if file["role"] == "result"))

    def verify(self, results: Sequence[Path], ended: RevocationList | None = None) -> Counter[str]:
        """Check every key in result files with nothing but the public keys in a file; how many got which verdict."""
        from jobs import keys
        from signing.key_sets import parse_key_set
        from signing.verification import verify

        key_set = self.folder / "results" / "keys.json"
        key_set.write_text(keys.public_key_set(self.app.engine))
        public_keys = parse_key_set(key_set.read_bytes())
        found = {key for path in results for key in keys_in(path)}
        return Counter(verify(key, public_keys, now=time.time(), ended=ended).code for key in found)

    def revocation_list(self) -> RevocationList:
        """The signed revocation list as it is now, kept beside the results."""
        from jobs import keys, revocations
        from models.database import transaction
        from signing.key_sets import parse_key_set
        from signing.revocations import read_list

        with transaction(self.app.engine) as connection:
            text = revocations.publish(self.app, connection).token.decode()
        (self.folder / "results" / "revocations.jwt").write_text(text)
        return read_list(text, parse_key_set(keys.public_key_set(self.app.engine)))


def failed(en: str, it: str) -> Refused:
    """What the demo found is not what the files were made for: a fault of ours."""
    return Refused("demo_failed", f"The demo failed. {en}.", f"La demo non è riuscita. {it}.")


def check(name: str, expected: Mapping[str, int], report: Mapping[str, Any]) -> None:
    """The demo made the file, so it knows what every row deserves. Raises :class:`Refused`."""
    found, deserved = report["codes"], dict(expected)
    if found != deserved:
        raise failed(f"{name} got {found} instead of {deserved}", f"{name}: {found} invece di {deserved}")


def keys_in(path: Path) -> Iterator[str]:
    """The license keys in a result file: a CSV, or a workbook, which is a ZIP of XML parts."""
    from signing.license_texts import license_texts

    contents = [path.read_bytes()]
    if path.suffix == ".xlsx":
        with ZipFile(path) as workbook:
            contents = [workbook.read(name).replace(b"<", b"\n<") for name in workbook.namelist()]
    for content in contents:
        yield from (found.text for found in license_texts(io.BytesIO(content)))
