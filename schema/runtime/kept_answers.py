"""Answers of unchanged accounts: kept by the account's version, which every operation reads when it authenticates."""

import hashlib
import math
from collections import OrderedDict
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

import orjson
from graphql import GraphQLSchema
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from schema.runtime.context import Context
from schema.runtime.document import KnownVariables, PreparedOperation
from services.accounts.session import SeenSession

_MAX_ANSWER = 256 * 1024  # bytes
_MAX_VARIABLES = 1024  # bytes of their JSON
_OVERHEAD = 1024  # bytes of memory of an entry besides the answer and its variables
_MAX_REQUESTS = 8  # of one answer: the same operation with other headers
_REQUEST_SIZE = 4096  # bytes of memory of a known request, most of which are the values of its session and user

Key = tuple[object, ...]


@dataclass(eq=False)
class Answer:
    """The JSON of a response without errors, which is the same until the account's version moves.

    `requests`: the hashes of the requests that it is the answer to, and that are known.
    """

    body: bytes
    requests: list[bytes] = field(default_factory=list)

    @cached_property
    def etag(self) -> str:
        """The entity tag of the answer (RFC 9110, 8.8.3)."""
        return f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'


class Found(NamedTuple):
    """Where an answer is kept, and what guards and metrics need of its operation, without its document.

    `field`: its first root field; `name`: of the operation in log lines; `cost`: of executing it.
    """

    key: Key
    field: str
    name: str | None
    cost: int


@dataclass
class AnsweredResult(ExecutionResult):
    """A result that is encoded already. `found`: where its answer was kept; then it has no `data`."""

    answer: Answer | None = None
    found: Found | None = None


class SeenResponse(NamedTuple):
    """A response to a request, and the session by which it was authenticated then.

    `before`, `after`: its headers before and after the id of the request.
    """

    session: SeenSession
    status: int
    before: list[tuple[bytes, bytes]]
    after: list[tuple[bytes, bytes]]
    body: bytes


@dataclass(slots=True)
class KnownRequest:
    """A request whose answer was kept when it was sent before.

    `caller`: its account. `response`: None until one is seen together with the session.
    """

    token_hash: str
    caller: str
    found: Found
    response: SeenResponse | None = None


class KeptAnswers:
    """The answers that were used last, up to `max_bytes` of memory."""

    def __init__(self, schema: GraphQLSchema, max_bytes: int) -> None:
        self._schema = schema
        self._max_bytes = max_bytes
        self._bytes = 0
        self._answers: OrderedDict[Key, Answer] = OrderedDict()
        self._requests: dict[bytes, KnownRequest] = {}

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
            if len(given) > _MAX_VARIABLES or (b"null" in given and _has_infinity(variables)):
                return None
            given = _copied(given)
            if known is not None:
                known.json = given
        rights = (viewer.role, context.uses_api_key, context.is_admin, context.allows_introspection)
        # Of the account's own row, which was just read, nothing can be stale, even if it was changed by hand.
        row = (viewer.credits, viewer.address, viewer.email_verified, viewer.name, viewer.image, viewer.locale)
        # The message of a waiting generation says whether its provider is paused, or off.
        operations = context.services.operations
        epoch = (operations.provider_pauses.epoch, operations.maintenance.epoch)
        return (
            viewer.id,
            viewer.version,
            viewer.updated_at,  # after a failover that lost a change, another one may get its version
            epoch,
            context.locale,
            *rights,
            *row,
            viewer.suspended_at,
            prepared.digest,
            given,
        )

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
        self._drop_oldest()

    def request(self, digest: bytes) -> KnownRequest | None:
        """Return the request with this hash, if its answer is still kept."""
        known = self._requests.get(digest)
        if known is not None:
            self._answers.move_to_end(known.found.key)
        return known

    def know(self, digest: bytes, known: KnownRequest) -> None:
        """Keep a request with its answer, in the place of what was known of this request."""
        self._forget(digest)
        answer = self._answers.get(known.found.key)
        if answer is None:
            return
        while len(answer.requests) >= _MAX_REQUESTS:
            self._forget(answer.requests[0])
        answer.requests.append(digest)
        self._requests[digest] = known
        self._bytes += _REQUEST_SIZE
        self._drop_oldest()

    def _forget(self, digest: bytes) -> None:
        known = self._requests.pop(digest, None)
        if known is not None:
            self._answers[known.found.key].requests.remove(digest)
            self._bytes -= _REQUEST_SIZE

    def _drop_oldest(self) -> None:
        while self._bytes > self._max_bytes:
            key, answer = next(iter(self._answers.items()))
            for digest in answer.requests[:]:
                self._forget(digest)
            del self._answers[key]
            self._bytes -= _size(key, answer)


def _has_infinity(value: object) -> bool:
    """Return whether a number in it is infinite, as 1e999 is; orjson writes null for it."""
    if isinstance(value, dict):
        return any(map(_has_infinity, value.values()))
    if isinstance(value, list):
        return any(map(_has_infinity, value))
    return isinstance(value, float) and math.isinf(value)


def _copied(json: bytes) -> bytes:
    """Return bytes with only the memory that they need; what orjson returns has that of its buffer, at least 4 KiB."""
    return bytes(memoryview(json))


def _size(key: Key, answer: Answer) -> int:
    given = key[-1]
    return len(answer.body) + (len(given) if isinstance(given, bytes) else 0) + _OVERHEAD
