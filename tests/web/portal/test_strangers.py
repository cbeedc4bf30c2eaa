"""Every page and form of the portal, tried by who is not signed in and by who has nothing to do with it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from config.wiring import App
from jobs import users
from models.database import transaction
from tests.apps import one
from tests.tenants import World
from tests.web.conftest import addressed
from tests.web.portal.conftest import PASSWORD, Person
from tests.web.test_tenancy import routes, state
from web.app import create

Visit = Callable[..., Person]


class Try(NamedTuple):
    """What a stranger gets: ``hidden`` (404), a page without anything of others, or ``gate`` (for everybody)."""

    answer: str
    fields: dict[str, Any] = {}  # noqa: RUF012


# A route that is not here fails the test: whoever adds one says what a stranger gets.
TRIES = {
    "GET /": Try("own"),
    "GET /sign-in": Try("gate"),
    "POST /sign-in": Try("gate"),
    "GET /sign-in/openid": Try("gate"),
    "GET /sign-in/openid/back": Try("gate"),
    "POST /language": Try("gate"),
    "GET /me": Try("own"),
    "POST /me/password": Try("own"),
    "POST /me/sessions/{session}/end": Try("own"),
    "POST /sign-out": Try("gate"),
    "GET /upload": Try("own"),
    "POST /upload": Try("own"),
    "GET /templates/{kind}": Try("own"),
    "GET /uploads/{upload}": Try("hidden"),
    "POST /uploads/{upload}": Try("hidden", {"kind": "register-serials"}),
    "POST /uploads/{upload}/drop": Try("hidden"),
    "GET /batches": Try("own"),
    "GET /batches/{batch}": Try("hidden"),
    "GET /batches/{batch}/events": Try("hidden"),
    "POST /batches/{batch}/confirm": Try("hidden"),
    "POST /batches/{batch}/cancel": Try("hidden"),
    "GET /batches/{batch}/files/{role}": Try("hidden"),
    "GET /licenses": Try("own"),
    "GET /licenses/{number}": Try("hidden"),
    "GET /licenses/{number}/file": Try("hidden"),
    "POST /licenses/{number}/data": Try("hidden", {"name": "Site", "value": "Rome"}),
    "POST /licenses/{number}/shares": Try("hidden", {"with_account": "STRANGER", "permission": "read"}),
    "GET /licenses/{number}/downloads/{sha256}": Try("hidden"),
    "GET /downloads": Try("own"),
    "GET /contracts": Try("own"),
    "GET /contracts/{number}": Try("hidden"),
    "GET /statements/{statement}": Try("hidden"),
    "GET /accounts": Try("hidden"),
    "POST /accounts": Try("hidden", {"account": "NEW", "name": "New", "type": "customer"}),
    "GET /accounts/{number}": Try("hidden"),
    "POST /accounts/{number}/state": Try("hidden", {"state": "suspended"}),
    "POST /accounts/{number}/users": Try("hidden", {"email": "x@y.example", "name": "x", "permission": "manage"}),
    "POST /accounts/{number}/users/{user}/{action}": Try("hidden"),
    "POST /accounts/{number}/tokens": Try("hidden", {"name": "x", "days": "9", "permission": "manage"}),
    "POST /accounts/{number}/tokens/{token}/revoke": Try("hidden"),
    "POST /accounts/{number}/ssh-keys": Try("hidden", {"public_key": "x"}),
    "POST /accounts/{number}/ssh-keys/{key}/revoke": Try("hidden"),
    "POST /accounts/{number}/approval": Try("hidden", {"above": "1"}),
    "GET /accounts/{number}/notifications": Try("hidden"),
    "POST /accounts/{number}/notifications/webhooks": Try("hidden", {"url": "https://stranger.example"}),
    "POST /accounts/{number}/notifications/webhooks/{webhook}/{action}": Try("hidden"),
    "POST /accounts/{number}/notifications/mails": Try("hidden", {"address": "eve@stranger.example"}),
    "POST /accounts/{number}/notifications/mails/remove": Try("hidden", {"address": "desk@one.example"}),
    "POST /accounts/{number}/notifications/mails/replay": Try("hidden", {"address": "desk@one.example"}),
    "POST /accounts/{number}/notifications/deliveries/{delivery}/replay": Try("hidden"),
    "GET /operations": Try("hidden"),
    "GET /operations/deliveries": Try("hidden"),
    "POST /operations/deliveries/{delivery}/replay": Try("hidden"),
    "POST /operations/batches": Try("hidden", {"batch": "1", "action": "cancel"}),
    "POST /operations/kinds": Try("hidden", {"kind": "register-serials", "action": "pause"}),
    "GET /operations/drops": Try("hidden"),
    "POST /operations/drops": Try("hidden", {"name": "x", "host": "127.0.0.1", "is_compared": "1"}),
    "POST /operations/drops/{name}": Try("hidden", {"action": "pause"}),
    "GET /schedules": Try("hidden"),
    "POST /schedules": Try("hidden", {"name": "x", "job": "expire-vouchers", "expression": "0 2 * * *"}),
    "POST /schedules/{name}/{action}": Try("hidden"),
    "GET /operations/keys": Try("hidden"),
    "POST /operations/keys": Try("hidden"),
    "GET /operations/audit": Try("hidden"),
}


@pytest.fixture
def app(world_app: App) -> App:
    """An app with something of each kind, and a manager of a stranger's account."""
    app = addressed(world_app)
    users.add(app, "STRANGER", "eve@stranger.example", "Eve", "manage", actor="test", password=PASSWORD)
    return app


