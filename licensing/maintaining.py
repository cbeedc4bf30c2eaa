"""Loading maintenance: what a support contract from another system changes of a license's maintenance."""

from __future__ import annotations

from datetime import date
from typing import NamedTuple

from licensing.decisions import Decision


class Contract(NamedTuple):
    """First and last day, level and support contact; in a row, None leaves alone what there is."""

    starts: date | None
    ends: date | None
    level: str | None
    support_contact: str | None


def decide_maintenance(wanted: Contract, known: Contract | None, *, is_renewed: bool) -> Decision:
    """The answer to one row of ``load-maintenance`` for an active license; ``effect`` is the contract as it will be.

    Customers' renewals build on the dates, so once there is one (``is_renewed``) a load does not move them.
    """
    before = known or Contract(None, None, None, None)
    now = before._replace(**{name: value for name, value in wanted._asdict().items() if value is not None})
    for name in ("starts", "ends"):
        if getattr(now, name) is None:
            return Decision("missing_value", name, field=name)
    assert now.starts is not None
    assert now.ends is not None
    if now.ends < now.starts:
        return Decision("dates_reversed", f"{now.starts} > {now.ends}", field="ends" if wanted.ends else "starts")
    changed = [name for name, new, old in zip(Contract._fields, now, before, strict=True) if new != old]
    if not changed:
        return Decision("unchanged")
    if is_renewed and before.ends is not None and changed[0] in ("starts", "ends"):
        return Decision("maintenance_renewed", before.ends.isoformat(), field=changed[0])
    return Decision("created", effect=now) if known is None else Decision("updated", ", ".join(changed), effect=now)
