"""Execution of a topic's events, once for all subscribers with the same document, variables, language and rights."""

import asyncio
import json
from collections.abc import Awaitable, Hashable
from hashlib import sha256
from typing import Any, Protocol, TypeAlias, cast

from graphql import ExecutionResult
from graphql.pyutils import gather_with_cancel

from models.enum import ErrorCode
from schema.runtime.context import Context
from schema.runtime.error_formatting import format_errors
from schema.runtime.event_executor import EventExecutor, EventOperation, Executed
from schema.runtime.feed import Feed, as_it_is
from schema.runtime.instrumentation import collecting_codes
from schema.runtime.response_json import encode_json
from services.events.topic import Item, Position

Finished: TypeAlias = dict[str, Any] | ExecutionResult

_DATA, _DATA_END = b'{"type":"next","payload":{"data":', b'},"id":'  # around the data of an event without errors
_CURRENT_SESSION = "isCurrent"
_NO_CODES: frozenset[ErrorCode] = frozenset()


# The events of one item of a topic: its position, messages of type `next`, as JSON, up to the operation's id, and the
# codes of the errors in them. A plain tuple, which is made for every message.
EncodedItem: TypeAlias = tuple[Position, tuple[bytes, ...], frozenset[ErrorCode]]


class Receiver(Protocol):
    """One subscriber of a view."""

    position: Position  # of the last item that it was sent
    view: "EventView | None"  # None: it has ended
    task: asyncio.Task[None] | None  # while it cannot be written to; it calls the view's `serve` when it can

    def deliver(self, position: Position, messages: tuple[bytes, ...], codes: frozenset[ErrorCode]) -> None:
        """Send the events of an item, see EncodedItem."""

    def complete(self) -> None:
        """End the stream: the topic has ended."""

    def fail(self, error: Exception) -> None:
        """End the stream with an error."""

    def fetch_missed(self) -> None:
        """Fetch what stands for the items that are gone."""


def view_key(operation: EventOperation, context: Context) -> Hashable:
    """Return what the events depend on besides the topic: the document, its variables, the language, the rights.

    The session counts where it shows: `isCurrent` is the one field that depends on it, by what it has proved besides.
    """
    viewer, prepared = context.require_viewer(), operation.prepared
    variables = b""
    if operation.variables:  # as a digest, which is small; orjson refuses lone surrogates and large integers
        variables = sha256(json.dumps(operation.variables, sort_keys=True).encode()).digest()
    membership = (viewer.is_member, viewer.member_until)
    rights = (viewer.id, viewer.role, *membership, context.uses_api_key, context.is_admin)
    factor = (viewer.second_factor_since, viewer.proved_at)
    session = context.token if _CURRENT_SESSION in prepared.text else None
    return (prepared.text, prepared.name, variables, context.locale, rights, factor, session)


