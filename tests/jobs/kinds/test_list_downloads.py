"""``list-downloads`` and the files of ``load-products``: what a license covers, and the links."""

from __future__ import annotations

import csv
import io
import urllib.request
from collections.abc import Callable
from urllib.parse import unquote

import pytest

from config.wiring import App
from jobs import status
from models.database import run, transaction
from storage.objects import ObjectStore
from tests.apps import account, answers, kept, licensed, maintain, one, outcome_codes, previewed_codes, product

Submit = Callable[..., int]
SHA = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
HEADER = "Product;Name;Version;Release date;File;Platform;Language;Size (bytes);SHA-256;Stored as\n"


def load(submit: Submit, *rows: str, header: str = HEADER) -> int:
    """Send rows of ``load-products``: the batch's id."""
    return submit(header + "".join(row + "\n" for row in rows), "load-products", "VENDOR")


@pytest.fixture
@kept
def licenses(app: App, submit: Submit) -> list[str]:
    """SUITE 3.0 maintained through 4.0 but not 5.0, SUITE 3.0 without maintenance, and a BOX without files."""
    account(app, "MINE", "customer")
    product(app, "BOX", host_bound=True)
    load(
        submit,
        f"SUITE;Suite;3.0;2020-01-01;suite.tgz;linux;en;10;{SHA};downloads/3.0/suite.tgz",
        f"SUITE;Suite;3.0;2020-01-01;suite.tgz;linux;it;11;{SHA};downloads/3.0/suite-it.tgz",
        f"SUITE;Suite;4.0;2021-01-01;suite.exe;windows;;12;{SHA};downloads/4.0/suite.exe",
        f"SUITE;Suite;5.0;2022-01-01;suite.tgz;linux;;13;{SHA};downloads/5.0/suite.tgz",
        f"SUITE;Suite;6.0;2098-01-01;suite.tgz;linux;;14;{SHA};downloads/6.0/suite.tgz",
    )
    found = licensed(
        app, submit, "MINE", "CERT-001;SUITE;3.0;10;12", "CERT-002;SUITE;3.0;1;", "CERT-003;BOX;;4;", host="H1"
    )
    with transaction(app.engine) as connection:
        maintain(connection, "2020-01-01", "2021-06-30")
    return found


def downloads(submit: Submit, *licenses: str, sender: str = "MINE", **options: object) -> int:
    """Send rows of ``list-downloads``: the batch's id."""
    return submit("License\n" + "".join(one + "\n" for one in licenses), "list-downloads", sender, **options)


def listed(app: App, batch_id: int) -> list[list[str]]:
    """The list of files that a batch left."""
    files = {file["role"]: file for file in status.of_batch(app, batch_id)["results"]["files"]}
    text = b"".join(app.store.get(files["downloads"]["name"])).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))[1:]


def test_a_license_covers_what_was_bought_and_what_came_out_while_it_was_maintained(
    app: App, submit: Submit, licenses: list[str]
) -> None:
    """Newest release first, by platform and language with size and digest; none of a release after the last day."""
    batch = downloads(submit, *licenses, "L-0", licenses[0])
    assert [(answer.code, answer.detail) for answer in answers(app, batch)] == [
        ("downloads_listed", "3"),
        ("downloads_listed", "2"),
        ("downloads_listed", "0"),
        ("unknown_license", None),
        ("downloads_listed", "3"),
    ]
    suite = ["3.0", "2020-01-01", "suite.tgz", "linux"]
    assert [row[:9] for row in listed(app, batch)] == [
        [licenses[0], "SUITE", "4.0", "2021-01-01", "suite.exe", "windows", "", "12", SHA],
        [licenses[0], "SUITE", *suite, "en", "10", SHA],
        [licenses[0], "SUITE", *suite, "it", "11", SHA],
        [licenses[1], "SUITE", *suite, "en", "10", SHA],
        [licenses[1], "SUITE", *suite, "it", "11", SHA],
    ]


def test_a_renewal_after_a_lapse_keeps_what_was_covered_before(app: App, submit: Submit, licenses: list[str]) -> None:
    """Maintenance that started again covers the releases of both periods, and not those of the gap."""
    load(submit, f"SUITE;Suite;4.5;2021-02-01;mid.tgz;linux;;1;{SHA};downloads/mid.tgz")
    renewal = "Serial;Product;Quantity;Maintenance (months);Purpose\nRENEW-01;SUITE;10;12;renewal\n"
    submit(renewal, "load-serials", "VENDOR")
    submit(f"License;Renewal serial\n{licenses[0]};RENEW-01\n", "renew-maintenance", "MINE")
    with transaction(app.engine) as connection:
        # No file may claim a date in the future, so the renewal is put back to where a release is.
        maintain(connection, "2021-12-01", "2022-11-30")
        run(connection, "UPDATE renewals SET starts = '2021-12-01', ends = '2022-11-30'", {})
    versions = {row[2] for row in listed(app, downloads(submit, licenses[0]))}
    assert versions == {"3.0", "4.0", "4.5", "5.0"}


