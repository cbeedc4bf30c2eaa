"""Random sequences of batches against a plain model: same answers row for row, whatever the workers and the chunks."""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from config.wiring import App
from jobs import sweep, working
from models import serials
from models.database import fetch
from tests.apps import account, product
from tests.flow.ledger import Certificate, Ledger, License

Submit = Callable[..., int]
SERIALS = 3
ORDER = st.tuples(
    st.integers(0, SERIALS - 1), st.sampled_from(["Rossi", "Bianchi"]), st.sampled_from(["H1", "H2"]),
    st.none() | st.integers(1, 4),
)  # fmt: skip
MOVE = st.tuples(st.integers(0, 9), st.sampled_from(["H1", "H2", "H3"]), st.none() | st.integers(1, 3))
ORDERS = st.tuples(st.just("register"), st.lists(ORDER, min_size=6, max_size=14))
MOVES = st.tuples(st.just("rehost"), st.lists(MOVE, min_size=6, max_size=14))
BATCHES = st.builds(lambda first, others: [first, *others], ORDERS, st.lists(MOVES | ORDERS, min_size=2, max_size=4))


@pytest.fixture
def shop(app: App) -> App:
    """A distributor and a product that is bound to hosts."""
    account(app, "DIST", "distributor")
    product(app, "SUITE", host_bound=True)
    return app


def work_off(app: App, batch_id: int, workers: int) -> None:
    """Let so many workers work at once until a batch has ended."""
    ended = threading.Event()

    def work(number: int) -> None:
        heartbeat = working.Heartbeat(app, f"test {number}", "worker", "here", os.getpid())
        while not ended.is_set():
            if not working.work_one(app, heartbeat):
                time.sleep(0.005)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(workers)]
    for thread in threads:
        thread.start()
    try:
        while True:
            sweep.sweep(app)
            with app.engine.connect() as connection:
                query = "SELECT state FROM batches WHERE id = %(b)s"
                if fetch(connection, query, {"b": batch_id})[0][0] in ("done", "failed"):
                    return
            time.sleep(0.005)
    finally:
        ended.set()
        for thread in threads:
            thread.join()


class Shop:
    """One run of a sequence of batches, with codes of its own, so that many fit into one database."""

    def __init__(self, app: App, submit: Submit, quantities: list[int], workers: int) -> None:
        self.app, self.submit, self.workers = app, submit, workers
        self.mark = secrets.token_hex(3).upper()
        self.ledger = Ledger([Certificate(quantity, quantity) for quantity in quantities])
        self.named: list[tuple[License, str]] = []  # licenses that answers named, with their numbers
        loaded = "Serial;Product;Quantity\n" + "".join(
            f"{self.serial(n)};SUITE;{q}\n" for n, q in enumerate(quantities)
        )
        self.send(loaded, "load-serials", "VENDOR")

    def serial(self, number: int) -> str:
        """The code of a serial."""
        return f"X{self.mark}-{number}-CERT"

    def send(self, text: str, kind: str, sender: str = "DIST") -> list[tuple[str, str | None]]:
        """Code and license number of every row."""
        batch_id = self.submit(text, kind, sender, work=False)
        work_off(self.app, batch_id, self.workers)
        with self.app.engine.connect() as connection:
            query = "SELECT code, license_number FROM outcomes WHERE batch_id = %(b)s ORDER BY ordinal"
            return [(row[0], row[1]) for row in fetch(connection, query, {"b": batch_id})]

    def play(self, kind: str, rows: list[Any]) -> list[tuple[str, License | None]]:
        """Send a batch, and have the model say what it should answer; compares and remembers the licenses named."""
        if kind == "register":
            text = "Serial;Company;E-mail;Host ID;Quantity\n"
            for serial, customer, host, quantity in rows:
                text += f"{self.serial(serial)};{customer} {self.mark};a@b.it;{host};{quantity or ''}\n"
            expected = [self.ledger.register(*row) for row in rows]
            answers = self.send(text, "register-serials")
        else:
            if not self.named:
                return []
            chosen = [(self.named[place % len(self.named)], host, quantity) for place, host, quantity in rows]
            text = "License;New host ID;Quantity\n"
            text += "".join(f"{number};{host};{quantity or ''}\n" for (_, number), host, quantity in chosen)
            expected = [self.ledger.rehost(license, host, quantity) for (license, _), host, quantity in chosen]
            answers = self.send(text, "rehost-licenses")
        assert [code for code, _ in answers] == [code for code, _ in expected]
        numbers = {id(license): number for license, number in self.named}
        for (_, license), (_, number) in zip(expected, answers, strict=True):
            if license is not None and number is not None:
                assert numbers.setdefault(id(license), number) == number
                if all(license is not known for known, _ in self.named):
                    self.named.append((license, number))
        return expected

    def check(self) -> None:
        """Licenses, states and what is left are as the model says, and issued plus left is what was bought."""
        with self.app.engine.connect() as connection:
            found = serials.by_key(connection, [f"X{self.mark}{n}CERT" for n in range(SERIALS)], lock=False)
            query = (
                "SELECT c.name, l.host_id, l.quantity, l.state, l.serial_id FROM licenses l"
                " JOIN accounts c ON c.id = l.customer_id WHERE l.serial_id = ANY(%(ids)s)"
            )
            licenses = fetch(connection, query, {"ids": [serial.id for serial in found.values()]})
        held = sorted((name.split()[0], host, quantity, state) for name, host, quantity, state, _ in licenses)
        assert held == self.ledger.holdings()
        for number, certificate in enumerate(self.ledger.certificates):
            serial = found[f"X{self.mark}{number}CERT"]
            active = sum(quantity for *_, quantity, state, of in licenses if state == "active" and of == serial.id)
            assert serial.remaining == certificate.left
            assert serial.remaining + active == serial.quantity == certificate.bought


@given(
    st.lists(st.integers(1, 6), min_size=SERIALS, max_size=SERIALS),
    BATCHES,
    st.integers(1, 13),
)
# Not shrunk: each example is several batches, and the first that fails tells enough.
@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
def test_any_sequence_of_batches_is_answered_as_the_rules_say(
    shop: App, submit: Submit, quantities: list[int], batches: list[tuple[str, list[Any]]], chunk_rows: int
) -> None:
    """With one worker and with four, in chunks of any size, every row gets the model's answer, in file order."""
    object.__setattr__(shop, "settings", shop.settings.model_copy(update={"chunk_rows": chunk_rows}))
    for workers in (1, 4):
        played = Shop(shop, submit, quantities, workers)
        for kind, rows in batches:
            played.play(kind, rows)
        played.check()
