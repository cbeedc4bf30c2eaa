"""Sending files from a page: what they are taken for, titles that are mapped by hand, and identity."""

from __future__ import annotations

import re
from collections.abc import Callable

import httpx
import pytest

from config.settings import Limits
from config.wiring import App
from tests.apps import Submit, account, kept, one, outcome_codes, product
from tests.web.portal.conftest import Person

Drive = Callable[[], None]
Visit = Callable[..., Person]


@pytest.fixture
@kept
def vouchers(app: App, submit: Submit) -> list[str]:
    """Vouchers of an OEM."""
    account(app, "OEM")
    product(app, "P")
    submit("OEM;Product;Count\nOEM;P;6\n", "mint-vouchers", "VENDOR")
    found = one(app, "SELECT array_agg(code ORDER BY id) FROM vouchers")
    return [str(code) for code in found]


@pytest.fixture
def ann(vouchers: list[str], join: Callable[..., str], visit: Visit) -> Person:
    """Somebody of the OEM."""
    return visit(join("OEM", "ann@oem.example"))


def send(person: Person, page: httpx.Response, **more: str) -> httpx.Response:
    """Send the form of the page that says what a file is for."""
    kind = re.search(r'name="kind" value="([^"]+)"', page.text)
    assert kind, page.text
    return person.post(page.url.path, kind=kind[1], on_error="continue", **more)


def test_a_file_is_recognized_and_explained_then_previewed(ann: Person, vouchers: list[str], drive: Drive):
    """The page says the kind and by which columns; nothing happens before somebody confirms."""
    page = ann.upload(f"Voucher code;Company\n{vouchers[0]};Acme\n{vouchers[1]}X;Acme\n")
    assert "Taken for redeem-vouchers: columns Voucher code, Company." in page.text
    batch = send(ann, page)
    assert "Waiting for a worker" in batch.text and 'http-equiv="refresh"' in batch.text
    drive()
    preview = ann.get(batch.url.path)
    assert "What will happen" in preview and "A3" in preview and f"<mark>{vouchers[1]}X</mark>" in preview
    ann.post(f"{batch.url.path}/confirm")
    drive()
    results = ann.get(batch.url.path)
    assert "What the rows got" in results and "Refused rows, to correct" in results
    rejected = ann.client.get(f"{batch.url.path}/files/rejected")
    assert rejected.headers["content-disposition"].endswith("list-rejected.csv")
    assert vouchers[1] in rejected.text and vouchers[0] not in rejected.text


def test_sending_the_form_twice_is_one_batch(app: App, ann: Person, vouchers: list[str]):
    """The second time leads to the same batch, though the file is no longer kept apart."""
    page = ann.upload(f"Voucher code;Company\n{vouchers[0]};Acme\n")
    first, second = send(ann, page), send(ann, page)
    assert first.url == second.url and first.status_code == second.status_code == 200
    assert one(app, "SELECT count(*) FROM uploads") == 0


def test_titles_are_mapped_by_hand_and_remembered(
    app: App, ann: Person, vouchers: list[str], drive: Drive, submit: Submit
):
    """What a column is has to be said once; later files are recognized, through every door."""
    text = "Gutschein;Kunde\n{};Acme\n"
    page = ann.upload(text.format(vouchers[0]))
    assert "The file fits no kind" in page.text or "No row of the file" in page.text
    page = ann.client.get(f"{page.url.path}?kind=redeem-vouchers")
    assert "Still needed:" in page.text and "Gutschein" in page.text
    columns = {"column:gutschein": "voucher_code", "column:kunde": "company"}
    twice = send(ann, page, **columns | {"column:kunde": "voucher_code"})
    assert twice.status_code == 422 and "same meaning" in twice.text
    batch = send(ann, page, **columns)
    drive()
    assert "What will happen" in ann.get(batch.url.path)
    again = ann.upload(text.format(vouchers[1]))
    assert "Gutschein = Voucher code, Kunde = Company" in again.text
    assert '<option value="company" selected>' in again.text
    assert outcome_codes(app, submit(text.format(vouchers[2]))) == ["issued"]
    account(app, "RIVAL")
    assert one(app, "SELECT count(*) FROM header_mappings") == 2
    with pytest.raises(IndexError):
        outcome_codes(app, submit(text.format(vouchers[3]), account="RIVAL"))[0]


def test_what_was_said_by_mistake_can_be_said_anew(app: App, ann: Person, vouchers: list[str]):
    """The meaning of a title is changed, or forgotten, where it was given."""
    page = ann.upload(f"Voucher code;Company;Kunde\n{vouchers[0]};Acme;x\n")
    send(ann, page, **{"column:kunde": "email"})
    page = ann.upload(f"Voucher code;Company;Kunde\n{vouchers[1]};Acme;x\n")
    assert '<option value="email" selected>' in page.text
    send(ann, page, **{"column:kunde": ""})
    assert one(app, "SELECT count(*) FROM header_mappings") == 0
    page = ann.upload(f"Voucher code;Company;Kunde\n{vouchers[2]};Acme;x\n")
    assert "selected>E-mail" not in page.text


def test_who_sent_a_file_stands_in_the_audit_log(app: App, ann: Person, vouchers: list[str]):
    """The person, not only the account."""
    send(ann, ann.upload(f"Voucher code;Company\n{vouchers[0]};Acme\n"))
    query = "SELECT actor FROM audit_log WHERE action = 'batch.received' ORDER BY id DESC LIMIT 1"
    assert one(app, query) == "user:ann@oem.example"


def test_operators_do_not_confirm_for_others(
    ann: Person, vouchers: list[str], drive: Drive, join: Callable[..., str], visit: Visit
):
    """They see the batch, and cannot be its second person; they may cancel it."""
    batch = send(ann, ann.upload(f"Voucher code;Company\n{vouchers[0]};Acme\n")).url.path
    drive()
    ops = visit(join("VENDOR", "ops@k.example"))
    assert "Only the account that sent this batch" in ops.get(batch)
    assert ops.post(f"{batch}/confirm").status_code == 403
    ops.post(f"{batch}/cancel")
    drive()
    assert "Cancelled" in ops.get(batch)


def test_another_kind_can_be_chosen(ann: Person, vouchers: list[str]):
    """The page shows what is missing for it."""
    page = ann.upload(f"Voucher code;Company\n{vouchers[0]};Acme\n")
    other = ann.get(f"{page.url.path}?kind=share-licenses")
    assert "Still needed:" in other and "With account" in other


def test_what_is_no_spreadsheet_is_refused_with_a_sentence(ann: Person):
    """A PDF, nothing at all, and more than is taken."""
    assert "PDF" in ann.upload(b"%PDF-1.7 ...").text
    assert "Choose a file" in ann.upload(b"").text


@pytest.mark.parametrize("changed", [{"limits": Limits(file_bytes=1000)}])
def test_a_file_that_is_too_large_ends_where_the_limit_is(ann: Person):
    """The size is counted while it comes."""
    found = ann.upload(b"x" * 80_000)
    assert found.status_code == 422 and "At most 1,000 bytes" in found.text


def test_a_dropped_file_is_forgotten(app: App, ann: Person):
    """Choosing another file leaves nothing behind."""
    page = ann.upload("Voucher code;Company\nx;y\n")
    assert ann.post(f"{page.url.path}/drop").url.path == "/upload"
    assert one(app, "SELECT count(*) FROM uploads") == 0
    ann.get(page.url.path, 404)
