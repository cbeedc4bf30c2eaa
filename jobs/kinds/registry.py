"""Every batch kind by its name."""

from __future__ import annotations

from jobs.kind import Kind
from jobs.kinds import (
    annotate_licenses,
    draw_down,
    list_downloads,
    load_accounts,
    load_contracts,
    load_maintenance,
    load_products,
    load_serials,
    load_vouchers,
    mint_vouchers,
    notify_upgrades,
    reconcile_contracts,
    redeem_vouchers,
    register_serials,
    rehost_licenses,
    renew_maintenance,
    report_usage,
    revert_batches,
    revoke_licenses,
    share_licenses,
    upgrade_licenses,
    void_vouchers,
)
from jobs.refusals import Refused

KINDS: dict[str, Kind] = {
    module.KIND.name: module.KIND
    for module in (
        annotate_licenses,
        draw_down,
        list_downloads,
        load_accounts,
        load_contracts,
        load_maintenance,
        load_products,
        load_serials,
        load_vouchers,
        mint_vouchers,
        notify_upgrades,
        reconcile_contracts,
        redeem_vouchers,
        register_serials,
        rehost_licenses,
        renew_maintenance,
        report_usage,
        revert_batches,
        revoke_licenses,
        share_licenses,
        upgrade_licenses,
        void_vouchers,
    )
}


def find(name: str) -> Kind:
    """A kind by its name. Raises :class:`Refused`."""
    if name not in KINDS:
        known = ", ".join(sorted(KINDS))
        raise Refused(
            "unknown_kind",
            f"There is no batch kind {name}. The kinds are: {known}.",
            f"Non esiste il tipo di lotto {name}. I tipi sono: {known}.",
        )
    return KINDS[name]
