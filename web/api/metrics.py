"""``/metrics``: the installation's counts from the database, and this process's latencies, as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterator

import prometheus_client
from fastapi import APIRouter
from prometheus_client.core import CollectorRegistry, GaugeMetricFamily, Metric
from starlette.responses import PlainTextResponse, Response

from config.wiring import App
from jobs import broker
from models import gauges
from models.database import transaction
from web.callers import Operator
from web.latencies import REGISTRY

router = APIRouter(tags=["health"])


class _Counts:
    """The counts of the whole installation, looked up at each scrape."""

    def __init__(self, app: App) -> None:
        self.app = app

    def collect(self) -> Iterator[Metric]:
        """Every family of counts."""
        with transaction(self.app.engine) as connection:
            found = gauges.counts(connection, self.app.settings.lease_seconds)
        yield _family("keymill_batches", "Batches by state.", "state", found.batches)
        yield _family("keymill_rows", "Rows of batches by the batch's state.", "state", found.rows)
        yield _family("keymill_chunks", "Chunks that wait, are worked on or were set aside.", "state", found.chunks)
        yield _family("keymill_processes", "Processes that are alive, by role.", "role", found.alive)
        oldest = "Age of the oldest chunk that waits for a worker."
        yield GaugeMetricFamily("keymill_oldest_waiting_seconds", oldest, found.oldest_waiting_seconds)
        waiting = broker.calls_waiting_now(self.app.settings.redis_url)
        if waiting is not None:
            yield GaugeMetricFamily("keymill_calls_waiting", "Calls to work that wait in the queue.", waiting)


def _family(name: str, text: str, label: str, values: dict[str, int]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=(label,))
    for value, count in values.items():
        family.add_metric((value,), count)
    return family


@router.get(
    "/metrics",
    operation_id="metrics",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
def metrics(caller: Operator) -> Response:
    """Metrics for Prometheus; needs a token of the vendor."""
    registry = CollectorRegistry()
    registry.register(_Counts(caller.app))
    content = prometheus_client.generate_latest(registry) + prometheus_client.generate_latest(REGISTRY)
    return Response(content, media_type=prometheus_client.CONTENT_TYPE_LATEST)
