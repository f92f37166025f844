"""OpenTelemetry traces, if configured: spans from a GraphQL operation through the worker to the provider's call.

A disabled span costs nothing. Spans hold names, ids and durations, never arguments, texts or exception messages.
"""

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:  # a slow import: 0.1 s
    from opentelemetry.sdk.trace import SpanProcessor

_EXPORT_TIMEOUT = 5_000  # ms to export pending spans when the process stops


@dataclass
class _Tracing:
    tracer: Tracer | None = None


# Process-wide: passing a tracer to every table and storage would gain nothing. Not OpenTelemetry's own global, through
# which libraries would send spans that have not been checked for secrets.
_tracing = _Tracing()


_NO_SPAN = contextlib.nullcontext(INVALID_SPAN)


def span(
    name: str, parent: Context | None = None, **attributes: str | int | float
) -> contextlib.AbstractContextManager[Span]:
    """Trace the body as one span; `parent`: the context of a trace that began in another process."""
    tracer = _tracing.tracer
    return _NO_SPAN if tracer is None else _span(tracer, name, parent, attributes)


@contextlib.contextmanager
def _span(
    tracer: Tracer, name: str, parent: Context | None, attributes: Mapping[str, str | int | float]
) -> Iterator[Span]:
    with tracer.start_as_current_span(
        name, context=parent, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException as error:
            current.set_status(Status(StatusCode.ERROR, type(error).__name__))  # its message may contain a secret
            raise


def current_traceparent() -> str | None:
    """Return the current span as a W3C `traceparent`, to be sent to another process; None outside of any trace."""
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")


def context_of(traceparent: str) -> Context:
    """Return the parent context of a W3C `traceparent`; an invalid one yields an empty context."""
    return TraceContextTextMapPropagator().extract({"traceparent": traceparent})


@contextlib.contextmanager
def tracing_to(processor: "SpanProcessor") -> Iterator[None]:
    """Trace while the body runs, and pass every finished span to `processor`."""
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider

    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: "darkroom"}), shutdown_on_exit=False)
    provider.add_span_processor(processor)
    previous = _tracing.tracer
    _tracing.tracer = provider.get_tracer("darkroom")
    try:
        yield
    finally:
        _tracing.tracer = previous
        provider.force_flush(_EXPORT_TIMEOUT)
        provider.shutdown()


@contextlib.contextmanager
def tracing(endpoint: str | None) -> Iterator[None]:
    """Trace while the body runs, to the collector at `endpoint` (OTLP over HTTP); None disables it.

    An unreachable collector loses its spans and affects nothing else.
    """
    if endpoint is None:
        yield
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    with tracing_to(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces", timeout=_EXPORT_TIMEOUT / 1000))):
        yield
