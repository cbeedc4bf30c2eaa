"""Random sequences of batches against a plain model: same answers row for row, whatever the workers and the chunks."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from config.wiring import App
from jobs import reverting
from models import serials
from models.database import fetch
from tests.apps import account, answers, run_as_previewed
from tests.flow.ledger import Answer, Certificate, Ledger, License, Notification

Submit = Callable[..., int]
SERIALS = 3
PLACE = st.integers(0, 9)
QUANTITY = st.integers(1, 3)
ROWS: dict[str, st.SearchStrategy[Any]] = {
    "register": st.tuples(
        st.integers(0, SERIALS - 1), st.sampled_from(["Rossi", "Bianchi"]), st.sampled_from(["H1", "H2"]),
        st.none() | st.integers(1, 4),
    ),
    "rehost": st.tuples(PLACE, st.sampled_from(["H1", "H2", "H3"]), st.none() | QUANTITY),
    "upgrade": st.tuples(PLACE, QUANTITY),
    "revoke": st.tuples(PLACE),
}  # fmt: skip
FILES = {kind: st.tuples(st.just(kind), st.lists(row, min_size=4, max_size=14)) for kind, row in ROWS.items()}
FEW = st.tuples(st.just("revoke"), st.lists(ROWS["revoke"], min_size=1, max_size=2))
NOTICE: st.SearchStrategy[Any] = st.just(("notify", []))
REVERT = st.tuples(st.just("revert"), st.lists(PLACE, min_size=1, max_size=1))
LATER = st.one_of(FILES["rehost"], FILES["register"], FILES["upgrade"], FILES["upgrade"], FEW, NOTICE, REVERT, REVERT)
BATCHES = st.builds(
    lambda first, second, others: [first, second, *others],
    FILES["register"],
    NOTICE | FILES["rehost"],
    st.lists(LATER, min_size=4, max_size=7),
)


@pytest.fixture
def shop(app: App) -> App:
    """A distributor; products come with each run."""
    account(app, "DIST", "distributor")
    return app


class Shop:
    """One run of a sequence of batches, with codes and a product of its own, so that many fit into one database."""

    def __init__(self, app: App, submit: Submit, folder: Path, quantities: list[int], workers: int) -> None:
        self.app, self.submit, self.folder, self.workers = app, submit, folder, workers
        self.mark = secrets.token_hex(3).upper()
        self.ledger = Ledger([Certificate(quantity, quantity) for quantity in quantities])
        self.named: list[tuple[License, str]] = []  # licenses that answers named, with their numbers
        self.notified: list[tuple[Notification, str]] = []
        self.numbers: dict[License, str] = {}
        self.sent: list[tuple[int, list[Answer]]] = []
        self.undone: set[int] = set()  # answers that were taken back, by their id
        today = datetime.now(UTC).date()
        releases = (
            "Product;Name;Version;Release date;Upgrade from;Host-bound\n"
            f"P{self.mark};Suite;1.0;{today};;yes\nP{self.mark};Suite;2.0;{today};P{self.mark}@1.0;yes\n"
        )
        self.send(releases, "load-products", "VENDOR")
        loaded = "Serial;Product;Version;Quantity;Maintenance (months)\n" + "".join(
            f"{self.serial(n)};P{self.mark};1.0;{q};12\n" for n, q in enumerate(quantities)
        )
        self.send(loaded, "load-serials", "VENDOR")

    def serial(self, number: int) -> str:
        """The code of a serial."""
        return f"X{self.mark}-{number}-CERT"

    def send(self, text: str, kind: str, sender: str = "DIST") -> int:
        """Send a file, look at its preview, and let it run: row for row the run says what the preview said."""
        batch_id = self.submit(text, kind, sender, confirm="ask", work=False)
        run_as_previewed(self.app, batch_id, self.workers)
        return batch_id

    def play(self, kind: str, rows: list[Any]) -> None:
        """Send a batch, and have the model say what it should answer; compares and remembers the licenses named."""
        made: tuple[str, str, str, list[Answer]] | None = getattr(self, f"_{kind}")(rows)
        if made is None:  # nothing is there yet that it could be about
            return
        text, name, sender, expected = made
        batch_id = self.send(text, name, sender)
        given = answers(self.app, batch_id)
        assert [answer.code for answer in given] == [answer.code for answer in expected]
        for told, answer in zip(expected, given, strict=True):
            if told.license is not None and answer.license_number is not None and kind != "revoke":
                if told.license not in self.numbers:
                    self.named.append((told.license, answer.license_number))
                assert self.numbers.setdefault(told.license, answer.license_number) == answer.license_number
            if told.rest is not None and answer.detail is not None:
                self.numbers[told.rest] = answer.detail
        if name == "notify-upgrades":
            self._learn_notifications()
        self.sent.append((batch_id, expected))

    def _register(self, rows: list[Any]) -> tuple[str, str, str, list[Answer]]:
        text = "Serial;Company;E-mail;Host ID;Quantity\n"
        for serial, customer, host, quantity in rows:
            text += f"{self.serial(serial)};{customer} {self.mark};a@b.it;{host};{quantity or ''}\n"
        return text, "register-serials", "DIST", [self.ledger.register(*row) for row in rows]

    def _rehost(self, rows: list[Any]) -> tuple[str, str, str, list[Answer]] | None:
        if not self.named:
            return None
        chosen = [(self.named[place % len(self.named)], host, quantity) for place, host, quantity in rows]
        text = "License;New host ID;Quantity\n"
        text += "".join(f"{number};{host};{quantity or ''}\n" for (_, number), host, quantity in chosen)
        expected = [self.ledger.rehost(license, host, quantity) for (license, _), host, quantity in chosen]
        return text, "rehost-licenses", "DIST", expected

    def _upgrade(self, rows: list[Any]) -> tuple[str, str, str, list[Answer]] | None:
        live = [(one, code) for one, code in self.notified if one in self.ledger.notifications]
        if not live:
            return None
        chosen = [(live[place % len(live)], quantity) for place, quantity in rows]
        text = "Notification ID;Product;Quantity\n"
        text += "".join(f"{code};P{self.mark};{quantity}\n" for (_, code), quantity in chosen)
        return text, "upgrade-licenses", "DIST", [self.ledger.upgrade(one, quantity) for (one, _), quantity in chosen]

    def _revoke(self, rows: list[Any]) -> tuple[str, str, str, list[Answer]] | None:
        if not self.named:
            return None
        chosen = [self.named[place % len(self.named)] for (place,) in rows]
        text = "License;Reason\n" + "".join(f"{number};Not paid\n" for _, number in chosen)
        return text, "revoke-licenses", "VENDOR", [self.ledger.revoke(license) for license, _ in chosen]

    def _notify(self, _rows: list[Any]) -> tuple[str, str, str, list[Answer]]:
        return f"Product;Release\nP{self.mark};2.0\n", "notify-upgrades", "VENDOR", [self.ledger.notify()]

    def _learn_notifications(self) -> None:
        """The IDs of the notifications that were made, by the licenses that they are for."""
        by_number = {number: license for license, number in self.numbers.items()}
        query = (
            "SELECT n.code, n.license_number FROM notifications n JOIN licenses l ON l.number = n.license_number"
            " JOIN products p ON p.id = l.product_id WHERE p.sku = %(sku)s"
        )
        with self.app.engine.connect() as connection:
            found = fetch(connection, query, {"sku": f"P{self.mark}"})
        known = {code for _, code in self.notified}
        for code, number in found:
            if code not in known:
                license = by_number[number]
                made = next(one for one in reversed(self.ledger.notifications) if one.license is license)
                self.notified.append((made, code))

    def _revert(self, rows: list[Any]) -> tuple[str, str, str, list[Answer]] | None:
        batch_id, answered = self.sent[rows[0] % len(self.sent)]
        undoable = [answer for answer in reversed(answered) if answer.undo]
        if not undoable:
            return None
        path = self.folder / f"revert-{self.mark}.csv"
        assert reverting.write_file(self.app, batch_id, path, "en") == len(undoable)
        expected = []
        for answer in undoable:
            assert answer.undo is not None
            code = "already_reverted" if id(answer) in self.undone else answer.undo()
            if code.startswith("reverted"):
                self.undone.add(id(answer))
            expected.append(Answer(code))
        return path.read_text(), "revert-batches", "VENDOR", expected

    def check(self) -> None:
        """Licenses, states and what is left are as the model says, and issued plus left is what was bought."""
        with self.app.engine.connect() as connection:
            found = serials.by_key(connection, [f"X{self.mark}{n}CERT" for n in range(SERIALS)], lock=False)
            query = (
                "SELECT c.name, l.host_id, l.quantity, l.version, l.state, l.serial_id FROM licenses l"
                " JOIN accounts c ON c.id = l.customer_id WHERE l.serial_id = ANY(%(ids)s)"
            )
            licenses = fetch(connection, query, {"ids": [serial.id for serial in found.values()]})
            query = (
                "SELECT n.quantity, n.remaining, (SELECT coalesce(sum(l.quantity), 0) FROM licenses l"
                " WHERE l.notification_id = n.id) FROM notifications n JOIN releases r ON r.id = n.release_id"
                " JOIN products p ON p.id = r.product_id WHERE p.sku = %(sku)s"
            )
            notices = fetch(connection, query, {"sku": f"P{self.mark}"})
        held = sorted((name.split()[0], host, *rest) for name, host, *rest, _ in licenses)
        assert held == self.ledger.holdings()
        for number, certificate in enumerate(self.ledger.certificates):
            serial = found[f"X{self.mark}{number}CERT"]
            issued = sum(
                quantity
                for _, _, quantity, _, state, of in licenses
                if of == serial.id and state in ("active", "revoked")
            )
            assert serial.remaining == certificate.left
            assert serial.remaining + issued == serial.quantity == certificate.bought
        assert sorted((quantity, left) for quantity, left, _ in notices) == self.ledger.upgradable()
        assert all(left + upgraded == quantity for quantity, left, upgraded in notices)


@given(
    st.lists(st.integers(1, 6), min_size=SERIALS, max_size=SERIALS),
    BATCHES,
    st.integers(1, 13),
)
# Not shrunk: each example is several batches, and the first that fails tells enough.
@settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
def test_any_sequence_of_batches_is_answered_as_the_rules_say(
    shop: App,
    submit: Submit,
    tmp_path: Path,
    quantities: list[int],
    batches: list[tuple[str, list[Any]]],
    chunk_rows: int,
) -> None:
    """With one worker and with four, in chunks of any size, every row gets the model's answer, in file order."""
    object.__setattr__(shop, "settings", shop.settings.model_copy(update={"chunk_rows": chunk_rows}))
    for workers in (1, 4):
        played = Shop(shop, submit, tmp_path, quantities, workers)
        for kind, rows in batches:
            played.play(kind, rows)
        played.check()
