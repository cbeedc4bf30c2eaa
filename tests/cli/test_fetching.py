"""Bringing result files into a folder."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli import fetching
from cli.output import Output, Refused
from config.wiring import App
from jobs import status
from storage.objects import WrongDigest
from tests.apps import account, product

Submit = Callable[..., int]
QUIET = Output(as_json=True, language="en")


@pytest.fixture
def batch(app: App, submit: Submit) -> int:
    """A batch with five licenses, one of which is asked for twice, and a row that is rejected."""
    account(app, "OEM")
    product(app, "P")
    submit("voucher code,oem,product\n" + "".join(f"ACME-{n},OEM,P\n" for n in range(5)), "load-vouchers", "VENDOR")
    rows = "".join(f"ACME-{n},Rossi\n" for n in (0, 1, 2, 3, 4, 4, 9))
    return submit("voucher code,company\n" + rows)


def files_of(app: App, batch_id: int) -> list[dict[str, Any]]:
    """The files that a batch's results name."""
    files: list[dict[str, Any]] = status.of_batch(app, batch_id)["results"]["files"]
    return files


def test_files_are_fetched_once_and_nothing_else_is_lost(app: App, batch: int, tmp_path: Path) -> None:
    """Fetched again they are left alone; another file of the same name is only written over with ``--force``."""
    folder, files = tmp_path / "out", files_of(app, batch)
    fetched = fetching.fetch_all(app, files, folder, QUIET)
    assert {Path(file["path"]).name for file in fetched} == {path.name for path in folder.iterdir()}
    assert [Path(file["path"]).stat().st_size for file in fetched] == [file["size"] for file in files]
    before = {path: path.stat().st_ino for path in folder.iterdir()}
    fetching.fetch_all(app, files, folder, QUIET)
    assert {path: path.stat().st_ino for path in folder.iterdir()} == before
    mine = folder / files[0]["file"]
    mine.write_text("something of mine")
    (folder / files[1]["file"]).unlink()
    with pytest.raises(Refused, match="exists already"):
        fetching.fetch_all(app, files, folder, QUIET)
    assert mine.read_text() == "something of mine"
    assert not (folder / files[1]["file"]).exists()
    fetching.fetch_all(app, files, folder, QUIET, force=True)
    assert mine.stat().st_size == files[0]["size"]


def test_a_file_that_was_changed_in_the_store_is_not_kept(app: App, batch: int, tmp_path: Path) -> None:
    """The digest of the results does not fit, and no file is left, not even half of one."""
    files = files_of(app, batch)
    app.store.put(files[0]["name"], [b"forged"])
    with pytest.raises(WrongDigest):
        fetching.fetch_all(app, files, tmp_path / "out", QUIET)
    assert list((tmp_path / "out").iterdir()) == []


def test_a_bundle_made_on_request_counts_its_licenses(app: App, batch: int, tmp_path: Path) -> None:
    """One license file for each license, however often the batch names it, and their number is told."""
    told = fetching.bundle(app, batch, tmp_path / "out")
    with zipfile.ZipFile(told["path"]) as archive:
        assert sum(name.endswith(".lic") for name in archive.namelist()) == told["rows"] == 5
