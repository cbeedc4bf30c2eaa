"""Every route, tried as an account that has nothing to do with what is asked for."""

from __future__ import annotations

from typing import Any, NamedTuple

import asyncssh
import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from config.wiring import App
from models import audit
from models.database import transaction
from tests.apps import one
from tests.tenants import World
from tests.web.conftest import addressed
from web.app import create

KEY = {"Idempotency-Key": "stranger"}
CSV = {"Content-Type": "text/csv"}


class Try(NamedTuple):
    """How a stranger tries a route. ``answer``: hidden (404), empty, its own, or the same for everybody."""

    answer: str
    query: str = ""
    headers: dict[str, str] = {}  # noqa: RUF012
    content: bytes | None = None
    json: Any = None
    own: str = "the vendor's too"


# A route that is not here fails the test: whoever adds one says what a stranger gets.
TRIES = {
    "GET /api/v1/batches": Try("empty"),
    "POST /api/v1/batches": Try("hidden", "?kind=register-serials&upload={upload}", KEY, own="no"),
    "GET /api/v1/batches/{batch}": Try("hidden"),
    "POST /api/v1/batches/{batch}/confirm": Try("hidden"),
    "POST /api/v1/batches/{batch}/cancel": Try("hidden"),
    "GET /api/v1/batches/{batch}/rows": Try("hidden"),
    "GET /api/v1/batches/{batch}/events": Try("hidden", own="no"),
    "GET /api/v1/batches/{batch}/results": Try("hidden", own="no"),
    "GET /api/v1/kinds": Try("everybody"),
    "GET /api/v1/kinds/{kind}/template": Try("everybody"),
    "GET /api/v1/licenses": Try("empty"),
    "GET /api/v1/licenses/{number}": Try("hidden"),
    "POST /api/v1/licenses/verify": Try("everybody", json={"license": "x"}),
    "GET /api/v1/statements": Try("empty"),
    "GET /api/v1/statements/{statement}": Try("hidden"),
    "GET /api/v1/schedules": Try("forbidden"),
    "POST /api/v1/schedules": Try(
        "forbidden", json={"schedule": "mine", "job": "retention", "expression": "0 2 * * *"}
    ),
    "GET /api/v1/schedules/{schedule}": Try("forbidden"),
    "GET /api/v1/schedules/{schedule}/runs": Try("forbidden"),
    "POST /api/v1/schedules/{schedule}/runs": Try("forbidden"),
    "POST /api/v1/schedules/{schedule}/pause": Try("forbidden"),
    "POST /api/v1/schedules/{schedule}/resume": Try("forbidden"),
    "DELETE /api/v1/schedules/{schedule}": Try("forbidden"),
    "POST /api/v1/uploads": Try("everybody", json={"filename": "a.csv", "size": 1, "sha256": "0" * 64}),
    "GET /api/v1/uploads/{upload}": Try("hidden"),
    "PATCH /api/v1/uploads/{upload}": Try("hidden", headers={"Upload-Offset": "0"}, content=b"123", own="no"),
    "DELETE /api/v1/uploads/{upload}": Try("hidden", own="no"),
    "GET /api/v1/account": Try("own"),
    "GET /api/v1/tokens": Try("own"),
    "POST /api/v1/tokens": Try("everybody", json={"name": "one more"}),
    "DELETE /api/v1/tokens/{token}": Try("hidden", own="no"),
    "GET /api/v1/webhooks": Try("empty"),
    "POST /api/v1/webhooks": Try("everybody", json={"url": "https://hook.example/mine"}),
    "PATCH /api/v1/webhooks/{webhook}": Try("hidden", json={"types": ["batch.ended"]}),
    "POST /api/v1/webhooks/{webhook}/pause": Try("hidden"),
    "POST /api/v1/webhooks/{webhook}/resume": Try("hidden"),
    "POST /api/v1/webhooks/{webhook}/secret": Try("hidden", json={}),
    "POST /api/v1/webhooks/{webhook}/test": Try("hidden", own="no"),
    "POST /api/v1/webhooks/{webhook}/replay": Try("hidden", own="no"),
    "DELETE /api/v1/webhooks/{webhook}": Try("hidden", own="no"),
    "GET /api/v1/deliveries": Try("empty"),
    "POST /api/v1/deliveries/{delivery}/replay": Try("hidden"),
    "GET /api/v1/mails": Try("empty"),
    "PUT /api/v1/mails": Try("everybody", json={"address": "me@here.example"}),
    "POST /api/v1/mails/replay": Try("hidden", json={"address": "desk@one.example"}, own="no"),
    "GET /api/v1/ssh-keys": Try("empty"),
    "POST /api/v1/ssh-keys": Try("everybody"),
    "DELETE /api/v1/ssh-keys/{key}": Try("hidden", own="no"),
    "GET /files/{token}/{filename}": Try("hidden", own="no"),
    "GET /.well-known/jwks.json": Try("everybody"),
    "GET /.well-known/revocations.jwt": Try("everybody"),
    "GET /healthz": Try("everybody"),
    "GET /readyz": Try("everybody"),
    "GET /metrics": Try("forbidden"),
}
OPEN = {"GET /files/{token}/{filename}", "GET /.well-known/jwks.json", "GET /.well-known/revocations.jwt",
        "GET /healthz", "GET /readyz"}  # fmt: skip


