"""How errors leave the server: refusals by their code, bugs by a reference, nothing of our insides."""

import re
import secrets
from typing import Any

import structlog
from graphql import GraphQLError
from strawberry import Schema
from strawberry.exceptions import MissingQueryError
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionContext

from models.database.connection import is_outage
from models.enum import ErrorCode
from schema.runtime.context import Context
from schema.runtime.instrumentation import noticed
from services.core.error import Refusal, UnavailableError
from services.core.message import message
from services.integrations.storage.protocol import StorageError
from telemetry import crash

log = structlog.get_logger(__name__)

TOO_COMPLEX = "too_complex"  # a key in a GraphQLError's extensions: the document asks for too much
_SUGGESTION = re.compile(r" Did you mean [^?]*\?")  # graphql-core's: words of a schema that may be secret
# graphql-core's, too: what is no input object, no string, no word is repeated whole, be it a password.
_REPEATED = re.compile(r",? found: .*|(?<= value): .*|(?<=String) ['\"].*", re.IGNORECASE | re.DOTALL)
_LONGEST = 500  # characters of a message that repeats what somebody sent
# What Strawberry raises, on streams, where a document holds no operation that could be run.
_NOTHING_TO_RUN = (MissingQueryError, CannotGetOperationTypeError, InvalidOperationTypeError)


class DarkroomSchema(Schema):
    """Strawberry's schema, telling errors in the contract's way."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Called with the errors of every answer, on every transport, before they are sent."""
        context = execution_context.context if execution_context else None
        for error in errors:
            _tell(error, context if isinstance(context, Context) else None)


def _tell(error: GraphQLError, context: Context | None) -> None:
    original: Any = error.original_error
    while isinstance(original, GraphQLError) and original.original_error is not None:
        original = original.original_error
    if isinstance(original, Refusal):
        _set(error, original.code, context.translate(original.message) if context else original.message.text)
        if original.field:
            error.extensions = {**(error.extensions or {}), "field": list(original.field)}
    elif (error.extensions or {}).pop(TOO_COMPLEX, False):
        _set(error, ErrorCode.TOO_COMPLEX, error.message)
    elif error.path is None and (original is None or isinstance(original, (GraphQLError, *_NOTHING_TO_RUN))):
        # The document or its variables are wrong; graphql-core's sentence says where.
        told = _SUGGESTION.sub("", error.message or "No GraphQL query found in the request")
        told = _REPEATED.sub(".", told)
        _set(error, ErrorCode.INVALID_INPUT, told[:_LONGEST])
    elif error.path is None and isinstance(original, ValueError) and error.nodes:
        _set(error, ErrorCode.INVALID_INPUT, "A value in this document cannot be read.")  # int() of 5,000 digits
    elif is_outage(original) or isinstance(original, StorageError):
        log.warning("graphql.unavailable", path=error.path, error=repr(original))
        refusal = UnavailableError()
        _set(error, refusal.code, context.translate(refusal.message) if context else refusal.message.text)
    else:
        reference = secrets.token_hex(6)
        log.error("graphql.crashed", reference=reference, path=error.path, exc_info=original or error)
        crash.report(original or error, reference=reference)
        text = message("Something went wrong on our side. Reference: {reference}", reference=reference)
        _set(error, ErrorCode.INTERNAL, context.translate(text) if context else text.text.format(**text.values))
        error.extensions = {**(error.extensions or {}), "reference": reference}


def _set(error: GraphQLError, code: ErrorCode, text: str) -> None:
    noticed(code)
    error.message = text
    error.extensions = {"code": code.value}
