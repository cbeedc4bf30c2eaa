"""How rows name licenses: by number, or by the serial that a license came of."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from jobs.chains import Chains
from jobs.kind import Work
from licensing import codes, holding
from licensing.decisions import Decision
from licensing.holding import Access
from models import licenses
from models.licenses import Held


class Named:
    """The licenses that the rows of a slice name: pairs of a license cell and a serial cell, either may be blank.

    ``numbers`` are all that may be meant.
    """

    def __init__(self, connection: Connection, pairs: Sequence[tuple[str | None, str | None]]) -> None:
        serials = {codes.match_key(serial) for license, serial in pairs if serial and not license}
        self._of_serial = licenses.of_serial_keys(connection, list(serials)) if serials else {}
        numbers = {codes.written(license) for license, _ in pairs if license}
        self.numbers = list(numbers | {number for made in self._of_serial.values() for number in made})

    def number(self, license: str | None, serial: str | None) -> tuple[str, Decision | None]:
        """The number of the license that a row means; with the refusal where it means none, or one of several."""
        if license:
            return codes.written(license), None
        if not serial:
            return "", Decision("license_required", field="license")
        made = self._of_serial.get(codes.match_key(serial), [])
        if len(made) > 1:
            return "", Decision("several_licenses", str(len(made)), field="serial")
        if not made:
            return "", Decision("unknown_license", field="serial")
        return made[0], None


class Holdings:
    """The licenses that the rows of a slice name (pairs as in :class:`Named`), locked unless it is a preview."""

    def __init__(
        self,
        connection: Connection,
        work: Work,
        pairs: Sequence[tuple[str | None, str | None]],
        before: Holdings | None = None,
    ) -> None:
        self.named = Named(connection, pairs)
        self.chains: Chains = Chains(connection, work, self.named.numbers, None if before is None else before.chains)

    def find(self, needed: Access, license: str | None, serial: str | None = None) -> Held | Decision:
        """What is left of the license that a row means, which is active; or why the account may not do this with it."""
        number, refused = self.named.number(license, serial)
        if refused is not None:
            return refused
        found, _ = self.chains.now(number)
        if found is None:
            return holding.unknown(number)
        if refused := holding.refusal(number, found.access, needed):
            return refused
        return found if found.state == "active" else Decision("license_not_active", found.state, field="license")