def test_reading_is_enough_and_others_see_nothing(app: App, submit: Submit, licenses: list[str]) -> None:
    """A license that is shared for reading lists its files; one that is not does not exist."""
    account(app, "FRIEND", "customer")
    assert outcome_codes(app, downloads(submit, licenses[0], sender="FRIEND")) == ["unknown_license"]
    submit(f"License;With account\n{licenses[0]};FRIEND\n", "share-licenses", "MINE")
    assert outcome_codes(app, downloads(submit, licenses[0], sender="FRIEND")) == ["downloads_listed"]


def test_the_license_that_came_of_another_covers_the_same(app: App, submit: Submit, licenses: list[str]) -> None:
    """After part of a license moved, its number stands for the rest, and both cover what it covered."""
    load(submit, f"BOX;Box;2.0;2021-01-01;box.iso;;;5;{SHA};downloads/box.iso")
    maintained = f"License;Maintenance from;Maintenance until\n{licenses[2]};2020-12-01;2021-11-30\n"
    submit(maintained, "load-maintenance", "VENDOR")
    moved = submit(f"License;New host ID;Quantity\n{licenses[2]};H2;1\n", "rehost-licenses", "MINE")
    batch = downloads(submit, licenses[2], answers(app, moved)[0].license_number)
    assert [(answer.code, answer.detail) for answer in answers(app, batch)] == [("downloads_listed", "1")] * 2


def test_links_work_for_a_while(
    app: App, submit: Submit, licenses: list[str], s3_server: str, open_on_server: Callable[..., ObjectStore]
) -> None:
    """With an S3 store, each line has a link that gives the file under its own name, and says until when."""
    object.__setattr__(app, "store", open_on_server(s3_server))
    object.__setattr__(app, "settings", app.settings.model_copy(update={"store_url": "s3://bucket"}))
    app.store.put("downloads/4.0/suite.exe", [b"the program"])
    row = listed(app, downloads(submit, licenses[0]))[0]
    with urllib.request.urlopen(row[9]) as answer:
        assert answer.read() == b"the program"
        assert "suite.exe" in unquote(answer.headers["Content-Disposition"])
    assert row[10] > "2026"


def test_files_are_loaded_changed_and_refused(app: App, submit: Submit) -> None:
    """Created, unchanged, another digest, half described, no version, a bad digest, a name that leads elsewhere."""
    other = "a" * 64
    rows = (
        f"SUITE;Suite;3.0;2020-01-01;suite.tgz;linux;en;10;{SHA.upper()};downloads/suite.tgz",
        "SUITE;Suite;3.0;;suite.tgz;linux;en;;;",
        f"SUITE;Suite;3.0;;suite.tgz;linux;en;;{other};",
        "SUITE;Suite;3.0;;other.tgz;;;10;;",
        f"SUITE;Suite;3.0;;;linux;;10;{SHA};downloads/x",
        f"SUITE;Suite;;;suite.tgz;linux;en;10;{SHA};downloads/suite.tgz",
        "SUITE;Suite;3.0;;suite.tgz;;;10;abc;downloads/suite.tgz",
        f"SUITE;Suite;3.0;;suite.tgz;;;10;{SHA};../secret",
    )
    expected = [
        "created", "unchanged", "updated", "missing_value", "missing_value", "version_required", "bad_digest",
        "bad_object_name",
    ]  # fmt: skip
    text = HEADER + "".join(row + "\n" for row in rows)
    assert previewed_codes(app, submit(text, "load-products", "VENDOR", confirm="ask")) == expected
    assert outcome_codes(app, load(submit, *rows)) == expected
    assert one(app, "SELECT sha256 FROM release_files") == other


def test_the_rules_of_a_product_are_loaded(app: App, submit: Submit) -> None:
    """Re-host limit, its window and what a lapse does: set, left alone by blank cells, changed."""
    header = "Product;Name;Re-host limit;Re-host window (days);After a lapse\n"
    batch = load(submit, "BOX;Box;3;365;refuse", "BOX;Box;;;", "BOX;Box;2;;backdate", header=header)
    assert outcome_codes(app, batch) == ["created", "unchanged", "updated"]
    rules = "SELECT ARRAY[rehost_limit::text, rehost_days::text, lapse_policy] FROM products WHERE sku = 'BOX'"
    assert one(app, rules) == ["2", "365", "backdate"]
