"""The page of an account: people, API tokens, SSH keys and the rule of the second person, form by form."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from config.wiring import App
from tests.apps import Submit, account, one, product
from tests.ssh import make_key
from tests.web.portal.conftest import Person

Join = Callable[..., str]
Visit = Callable[..., Person]
HERE = "/accounts/OEM"


@pytest.fixture
def ann(app: App, join: Join, visit: Visit) -> Person:
    """A manager of an OEM."""
    account(app, "OEM")
    return visit(join("OEM", "ann@oem.example"))


def shown_once(page: httpx.Response) -> str:
    """What the page shows this once: a password or a token's secret."""
    found = re.search(r'<input id="made"[^>]* value="([^"]+)"', page.text)
    assert found, page.text
    return found[1]


def actions(app: App) -> list[str]:
    """What was done by Ann, oldest first, without reading and signing in."""
    query = (
        "SELECT array_agg(action ORDER BY id) FROM audit_log"
        " WHERE actor = 'user:ann@oem.example' AND action NOT LIKE 'session.%%'"
    )
    return list(one(app, query))


def test_people_are_added_suspended_let_back_in_and_given_new_passwords(app: App, ann: Person, visit: Visit):
    """Each gets a first password that is shown once; suspending ends sessions; nobody suspends themselves."""
    added = ann.post(f"{HERE}/users", email="bea@oem.example", name="Bea", permission="submit")
    password = shown_once(added)
    assert password not in ann.get(HERE)
    bea = visit()
    assert bea.sign_in("bea@oem.example", password).url.path == "/batches"
    again = ann.post(f"{HERE}/users", email="bea@oem.example", name="Bea", permission="read")
    assert again.status_code == 422 and "bea@oem.example already" in again.text
    user = one(app, "SELECT id FROM users WHERE email = 'bea@oem.example'")
    ann.post(f"{HERE}/users/{user}/suspend")
    assert bea.client.get("/batches").url.path == "/sign-in"
    assert visit().sign_in("bea@oem.example", password).status_code == 422
    ann.post(f"{HERE}/users/{user}/readmit")
    assert visit().sign_in("bea@oem.example", password).status_code == 200
    changed = shown_once(ann.post(f"{HERE}/users/{user}/password"))
    assert visit().sign_in("bea@oem.example", password).status_code == 422
    assert visit().sign_in("bea@oem.example", changed).status_code == 200
    oneself = one(app, "SELECT id FROM users WHERE email = 'ann@oem.example'")
    assert ann.post(f"{HERE}/users/{oneself}/suspend").status_code == 422
    assert ann.post(f"{HERE}/users/{user}/promote").status_code == 404
    assert bea.sign_in("bea@oem.example", changed).status_code == 200
    bea.get(HERE, 403)  # who may send files does not manage


def test_a_token_is_shown_once_works_and_ends_when_it_is_revoked(app: App, ann: Person):
    """For the kinds and as long as was said; a number of days that is none is refused."""
    made = ann.post(f"{HERE}/tokens", name="ERP", permission="submit", days="30", kinds=["redeem-vouchers"])
    secret = shown_once(made)
    assert secret not in ann.get(HERE) and "Redeem vouchers" in ann.get(HERE)
    program = {"Authorization": f"Bearer {secret}"}
    assert httpx.get(f"{ann.server}/api/v1/batches", headers=program).status_code == 200
    assert ann.post(f"{HERE}/tokens", name="ERP", permission="submit", days="0").status_code == 422
    token = one(app, "SELECT id FROM api_tokens")
    ann.post(f"{HERE}/tokens/{token}/revoke")
    assert httpx.get(f"{ann.server}/api/v1/batches", headers=program).status_code == 401
    assert "Revoked" in ann.get(HERE)
    ann_did = actions(app)
    assert [action for action in ann_did if "token" in action] == ann_did and len(ann_did) == 2


