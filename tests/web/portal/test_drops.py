"""Drops added on a page: the host key is shown and compared first, keys come from one folder only."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from typing import Any

import pytest

from config.wiring import App
from jobs import drops, polling
from tests.apps import account, one
from tests.ssh import Sshd
from tests.web.portal.conftest import Person

Join = Callable[..., str]
Visit = Callable[..., Person]
HERE = "/operations/drops"


@pytest.fixture
def ops(app: App, join: Join, visit: Visit) -> Person:
    """An operator; there is an OEM."""
    account(app, "OEM", confirm="auto")
    return visit(join("VENDOR", "ops@k.example"))


@pytest.fixture
def form(sshd: Sshd) -> dict[str, Any]:
    """The form for a drop on the sshd with one folder, and two rows left empty."""
    (sshd.root / "in").mkdir()
    return {
        "name": "partner", "account": "oem", "host": "127.0.0.1", "port": str(sshd.port), "login": sshd.user,
        "key_name": "partner_key", "folder": [f"{sshd.root}/in", "", " "], "kind": ["redeem-vouchers"] * 3,
        "pattern": "*.csv", "settle": "0", "marker": "",
    }  # fmt: skip


def hidden(page: str) -> dict[str, list[str]]:
    """The hidden fields of the form that asks to compare."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page):
        if name not in ("csrf", "next"):
            found.setdefault(name, []).append(value)
    return found


def test_a_drop_is_added_once_its_host_key_was_compared(app: App, ops: Person, sshd: Sshd, form: dict[str, Any]):
    """The fingerprint is shown first and nothing is added; then that very key is pinned, and files are fetched."""
    asked = ops.post(HERE, **form)
    fingerprint = re.search(r"SHA256:[\w+/=]+", asked.text)
    assert fingerprint and drops.every(app) == []
    kept = hidden(asked.text)
    assert kept["host_key"] == [sshd.host_key]
    not_compared = ops.post(HERE, **kept)
    assert fingerprint[0] in not_compared.text and drops.every(app) == []
    added = ops.post(HERE, **kept, is_compared="1")
    assert added.url.path == HERE and "partner" in added.text
    (drop,) = drops.every(app)
    assert (drop.account, drop.host_key, drop.pattern) == ("OEM", sshd.host_key, "*.csv")
    assert drop.folders == {f"{sshd.root}/in": "redeem-vouchers"}
    detail = one(app, "SELECT detail FROM audit_log WHERE action = 'drop.add'")
    assert detail["fingerprint"] == fingerprint[0]
    folder = drops.key_folder(app)
    folder.mkdir(parents=True)
    (folder / "partner_key").write_bytes(sshd.key.read_bytes())
    (folder / "partner_key").chmod(0o600)
    (sshd.root / "in/list.csv").write_text("code;company\nABC-1;Rossi\n")
    assert len(polling.poll(app, drop).taken) == 1
    assert "list.csv" in ops.get(HERE)
    again = ops.post(HERE, **kept, is_compared="1")
    assert again.status_code == 422 and "a drop partner already" in again.text


def test_a_drop_is_paused_resumed_and_removed(app: App, ops: Person, sshd: Sshd, form: dict[str, Any]):
    """What is not known is not found; a drop whose server cannot be asked is removed only when that is said."""
    ops.post(HERE, **form, host_key=sshd.host_key, is_compared="1")
    for action, state in (("pause", "paused"), ("resume", "active")):
        ops.post(f"{HERE}/partner", action=action)
        assert [drop.state for drop in drops.every(app)] == [state]
    assert ops.post(f"{HERE}/partner", action="burn").status_code == 404
    refused = ops.post(f"{HERE}/partner", action="remove")  # its private key is nowhere, so nobody can look there
    assert refused.status_code >= 400 and "cannot be handed back" in refused.text
    ops.post(f"{HERE}/partner", action="remove", force="1")
    assert drops.every(app) == []
    assert ops.post(f"{HERE}/partner", action="remove").status_code == 404


WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({"key_name": "../../root/.ssh/id_ed25519"}, "is not the name of a key file"),
    ({"account": "NOBODY"}, "NOBODY"),
    ({"kind": ["mint-vouchers"] * 3}, "may not send mint-vouchers"),
    ({"folder": ["", "", ""]}, "at least one folder"),
    ({"port": "ssh"}, "at least one folder"),
    ({"name": "a/b"}, "cannot be the name of a drop"),
    ({"port": "1"}, "No SFTP connection"),
    ({"host_key": "ssh-rsa short"}, "as OpenSSH writes it"),
)


def test_what_is_wrong_with_a_drop_is_told_and_what_was_typed_is_kept(app: App, ops: Person, form: dict[str, Any]):
    """In the form itself; nothing is added, no key but those of the folder can be named."""
    for changed, told in WRONG:
        answer = ops.post(HERE, **form | changed)
        assert answer.status_code == 422 and told in html.unescape(answer.text), (changed, answer.text)
        assert 'value="*.csv"' in answer.text and "keymill drops" not in answer.text
    assert drops.every(app) == []