class EventView:
    """Executes and encodes the newest items of a topic for its receivers.

    A receiver that cannot be written to is passed over, and served again when it can: of a topic that keeps its newest
    item it then gets that one. The account's views share its budget of events: while it is used up, views wait.
    """

    __slots__ = (
        "_context",
        "_cost",
        "_encoded",
        "_executor",
        "_is_paid",
        "_key",
        "_newest",
        "_pending",
        "_reads_columns",
        "_render",
        "_topic",
        "_turns",
        "receivers",
    )

    def __init__(self, key: Hashable, feed: Feed[Any, Any], operation: EventOperation, context: Context) -> None:
        self._key = key
        self._topic = feed.topic
        self._render = feed.render
        self._reads_columns = feed.render is as_it_is
        self._context = context
        self._turns = context.services.operations.query_slots.event_turns(context.caller)
        self._cost = operation.cost
        self._executor = EventExecutor(operation, context)
        self.receivers: tuple[Receiver, ...] = ()
        self._newest: EncodedItem | None = None  # where there are several receivers
        self._encoded: dict[Position, EncodedItem] | None = None  # of a topic that keeps several items
        self._pending: asyncio.Task[None] | asyncio.TimerHandle | None = None
        self._is_paid = False

    @classmethod
    def of(cls, feed: Feed[Any, Any], operation: EventOperation) -> "EventView":
        """Return the view for the subscriber of a feed, a new one if there is none."""
        context = feed.context.of_events(feed.viewer)
        key = view_key(operation, context)
        for follower in feed.topic.followers:
            if isinstance(follower, cls) and follower._key == key:
                return follower
        view = cls(key, feed, operation, context)
        feed.topic.follow(view)
        return view

    def attach(self, receiver: Receiver) -> None:
        """Send the topic's changes to a receiver, whose `view` this is, from now on; `serve` sends the items so far."""
        self.receivers = (*self.receivers, receiver)

    def remove(self, receiver: Receiver) -> None:
        """Stop sending to a receiver; a view without any is gone."""
        place = self.receivers.index(receiver)
        self.receivers = self.receivers[:place] + self.receivers[place + 1 :]
        if not self.receivers:
            self._turns.close()
            self._topic.unfollow(self)
            if self._pending is not None:
                self._pending.cancel()

    def changed(self) -> None:
        for receiver in self.receivers:
            self.serve(receiver)

    def replaced(self, position: Position, columns: dict[str, Any]) -> None:
        encoded = None
        for receiver in self.receivers:
            if receiver.task is not None or receiver.view is not self:
                continue
            if encoded is None:
                try:
                    encoded = self._execute_next(position, None, columns)
                except Exception as error:  # noqa: BLE001 - as in `serve`
                    receiver.fail(error)
                    continue
                if encoded is None:
                    return
            position, messages, codes = encoded
            receiver.deliver(position, messages, codes)
        # Of one receiver it would only be in the way of what the processor's cache keeps.
        self._newest = encoded if len(self.receivers) > 1 else None

    def serve(self, receiver: Receiver) -> None:
        """Send a receiver what it has not received, until it cannot be written to."""
        topic = self._topic
        while receiver.task is None and receiver.view is self:
            position = receiver.position
            if topic.has_missed(position):
                receiver.fetch_missed()
                return
            item = topic.next_item(position)
            if item is None:
                if topic.has_ended:
                    receiver.complete()
                return
            encoded = self._newest
            if encoded is None or encoded[0] != item.position:
                encoded = self._encoded.get(item.position) if self._encoded else None
            if encoded is None:
                try:
                    encoded = self._execute_next(*item)
                except Exception as error:  # noqa: BLE001 - formatted as any error of an operation
                    receiver.fail(error)
                    return
                if encoded is None:
                    return  # all receivers are served when it is there
                self._keep(encoded)
            receiver.deliver(*encoded)
            if topic.keeps_newest and not topic.has_ended:
                return  # it was the only one

    async def encode(self, item: Item[Any]) -> EncodedItem:
        """Execute an item for one receiver, outside the turns of the view."""
        events = self._render(item.value, self._context)
        await asyncio.sleep(self._turns.count(self._cost * len(events)))
        return self._encode(item.position, await _finished(list(map(self._executor.execute, events))))

    def _execute_next(
        self, position: Position, value: Any, columns: dict[str, Any] | None = None
    ) -> EncodedItem | None:
        """Execute an item for all receivers; None: it takes longer, or has to wait for its turn.

        `columns`: of the topic's newest item, instead of its value.
        """
        if self._pending is not None:
            return None
        events = self._render(value, self._context) if columns is None else []
        if not self._is_paid:
            delay = self._turns.count(self._cost * (len(events) if columns is None else 1))
            if delay > 0:
                self._is_paid = True
                self._pending = asyncio.get_running_loop().call_later(delay, self._continue)
                return None
        self._is_paid = False
        if columns is not None:
            data = self._executor.execute_columns(columns) if self._reads_columns else None
            if data is not None:  # of almost every message
                return (position, (_DATA + encode_json(data) + _DATA_END,), _NO_CODES)
            value = self._topic.value_of(columns)
            if value is None:
                return None
            events = self._render(value, self._context)
        if len(events) == 1:
            result = self._executor.execute(events[0])
            if type(result) is dict:
                return (position, (_DATA + encode_json(result) + _DATA_END,), _NO_CODES)
            results = [result]
        else:
            results = list(map(self._executor.execute, events))
        if any(isinstance(result, Awaitable) for result in results):
            self._pending = asyncio.create_task(self._finish(position, results))
            return None
        return self._encode(position, cast("list[Finished]", results))

    async def _finish(self, position: Position, results: list[Executed]) -> None:
        try:
            encoded = self._keep(self._encode(position, await _finished(results)))
        except Exception as error:  # noqa: BLE001 - formatted as any error of an operation
            for receiver in self.receivers:
                receiver.fail(error)
            return
        finally:
            self._pending = None
        if self._topic.keeps_newest:  # else a receiver may have to be sent earlier items first
            for receiver in self.receivers:  # also where a newer item has replaced it: that one takes as long
                if receiver.position < position and receiver.task is None:
                    receiver.deliver(*encoded)
        self.changed()

    def _continue(self) -> None:
        self._pending = None
        self.changed()

    def _keep(self, encoded: EncodedItem) -> EncodedItem:
        topic, self._newest = self._topic, encoded
        if topic.keeps_newest:
            return encoded
        if self._encoded is None:
            self._encoded = {}
        elif len(self._encoded) >= topic.max_items:
            current = {item.position for item in topic.items}
            self._encoded = {position: kept for position, kept in self._encoded.items() if position in current}
        self._encoded[encoded[0]] = encoded
        return encoded

    def _encode(self, position: Position, results: list[Finished]) -> EncodedItem:
        messages, codes = [], _NO_CODES
        for result in results:
            if isinstance(result, dict):
                messages.append(_DATA + encode_json(result) + _DATA_END)
                continue
            payload: dict[str, object] = {"data": result.data}
            if result.errors:
                with collecting_codes() as found:
                    format_errors(result.errors, self._context)
                codes |= found
                payload["errors"] = [error.formatted for error in result.errors]
            messages.append(next_message(encode_json(payload)))
        return (position, tuple(messages), codes)


async def _finished(results: list[Executed]) -> list[Finished]:
    """Wait for the results together, so that data loaders read for all events of an item at once."""
    waiting = [place for place, result in enumerate(results) if isinstance(result, Awaitable)]
    found = await gather_with_cancel(*[cast("Awaitable[ExecutionResult]", results[place]) for place in waiting])
    for place, result in zip(waiting, found, strict=True):
        results[place] = result
    return cast("list[Finished]", results)


def next_message(payload: bytes) -> bytes:
    """Return a message of type `next`, up to the operation's id."""
    return b'{"type":"next","payload":' + payload + b',"id":'