def test_ssh_keys_are_added_and_withdrawn(app: App, openssh: None, ann: Person, tmp_path: Path):
    """A key that is none, or that somebody has, is refused with a sentence; one of another account is not there."""
    public = make_key(tmp_path / "key").with_suffix(".pub").read_text()
    ann.post(f"{HERE}/ssh-keys", public_key=public, comment="the ERP")
    assert "the ERP" in ann.get(HERE) and "SHA256:" in ann.get(HERE)
    again = ann.post(f"{HERE}/ssh-keys", public_key=public)
    assert again.status_code == 422 and "added before" in again.text
    wrong = ann.post(f"{HERE}/ssh-keys", public_key="-----BEGIN OPENSSH PRIVATE KEY-----")
    assert wrong.status_code == 422 and ".pub" in wrong.text
    key = one(app, "SELECT id FROM ssh_keys")
    assert ann.post(f"{HERE}/ssh-keys/{key + 1}/revoke").status_code == 404
    ann.post(f"{HERE}/ssh-keys/{key}/revoke")
    assert one(app, "SELECT revoked_at IS NOT NULL FROM ssh_keys")
    assert f"/ssh-keys/{key}/revoke" not in ann.get(HERE)


def test_two_people_let_a_batch_run_where_the_account_says_so(
    app: App, ann: Person, join: Join, visit: Visit, submit: Submit, drive: Callable[[], None]
):
    """The first one asks, and cannot answer as well; the page tells both what they are to do."""
    product(app, "P")
    submit("OEM;Product;Count\nOEM;P;2\n", "mint-vouchers", "VENDOR")
    codes = one(app, "SELECT array_agg(code) FROM vouchers")
    assert ann.post(f"{HERE}/approval", above="many").status_code == 422
    ann.post(f"{HERE}/approval", above="1")
    assert 'name="above" inputmode="numeric" pattern="[0-9]*" value="1"' in ann.get(HERE)
    rows = "".join(f"{code};Acme\n" for code in codes)
    number = submit("Voucher code;Company\n" + rows, confirm="ask")
    batch = f"/batches/{number}"
    assert "needs two people" in ann.get(batch)
    assert "asked for this batch to run" in ann.post(f"{batch}/confirm").text
    assert ann.post(f"{batch}/confirm").status_code == 422
    bea = visit(join("OEM", "bea@oem.example"))
    assert "Approve and run" in bea.get(batch)
    bea.post(f"{batch}/confirm")
    drive()
    assert "What the rows got" in bea.get(batch)
    assert one(app, "SELECT count(*) FROM licenses") == 2


@pytest.fixture
def at_work(drive: Callable[[], None]) -> Iterator[None]:
    """A worker in a thread, for pages that wait for the answer of a row."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(0.02):
            drive()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    ended.set()
    thread.join()


def test_the_vendor_adds_an_account_and_suspends_it(app: App, ann: Person, at_work: None, join: Join, visit: Visit):
    """As batches of one row; what is wrong with it is told in the form, and nobody is overwritten."""
    ops = visit(join("VENDOR", "ops@k.example"))
    new = {"account": "acme", "name": "Acme S.p.A.", "type": "customer", "country": "IT", "email": ""}
    added = ops.post("/accounts", **new)
    assert added.url.path.upper() == "/ACCOUNTS/ACME" and "Acme S.p.A." in added.text
    assert one(app, "SELECT kind FROM batches ORDER BY id DESC LIMIT 1") == "load-accounts"
    again = ops.post("/accounts", **new | {"name": "Another"})
    assert again.status_code == 422 and "already" in again.text and 'value="Another"' in again.text
    wrong = ops.post("/accounts", **new | {"account": "HALO", "country": "Atlantis"})
    assert wrong.status_code == 422 and "Atlantis" in wrong.text
    ops.post(f"{HERE}/state", state="suspended")
    assert ann.client.get("/batches").url.path == "/sign-in"
    ops.post(f"{HERE}/state", state="active")
    assert one(app, "SELECT state FROM accounts WHERE number = 'OEM'") == "active"
    assert ops.post("/accounts/VENDOR/state", state="suspended").status_code == 404
    ops.post("/accounts/VENDOR/approval", above="", revoking="1")
    assert one(app, "SELECT approve_revoking FROM accounts WHERE number = 'VENDOR'")
