"""``load-products``: products, their releases, the files of a release, and which version may be upgraded to which."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection

from jobs.kind import Asked, Issued, Kind, Values, Work
from licensing.decisions import Decision
from licensing.field_catalogue import FIELDS
from models import downloads, products
from models.downloads import ReleaseFile
from storage.objects import BadName, checked_name

COLUMNS = (
    FIELDS["product"].needed(),
    FIELDS["name"].needed(),
    FIELDS["version"],
    FIELDS["release_date"],
    FIELDS["upgrade_from"],
    FIELDS["host_bound"],
    FIELDS["term"],
    FIELDS["description"],
    FIELDS["rehost_limit"],
    FIELDS["rehost_days"],
    FIELDS["lapse_policy"],
    FIELDS["file_name"],
    FIELDS["platform"],
    FIELDS["language"],
    FIELDS["file_size"],
    FIELDS["file_sha256"],
    FIELDS["file_object"],
)
# What a product has of its own: column of the file, and what it is called in the database.
OWN = (
    ("name", "name"),
    ("host_bound", "host_bound"),
    ("term", "term_months"),
    ("description", "description"),
    ("rehost_limit", "rehost_limit"),
    ("rehost_days", "rehost_days"),
    ("lapse_policy", "lapse_policy"),
)
OF_A_FILE = ("file_size", "file_sha256", "file_object")
_SHA256 = re.compile(r"[0-9a-f]{64}")

Path = tuple[str, str]  # SKU (in capitals) and version


def source_of(path: str) -> Path:
    """SKU and version of an upgrade path's source, written ``SKU@version``."""
    sku, _, version = path.partition("@")
    return sku.strip(), version.strip()


class Records:
    """The products that a slice of rows names, with their releases, files and upgrade paths."""

    def __init__(
        self, connection: Connection, work: Work, rows: Sequence[Values], before: Records | None = None
    ) -> None:
        skus = {row[0] for row in rows} | {source_of(path)[0] for row in rows for path in row[4] or ()}
        found = products.by_sku(connection, list(skus), lock=not work.is_preview)
        ids = [product.id for product in found.values()]
        self.known: dict[str, dict[str, Any]] = {
            key: {"sku": product.sku} | {attribute: getattr(product, attribute) for _, attribute in OWN}
            for key, product in found.items()
        }
        sku_of = {product.id: key for key, product in found.items()}
        self.releases: dict[Path, date | None] = {
            (sku_of[product_id], version): released
            for (product_id, version), released in products.releases_of(connection, ids).items()
        }
        self.paths = {
            (sku.upper(), version, sku_of[to_id], to_version)
            for sku, version, to_id, to_version in products.upgrades_to(connection, ids)
        }
        self.files: dict[tuple[str, str, str, str, str], ReleaseFile] = {
            (sku_of[product_id], version, file.name, file.platform, file.language): file
            for product_id, version, file in downloads.files_of(connection, ids)
        }
        if before is not None:
            self.known |= before.known
            self.releases |= before.releases
            self.paths |= before.paths
            self.files |= before.files

    def decide(self, row: Asked) -> Decision:
        """Whether the product, its release or a file of it is new, changed or known."""
        wanted = dict(zip(KIND.names, row.values, strict=True))
        key, version = wanted["product"].upper(), wanted["version"]
        needs_version = ("release_date", "upgrade_from", "file_name")
        if version is None and any(wanted[name] for name in needs_version):
            return Decision("version_required", field="version")
        sources = [source_of(path) for path in wanted["upgrade_from"] or ()]
        for sku, source_version in sources:
            if (sku.upper(), source_version) not in self.releases:
                return Decision("unknown_version", f"{sku}@{source_version}", field="upgrade_from")
        file = self._file(key, wanted)
        if isinstance(file, Decision):
            return file
        is_new = key not in self.known
        changed, effect = self._product(key, wanted)
        if version is not None:
            changed += self._release(key, version, wanted["release_date"], sources, effect)
        if file is not None and version is not None:
            place = (key, version, file.name, file.platform, file.language)
            if self.files.get(place) != file:
                self.files[place] = file
                effect["file"] = (self.known[key]["sku"], version, file)
                changed.append("file_name")
        if not changed:
            return Decision("unchanged")
        return Decision("created", effect=effect) if is_new else Decision("updated", ", ".join(changed), effect=effect)

    def _file(self, key: str, wanted: dict[str, Any]) -> ReleaseFile | Decision | None:
        """The file that a row describes, as it will be; a blank cell leaves alone what is known of it."""
        if wanted["file_name"] is None:
            described = [name for name in ("platform", "language", *OF_A_FILE) if wanted[name] is not None]
            return Decision("missing_value", "file_name", field="file_name") if described else None
        name, platform, language = wanted["file_name"], wanted["platform"] or "", wanted["language"] or ""
        known = self.files.get((key, wanted["version"], name, platform, language))
        of_known: tuple[Any, ...] = (known.size, known.sha256, known.object_name) if known else (None, None, None)
        size, sha256, object_name = (
            old if wanted[column] is None else wanted[column] for column, old in zip(OF_A_FILE, of_known, strict=True)
        )
        for column, value in zip(OF_A_FILE, (size, sha256, object_name), strict=True):
            if value is None:
                return Decision("missing_value", column, field=column)
        if not _SHA256.fullmatch(sha256.lower()):
            return Decision("bad_digest", sha256[:80], field="file_sha256")
        try:
            checked_name(object_name)
        except BadName:
            return Decision("bad_object_name", object_name[:80], field="file_object")
        return ReleaseFile(name, platform, language, size, sha256.lower(), object_name)

    def _product(self, key: str, wanted: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
        """The product's own columns that change, and what is to be written."""
        known = self.known.get(key)
        before = known or products.DEFAULTS | {"sku": wanted["product"], "name": wanted["name"]}
        values = {attribute: wanted[column] for column, attribute in OWN if wanted[column] is not None}
        changed = [
            column for column, attribute in OWN if known is None or before[attribute] != (before | values)[attribute]
        ]
        self.known[key] = before | values
        return changed, {"product": self.known[key]} if changed else {}

    def _release(
        self, key: str, version: str, released: date | None, sources: Sequence[Path], effect: dict[str, Any]
    ) -> list[str]:
        """The columns of a release that change; says in ``effect`` what is to be written."""
        changed, sku = [], self.known[key]["sku"]
        if (key, version) not in self.releases or released not in (None, self.releases[key, version]):
            changed.append("version")
            self.releases[key, version] = released or self.releases.get((key, version))
            effect["release"] = (sku, version, released)
        paths = {(source_sku.upper(), source_version, key, version) for source_sku, source_version in sources}
        if not paths <= self.paths:
            changed.append("upgrade_from")
            self.paths |= paths
            effect["paths"] = [
                ((self.known[source_sku.upper()]["sku"], source_version), (sku, version))
                for source_sku, source_version in sources
            ]
        return changed

    def apply(self, connection: Connection, asked: Sequence[Asked]) -> Issued:
        """Write products, releases, paths and files, in file order."""
        for row in asked:
            effect = row.decision.effect or {}
            if "product" in effect:
                products.save(connection, effect["product"])
            if "release" in effect:
                products.save_release(connection, *effect["release"])
            for source, target in effect.get("paths", ()):
                products.save_upgrade_path(connection, source, target)
            if "file" in effect:
                downloads.save(connection, *effect["file"])
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