def routes(server: FastAPI, *, of_portal: bool = False) -> list[str]:
    """Every method and path that the application knows, whether its document tells of it or not; or of the portal."""
    found = [
        f"{method} {one.path}"
        for one in iter_route_contexts(server.routes)
        for method in one.methods or ()
        if one.endpoint.__module__.startswith("web.portal.") == of_portal
    ]
    return [one for one in found if not one.endswith("/openapi.json")]


@pytest.fixture
def app(world_app: App) -> App:
    """An app with something of each kind."""
    return addressed(world_app)


def ask(client: httpx.Client, route: str, world: World) -> httpx.Response:
    """Try a route with what belongs to ONE."""
    method, path = route.split()
    tried = TRIES[route]
    places = {
        "batch": world.batch, "number": world.licenses[0], "statement": world.statement, "upload": world.upload,
        "token": world.token, "schedule": "nightly", "kind": "register-serials", "filename": "keys.csv",
        "webhook": world.webhook, "delivery": world.delivery, "key": world.ssh_key,
    }  # fmt: skip
    url = (path + tried.query).format(**places)
    body = tried.json
    if route == "POST /api/v1/ssh-keys":
        body = {"public_key": asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode()}
    return client.request(method, url, headers=tried.headers, content=tried.content, json=body)


def test_every_route_is_tried(app: App):
    """The list of tries names exactly the routes that there are."""
    assert sorted(routes(create(app))) == sorted(TRIES)


def test_a_stranger_gets_nothing(app: App, client: Any, world: World):
    """404 or an empty list, never 403, so that nobody learns what exists; and nothing changes."""
    before = state(app)
    for number in ("STRANGER", "RIVAL"):
        stranger = client(number)
        for route, tried in TRIES.items():
            found = ask(stranger, route, world)
            if tried.answer == "hidden":
                assert found.status_code == 404, (route, found.text)
                assert found.headers["content-type"] == "application/problem+json", route
            elif tried.answer == "empty":
                assert [value for value in found.json().values() if value] == [], route
            elif tried.answer == "forbidden":
                assert found.status_code == 403, route
            else:
                assert found.status_code in (200, 201), (route, found.text)
                assert "ONE" not in found.text and world.licenses[0] not in found.text, route
    assert state(app) == before


def state(app: App) -> list[Any]:
    """What a stranger could have changed."""
    queries = (
        "SELECT jsonb_agg(to_jsonb(b) - 'last_served_at' ORDER BY id) FROM batches b",
        "SELECT jsonb_agg(to_jsonb(l) ORDER BY number) FROM licenses l",
        "SELECT jsonb_agg(to_jsonb(u) ORDER BY id) FROM uploads u WHERE id = 'upload-of-one'",
        "SELECT jsonb_agg(to_jsonb(t) ORDER BY id) FROM api_tokens t WHERE name = 'kept'",
        "SELECT count(*) FROM audit_log WHERE starts_with(action, 'key')",
        "SELECT jsonb_agg(to_jsonb(w) ORDER BY id) FROM webhook_endpoints w WHERE url LIKE '%%/of-one'",
        "SELECT count(*) FROM webhook_secrets s JOIN webhook_endpoints w ON w.id = endpoint_id"
        " WHERE url LIKE '%%/of-one'",
        "SELECT jsonb_agg(to_jsonb(d) ORDER BY id) FROM deliveries d",
        "SELECT jsonb_agg(to_jsonb(s) ORDER BY id) FROM mail_subscriptions s WHERE address = 'desk@one.example'",
        "SELECT jsonb_agg(to_jsonb(k) ORDER BY id) FROM ssh_keys k WHERE comment = 'of ONE'",
    )
    return [one(app, query) for query in queries]


