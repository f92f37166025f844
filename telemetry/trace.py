"""Traces: spans from an operation through the task to the provider's call, where the operator wants them.

Off, a span costs nothing. On, it holds names, ids and durations: never an argument, a text or what an exception said.
"""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

if TYPE_CHECKING:  # the SDK is a tenth of a second, for those who need it
    from opentelemetry.sdk.trace import SpanProcessor

_PATIENCE = 5_000  # ms for what is left to be sent when the process stops


@dataclass
class _Tracing:
    tracer: Tracer | None = None


# A process traces or does not: handing a tracer to every table and storage would tell nobody anything more. Not
# OpenTelemetry's own global either: through that one, libraries would send spans that we do not vouch for.
_tracing = _Tracing()


@contextlib.contextmanager
def span(name: str, parent: Context | None = None, **attributes: str | int | float) -> Iterator[Span]:
    """Whatever happens in the body, as one step of the trace; `parent`: where it came from another process."""
    if _tracing.tracer is None:
        yield INVALID_SPAN
        return
    with _tracing.tracer.start_as_current_span(
        name, context=parent, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as found:
        try:
            yield found
        except (asyncio.CancelledError, GeneratorExit):
            raise
        except BaseException as error:
            found.set_status(Status(StatusCode.ERROR, type(error).__name__))  # what it says may repeat a secret
            raise


def current_traceparent() -> str | None:
    """Return the current span as a W3C `traceparent`, to be sent to another process; None outside of any trace."""
    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent")


def context_of(traceparent: str) -> Context:
    """Return the parent that a W3C `traceparent` names; an invalid one names none."""
    return TraceContextTextMapPropagator().extract({"traceparent": traceparent})


@contextlib.contextmanager
def tracing_to(processor: "SpanProcessor") -> Iterator[None]:
    """Trace while the body runs, and hand every span that ends to `processor`."""
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider

    provider = TracerProvider(resource=Resource.create({SERVICE_NAME: "darkroom"}), shutdown_on_exit=False)
    provider.add_span_processor(processor)
    earlier = _tracing.tracer
    _tracing.tracer = provider.get_tracer("darkroom")
    try:
        yield
    finally:
        _tracing.tracer = earlier
        provider.force_flush(_PATIENCE)
        provider.shutdown()


@contextlib.contextmanager
def tracing(endpoint: str | None) -> Iterator[None]:
    """Trace while the body runs, to the collector at `endpoint` (OTLP over HTTP); None: not at all.

    A collector that is away costs nothing but its spans.
    """
    if endpoint is None:
        yield
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    with tracing_to(BatchSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces", timeout=_PATIENCE / 1000))):
        yield
