"""Answers of unchanged accounts: kept by the account's version, which every operation reads when it authenticates."""

import hashlib
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property

import orjson
from graphql import GraphQLSchema
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from schema.runtime.context import Context
from schema.runtime.document import KnownVariables, PreparedOperation

_MAX_ANSWER = 256 * 1024  # bytes
_MAX_VARIABLES = 1024  # bytes of their JSON
_OVERHEAD = 1024  # bytes of memory of an entry besides the answer and its variables

Key = tuple[object, ...]


@dataclass(frozen=True)
class Answer:
    """The JSON of a response without errors, which is the same until the account's version moves."""

    body: bytes

    @cached_property
    def etag(self) -> str:
        """The entity tag of the answer (RFC 9110, 8.8.3)."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'


@dataclass
class AnsweredResult(ExecutionResult):
    """A result that is encoded already, or was kept; then it has no `data`."""

    answer: Answer | None = None


class KeptAnswers:
    """The answers that were used last, up to `max_bytes` of memory."""

    def __init__(self, schema: GraphQLSchema, max_bytes: int) -> None:
        self._schema = schema
        self._max_bytes = max_bytes
        self._bytes = 0
        self._answers: OrderedDict[Key, Answer] = OrderedDict()

    def key(
        self,
        prepared: PreparedOperation,
        variables: dict[str, object] | None,
        known: KnownVariables | None,
        context: Context,
    ) -> Key | None:
        """Return the key of an operation's answer; None if it may not be kept. `known`: of these variables.

        The account's version covers what is selected. The rest of the key is what an answer depends on besides: the
        operation itself, its variables, the language, and the rights of the viewer.
        """
        viewer = context.viewer
        if viewer is None or prepared.kind is not OperationType.QUERY:
            return None
        coverage = prepared.coverage(self._schema)
        if coverage is None or not coverage.includes(variables or {}):
            return None
        given = known.json if known is not None else None
        if given is None:
            try:
                given = orjson.dumps(variables, option=orjson.OPT_SORT_KEYS) if variables else b""
            except TypeError:  # lone surrogates, numbers of more than 64 bits
                return None
            if len(given) > _MAX_VARIABLES:
                return None
            given = _copied(given)
            if known is not None:
                known.json = given
        rights = (viewer.role, context.uses_api_key, context.allows_introspection)
        # Of the account's own row, which was just read, nothing can be stale, even if it was changed by hand.
        row = (viewer.credits, viewer.address, viewer.email_verified, viewer.name, viewer.locale, viewer.suspended_at)
        return (viewer.id, viewer.version, context.locale, *rights, *row, prepared.digest, given)

    def find(self, key: Key) -> Answer | None:
        """Return an answer that was kept."""
        found = self._answers.get(key)
        if found is not None:
            self._answers.move_to_end(key)
        return found

    def keep(self, key: Key, answer: Answer) -> None:
        """Keep a copy of an answer, and drop those that were used least recently if there are too many bytes."""
        if len(answer.body) > _MAX_ANSWER or key in self._answers:
            return
        self._answers[key] = answer = Answer(_copied(answer.body))
        self._bytes += _size(key, answer)
        while self._bytes > self._max_bytes:
            self._bytes -= _size(*self._answers.popitem(last=False))


def _copied(json: bytes) -> bytes:
    """Return bytes with only the memory that they need; what orjson returns has that of its buffer, at least 4 KiB."""
    return bytes(memoryview(json))


def _size(key: Key, answer: Answer) -> int:
    given = key[-1]
    return len(answer.body) + (len(given) if isinstance(given, bytes) else 0) + _OVERHEAD
