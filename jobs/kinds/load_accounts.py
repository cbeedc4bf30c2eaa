"""``load-accounts``: OEMs, distributors and customers, the habits of their files, and who may act for whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from jobs.kind import Asked, Issued, Kind, Values, Work
from licensing.decisions import Decision
from licensing.field_catalogue import FIELDS
from models import accounts

COLUMNS = (
    FIELDS["account"].needed(),
    FIELDS["name"].needed(),
    FIELDS["type"].needed(),
    FIELDS["email"],
    FIELDS["country"],
    FIELDS["locale"],
    FIELDS["time_zone"],
    FIELDS["separator"],
    FIELDS["encoding"],
    FIELDS["confirm"],
    FIELDS["state"],
    FIELDS["delegates_to"],
)


class Records:
    """The accounts that a slice of rows names, and those they delegate to."""

    def __init__(
        self, connection: Connection, work: Work, rows: Sequence[Values], before: Records | None = None
    ) -> None:
        wanted = {row[0] for row in rows} | {number for row in rows for number in row[11] or ()}
        found = accounts.by_numbers(connection, list(wanted), lock=not work.is_preview)
        delegations = accounts.delegations_of(connection, [account.id for account in found.values()])
        self.known: dict[str, dict[str, Any]] = {
            number: {
                name: getattr(account, {"account": "number"}.get(name, name))
                for name in KIND.names
                if name != "delegates_to"
            }
            | {"delegates_to": delegations.get(account.id, set())}
            for number, account in found.items()
        } | (before.known if before else {})

    def decide(self, row: Asked) -> Decision:
        """Whether the account is new, changed or known."""
        wanted = dict(zip(KIND.names, row.values, strict=True))
        number = wanted["account"]
        for distributor in wanted["delegates_to"] or ():
            if self.known.get(distributor, {}).get("type") != "distributor":
                return Decision("unknown_account", distributor, field="delegates_to")
        known = self.known.get(number)
        if known is None:
            self.known[number] = {name: value for name, value in wanted.items() if name != "delegates_to"} | {
                "confirm": wanted["confirm"] or "ask",
                "state": wanted["state"] or "active",
                "delegates_to": set(wanted["delegates_to"] or ()),
            }
            return Decision("created", effect=wanted)
        if known["type"] != wanted["type"]:
            return Decision("account_in_use", known["type"], field="type")
        changed = [
            name
            for name, value in wanted.items()
            if value is not None
            and (not set(value) <= known["delegates_to"] if name == "delegates_to" else value != known[name])
        ]
        if not changed:
            return Decision("unchanged")
        known.update({name: value for name, value in wanted.items() if value is not None and name != "delegates_to"})
        known["delegates_to"] = known["delegates_to"] | set(wanted["delegates_to"] or ())
        return Decision("updated", ", ".join(changed), effect=wanted)

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> Issued:
        """Write accounts, then delegations."""
        records = [row.decision.effect for row in asked if row.decision.effect]
        accounts.save(connection, [record | {"number": record["account"]} for record in records])
        accounts.delegate(
            connection,
            [(record["account"], distributor) for record in records for distributor in record["delegates_to"] or ()],
        )
        return {}


KIND = Kind(
    name="load-accounts",
    title={"en": "Load accounts", "it": "Caricare account"},
    senders=frozenset({"vendor"}),
    fields=COLUMNS,
    load=Records,
    subject=("account",),
    domain="account",
    is_sequential=True,
)
