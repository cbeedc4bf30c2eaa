"""Traces: off, and nothing of it imported, unless an OpenTelemetry endpoint is set. One trace for a batch.

The context in which a batch was handed in is stored with it; whoever works off one of its chunks goes on from there.
Home of the OpenTelemetry packages (docs/decisions/0021-traces.md).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from config.setting_problems import Problem, SettingsProblem

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import ReadableSpan, Span, TracerProvider

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PREFIX = "keymill."  # of our attributes
_HIDDEN = ("url.query", "http.url", "http.target")  # values of rows and codes of a sign-in may stand in an address
_provider: TracerProvider | None = None


def start() -> None:
    """Trace this process where the environment asks for it. Raises :class:`SettingsProblem` without the extra."""
    global _provider
    name = next((name for name in ENDPOINTS if os.environ.get(name)), None)
    if name is None or os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true" or _provider is not None:
        return
    try:
        _provider = _started()
    except ImportError as missing:
        raise SettingsProblem(
            [
                Problem(
                    name,
                    f"needs the extra otel: pip install 'keymill[otel]' ({missing.name} is missing)",
                    f"richiede l'extra otel: pip install 'keymill[otel]' (manca {missing.name})",
                )
            ]
        ) from missing


def _started() -> TracerProvider:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.botocore import BotocoreInstrumentor
    from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
    from opentelemetry.instrumentation.redis import RedisInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import SpanKind

    class Kept(BatchSpanProcessor):
        """What is exported: not what a process that has nothing to do asks its servers again and again."""

        def on_start(self, span: Span, parent_context: Context | None = None) -> None:
            for hidden in _HIDDEN:
                if span.attributes and hidden in span.attributes:
                    span.set_attribute(hidden, "REDACTED")
            super().on_start(span, parent_context)

        def on_end(self, span: ReadableSpan) -> None:
            if span.parent is not None or span.kind is not SpanKind.CLIENT:
                super().on_end(span)

    named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": "keymill"}
    provider = TracerProvider(resource=Resource.create(named))
    provider.add_span_processor(Kept(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)  # FastAPI looks for it by itself
    for instrumentor in (PsycopgInstrumentor, RedisInstrumentor, BotocoreInstrumentor):
        instrumentor().instrument()
    return provider


def is_on() -> bool:
    """Whether this process is traced."""
    return _provider is not None


@contextmanager
def span(name: str, *, below: str | None = None, **attributes: Any) -> Iterator[None]:
    """A span for as long as the block lasts, below what is under way or below a stored context."""
    if _provider is None:
        yield
        return
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    parent = TraceContextTextMapPropagator().extract({"traceparent": below}) if below else None
    told = {_PREFIX + key: value for key, value in attributes.items() if value is not None}
    with _provider.get_tracer("keymill").start_as_current_span(name, parent, attributes=told):
        yield


def tell(**attributes: Any) -> None:
    """Add attributes to the span that is under way."""
    if _provider is not None:
        from opentelemetry import trace

        trace.get_current_span().set_attributes({_PREFIX + key: value for key, value in attributes.items()})


def fail(reason: str) -> None:
    """Say of the span that is under way that it failed."""
    if _provider is not None:
        from opentelemetry import trace

        trace.get_current_span().set_status(trace.StatusCode.ERROR, reason)


def context() -> str | None:
    """What is under way, as a W3C ``traceparent``: to be stored, and gone on from by another process."""
    if _provider is None:
        return None
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")
