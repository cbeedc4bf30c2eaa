"""The portal in a real browser, with real workers: what people do, and whether everybody can."""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize, expect

from config.wiring import App
from jobs import api_tokens, drops, endpoints, operating, ssh_keys, uploads
from jobs.delivering import GONE
from models import outbox, webhooks
from models.database import transaction
from models.drops import Drop
from scheduler import schedules
from tests.apps import Submit, account, kept, licensed, one, product
from tests.tenants import id_of
from tests.web.portal.conftest import PASSWORD
from web.portal.visitors import COOKIE

Join = Callable[..., str]
Scheme = Literal["light", "dark"]
WIDE, NARROW = ViewportSize(width=1280, height=900), ViewportSize(width=390, height=844)


@pytest.fixture
@kept
def stock(app: App, submit: Submit, join: Join) -> list[str]:
    """An OEM with vouchers, a customer with licenses and a contract, an operator; the voucher codes."""
    account(app, "OEM")
    for number in ("ACME", "HALO"):
        account(app, number, "customer")
    product(app, "P")
    submit("OEM;Product;Count\nOEM;P;30\n", "mint-vouchers", "VENDOR")
    licensed(app, submit, "ACME", "S-1;P;2;5;36", "S-2;P;2;7;36")
    submit(
        "Contract;Customer number;Product;Quantity;Term start;Term (months)\nFC-1;ACME;P;10;2026-01-01;12\n",
        "load-contracts",
        "VENDOR",
    )
    submit("Contract;Product;Quantity\nFC-1;P;2\n", "draw-down", "ACME")
    submit("Contract;Product;Date\nFC-1;P;2026-03-31\n", "reconcile-contracts", "VENDOR")
    for number, email in (("OEM", "oem@k.example"), ("ACME", "it@acme.example"), ("VENDOR", "ops@k.example")):
        join(number, email)
    return list(one(app, "SELECT array_agg(code ORDER BY id) FROM vouchers"))


