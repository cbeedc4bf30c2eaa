"""Signing in: sessions, forms of other sites, too many tries, passwords, languages."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from config.wiring import App
from jobs import users
from models import audit
from models.database import transaction
from tests.apps import account, one
from tests.web.portal.conftest import PASSWORD, Person
from web.portal.signing_in import TRIES_A_MINUTE

Join = Callable[..., str]
Visit = Callable[..., Person]


@pytest.fixture
def email(app: App, join: Join) -> str:
    """A manager of an OEM."""
    account(app, "OEM")
    return join("OEM", "ann@oem.example")


def test_whoever_signs_in_comes_back_to_the_page_that_was_asked_for(email: str, visit: Visit):
    """The page is kept through the sign-in, query included; its cookie is out of reach of scripts and other sites."""
    ann = visit()
    asked = ann.client.get("/licenses?product=P")
    assert asked.url.path == "/sign-in"
    back = re.search(r'name="next" value="([^"]*)"', asked.text)
    assert back
    done = ann.sign_in(email, next=back[1])
    assert str(done.url).endswith("/licenses?product=P")
    cookie = done.history[0].headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie


@pytest.mark.parametrize("elsewhere", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:1"])
def test_nobody_is_sent_to_another_site(elsewhere: str, email: str, visit: Visit):
    """An address that is not of this site is not followed."""
    done = visit().sign_in(email, next=elsewhere)
    assert done.url.path == "/batches"


def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(email: str, visit: Visit):
    """Nobody learns who has access."""
    wrong, unknown = visit().sign_in(email, "another password"), visit().sign_in("bob@oem.example", "another password")
    assert wrong.status_code == unknown.status_code == 422
    assert wrong.text.replace(email, "") == unknown.text.replace("bob@oem.example", "")
    assert "E-mail address or password are not right." in wrong.text


def test_passwords_cannot_be_tried_without_end(email: str, visit: Visit):
    """After so many tries in a minute even the right password is not looked at."""
    ann = visit()
    for _ in range(2 * TRIES_A_MINUTE + 1):  # the minute may end in between
        answer = ann.sign_in(email, "another password")
    assert "Too many tries" in answer.text
    assert "Too many tries" in ann.sign_in(email).text


def test_a_form_of_another_site_does_nothing(email: str, visit: Visit):
    """Neither signs anybody in nor out, whether it knows the token or not."""
    ann = visit(email)
    token = ann.csrf()
    assert ann.send("/sign-out", origin="https://evil.example", csrf=token).status_code == 403
    assert ann.send("/sign-out", csrf="0" * 64).status_code == 403
    assert ann.client.post("/sign-out", data={"csrf": token}).status_code == 403  # from nowhere
    assert visit().send("/sign-in", origin="null", email=email, password=PASSWORD).status_code == 403
    assert ann.client.get("/me").url.path == "/me"


def test_the_token_of_one_session_is_worth_nothing_in_another(email: str, visit: Visit):
    """Each session has its own."""
    first, second = visit(email), visit(email)
    assert first.csrf() != second.csrf()
    assert first.send("/sign-out", csrf=second.csrf()).status_code == 403


def test_sessions_are_listed_and_end_where_somebody_says_so(email: str, visit: Visit):
    """Another session ends at once; one's own by signing out."""
    here, there = visit(email), visit(email)
    listed = re.findall(r"/me/sessions/(\w+)/end", here.get("/me"))
    assert len(listed) == 1
    here.post(f"/me/sessions/{listed[0]}/end")
    assert there.client.get("/batches").url.path == "/sign-in"
    here.post("/sign-out")
    assert here.client.get("/batches").url.path == "/sign-in"


def test_nobody_ends_the_session_of_somebody_else(app: App, email: str, join: Join, visit: Visit):
    """A session's name is worth nothing to another user."""
    ann, eve = visit(email), visit(join("OEM", "eve@oem.example"))
    visit(email)
    name = re.findall(r"/me/sessions/(\w+)/end", ann.get("/me"))[0]
    eve.post(f"/me/sessions/{name}/end")
    assert re.findall(r"/me/sessions/(\w+)/end", ann.get("/me")) == [name]