def test_the_owner_gets_it(client: Any, world: World):
    """The same tries as the account itself succeed, so that the stranger's fail for the right reason."""
    owner = client("ONE")
    for route, tried in TRIES.items():
        if tried.answer in ("hidden", "empty") and tried.own != "no":
            found = ask(owner, route, world)
            assert found.status_code == 200, (route, found.text)
            assert any(found.json().values()), route
    assert ask(owner, "DELETE /api/v1/uploads/{upload}", world).status_code == 204
    for route in ("tokens/{token}", "webhooks/{webhook}", "ssh-keys/{key}"):
        assert ask(owner, f"DELETE /api/v1/{route}", world).status_code == 204


def test_delegated_and_shared_licenses_are_shown(client: Any, world: World):
    """The distributor finds all licenses of its customer and its statements, the friend the one that was shared."""
    distributor, friend = client("DIST"), client("FRIEND")
    assert len(distributor.get("/api/v1/licenses").json()["licenses"]) == 3
    assert [one["number"] for one in friend.get("/api/v1/licenses").json()["licenses"]] == world.licenses[:1]
    assert distributor.get(f"/api/v1/statements/{world.statement}").status_code == 200
    assert friend.get(f"/api/v1/statements/{world.statement}").status_code == 404
    assert friend.get(f"/api/v1/licenses/{world.licenses[1]}").status_code == 404
    assert distributor.get(f"/api/v1/batches/{world.batch}").status_code == 404


def test_the_vendor_sees_everything(client: Any, world: World):
    """Operations find every account's batches and licenses."""
    vendor = client("VENDOR")
    found = vendor.get("/api/v1/batches").json()["batches"]
    assert {"VENDOR", "ONE", "OEM"} == {batch["account"] for batch in found}
    assert {"ONE"} == {b["account"] for b in vendor.get("/api/v1/batches?account=ONE").json()["batches"]}
    assert vendor.get(f"/api/v1/licenses/{world.licenses[0]}").status_code == 200


def test_without_a_token_nothing_is_answered(server: str, client: Any, world: World):
    """Every route but the public ones asks for a token, and a mistyped, expired or revoked one is none."""
    owner = client("ONE")
    with httpx.Client(base_url=server) as nobody:
        for route in TRIES:
            if route not in OPEN:
                found = ask(nobody, route, world)
                assert found.status_code == 401, route
                assert found.headers["www-authenticate"] == "Bearer"
        bad = owner.headers["authorization"][:-1] + ("A" if owner.headers["authorization"][-1] != "A" else "B")
        assert nobody.get("/api/v1/account", headers={"Authorization": bad}).status_code == 401
    mine = owner.get("/api/v1/tokens").json()
    assert owner.delete(f"/api/v1/tokens/{mine[0]['token']}").status_code == 204
    assert owner.get("/api/v1/account").status_code == 401


def test_every_look_at_a_key_is_in_the_audit_log(app: App, client: Any, world: World):
    """Who, which token and from where: for a license, for rows with keys, for links to results."""
    vendor, owner = client("VENDOR"), client("ONE")
    batch = one(app, "SELECT batch_id FROM licenses WHERE number = %(n)s", n=world.licenses[0])
    assert owner.get(f"/api/v1/licenses/{world.licenses[0]}").json()["key"]
    assert owner.get(f"/api/v1/batches/{batch}/rows").json()["rows"][0]["key"]
    links = vendor.get(f"/api/v1/batches/{batch}/results").json()
    assert httpx.get(links[0]["link"]).status_code == 200
    with transaction(app.engine) as connection:
        found = {action: (actor, subject, detail) for _, actor, action, subject, detail in audit.latest(connection, 20)}
    assert found["key.read"][1] == f"license {world.licenses[0]}"
    assert found["key.read"][0].startswith("token:") and found["key.read"][0].endswith(" ONE")
    assert found["key.read"][2]["address"] == "127.0.0.1"
    assert found["keys.read"][1:] == (f"batch {batch}", {"address": "127.0.0.1", "rows": [1, 2], "keys": 2})
    assert found["results.linked"][0].endswith(" VENDOR")
    assert found["file.fetched"][2] == {"address": "127.0.0.1"}
