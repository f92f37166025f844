"""Instrumentation of every operation: a log line, metrics and a span, never variables or responses."""

import asyncio
import contextlib
import time
from collections.abc import Iterator, Mapping
from contextvars import ContextVar

import structlog
from graphql import (
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    InlineFragmentNode,
    OperationType,
    SelectionSetNode,
    get_operation_ast,
)
from opentelemetry.trace import Span
from strawberry.extensions import SchemaExtension

from models.database.connection import is_outage
from models.enum import ErrorCode
from telemetry import metric
from telemetry.redaction import Document, redact_in_errors
from telemetry.trace import span

log = structlog.get_logger(__name__)

_FAILURES = {ErrorCode.INTERNAL, ErrorCode.UNAVAILABLE}  # the server's; all other codes are refusals
_MAX_NAME = 64  # characters of an operation's name in logs
_INTROSPECTION = "introspection"

_codes: ContextVar[set[ErrorCode] | None] = ContextVar("codes", default=None)  # returned by this operation


def count_error(code: ErrorCode) -> None:
    """Count an error that is returned to the client."""
    metric.graphql_errors.labels(code.value).inc()
    codes = _codes.get()
    if codes is not None:
        codes.add(code)


class Instrumentation(SchemaExtension):
    """Measures one operation from before parsing until its response or stream has ended."""

    def on_operation(self) -> Iterator[None]:
        # Of a document that does not parse or validate, nothing else is known.
        self._kind = self._field = metric.OTHER
        self._codes: set[ErrorCode] = set()
        _codes.set(self._codes)
        redact_in_errors(self.execution_context.variables, Document(self.execution_context.query or ""))
        started, is_disconnected = time.perf_counter(), False
        try:
            with contextlib.ExitStack() as self._cleanup:
                yield
        except (asyncio.CancelledError, GeneratorExit):
            is_disconnected = True
            raise
        except Exception as error:
            self._codes.add(ErrorCode.UNAVAILABLE if is_outage(error) else ErrorCode.INTERNAL)
            raise
        finally:
            self._report(time.perf_counter() - started, is_disconnected=is_disconnected)

    def on_execute(self) -> Iterator[None]:
        name = self._identify()
        viewer = self.execution_context.context.viewer
        structlog.contextvars.bind_contextvars(operation=name, user=viewer.id if viewer else None)
        # For a stream, the span covers only its start: one that ends hours later would be useless.
        with span(f"graphql {self._field}", type=self._kind) as found:
            yield
            _describe(found, name, viewer.id if viewer else None, self._codes)

    def _identify(self) -> str | None:
        """Set the type and the first root field of a valid document, and return its operation's name."""
        document = self.execution_context.graphql_document
        operation = get_operation_ast(document, self.execution_context.operation_name) if document else None
        if document is None or operation is None:
            return None
        fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
        field = _first_field(operation.selection_set, fragments) or metric.OTHER
        self._kind, self._field = operation.operation.value, _INTROSPECTION if field.startswith("__") else field
        if operation.operation is OperationType.SUBSCRIPTION:
            self._cleanup.enter_context(metric.subscriptions_open.labels(self._field).track_inprogress())
        return operation.name.value[:_MAX_NAME] if operation.name else None

    def _report(self, seconds: float, *, is_disconnected: bool) -> None:
        if self._codes & _FAILURES:
            outcome = "failed"
        elif self._codes:
            outcome = "refused"
        else:
            outcome = "disconnected" if is_disconnected else "ok"
        metric.operations.labels(self._field, self._kind, outcome).inc()
        if self._kind != OperationType.SUBSCRIPTION.value:
            metric.operation_seconds.labels(self._field).observe(seconds)
        log.info(
            "graphql.operation",
            field=self._field,
            type=self._kind,
            outcome=outcome,
            codes=sorted(code.value for code in self._codes),
            ms=round(seconds * 1000, 1),
        )


def _first_field(selected: SelectionSetNode, fragments: Mapping[str, FragmentDefinitionNode]) -> str | None:
    """Return the name of the first field, through fragments, which have no cycles in a valid document."""
    for node in selected.selections:
        inner = fragments.get(node.name.value) if isinstance(node, FragmentSpreadNode) else node
        if isinstance(inner, FieldNode):
            return inner.name.value
        if isinstance(inner, InlineFragmentNode | FragmentDefinitionNode):
            found = _first_field(inner.selection_set, fragments)
            if found is not None:
                return found
    return None


def _describe(found: Span, name: str | None, user: str | None, codes: set[ErrorCode]) -> None:
    if found.is_recording():
        known = {"operation": name, "user": user, "codes": ",".join(sorted(codes))}
        found.set_attributes({key: value for key, value in known.items() if value})