@pytest.fixture
def enter(browser: Browser, server: str) -> Iterator[Callable[..., Page]]:
    """Call it with an e-mail address for the page of somebody who has signed in by keyboard."""
    contexts: list[BrowserContext] = []
    said: list[str] = []

    def come(email: str, language: str = "en-US", scheme: Scheme = "light", size: ViewportSize = WIDE) -> Page:
        context = browser.new_context(base_url=server, viewport=size, locale=language, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto("/")
        page.get_by_label("E-mail").or_(page.get_by_label("Indirizzo e-mail")).fill(email)
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/batches")
        return page

    yield come
    for context in contexts:
        context.close()
    # Nothing was blocked by the Content-Security-Policy, and no script failed.
    assert [one for one in said if "status of 4" not in one] == []


def test_an_oem_uploads_previews_confirms_watches_downloads_mends_and_resends(
    stock: list[str], enter: Callable[..., Page], working: None, tmp_path: Path
):
    """From a spreadsheet with mistakes to keys for every row, all of it in the browser."""
    page = enter("oem@k.example")
    rows = [[code, f"Company {n}", "a@b.it" if n % 5 else "no address"] for n, code in enumerate(stock[:20])]
    file = tmp_path / "orders.csv"
    file.write_text("\n".join(";".join(row) for row in [["Voucher code", "Company", "E-mail"], *rows]))
    page.get_by_role("link", name="Send a file").first.click()
    page.get_by_label("Drop a spreadsheet here").set_input_files(file)
    page.get_by_role("button", name="Look at this file").click()
    expect(page.get_by_text("Taken for redeem-vouchers")).to_be_visible()
    page.get_by_role("button", name="Show the preview").click()
    expect(page.get_by_role("heading", name="What will happen")).to_be_visible(timeout=30_000)
    expect(page.get_by_text("C2, C7, C12, C17")).to_be_visible()
    expect(page.locator("td.fault mark")).to_have_text(["no address"] * 4)
    page.get_by_role("button", name="Confirm and run").click()
    expect(page.get_by_role("heading", name="What the rows got")).to_be_visible(timeout=30_000)
    assert page.locator("dl.tiles > div").all_inner_texts() == ["Issued\n16", "Rejected\n4", "Rows in all\n20"]
    with page.expect_download() as download:
        page.get_by_role("link", name="Get the refused rows").click()
    rejected = Path(download.value.path()).read_text("utf-8-sig")
    mended = file.with_name("mended.csv")
    mended.write_text(rejected.replace("no address", "a@b.it"))
    assert len(list(csv.reader(io.StringIO(rejected), delimiter=";"))) == 5
    page.get_by_role("link", name="Send the corrected file").click()
    page.get_by_label("Drop a spreadsheet here").set_input_files(mended)
    page.get_by_role("button", name="Look at this file").click()
    page.get_by_role("button", name="Show the preview").click()
    page.get_by_role("button", name="Confirm and run").click(timeout=30_000)
    expect(page.get_by_role("heading", name="What the rows got")).to_be_visible(timeout=30_000)
    assert page.locator("dl.tiles > div").all_inner_texts() == ["Issued\n4", "Rejected\n0", "Rows in all\n4"]
    with page.expect_download() as download:
        page.get_by_role("link", name="Your file with the answers").click()
    assert download.value.suggested_filename == "mended-result.csv"


def test_a_run_shows_its_rate_and_what_is_left_and_can_be_cancelled(
    app: App, stock: list[str], submit: Submit, enter: Callable[..., Page], working: None
):
    """While it runs; what is done by then stays."""
    submit("OEM;Product;Count\nOEM;P;4000\n", "mint-vouchers", "VENDOR")
    codes = one(app, "SELECT array_agg(code ORDER BY id) FROM vouchers")
    rows = "".join(f"{code};Acme\n" for code in codes)
    batch = submit(f"Voucher code;Company\n{rows}", confirm="ask", work=False)
    page = enter("oem@k.example")
    page.goto(f"/batches/{batch}")
    page.get_by_role("button", name="Confirm and run").click(timeout=60_000)
    expect(page.locator("#live").get_by_role("status")).to_contain_text(
        re.compile(r"\d of 4,030 · [\d,]+ rows a second · \d+ \w+ left"), timeout=60_000
    )
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("heading", name="What the rows got")).to_be_visible(timeout=60_000)
    issued = one(app, "SELECT count(*) FROM outcomes WHERE batch_id = %(b)s AND code = 'issued'", b=batch)
    assert 0 < issued < 4030
    assert one(app, "SELECT count(*) FROM licenses WHERE batch_id = %(b)s", b=batch) == issued
    expect(page.locator("dl.tiles > div").filter(has_text="Issued")).to_contain_text(f"{issued:,}")


def test_a_customer_searches_annotates_and_shares(stock: list[str], enter: Callable[..., Page], working: None):
    """A license is found by what its owner noted of it, and another account sees it."""
    page = enter("it@acme.example")
    page.get_by_role("link", name="Licenses").click()
    page.locator("tbody a").nth(1).click()
    page.get_by_label("Name").fill("Site")
    page.get_by_label("Value").fill("Rome")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("cell", name="Rome")).to_be_visible(timeout=20_000)
    page.get_by_label("Account number").fill("HALO")
    page.get_by_role("button", name="Share").click()
    expect(page.get_by_role("status")).to_contain_text("HALO", timeout=20_000)
    expect(page.get_by_role("button", name="Withdraw")).to_be_visible()
    page.get_by_label("Account number").fill("NOBODY")
    page.get_by_role("button", name="Share").click()
    expect(page.locator(".note.bad")).to_be_visible(timeout=20_000)
    number = page.locator("h1").inner_text()
    page.get_by_role("link", name="Licenses").first.click()
    page.get_by_label("Your own data").fill("Site=Ro*")
    page.get_by_role("button", name="Show").click()
    expect(page.locator("tbody a")).to_have_text([number])


