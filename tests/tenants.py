"""Accounts with something of each kind, and strangers who must not see any of it."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import asyncssh
import pytest
from sqlalchemy import Engine

from config.embedded import Urls
from config.wiring import App
from jobs import api_tokens, endpoints, ssh_keys, users
from models import approvals, drop_boxes, header_mappings, outbox, uploads
from models.accounts import delegate
from models.database import connect, fetch, transaction
from tests.apps import Submit, account, app_on, driver, licensed, one, outcome_codes, product, sender
from tests.databases import drop_database, new_database


class World(NamedTuple):
    """ONE is a customer with everything. DIST acts for it, FRIEND was shared its first license, OEM has vouchers.

    STRANGER (a customer) and RIVAL (a distributor) have nothing.
    """

    licenses: list[str]
    batch: int
    statement: int
    token: int
    user: int
    upload: str
    webhook: int
    delivery: int
    ssh_key: int


class Made(NamedTuple):
    """A world that was made once: a database to copy, a folder with its store, its key-encryption key."""

    world: World
    database: str
    folder: Path
    kek: bytes


@pytest.fixture(scope="session")
def made_world(
    server_engine: Engine, migrated_template: str, stack: Urls, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Made]:
    """The world, made once for all tests: it takes a dozen batches."""
    folder, kek = tmp_path_factory.mktemp("world"), secrets.token_bytes(32)
    url = new_database(server_engine, migrated_template)
    engine = connect(url)
    assert stack.redis is not None
    app = app_on(engine, stack.redis, folder, kek)
    world = build(app, sender(app, folder, driver(app)))
    engine.dispose()
    yield Made(world, str(engine.url.database), folder, kek)
    drop_database(server_engine, url)


@pytest.fixture
def world(made_world: Made) -> World:
    """What there is in the world."""
    return made_world.world


@pytest.fixture
def world_app(server_engine: Engine, made_world: Made, valkey_url: str, tmp_path: Path) -> Iterator[App]:
    """An app on a copy of the world."""
    shutil.copytree(made_world.folder / "store", tmp_path / "store")
    url = new_database(server_engine, made_world.database)
    engine = connect(url)
    yield app_on(engine, valkey_url, tmp_path, made_world.kek)
    engine.dispose()
    drop_database(server_engine, url)


def build(app: App, submit: Submit) -> World:
    """Make them."""
    for number in ("ONE", "FRIEND", "STRANGER"):
        account(app, number, "customer")
    for number in ("DIST", "RIVAL"):
        account(app, number, "distributor")
    account(app, "OEM")
    product(app, "P")
    today = datetime.now(UTC).date()  # covered by the maintenance that begins when a certificate is registered
    releases = f"Product;Name;Version;Release date;Upgrade from\nP;P;2;2020-01-01;\nP;P;3;{today};P@2\n"
    done = [submit(releases, "load-products", "VENDOR")]
    numbers = licensed(app, submit, "ONE", "S-1;P;2;5;36", "S-2;P;2;5;36")
    with transaction(app.engine) as connection:
        delegate(connection, [("ONE", "DIST")])
    done += [
        submit(f"License;Site\n{numbers[0]};Rome\n", "annotate-licenses", "ONE"),
        submit(f"License;With account;Permission\n{numbers[0]};FRIEND;read\n", "share-licenses", "ONE"),
        submit("Product;Release\nP;3\n", "notify-upgrades", "VENDOR"),
        submit("OEM;Product;Count\nOEM;P;2\n", "mint-vouchers", "VENDOR"),
        submit(
            "Contract;Customer number;Product;Quantity;Term start;Term (months);Period\n"
            "FC-1;ONE;P;10;2026-01-01;12;month\n",
            "load-contracts",
            "VENDOR",
        ),
        submit("Contract;Product;Quantity\nFC-1;P;2\n", "draw-down", "ONE"),
        submit("Contract;Product;Date;Quantity\nFC-1;P;2026-01-10;3\n", "report-usage", "ONE"),
        submit("Contract;Product;Date\nFC-1;P;2026-01-31\n", "reconcile-contracts", "VENDOR"),
    ]
    voucher = one(app, "SELECT min(code) FROM vouchers")
    done.append(submit(f"Voucher code;Company\n{voucher};Acme\n", "redeem-vouchers", "OEM"))
    codes = {code for batch in done for code in outcome_codes(app, batch)}
    rejected = "SELECT count(*) FROM outcomes o WHERE code = ANY(%(codes)s)"
    assert one(app, rejected, codes=["unknown_license", "unknown_product", "unknown_contract"]) == 0, codes
    made = users.add(app, "ONE", "one@example.com", "One", "manage", actor="test", password="a long password")
    users.sign_in(app, "one@example.com", "a long password", user_agent="test", address="127.0.0.1")
    token = api_tokens.create(app, "ONE", "kept", "read", actor="test")
    with transaction(app.engine) as connection:
        upload = uploads.add(connection, "upload-of-one", id_of(app, "ONE"), "a.csv", 9, "0" * 64, 3600)
        header_mappings.save(connection, id_of(app, "ONE"), "register-serials", {"nummer": "serial"})
    preview = submit("Serial;E-mail\nS-3;a@b.it\n", "register-serials", "ONE", confirm="ask")
    with transaction(app.engine) as connection:
        approvals.ask(connection, preview, "test")
    statement = one(app, "SELECT max(id) FROM statements")
    webhook, delivery, ssh_key = _told(app, preview)
    return World(numbers, preview, statement, token["token"], made["user"], upload.id, webhook, delivery, ssh_key)


def _told(app: App, batch: int) -> tuple[int, int, int]:
    """What ONE is told and how it comes in: webhook, mail and their deliveries, an SSH key, habits of SFTP."""
    webhook = endpoints.add(app, "ONE", "https://hook.example/of-one", None, actor="test").id
    endpoints.subscribe(app, "ONE", "desk@one.example", None, None, actor="test")
    key = asyncssh.generate_private_key("ssh-ed25519", comment="of ONE").export_public_key().decode()
    ssh_key = ssh_keys.add(app, "ONE", key, actor="test").id
    ssh_keys.set_marker(app, "ONE", True, actor="test")
    with transaction(app.engine) as connection:
        drop_boxes.hide(connection, batch, ["result.csv"])
        outbox.add(connection, id_of(app, "ONE"), "batch.ended", "batch of ONE", {"batch": batch}, mails=True)
    return webhook, one(app, "SELECT id FROM deliveries WHERE endpoint_id IS NOT NULL"), ssh_key


def id_of(app: App, number: str) -> int:
    """The id of an account."""
    with transaction(app.engine) as connection:
        return int(fetch(connection, "SELECT id FROM accounts WHERE number = %(n)s", {"n": number})[0][0])
