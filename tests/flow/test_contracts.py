"""Random draw-downs, returns, revocations and reversals against a plain model, whatever the workers and the chunks."""

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
from models.database import fetch
from tests.apps import account, answers, outcome_codes, run_as_previewed
from tests.flow import pools
from tests.flow.pools import Answer, License, Pool

Submit = Callable[..., int]
LINES = (("A", "P"), ("A", "Q"), ("B", "P"))  # contract and product
LINE, PLACE = st.integers(0, len(LINES) - 1), st.integers(0, 30)
REFERENCE = st.sampled_from(["", "", "", "R1", "R2", "R3", "R4"])
DRAW = st.tuples(st.just("draw"), LINE, st.integers(0, 5), st.sampled_from(["", "H1", "H2"]), REFERENCE)
RETURN = st.tuples(st.just("return"), LINE, st.integers(1, 4), REFERENCE, PLACE)
FILE = st.tuples(st.just("draw"), st.lists(st.one_of(DRAW, DRAW, DRAW, RETURN, RETURN), min_size=6, max_size=25))
REVOKE = st.tuples(st.just("revoke"), st.lists(PLACE, min_size=1, max_size=3))
REVERT = st.tuples(st.just("revert"), st.lists(PLACE, min_size=1, max_size=1))
BATCHES = st.builds(
    lambda first, others: [first, *others],
    FILE,
    st.lists(st.one_of(FILE, FILE, REVOKE, REVERT), min_size=2, max_size=5),
)
POLICY = st.sampled_from(["hard_stop", "hard_stop", "true_up", "true_forward"])
POOLS = st.lists(
    st.tuples(POLICY, st.integers(0, 12), st.sampled_from([0, 0, 25])), min_size=len(LINES), max_size=len(LINES)
)


@pytest.fixture
def customer(app: App) -> App:
    """A customer; contracts and products come with each run."""
    account(app, "ACME", "customer")
    return app


