"""``load-serials``: the numbers of certificates, as the system that printed them knows them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from jobs.kind import Asked, Issued, Kind, Values, Work
from licensing import codes
from licensing.decisions import Decision
from licensing.field_catalogue import FIELDS
from models import products, serials
from models.database import copy_line
from models.serials import Serial

COLUMNS = (
    FIELDS["serial"].needed(),
    FIELDS["product"].needed(),
    FIELDS["version"],
    FIELDS["quantity"],
    FIELDS["term"],
    FIELDS["maintenance_months"],
    FIELDS["level"],
    FIELDS["purpose"],
    FIELDS["prints_key"],
    FIELDS["void"],
)

# Column of the file and what it sets; the last is what a new serial has where the cell is blank.
SETS = (
    ("version", "version", None),
    ("quantity", "quantity", 1),
    ("term", "term_months", None),
    ("maintenance_months", "maintenance_months", None),
    ("level", "maintenance_level", None),
    ("purpose", "purpose", "license"),
    ("prints_key", "prints_key", False),
)


class Loads:
    """The serials and products that a slice of rows names."""

    def __init__(self, connection: Connection, work: Work, rows: Sequence[Values], before: Loads | None = None) -> None:
        self.serials: dict[str, Serial] = serials.by_key(
            connection, codes.match_keys([row[0] for row in rows]), lock=not work.is_preview
        ) | (before.serials if before else {})
        self.products = products.by_sku(connection, list({row[1] for row in rows}))
        self.created: dict[str, Serial] = {}
        self.changed: dict[str, Serial] = {}

    def decide(self, row: Asked) -> Decision:
        """Whether the serial is new, changed or known; one that a customer has registered keeps what it stands for."""
        wanted = dict(zip(KIND.names, row.values, strict=True))
        key = codes.match_key(wanted["serial"])
        if codes.check(key) == "mistyped":
            return Decision("mistyped_code", field="serial")
        product = self.products.get(wanted["product"].upper())
        if product is None:
            return Decision("unknown_product", wanted["product"], field="product")
        known = self.serials.get(key)
        if wanted["purpose"] == "renewal" and wanted["maintenance_months"] is None and known is None:
            return Decision("missing_value", "maintenance_months", field="maintenance_months")
        if known is None:
            return self._create(key, product.id, wanted)
        changes = {
            name: (attribute, wanted[name])
            for name, attribute, _ in SETS
            if wanted[name] is not None and wanted[name] != getattr(known, attribute)
        }
        if product.id != known.product_id:
            changes["product"] = ("product_id", product.id)
        if wanted["void"] is not None and wanted["void"] != (known.state == "void"):
            changes["void"] = ("state", "void" if wanted["void"] else "unregistered")
        if not changes:
            return Decision("unchanged")
        if known.state == "registered" and (set(changes) != {"quantity"} or changes["quantity"][1] < known.quantity):
            field = next(name for name in changes if name != "quantity" or len(changes) == 1)
            return Decision("serial_in_use", field, field=field)
        for attribute, value in changes.values():
            if attribute == "quantity":
                known.remaining += value - known.quantity
            setattr(known, attribute, value)
        if key not in self.created:
            self.changed[key] = known
        return Decision("updated", ", ".join(name for name in KIND.names if name in changes))

    def _create(self, key: str, product_id: int, wanted: dict[str, object]) -> Decision:
        values = {attribute: default if wanted[name] is None else wanted[name] for name, attribute, default in SETS}
        serial = Serial(
            key,
            0,
            str(wanted["serial"]),
            product_id,
            remaining=values["quantity"],  # type: ignore[arg-type]
            owner_id=None,
            state="void" if wanted["void"] else "unregistered",
            **values,  # type: ignore[arg-type]
        )
        self.serials[key] = self.created[key] = serial
        return Decision("created")

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> Issued:
        """Write new serials and changes."""
        lines = [copy_line(*(getattr(serial, name) for name in serials.LOADED)) for serial in self.created.values()]
        serials.add(connection, ["".join(lines)])
        serials.change(connection, list(self.changed.values()))
        return {}


KIND = Kind(
    name="load-serials",
    title={"en": "Load serials", "it": "Caricare numeri di serie"},
    senders=frozenset({"vendor"}),
    fields=COLUMNS,
    load=Loads,
    subject=("serial",),
    domain="serial",
    takes_back={"created": "new_serial"},
)
