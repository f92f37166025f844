"""A subscription on a WebSocket without a task: its events are executed together with those of others."""

import asyncio
from collections.abc import Coroutine, Generator, Sequence
from contextlib import suppress
from typing import Any, Protocol

import structlog
from graphql import GraphQLError
from starlette.websockets import WebSocketDisconnect, WebSocketDisconnected

from models.enum import ErrorCode
from schema.runtime.error_formatting import format_errors
from schema.runtime.event_view import EncodedItem, EventOperation, EventView, encode_json
from schema.runtime.feed import Feed
from schema.runtime.instrumentation import Instrumentation, collecting_codes
from services.core.error import Refusal

log = structlog.get_logger(__name__)

_GONE = (WebSocketDisconnect, WebSocketDisconnected, OSError)  # raised by sending to a client that has left
_RETRY_SECONDS = 1.0


class Connection(Protocol):
    """The socket that a subscription is on."""

    def send_text(self, text: str) -> Coroutine[Any, Any, None]:
        """Send a message; waits while the client does not read."""

    def forget(self, operation_id: str) -> None:
        """Make the id of an operation that has ended available again."""


class LiveSubscriber:
    """One operation of a socket.

    A message is given to the server at once. Where the client does not read, the message that did not fit waits in a
    task, and the view passes over this subscriber until it is written.
    """

    __slots__ = (
        "_codes",
        "_connection",
        "_instruments",
        "_operation",
        "_prefix",
        "_view",
        "_writing",
        "feed",
        "id",
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
        self.id = operation_id
        self.feed = feed
        self._operation = operation
        self._instruments = instrumentation
        self._prefix = f'{{"id":{encode_json(operation_id)},"type":'
        self._codes: set[ErrorCode] | None = None
        self._view: EventView | None = None
        self._writing: asyncio.Task[None] | None = None  # waits until the client reads

    def start(self) -> None:
        """Send what is new since the stream was opened, and everything from now on."""
        self.feed.detach()
        self.feed.connection.notify = self._check
        self._view = EventView.of(self.feed, self._operation)
        self._view.add(self)

    @property
    def is_busy(self) -> bool:
        return self._writing is not None

    @property
    def task(self) -> asyncio.Task[None] | None:
        """The task of a message that waits until the client reads."""
        return self._writing

    def deliver(self, item: EncodedItem) -> None:
        if not self._may_continue():
            return
        self.feed.position = item.position
        if item.codes:
            self._add_codes(item.codes)
        self._send(self._messages(item))

    def complete(self) -> None:
        self._send([f'{self._prefix}"complete"}}'])
        self.close(is_disconnected=False)

    def fail(self, error: Exception) -> None:
        reported = GraphQLError(str(error), original_error=error)
        with collecting_codes() as codes:
            format_errors([reported], self.feed.context)
        self._add_codes(codes)
        payload = encode_json({"data": None, "errors": [reported.formatted]})
        self._send([f'{self._prefix}"next","payload":{payload}}}', f'{self._prefix}"complete"}}'])
        self.close(is_disconnected=False)

    def fetch_missed(self) -> None:
        self._writing = asyncio.create_task(self._send_missed())

    def close(self, *, is_disconnected: bool = True) -> None:
        """End the subscription without a message. `is_disconnected`: by the client."""
        view, self._view = self._view, None
        if view is None:
            return
        view.remove(self)
        self.feed.close()
        self._connection.forget(self.id)
        if is_disconnected and self._writing is not None:
            self._writing.cancel()
        self._instruments.end(self._codes or (), is_disconnected=is_disconnected)

    def _check(self) -> None:
        """Apply a change of the session: the stream ends with it, and shows what the new role may see."""
        if self._view is None or not self._may_continue():
            return
        view = EventView.of(self.feed, self._operation)
        if view is not self._view:
            self._view.remove(self)
            self._view = view
            view.add(self)

    def _may_continue(self) -> bool:
        try:
            self.feed.check()
        except Refusal as refusal:
            self.fail(refusal)
            return False
        return self._view is not None

    def _add_codes(self, codes: "frozenset[ErrorCode] | set[ErrorCode]") -> None:
        self._codes = (self._codes or set()) | codes

    def _send(self, texts: Sequence[str]) -> None:
        """Give messages to the server in their order; what it does not take now waits in a task."""
        if self._writing is not None:
            self._writing = asyncio.create_task(self._send_after(self._writing, texts))
            return
        for number, text in enumerate(texts, 1):
            try:
                started = Started(self._connection.send_text(text))
            except _GONE:  # the socket's handler ends its operations
                return
            if started.is_waiting:
                self._writing = asyncio.create_task(self._send_later(started, texts[number:]))
                return

    async def _send_later(self, started: "Started", texts: Sequence[str]) -> None:
        with suppress(*_GONE):
            await started
            await self._send_all(texts)
            self._written()

    async def _send_after(self, writing: asyncio.Task[None], texts: Sequence[str]) -> None:
        with suppress(*_GONE):
            await asyncio.wait([writing])
            await self._send_all(texts)

    async def _send_all(self, texts: Sequence[str]) -> None:
        for text in texts:
            await self._connection.send_text(text)

    async def _send_missed(self) -> None:
        view, feed = self._view, self.feed
        assert view is not None  # noqa: S101 - it has asked for this
        try:
            for item in await feed.topic.missed_items(feed.position):
                encoded = await view.encode(item)
                feed.position = encoded.position
                await self._send_all(self._messages(encoded))
        except _GONE:
            return
        except Exception as error:  # noqa: BLE001 - the database is away
            log.warning("socket.missed_not_read", error=repr(error))
            await asyncio.sleep(_RETRY_SECONDS)
        self._written()

    def _messages(self, item: EncodedItem) -> list[str]:
        return [f'{self._prefix}"next","payload":{payload}}}' for payload in item.payloads]

    def _written(self) -> None:
        """Continue with what is new, after the client has read."""
        self._writing = None
        if self._view is not None and self._may_continue():
            self._view.serve(self)


class Started:
    """A coroutine that was run to its first wait, outside a task; awaited, it continues.

    Raises what it raises before it waits.
    """

    __slots__ = ("_coroutine", "_waits_for", "is_waiting")

    def __init__(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._coroutine = coroutine
        self.is_waiting = True
        try:
            self._waits_for = coroutine.send(None)
        except StopIteration:
            self.is_waiting = False

    def __await__(self) -> Generator[Any, Any, None]:
        coroutine, waits_for = self._coroutine, self._waits_for
        try:
            while True:
                try:
                    yield waits_for
                except BaseException as error:  # noqa: BLE001 - given to the coroutine, a cancellation, too
                    waits_for = coroutine.throw(error)
                else:
                    waits_for = coroutine.send(None)
        except StopIteration:
            return
