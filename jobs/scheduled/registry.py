"""Every scheduled job by its name."""

from __future__ import annotations

from jobs.job import Job
from jobs.scheduled import publish_revocations

JOBS: dict[str, Job] = {module.JOB.name: module.JOB for module in (publish_revocations,)}
