"""Error formatting: refusals get their code, bugs a reference ID; internals are never shown."""

import re
import secrets
from typing import Any

import structlog
from graphql import FieldNode, GraphQLError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types.graphql import OperationType

from models.database.connection import is_outage
from models.enum import ErrorCode
from schema.runtime.context import Context
from schema.runtime.instrumentation import NO_OPERATION, count_error
from schema.runtime.loaded import TooMuchLoadedError
from services.core.error import RateLimitedError, Refusal, RefusalGroup, UnavailableError
from services.core.message import Message, message
from services.core.rate_limit import note_retry
from services.core.text import cut, shortened
from services.integrations.storage.protocol import StorageError
from telemetry import crash

log = structlog.get_logger(__name__)

TOO_COMPLEX = "too_complex"  # a key in a GraphQLError's extensions: the document exceeds a limit, which is its value
MAX_ERRORS = 10  # of a document or its variables: enough to fix them, too few for a large response
_SUGGESTION = re.compile(r" Did you mean [^?]*\?")  # graphql-core's: names of a schema that may be secret
# Also graphql-core's: it repeats an invalid value in full, even a password. What was expected comes before it.
_INVALID_VALUE = re.compile(
    r"(?:,| ) ?found: .*|(?<= cannot represent)(?P<kind>[^:]{0,80} value): .*|(?<=String) ['\"].*",
    re.IGNORECASE | re.DOTALL,
)
_TYPE_NAMES = {
    OperationType.QUERY: "queries",
    OperationType.MUTATION: "mutations",
    OperationType.SUBSCRIPTION: "subscriptions",
}


def as_graphql_error(error: Exception) -> GraphQLError:
    """Return an exception as an error of GraphQL."""
    return error if isinstance(error, GraphQLError) else GraphQLError(str(error), original_error=error)


def without_operation(error: Exception) -> GraphQLError:
    """Return the error of a document without an operation to execute, on transports without status codes."""
    if isinstance(error, CannotGetOperationTypeError):
        return GraphQLError(error.as_http_error_reason(), original_error=error)
    if isinstance(error, InvalidOperationTypeError):
        return GraphQLError(f"{_TYPE_NAMES[error.operation_type]} are not allowed", original_error=error)
    return as_graphql_error(error)


def format_errors(errors: list[GraphQLError], context: object) -> None:
    """Format the errors of a response as the API documents them, in place; on every transport before they are sent."""
    refused = [error for error in errors if isinstance(_original(error), Refusal | RefusalGroup)]
    if too_much := [error for error in refused if isinstance(_original(error), TooMuchLoadedError)]:
        errors[:] = too_much[:1]  # each list after it has the same
    for error in errors:
        _format(error, context if isinstance(context, Context) else None)
    _forget_tracebacks(refused)


def _format(error: GraphQLError, context: Context | None) -> None:
    original = _original(error)
    if isinstance(original, RefusalGroup):
        original = original.refusals[0]
    if isinstance(original, Refusal):
        text = context.translate(original.message) if context else original.message.text
        _set(error, original.code, text, is_outage=original.is_outage)
        if original.field:
            error.extensions = {**(error.extensions or {}), "field": [cut(part) for part in original.field]}
        if isinstance(original, RateLimitedError):
            error.extensions = {**(error.extensions or {}), "retryAfter": original.retry_after}
            note_retry(original.retry_after)
    elif (limit := (error.extensions or {}).pop(TOO_COMPLEX, None)) is not None:
        _set(error, ErrorCode.TOO_COMPLEX, shortened(error.message))
        error.extensions = {**(error.extensions or {}), **limit}
    elif _is_of_document(error, original):
        # graphql-core's message says where.
        text = error.message or "No GraphQL query found in the request"
        if context is None or not context.suggests_names:
            text = _SUGGESTION.sub("", text)
        text = _INVALID_VALUE.sub(_without_value, text)
        _set(error, ErrorCode.INVALID_INPUT, shortened(text))
    elif error.path is None and isinstance(original, ValueError) and error.nodes:
        _set(error, ErrorCode.INVALID_INPUT, "A value in this document cannot be read.")  # int() of 5,000 digits
    elif is_outage(original) or isinstance(original, StorageError):
        log.warning("graphql.unavailable", path=error.path, error=original)
        refusal = UnavailableError()
        _set(error, refusal.code, context.translate(refusal.message) if context else refusal.message.text)
    else:
        internal = record_crash("graphql.crashed", original or error, path=error.path)
        text = context.translate(internal) if context else internal.text.format(**internal.values)
        _set(error, ErrorCode.INTERNAL, text)
        error.extensions = {**(error.extensions or {}), "reference": internal.values["reference"]}


def _forget_tracebacks(refused: list[GraphQLError]) -> None:
    """Free what the frames hold that these errors passed, which may be all that the operation has loaded.

    A frame and the error that was raised in it keep each other until the garbage collector finds them. Nothing shows
    the traceback of a refusal, or of what it was raised from, later; that of a bug is logged for each who receives it.
    """
    pending: list[object] = [*refused]
    seen: set[int] = set()
    while pending:
        error = pending.pop()
        if isinstance(error, BaseException) and id(error) not in seen:
            seen.add(id(error))
            error.with_traceback(None)
            pending += [error.__cause__, error.__context__, getattr(error, "original_error", None)]


def _original(error: GraphQLError) -> Any:
    """Return what a resolver raised, else graphql-core's own error or None."""
    original: Any = error.original_error
    while isinstance(original, GraphQLError) and original.original_error is not None:
        original = original.original_error
    return original


def _is_of_document(error: GraphQLError, original: object) -> bool:
    """Return whether the document or its variables are invalid.

    Some values are found only when the field that they are for is executed, as null for a variable with a default:
    these errors are those of an argument, not of a field.
    """
    if error.path is None:
        return original is None or isinstance(original, (GraphQLError, *NO_OPERATION))
    is_of_argument = error.nodes is not None and not any(isinstance(node, FieldNode) for node in error.nodes)
    return is_of_argument and (original is None or isinstance(original, GraphQLError))


def record_crash(event: str, error: BaseException, **fields: object) -> Message:
    """Log and report a bug, and return the message to the client, with the reference under which both have it."""
    reference = secrets.token_hex(6)
    log.error(event, reference=reference, **fields, exc_info=error)
    crash.report(error, reference=reference)
    return message("Something went wrong on our side. Reference: {reference}", reference=reference)


def _without_value(found: re.Match[str]) -> str:
    if found["kind"]:
        return f"{found['kind']}."
    return "" if found.string[: found.start()].endswith("?") else "."  # a suggestion


def _set(error: GraphQLError, code: ErrorCode, text: str, *, is_outage: bool = False) -> None:
    count_error(code, is_outage=is_outage)
    error.message = text
    error.extensions = {"code": code.value}
