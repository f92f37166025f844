"""Instrumentation of every operation: a log line, metrics and a span, never variables or responses."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Self

import structlog
from opentelemetry.trace import Span
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError

from models.database.connection import is_outage
from models.enum import ErrorCode
from schema.runtime.live_operation import live_operation
from services.core.error import Refusal
from telemetry import log_fields, metric
from telemetry.created import collect_created
from telemetry.log_level import logs_info
from telemetry.outage import is_any_on
from telemetry.redaction import Document, redact_in_errors

log = structlog.get_logger(__name__)

# Raised for a document without an operation to execute.
NO_OPERATION = (MissingQueryError, CannotGetOperationTypeError, InvalidOperationTypeError)
_FAILURES = {
    ErrorCode.INTERNAL,
    ErrorCode.UNAVAILABLE,
    ErrorCode.UPLOAD_FAILED,
}  # the server's; all other codes are refusals
_QUERY, _SUBSCRIPTION = "query", "subscription"
_OK = "ok"

_codes: ContextVar[set[ErrorCode] | None] = ContextVar("codes", default=None)  # returned by this operation


def count_error(code: ErrorCode, *, is_outage: bool = False) -> None:
    """Count an error that is returned to the client. `is_outage`: as of a Refusal; its operation has failed."""
    metric.graphql_errors.labels(code.value).inc()
    codes = _codes.get()
    if codes is not None:
        codes.update((code, ErrorCode.UNAVAILABLE) if is_outage else (code,))


@contextlib.contextmanager
def collecting_codes() -> Iterator[set[ErrorCode]]:
    """Collect the codes of errors that are counted within the block."""
    codes: set[ErrorCode] = set()
    token = _codes.set(codes)
    try:
        yield codes
    finally:
        _codes.reset(token)


class Instrumentation:
    """Measures one operation, entered with `with`, from before parsing until its response or stream has ended.

    `is_disconnected`: the client has disconnected before the end, as its transport says.
    """

    __slots__ = ("_bound", "_codes", "_created", "_field", "_is_counted", "_kind", "_started", "is_disconnected")

    def __init__(self, query: str | None, variables: Mapping[str, Any] | None) -> None:
        # Of a document that does not parse or validate, nothing else is known.
        self._kind = self._field = metric.OTHER
        self._codes: set[ErrorCode] = set()
        self._is_counted = False  # among the open subscriptions
        self.is_disconnected = False
        self._bound: Mapping[str, Any] = {}
        _codes.set(self._codes)
        self._created = collect_created()
        redact_in_errors(variables, Document(query or ""))
        self._started = time.perf_counter()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        live = live_operation.get()
        if live is not None and live.is_handed_over:  # the stream goes on, elsewhere than where these fields are bound
            self._bound, live.instrumentation = log_fields.current(), self
            return
        if isinstance(error, Exception):
            self._codes.add(_code_of(error))
        has_left = self.is_disconnected or isinstance(error, asyncio.CancelledError | GeneratorExit)
        self._report(is_disconnected=has_left)

    def end(self, codes: Iterable[ErrorCode], *, is_disconnected: bool) -> None:
        """Report a stream that was handed over and has ended. `codes`: of the errors that it sent since."""
        self._codes.update(codes)
        with log_fields.added(self._bound):
            self._report(is_disconnected=is_disconnected)

    def identify(self, kind: str, field: str, name: str | None, user_id: str | None) -> None:
        """Set the type and the first root field of a valid operation, which log lines and metrics name."""
        self._kind, self._field = kind, field
        log_fields.add(operation=name, user=user_id)
        if kind == _SUBSCRIPTION:
            self._is_counted = True
            metric.subscriptions_open.labels(field).inc()

    def describe(self, found: Span, name: str | None, user_id: str | None) -> None:
        """Set the attributes of the operation's span."""
        if found.is_recording():
            known = {"operation": name, "user": user_id, "codes": ",".join(sorted(self._codes))}
            found.set_attributes({key: value for key, value in known.items() if value})

    def _report(self, *, is_disconnected: bool) -> None:
        seconds = time.perf_counter() - self._started
        if self._is_counted:
            metric.subscriptions_open.labels(self._field).dec()
        if not self._codes:
            outcome = "disconnected" if is_disconnected else _OK
        else:
            outcome = "failed" if self._codes & _FAILURES else "refused"
        metric.operation_counter(self._field, self._kind, outcome).inc()
        if self._kind != _SUBSCRIPTION:
            metric.operation_timer(self._field).observe(seconds)
        if outcome == "failed" and not is_any_on():
            self._log(log.warning, outcome, seconds)
        elif logs_info():
            self._log(log.info, outcome, seconds)

    def _log(self, write: Callable[..., Any], outcome: str, seconds: float) -> None:
        write(
            "graphql.operation",
            field=self._field,
            type=self._kind,
            outcome=outcome,
            codes=sorted(code.value for code in self._codes),
            ms=round(seconds * 1000, 1),
            **({"created": self._created} if self._created else {}),
        )


def report_repeated(field: str, name: str | None, seconds: float, **bound: object) -> None:
    """Report a query that was answered as before, without an execution. `bound`: further fields of its log line."""
    metric.operation_counter(field, _QUERY, _OK).inc()
    metric.operation_timer(field).observe(seconds)
    if logs_info():
        ms = round(seconds * 1000, 1)
        with log_fields.added({**bound, "operation": name}):
            log.info("graphql.operation", field=field, type=_QUERY, outcome=_OK, codes=[], ms=ms)


def _code_of(error: Exception) -> ErrorCode:
    if isinstance(error, Refusal):
        return error.code
    if isinstance(error, NO_OPERATION):
        return ErrorCode.INVALID_INPUT
    return ErrorCode.UNAVAILABLE if is_outage(error) else ErrorCode.INTERNAL
