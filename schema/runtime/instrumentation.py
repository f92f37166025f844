"""What is told of every operation: one line in the log, a few figures, one span. Never a variable, never an answer."""

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

_FAILURES = {ErrorCode.INTERNAL, ErrorCode.UNAVAILABLE}  # ours, where all others are refusals
_LONGEST_NAME = 64  # characters of a name that a client gave
_INTROSPECTION = "introspection"

_codes: ContextVar[set[ErrorCode] | None] = ContextVar("codes", default=None)  # told during this operation


def noticed(code: ErrorCode) -> None:
    """Count an error that a client is told."""
    metric.graphql_errors.labels(code.value).inc()
    codes = _codes.get()
    if codes is not None:
        codes.add(code)


class Observation(SchemaExtension):
    """Watches one operation from before its document is read until its answer, or its stream, has ended."""

    def on_operation(self) -> Iterator[None]:
        # Of a document that nobody could read, or whose words are not the schema's, nothing is known.
        self._kind = self._field = metric.OTHER
        self._codes: set[ErrorCode] = set()
        _codes.set(self._codes)
        redact_in_errors(self.execution_context.variables, Document(self.execution_context.query or ""))
        started, left = time.perf_counter(), False
        try:
            with contextlib.ExitStack() as self._until_the_end:
                yield
        except (asyncio.CancelledError, GeneratorExit):
            left = True
            raise
        except Exception as error:
            self._codes.add(ErrorCode.UNAVAILABLE if is_outage(error) else ErrorCode.INTERNAL)
            raise
        finally:
            self._tell(time.perf_counter() - started, left=left)

    def on_execute(self) -> Iterator[None]:
        name = self._recognise()
        viewer = self.execution_context.context.viewer
        structlog.contextvars.bind_contextvars(operation=name, user=viewer.id if viewer else None)
        # Of a stream, this is how it begins: a span that ends hours later would be no use to anybody.
        with span(f"graphql {self._field}", type=self._kind) as found:
            yield
            _describe(found, name, viewer.id if viewer else None, self._codes)

    def _recognise(self) -> str | None:
        """Learn what a valid document asks for, and return its own name for that."""
        document = self.execution_context.graphql_document
        operation = get_operation_ast(document, self.execution_context.operation_name) if document else None
        if document is None or operation is None:
            return None
        fragments = {node.name.value: node for node in document.definitions if isinstance(node, FragmentDefinitionNode)}
        field = _first_field(operation.selection_set, fragments) or metric.OTHER
        self._kind, self._field = operation.operation.value, _INTROSPECTION if field.startswith("__") else field
        if operation.operation is OperationType.SUBSCRIPTION:
            self._until_the_end.enter_context(metric.subscriptions_open.labels(self._field).track_inprogress())
        return operation.name.value[:_LONGEST_NAME] if operation.name else None

    def _tell(self, seconds: float, *, left: bool) -> None:
        if self._codes & _FAILURES:
            outcome = "failed"
        elif self._codes:
            outcome = "refused"
        else:
            outcome = "left" if left else "ok"
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
    """The name of the first field, wherever it is written; a valid document's fragments have no circles."""
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