def test_a_file_is_dropped_and_without_a_script_it_is_sent_as_a_form(
    stock: list[str], browser: Browser, server: str, enter: Callable[..., Page]
):
    """Dropping a file sends it; with scripts off the button does."""
    page = enter("oem@k.example")
    page.goto("/upload")
    dropped = page.evaluate_handle(
        "code => { const all = new DataTransfer();"
        " all.items.add(new File(['Voucher code;Company\\n' + code + ';A\\n'], 'dropped.csv')); return all; }",
        stock[0],
    )
    page.dispatch_event(".drop", "drop", {"dataTransfer": dropped})
    expect(page.get_by_role("heading", name="dropped.csv")).to_be_visible(timeout=20_000)
    context = browser.new_context(base_url=server, java_script_enabled=False)
    context.add_cookies(page.context.cookies())  # type: ignore[arg-type]
    plain = context.new_page()
    plain.goto("/upload")
    plain.get_by_label("Drop a spreadsheet here").set_input_files(
        {"name": "plain.csv", "mimeType": "text/csv", "buffer": b"Voucher code;Company\nx;A\n"}
    )
    plain.get_by_role("button", name="Look at this file").click()
    expect(plain.get_by_role("heading", name="plain.csv")).to_be_visible(timeout=20_000)
    plain.get_by_role("button", name="Show the preview").click()
    expect(plain.get_by_role("heading", name="Waiting for a worker")).to_be_visible()
    context.close()


def test_operations_add_a_schedule_and_run_it_and_copy_a_token(
    app: App, join: Join, enter: Callable[..., Page], working: None
):
    """By keyboard as far as the form goes; a real scheduler runs it, and what it did stands in the history."""
    account(app, "OEM")
    page = enter(join("VENDOR", "ops@k.example"))
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.get_by_role("link", name="Schedules").click()
    page.get_by_label("Name", exact=True).fill("old-vouchers")
    page.get_by_label("Job", exact=True).select_option("expire-vouchers")
    page.get_by_label("Cron expression").fill("15 3 * * 1")
    page.keyboard.press("Enter")
    expect(page.get_by_text("At 03:15 on Monday")).to_be_visible()
    page.get_by_role("button", name="Run now: old-vouchers").click()
    expect(page.get_by_text("asked for by ops@k.example")).to_be_visible()
    while page.get_by_role("link", name="Load again").count():
        page.get_by_role("link", name="Load again").click()
    expect(page.get_by_role("cell", name="0 vouchers expired")).to_be_visible()
    page.goto("/accounts/OEM")
    page.get_by_text("Make a token").click()
    page.get_by_label("What uses it").fill("ERP")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Make the token").click()
    secret = page.get_by_label("It is shown this once only").input_value()
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == secret


def test_the_pages_speak_italian(app: App, join: Join, enter: Callable[..., Page]):
    """By the browser's language, and by choice."""
    account(app, "ACME", "customer")
    page = enter(join("ACME", "it@acme.example"), "it-IT")
    expect(page.get_by_role("heading", name="Lotti", exact=True)).to_be_visible()
    page.get_by_role("link", name="Licenze").click()
    expect(page.get_by_role("heading", name="Ancora nessuna licenza")).to_be_visible()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("heading", name="No licenses yet")).to_be_visible()
    expect(page.locator("html")).to_have_attribute("lang", "en")


KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICZGwsLoFWWrwwJeMDcsALSqNASzEI/KYadNVeg5Cgrh anna@oem"
PAGES = {
    "oem@k.example": [
        "/upload", "/batches", "/licenses", "/me", "/accounts/OEM", "/accounts/OEM/notifications", "/downloads",
        "/batches/999", "/uploads/{upload}",
    ],
    "it@acme.example": [
        "/batches/{batch}", "/batches/{done}", "/licenses", "/licenses/{license}", "/contracts", "/contracts/FC1",
        "/statements/{statement}",
    ],
    "ops@k.example": [
        "/operations", "/operations/keys", "/operations/audit", "/operations/deliveries?state=", "/schedules",
        "/accounts", "/operations/drops",
    ],
}  # fmt: skip