def address(route: str, world: World) -> str:
    """The address of what belongs to ONE."""
    path = route.split()[1]
    number = "ONE" if path.startswith("/accounts") else "FC-1" if path.startswith("/contracts") else world.licenses[0]
    places = {
        "batch": world.batch, "number": number, "statement": world.statement, "upload": world.upload,
        "token": world.token, "kind": "register-serials", "user": world.user,
        "action": "remove" if "webhook" in path else "suspend", "webhook": world.webhook, "delivery": world.delivery,
        "session": "x",
        "role": "result", "key": 1, "name": "x", "sha256": "0",
    }  # fmt: skip
    return path.format(**places)


def test_every_route_is_tried(app: App):
    """The list of tries names exactly the routes that there are."""
    assert sorted(routes(create(app), of_portal=True)) == sorted(TRIES)


def test_who_is_not_signed_in_is_asked_to(visit: Visit, world: World):
    """Every page and form leads to the sign-in, but those that are there to sign in."""
    nobody = visit()
    for route, tried in TRIES.items():
        if tried.answer != "gate":
            method = route.split()[0]
            found = nobody.client.request(
                method, address(route, world), headers={"Origin": nobody.server}, follow_redirects=False
            )
            assert found.status_code == 303, (route, found.text)
            assert found.headers["location"].startswith("/sign-in"), route


def test_a_stranger_finds_nothing(app: App, visit: Visit, world: World):
    """404 or a page without anything of ONE, so that nobody learns what exists; and nothing changes."""
    before = everything(app)
    eve = visit("eve@stranger.example")
    for route, tried in TRIES.items():
        place = address(route, world)
        if tried.answer == "gate":
            continue
        if route.startswith("GET"):
            found = eve.client.get(place)
        elif tried.answer == "hidden":
            found = eve.post(place, **tried.fields)
        else:
            continue
        assert found.status_code == (404 if tried.answer == "hidden" else 200), (route, found.text)
        told = found.text.replace(place.rpartition("/licenses/")[2].partition("/")[0], "what was asked for")
        assert not re.search(rf"\bONE\b|{world.licenses[0]}|one@example.com|of-one|desk@one", told), route
    assert everything(app) == before


def test_the_owner_finds_it(app: App, visit: Visit, world: World):
    """The pages that are hidden from a stranger are there, so that they are hidden for the right reason."""
    owner = visit_owner(app, visit)
    gone = ("operations", "schedules", "GET /accounts", "files/{role}", "{sha256}", "events", "uploads/{upload}")
    for route, tried in TRIES.items():
        if route.startswith("GET") and tried.answer == "hidden" and not any(one in route for one in gone):
            assert owner.client.get(address(route, world)).status_code == 200, route
    assert owner.client.get("/accounts/ONE").status_code == 200


def test_pages_of_operations_are_the_vendor_s(app: App, visit: Visit):
    """Whoever works for the vendor sees them."""
    users.add(app, "VENDOR", "ops@vendor.example", "Ops", "manage", actor="test", password=PASSWORD)
    ops = visit("ops@vendor.example")
    for page in (
        "/operations",
        "/schedules",
        "/operations/drops",
        "/operations/keys",
        "/operations/audit",
        "/operations/deliveries",
        "/accounts",
        "/accounts/ONE",
        "/accounts/ONE/notifications",
    ):
        ops.get(page)


def test_who_may_only_look_changes_nothing(app: App, visit: Visit, world: World):
    """Forms answer 403, and pages do not offer them."""
    users.add(app, "ONE", "look@one.example", "Look", "read", actor="test", password=PASSWORD)
    before = everything(app)
    looker = visit("look@one.example")
    for route in ("POST /batches/{batch}/confirm", "POST /batches/{batch}/cancel", "POST /licenses/{number}/data",
                  "POST /accounts/{number}/tokens", "POST /accounts/{number}/notifications/webhooks/{webhook}/{action}",
                  "GET /accounts/{number}/notifications", "GET /upload"):  # fmt: skip
        method, place = route.split()[0], address(route, world)
        found = looker.client.get(place) if method == "GET" else looker.post(place)
        assert found.status_code == 403, (route, found.text)
    assert 'method="post" action="/batches' not in looker.get(f"/batches/{world.batch}")
    assert everything(app) == before


def visit_owner(app: App, visit: Visit) -> Person:
    """The manager of ONE."""
    users.set_password(app, "one@example.com", PASSWORD, actor="test")
    return visit("one@example.com")


def everything(app: App) -> list[Any]:
    """What a stranger could have changed."""
    queries = (
        "SELECT jsonb_agg(to_jsonb(u) ORDER BY id) FROM users u",
        "SELECT jsonb_agg(to_jsonb(a) ORDER BY id) FROM accounts a",
        "SELECT count(*) FROM signing_keys",
        "SELECT count(*) FROM paused_kinds",
        "SELECT count(*) FROM shares",
        "SELECT count(*) FROM api_tokens",
        "SELECT jsonb_agg(to_jsonb(w) ORDER BY id) FROM webhook_endpoints w",
        "SELECT jsonb_agg(to_jsonb(d) ORDER BY id) FROM deliveries d",
        "SELECT jsonb_agg(to_jsonb(m) ORDER BY id) FROM mail_subscriptions m",
    )
    with transaction(app.engine):
        return state(app)[:4] + [one(app, query) for query in queries]