def test_another_password_ends_the_other_sessions(email: str, visit: Visit):
    """Who changes it stays signed in; the old one is worth nothing any more."""
    here, there = visit(email), visit(email)
    new = "a new sentence of mine"
    assert "differ" in here.post("/me/password", old=PASSWORD, new=new, again=new + "!").text
    assert "not right" in here.post("/me/password", old="x", new=new, again=new).text
    assert "12 to 200" in here.post("/me/password", old=PASSWORD, new="short", again="short").text
    assert "was changed" in here.post("/me/password", old=PASSWORD, new=new, again=new).text
    assert there.client.get("/batches").url.path == "/sign-in"
    assert visit().sign_in(email).status_code == 422
    assert visit().sign_in(email, new).status_code == 200


def test_a_suspended_user_or_account_is_out_at_once(app: App, email: str, join: Join, visit: Visit):
    """The session ends with the permission."""
    ann, bea = visit(email), visit(join("OEM", "bea@oem.example"))
    users.suspend(app, email, actor="test")
    assert ann.client.get("/batches").url.path == "/sign-in"
    account(app, "OEM", state="suspended")
    assert bea.client.get("/batches").url.path == "/sign-in"


def test_the_language_is_the_browser_s_then_the_user_s_then_the_chosen_one(app: App, join: Join, visit: Visit):
    """A choice is kept for the user too."""
    account(app, "OEM")
    assert "Accedi" in visit(language="it-IT,it;q=0.9").get("/sign-in")
    ann = visit(join("OEM", "ann@oem.example", locale="it"))
    assert '<html lang="it">' in ann.get("/batches")
    ann.send("/language", language="en", next="/me")
    assert '<html lang="en">' in ann.get("/batches")
    assert one(app, "SELECT locale FROM users") == "en"


def test_signing_in_stands_in_the_audit_log(app: App, email: str, visit: Visit):
    """With where it came from; refused tries too."""
    visit().sign_in(email, "another password")
    visit(email)
    with transaction(app.engine) as connection:
        found = [(entry[2], entry[4].get("address")) for entry in audit.latest(connection, 2)]
    assert found == [("session.started", "127.0.0.1"), ("session.refused", "127.0.0.1")]


@pytest.mark.parametrize("changed", [{"public_url": "https://keys.example.com"}])
def test_behind_https_the_cookie_is_secure_and_forms_of_the_public_address_are_taken(
    app: App, email: str, visit: Visit
):
    """The proxy speaks http to us, and people https to it."""
    done = visit().client.post(
        f"http://{app.settings.listen}/sign-in",
        data={"email": email, "password": PASSWORD},
        headers={"Origin": "https://keys.example.com"},
        follow_redirects=False,
    )
    assert done.status_code == 303 and "Secure" in done.headers["set-cookie"]


def test_who_is_signed_out_meanwhile_is_told_and_comes_back_to_the_page_of_the_form(email: str, visit: Visit):
    """Another session ended this one: the form was not taken, and its page is where the sign-in leads to."""
    here, there = visit(email), visit(email)
    token = there.csrf()
    (name,) = re.findall(r"/me/sessions/(\w+)/end", here.get("/me"))
    here.post(f"/me/sessions/{name}/end")
    sent = {"Origin": there.server, "Referer": f"{there.server}/licenses?product=P"}
    asked = there.client.post("/me/password", data={"csrf": token}, headers=sent)
    assert asked.url.path == "/sign-in" and "Your session has ended" in asked.text
    back = re.search(r'name="next" value="([^"]*)"', asked.text)
    assert back and there.sign_in(email, next=back[1]).url.query == b"product=P"
    assert "Your session has ended" not in visit().get("/sign-in")


def test_what_goes_wrong_is_told_inside_the_frame_to_who_is_signed_in(email: str, visit: Visit):
    """With the menu, the number of the error, and the way back to the form."""
    ann = visit(email)
    missing = ann.get("/batches/999", 404)
    assert "Error 404" in missing and 'href="/licenses"' in missing and "Nothing here" in missing
    headers = {"Origin": ann.server, "Referer": f"{ann.server}/me"}
    forbidden = ann.client.post("/me/password", data={"csrf": "of another session"}, headers=headers)
    assert forbidden.status_code == 403 and 'href="/me">Back to the page' in forbidden.text
    assert "Error 404" in visit().get("/nothing", 404)
