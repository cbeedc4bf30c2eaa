"""Every scheduled job by its name."""

from __future__ import annotations

from jobs.job import Job
from jobs.scheduled import (
    expire_licenses,
    expire_vouchers,
    notify_upgrades,
    poll_drops,
    publish_revocations,
    reconcile_contracts,
    retention,
)

JOBS: dict[str, Job] = {
    module.JOB.name: module.JOB
    for module in (
        expire_licenses,
        expire_vouchers,
        notify_upgrades,
        poll_drops,
        publish_revocations,
        reconcile_contracts,
        retention,
    )
}