class Desk:
    """One run of a sequence of batches, with contracts and products of its own, so that many fit into one database."""

    def __init__(self, app: App, submit: Submit, folder: Path, made: list[tuple[str, int, int]], workers: int) -> None:
        self.app, self.submit, self.folder, self.workers = app, submit, folder, workers
        self.mark = secrets.token_hex(3).upper()
        self.pools = [Pool(*one) for one in made]
        self.named: list[tuple[License, str]] = []  # licenses that answers named, with their numbers
        self.numbers: dict[License, str] = {}
        self.sent: list[tuple[int, list[Answer]]] = []
        self.undone: set[int] = set()  # answers that were taken back, by their id
        self.send(f"Product;Name\nP{self.mark};P\nQ{self.mark};Q\n", "load-products", "VENDOR")
        text = "Contract;Customer number;Product;Quantity;Term start;Term (months);Policy;Growth allowance (%)\n"
        for line, pool in enumerate(self.pools):
            contract, sku = self.line(line)
            starts = datetime.now(UTC).date().replace(day=1)
            text += f"{contract};ACME;{sku};{pool.committed};{starts};24;{pool.policy};{pool.growth}\n"
        assert outcome_codes(app, self.send(text, "load-contracts", "VENDOR")) == ["created"] * len(LINES)

    def line(self, number: int) -> tuple[str, str]:
        """Contract and product of a line, as files name them."""
        contract, sku = LINES[number]
        return f"FC{contract}-{self.mark}", f"{sku}{self.mark}"

    def send(self, text: str, kind: str, sender: str) -> int:
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
            assert told.detail in (None, answer.detail)
            if told.license is not None and kind == "draw":
                if told.license not in self.numbers:
                    self.named.append((told.license, answer.license_number))
                assert self.numbers.setdefault(told.license, answer.license_number) == answer.license_number
        self.sent.append((batch_id, expected))

    def _draw(self, rows: list[Any]) -> tuple[str, str, str, list[Answer]]:
        text, expected, known = "Contract;Product;Quantity;Host ID;Reference;License\n", list[Answer](), self.named
        for what, line, quantity, *rest in rows:
            place, pool = ";".join(self.line(line)), self.pools[line]
            if what == "draw":
                host, reference = rest
                text += f"{place};{quantity};{host};{reference};\n"
                expected.append(pools.draw(pool, quantity, host, reference))
            elif known:
                reference, chosen = rest
                license, number = known[chosen % len(known)]
                text += f"{place};-{quantity};;{reference};{number}\n"
                expected.append(pools.give_back(pool, quantity, reference, license))
            else:
                text += f"{place};-{quantity};;;\n"
                expected.append(Answer("license_required"))
        return text, "draw-down", "ACME", expected

    def _revoke(self, places: list[int]) -> tuple[str, str, str, list[Answer]] | None:
        if not self.named:
            return None
        chosen = [self.named[place % len(self.named)] for place in places]
        text = "License;Reason\n" + "".join(f"{number};Not paid\n" for _, number in chosen)
        return text, "revoke-licenses", "VENDOR", [pools.revoke(license) for license, _ in chosen]

    def _revert(self, places: list[int]) -> tuple[str, str, str, list[Answer]] | None:
        batch_id, answered = self.sent[places[0] % len(self.sent)]
        undoable = [answer for answer in reversed(answered) if answer.undo]
        if not undoable:
            return None
        path = self.folder / f"revert-{self.mark}.csv"
        assert reverting.write_file(self.app, batch_id, path, "en") == len(undoable)
        expected = []
        for answer in undoable:
            assert answer.undo is not None
            code = "already_reverted" if id(answer) in self.undone else answer.undo()
            if code == "reverted":
                self.undone.add(id(answer))
            expected.append(Answer(code))
        return path.read_text(), "revert-batches", "VENDOR", expected

    def check(self) -> None:
        """Licenses are as the model says, what is drawn is what they are, and a hard stop was never passed."""
        for number, pool in enumerate(self.pools):
            contract, sku = self.line(number)
            place = {"contract": contract.replace("-", ""), "sku": sku}
            of_line = (
                "JOIN contract_lines n ON n.id = %s JOIN contracts k ON k.id = n.contract_id"
                " JOIN products p ON p.id = n.product_id WHERE k.key = %%(contract)s AND p.sku = %%(sku)s"
            )
            with self.app.engine.connect() as connection:
                query = "SELECT l.quantity, l.state FROM licenses l " + of_line % "l.contract_line_id"
                licenses = fetch(connection, query, place)
                query = (
                    "SELECT sum(d.quantity) OVER (ORDER BY d.batch_id, d.ordinal)::int FROM draw_downs d "
                    + of_line % "d.line_id"
                    + " ORDER BY d.batch_id, d.ordinal"
                )
                sums = [row[0] for row in fetch(connection, query, place)]
            assert sorted(licenses) == sorted(
                (license.quantity, license.state) for license in pool.licenses if not license.is_detached
            )
            assert (sums[-1] if sums else 0) == pool.drawn
            assert all(0 <= drawn <= (drawn if pool.most is None else pool.most) for drawn in sums)


@given(POOLS, BATCHES, st.integers(1, 13))
# Not shrunk: each example is several batches, and the first that fails tells enough.
@settings(
    max_examples=3,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
def test_any_sequence_of_draw_downs_is_answered_as_the_rules_say(
    customer: App,
    submit: Submit,
    tmp_path: Path,
    made: list[tuple[str, int, int]],
    batches: list[tuple[str, list[Any]]],
    chunk_rows: int,
) -> None:
    """With one worker and with four, in chunks of any size, every row gets the model's answer, in file order."""
    object.__setattr__(customer, "settings", customer.settings.model_copy(update={"chunk_rows": chunk_rows}))
    for workers in (1, 4):
        played = Desk(customer, submit, tmp_path, made, workers)
        for kind, rows in batches:
            played.play(kind, rows)
        played.check()
