"""A subscription on a WebSocket without a task: its events are executed together with those of others."""

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Protocol

import structlog
from graphql import GraphQLError
from strawberry.http.exceptions import WebSocketDisconnected

from models.enum import ErrorCode
from schema.runtime.error_formatting import format_errors
from schema.runtime.event_executor import EventOperation
from schema.runtime.event_view import EventView, next_message
from schema.runtime.feed import Feed
from schema.runtime.instrumentation import Instrumentation, collecting_codes
from schema.runtime.response_json import encode_json
from services.core.error import Refusal
from services.events.topic import Position

log = structlog.get_logger(__name__)

_RETRY_SECONDS = 1.0
_COMPLETE = b'{"type":"complete","id":'


class Writer(Protocol):
    """Takes messages of a socket."""

    def write(self, body: bytes, tail: bytes) -> bool:
        """Send a message of two parts, in UTF-8, at once; False where the client does not read, or is gone."""


class Connection(Protocol):
    """The socket that a subscription is on."""

    @property
    def writer(self) -> Writer:
        """What takes its messages."""

    def send_text(self, text: str) -> Coroutine[Any, Any, None]:
        """Send a message; waits while the client does not read."""

    def forget(self, operation_id: str) -> None:
        """Make the id of an operation that has ended available again."""


class LiveSubscriber:
    """One operation of a socket.

    A message is given to the server at once. Where the client does not read, the message waits in a task, and the view
    passes over this subscriber until it is written.
    """

    __slots__ = (
        "_codes",
        "_connection",
        "_instruments",
        "_is_for_admins",
        "_operation",
        "_tail",
        "_writer",
        "feed",
        "id",
        "position",
        "task",
        "view",
    )

    def __init__(
        self,
        connection: Connection,
        operation_id: str,
        feed: Feed[Any, Any],
        operation: EventOperation,
        instrumentation: Instrumentation,
    ) -> None:
        self._connection = connection
        self._writer = connection.writer
        self.id = operation_id
        self.feed = feed
        self.position = feed.position
        self._is_for_admins = feed.is_for_admins
        self._operation = operation
        self._instruments = instrumentation
        self._tail = _tail(operation_id)
        self._codes: set[ErrorCode] | None = None
        self.view: EventView | None = None
        self.task: asyncio.Task[None] | None = None  # of messages that wait until the client reads

    def start(self) -> None:
        """Send what is new since the stream was opened, and everything from now on."""
        self.feed.detach()
        self.feed.connection.notify = self.check_session
        self.position = self.feed.position
        view = self.view = EventView.of(self.feed, self._operation)
        view.attach(self)
        if self._may_continue():  # its session may have ended while the stream was opened
            view.serve(self)

    def deliver(self, position: Position, messages: tuple[bytes, ...], codes: frozenset[ErrorCode]) -> None:
        # Where a session ends, `check_session` is called; reading it here, too, would be a third of what this touches.
        if self._is_for_admins and not self._may_continue():
            return
        self.position = position
        if codes:
            self._add_codes(codes)
        if len(messages) > 1 or self.task is not None or not self._writer.write(messages[0], self._tail):
            self._send(messages)

    def complete(self) -> None:
        self._send([_COMPLETE])
        self.close(is_disconnected=False)

    def fail(self, error: Exception) -> None:
        reported = GraphQLError(str(error), original_error=error)
        with collecting_codes() as codes:
            format_errors([reported], self.feed.context)
        self._add_codes(codes)
        payload = encode_json({"data": None, "errors": [reported.formatted]})
        self._send([next_message(payload), _COMPLETE])
        self.close(is_disconnected=False)

    def fetch_missed(self) -> None:
        self._wait_for(self._send_missed())

    def close(self, *, is_disconnected: bool = True) -> None:
        """End the subscription without a message. `is_disconnected`: by the client."""
        view, self.view = self.view, None
        if view is None:
            return
        view.remove(self)
        self.feed.close()
        self._connection.forget(self.id)
        if is_disconnected and self.task is not None:
            self.task.cancel()
        self._instruments.end(self._codes or (), is_disconnected=is_disconnected)

    def check_session(self) -> None:
        """Apply a change of the session: the stream ends with it, and shows what the new role may see."""
        if self.view is None or not self._may_continue():
            return
        view = EventView.of(self.feed, self._operation)
        if view is not self.view:
            self.view.remove(self)
            self.view = view
            view.attach(self)
            view.serve(self)

    def _may_continue(self) -> bool:
        try:
            self.feed.check()
        except Refusal as refusal:
            self.fail(refusal)
            return False
        return self.view is not None

    def _add_codes(self, codes: "frozenset[ErrorCode] | set[ErrorCode]") -> None:
        self._codes = (self._codes or set()) | codes

    def _send(self, bodies: Sequence[bytes]) -> None:
        """Give messages to the server in their order; what it does not take now waits in a task."""
        if self.task is not None:
            self._wait_for(self._send_after(self.task, bodies))
            return
        for number, body in enumerate(bodies):
            if not self._writer.write(body, self._tail):
                self._wait_for(self._send_later(bodies[number:]))
                return

    def _wait_for(self, writing: Coroutine[Any, Any, None]) -> None:
        self.task = asyncio.create_task(writing)

    async def _send_later(self, bodies: Sequence[bytes]) -> None:
        with suppress(WebSocketDisconnected):
            await self._send_all(bodies)
            self._written()

    async def _send_after(self, writing: asyncio.Task[None], bodies: Sequence[bytes]) -> None:
        with suppress(WebSocketDisconnected):
            await asyncio.wait([writing])
            await self._send_all(bodies)

    async def _send_all(self, bodies: Sequence[bytes]) -> None:
        for body in bodies:
            await self._connection.send_text((body + self._tail).decode())

    async def _send_missed(self) -> None:
        view, feed = self.view, self.feed
        assert view is not None  # noqa: S101 - it has asked for this
        try:
            for item in await feed.topic.missed_items(self.position):
                position, messages, codes = await view.encode(item)
                if self.view is not view:  # the session has ended, or its rights have changed
                    break
                self.position = position
                self._add_codes(codes)
                await self._send_all(messages)
        except WebSocketDisconnected:
            return
        except Exception as error:  # noqa: BLE001 - the database is away
            log.warning("socket.missed_not_read", error=error)
            await asyncio.sleep(_RETRY_SECONDS)
        self._written()

    def _written(self) -> None:
        """Continue with what is new, after the client has read."""
        self.task = None
        if self.view is not None and self._may_continue():
            self.view.serve(self)


@lru_cache(1024)
def _tail(operation_id: str) -> bytes:
    """Return the end of each message of an operation: one object for all sockets, many of which use the same ids."""
    return encode_json(operation_id) + b"}"
