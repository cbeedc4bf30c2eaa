"""``load-products``: products, their releases, and which version may be upgraded to which."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection

from jobs.kind import Asked, Issued, Kind, Values, Work
from licensing.decisions import Decision
from licensing.field_catalogue import FIELDS
from models import products

COLUMNS = (
    FIELDS["product"].needed(),
    FIELDS["name"].needed(),
    FIELDS["version"],
    FIELDS["release_date"],
    FIELDS["upgrade_from"],
    FIELDS["host_bound"],
    FIELDS["term"],
    FIELDS["description"],
)
_OWN = ("name", "host_bound", "term_months", "description")


def source_of(path: str) -> tuple[str, str]:
    """SKU and version of an upgrade path's source, written ``SKU@version``."""
    sku, _, version = path.partition("@")
    return sku.strip(), version.strip()


class Records:
    """The products that a slice of rows names, with their releases and upgrade paths."""

    def __init__(
        self, connection: Connection, work: Work, rows: Sequence[Values], before: Records | None = None
    ) -> None:
        skus = {row[0] for row in rows} | {source_of(path)[0] for row in rows for path in row[4] or ()}
        found = products.by_sku(connection, list(skus), lock=not work.is_preview)
        ids = [product.id for product in found.values()]
        self.known: dict[str, dict[str, Any]] = {
            key: {name: getattr(product, name) for name in ("sku", *_OWN)} for key, product in found.items()
        }
        sku_of = {product.id: key for key, product in found.items()}
        self.releases: dict[tuple[str, str], date | None] = {
            (sku_of[product_id], version): released
            for (product_id, version), released in products.releases_of(connection, ids).items()
        }
        self.paths = {
            (sku.upper(), version, sku_of[to_id], to_version)
            for sku, version, to_id, to_version in products.upgrades_to(connection, ids)
        }
        if before is not None:
            self.known |= before.known
            self.releases |= before.releases
            self.paths |= before.paths

    def decide(self, row: Asked) -> Decision:
        """Whether the product or its release is new, changed or known."""
        sku, name, version, released, upgrade_from, host_bound, term, description = row.values
        key = sku.upper()
        if version is None and (released is not None or upgrade_from):
            return Decision("version_required", field="version")
        sources = [source_of(path) for path in upgrade_from or ()]
        for source_sku, source_version in sources:
            if (source_sku.upper(), source_version) not in self.releases:
                return Decision("unknown_version", f"{source_sku}@{source_version}", field="upgrade_from")
        wanted = {"name": name, "host_bound": host_bound, "term_months": term, "description": description}
        known = self.known.get(key)
        changed = [
            field for field, value in wanted.items() if known is None or (value is not None and value != known[field])
        ]
        if version is not None and (
            (key, version) not in self.releases or (released is not None and released != self.releases[key, version])
        ):
            changed.append("version")
        paths = {(source_sku.upper(), source_version, key, version) for source_sku, source_version in sources}
        if not paths <= self.paths:
            changed.append("upgrade_from")
        if not changed:
            return Decision("unchanged")
        stored_sku = known["sku"] if known else sku
        self.known[key] = {"sku": stored_sku} | {
            field: (value if value is not None else (known or {"host_bound": False}).get(field))
            for field, value in wanted.items()
        }
        if version is not None:
            self.releases[key, version] = released or self.releases.get((key, version))
        self.paths |= paths
        effect = {
            "product": wanted | {"sku": stored_sku},
            "release": (stored_sku, version, released) if version is not None else None,
            "paths": [
                ((self.known[source_sku.upper()]["sku"], source_version), (stored_sku, version))
                for source_sku, source_version in sources
            ],
        }
        return Decision("updated", ", ".join(changed), effect=effect) if known else Decision("created", effect=effect)

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> Issued:
        """Write products, releases and paths, in file order."""
        for row in asked:
            effect = row.decision.effect
            if effect is None:
                continue
            products.save(connection, effect["product"])
            if effect["release"]:
                products.save_release(connection, *effect["release"])
            for source, target in effect["paths"]:
                products.save_upgrade_path(connection, source, target)
        return {}


KIND = Kind(
    name="load-products",
    title={"en": "Load products", "it": "Caricare prodotti"},
    senders=frozenset({"vendor"}),
    fields=COLUMNS,
    load=Records,
    subject=("product",),
    domain="product",
    is_sequential=True,
)
