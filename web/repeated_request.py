"""Requests that repeat an earlier one: of an unchanged account, they are answered before all other middleware.

A request is the same if its method, query, headers and body are. Then its response is the same, too, where the answer
is kept by the account's version, and the session and the user, which are read for each request, are as they were.
"""

import hashlib
import time
from collections.abc import Awaitable, Iterable
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from schema.runtime.instrumentation import report_repeated
from schema.runtime.kept_answers import Found, KeptAnswers, KnownRequest, SeenResponse
from services.accounts.secret_token import hash_token
from services.accounts.session import SeenSession, SessionRead
from services.operations.wiring import Operations
from services.services import Services
from web.body import MAX_JSON_BYTES
from web.http_exchange import WHOLE_RESPONSE, Header
from web.request_log import ID_HEADER, count_response, request_id_of

REPETITION = "repetition"  # the name of a Repetition in the state of a request
# Headers that proxies make anew for each request, and that nothing reads here but the first, which is handled.
_CHANGING = {
    ID_HEADER, b"traceparent", b"tracestate", b"cf-ray", b"x-amzn-trace-id", b"x-b3-spanid", b"x-b3-traceid",
    b"x-cloud-trace-context", b"x-correlation-id", b"x-datadog-parent-id", b"x-datadog-trace-id", b"x-request-start",
}  # fmt: skip
_JSON = b"application/json"


@dataclass(slots=True)
class Repetition:
    """What the ordinary way needs of a request that may be repeated, and notes about it.

    `session`: of its token, if that is being read. `found`: the kept answer that was sent; then the same request may be
    answered alike for `caller`, its account, by `token`.
    """

    session: SessionRead | None = None
    found: Found | None = None
    token: str = ""
    caller: str = ""


class RepeatedRequests:
    """Middleware around all others. `path`: of the endpoint."""

    def __init__(self, app: ASGIApp, path: str, answers: KeptAnswers) -> None:
        self._app = app
        self._path = path
        self._answers = answers

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope["type"] == "http" and scope["path"] == self._path and not scope.get("root_path"):
            if scope["method"] == "GET":
                return self._answer(scope, b"", receive, send)
            if scope["method"] == "POST" and _has_short_json(scope["headers"]):
                return self._read(scope, receive, send)
        return self._app(scope, receive, send)

    async def _read(self, scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        receive = _again(message, receive)
        if message["type"] == "http.request" and not message.get("more_body", False):
            await self._answer(scope, message.get("body", b""), receive, send)
        else:
            await self._app(scope, receive, send)

    async def _answer(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        started, state = time.perf_counter(), scope["state"]
        services: Services = state["services"]
        digest = _digest(scope, body, services.operations)
        state[REPETITION] = repetition = Repetition()
        known = self._answers.request(digest)
        if known is None:
            await self._app(scope, receive, send)
            self._know(digest, repetition, None)
            return
        repetition.session = read = services.accounts.sessions.read(known.token_hash)
        if known.response is not None and await _is_unchanged(services, known, known.response, read):
            await self._send(scope, send, known, known.response, started)
            return
        sent = _Sent(send)
        await self._app(scope, receive, sent)
        self._know(digest, repetition, sent.response(services.accounts.sessions.seen(read)))

    def _know(self, digest: bytes, repetition: Repetition, response: SeenResponse | None) -> None:
        """Keep what is known of a request, if a kept answer was sent."""
        if repetition.found is not None:
            token_hash = hash_token(repetition.token)
            self._answers.know(digest, KnownRequest(token_hash, repetition.caller, repetition.found, response))

    @staticmethod
    async def _send(scope: Scope, send: Send, known: KnownRequest, response: SeenResponse, started: float) -> None:
        """Send a response again, and report the request as RequestLog and Instrumentation do."""
        request_id = request_id_of(scope["headers"])
        headers = [*response.before, (ID_HEADER, request_id.encode()), *response.after]
        start: Message = {"type": "http.response.start", "status": response.status, "headers": headers}
        seconds = time.perf_counter() - started
        if WHOLE_RESPONSE in scope.get("extensions", ()):
            await send({**start, "body": response.body})
        else:
            await send(start)
            await send({"type": "http.response.body", "body": response.body})
        found = known.found
        report_repeated(found.field, found.name, seconds, request=request_id, user=known.caller)
        count_response(scope["path"], scope["method"], response.status, time.perf_counter() - started)


async def _is_unchanged(services: Services, known: KnownRequest, response: SeenResponse, read: SessionRead) -> bool:
    """Whether the session and its account are as they were, and the account may have its operation executed at once."""
    try:
        await read.rows
    except Exception:  # noqa: BLE001 - the ordinary way awaits the same, and reports it
        return False
    if not services.accounts.sessions.is_unchanged(response.session, read):
        return False
    slots = services.operations.query_slots
    slots.note(known.caller)
    return slots.admits(known.caller, known.found.cost)


class _Sent:
    """An ASGI `send` that keeps the response which it passes on."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._start: Message = {}
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        self._body = self._body or message.get("body", b"")
        await self._send(message)

    def response(self, session: SeenSession | None) -> SeenResponse | None:
        """Return the response, if it can be sent again: then it has the id of its request, and came in one part."""
        headers = list(self._start.get("headers", ()))
        place = next((number for number, (name, _) in enumerate(headers) if name == ID_HEADER), None)
        if session is None or place is None:
            return None
        return SeenResponse(session, self._start["status"], headers[:place], headers[place + 1 :], self._body)


def _has_short_json(headers: Iterable[Header]) -> bool:
    """Whether a body is announced that the endpoint reads as JSON, and which its client does not ask about before."""
    is_json = is_short = False
    for name, value in headers:
        if name == b"content-type":
            is_json = value.startswith(_JSON)
        elif name == b"content-length":
            is_short = value.isdigit() and int(value[:12]) <= MAX_JSON_BYTES
        elif name == b"expect":
            return False
    return is_json and is_short


def _digest(scope: Scope, body: bytes, operations: Operations) -> bytes:
    """Return a hash of a request; lines end its headers, which therefore cannot be mistaken for each other.

    Messages of waiting generations depend on the epochs of the pauses of providers and of the switch for them, and a
    refill that is due is granted by the first request after a maintenance.
    """
    maintenance = operations.maintenance
    state = b"%d %d %d" % (operations.provider_pauses.epoch, maintenance.epoch, maintenance.is_read_only)
    lines = [name + b": " + value for name, value in scope["headers"] if name not in _CHANGING]
    return hashlib.sha256(
        b"\n".join([state, scope["method"].encode(), scope["query_string"], *lines, b"", body])
    ).digest()


def _again(message: Message, receive: Receive) -> Receive:
    """Return a `receive` that begins with the message that was read."""
    first: Message | None = message

    async def receive_again() -> Message:
        nonlocal first
        if first is None:
            return await receive()
        found, first = first, None
        return found

    return receive_again