def everything(app: App, folder: Path) -> str:
    """A row in each table that operators and managers have: a drop, a schedule, a webhook. The id of an upload."""
    drop = Drop("partner", "OEM", "sftp.k.example", 22, "k", KEY, "/k", {"in": "redeem-vouchers"}, "*", 30, "")
    drops.add(app, drop, actor="test")
    ssh_keys.add(app, "OEM", KEY, actor="test")
    api_tokens.create(app, "OEM", "ERP", "submit", actor="test", kinds=["redeem-vouchers"])
    webhook = endpoints.add(app, "OEM", "https://erp.oem.example/keymill/events", None, actor="test").id
    endpoints.subscribe(app, "OEM", "desk@oem.example", ["batch.ended"], "it", actor="test")
    with transaction(app.engine) as connection:
        outbox.add(connection, id_of(app, "OEM"), "batch.ended", "batch 1", {}, mails=True)
        outbox.give_up(connection, webhook, GONE)
        webhooks.change_state(connection, webhook, "disabled", GONE)
    operating.pause(app, "load-products", actor="test", on=True)
    zone: dict[str, Any] = {"time_zone": "Europe/Rome", "missed": None, "given": {}, "actor": "test"}
    schedules.add(app, "nightly", job="expire-vouchers", expression="30 2 * * *", **zone)
    schedules.ask(app, "nightly", actor="test")
    content = b"Voucher code;Company;Remark\nx;Acme;new\n"
    (folder / "list.csv").write_bytes(content)
    upload = uploads.start(app, id_of(app, "OEM"), "list.csv", len(content), hashlib.sha256(content).hexdigest())
    uploads.extend(app, upload, 0, folder / "list.csv")
    return upload.id


def compare(page: Page) -> None:
    """From the page of drops to the one that compares a host key: it is given with the form, so that none is asked."""
    given = {
        "name": "another", "account": "OEM", "host": "sftp.k.example", "port": "22", "login": "k", "key_name": "k",
        "folder": "in", "kind": "redeem-vouchers", "host_key": KEY,
    }  # fmt: skip
    with page.expect_navigation():
        page.evaluate(
            """given => {
                const form = document.querySelector('form[action="/operations/drops"]');
                form.insertAdjacentHTML('beforeend', '<input type="hidden" name="host_key">');
                for (const [name, value] of Object.entries(given)) form.querySelector(`[name=${name}]`).value = value;
                form.submit();
            }""",
            given,
        )
    expect(page.get_by_role("heading", name="Compare the host key")).to_be_visible()


@pytest.mark.parametrize(("scheme", "size"), [("light", WIDE), ("dark", NARROW)])
def test_every_page_is_accessible_in_both_schemes_and_fits_a_phone(
    scheme: Scheme, size: ViewportSize, app: App, submit: Submit, stock: list[str], enter: Callable[..., Page],
    tmp_path: Path,
):  # fmt: skip
    """No violation of any weight (axe), with everything unfolded; nothing but tables of cells is scrolled sideways."""
    text = "Serial;E-mail\nS-3;a@b.it\nS-1;nonsense\n"
    places = {
        "upload": everything(app, tmp_path),
        "batch": submit(text, "register-serials", "ACME", confirm="ask"),
        "done": submit(text, "register-serials", "ACME"),
        "license": one(app, "SELECT min(number) FROM licenses"),
        "statement": one(app, "SELECT max(id) FROM statements"),
    }
    axe, found = Axe(), dict[str, object]()

    def look(page: Page, address: str) -> None:
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        found.update({f"{address} {one['id']}": one["nodes"] for one in axe.run(page).response["violations"]})
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > size["width"]:
            found[f"{address} is {width} wide"] = ()

    for email, addresses in PAGES.items():
        page = enter(email, scheme=scheme, size=size)
        for address in addresses:
            page.goto(address.format(**places))
            look(page, address)
    compare(page)  # the last one was the page of drops
    look(page, "comparing a host key")
    page.context.add_cookies([{"name": COOKIE, "value": "ended", "url": app.settings.public_url}])
    page.goto("/sign-in")
    expect(page.get_by_text("Your session has ended")).to_be_visible()
    found |= {f"sign-in {one['id']}": one["nodes"] for one in axe.run(page).response["violations"]}
    assert found == {}


def test_every_page_carries_the_strict_policy(join: Join, enter: Callable[..., Page]):
    """No inline script or style is in a page, and none would run."""
    page = enter(join("VENDOR", "ops@k.example"))
    for address in ("/upload", "/operations", "/nothing-here"):
        answer = page.request.get(address, headers={"Accept": "text/html"})
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
        assert "unsafe" not in policy
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]* src=)", answer.text())
