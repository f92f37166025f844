"""Execution of a topic's events, once for all subscribers with the same document, variables, language and rights."""

import asyncio
import json
from collections.abc import Awaitable, Hashable, Mapping
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import Any, NamedTuple, Protocol, cast

from graphql import ExecutionResult, Executor

from models.enum import ErrorCode
from schema.runtime.compilation.executor import PlannedExecutor
from schema.runtime.context import Context
from schema.runtime.document import PreparedOperation
from schema.runtime.error_formatting import format_errors
from schema.runtime.feed import Feed
from schema.runtime.instrumentation import collecting_codes
from schema.runtime.pipeline import DarkroomSchema, build_executor
from schema.runtime.response_json import encode_json
from services.events.topic import Item, Position

_NO_CODES: frozenset[ErrorCode] = frozenset()


class EncodedItem(NamedTuple):
    """The events of one item of a topic: messages of type `next`, as JSON, up to the operation's id."""

    position: Position
    messages: tuple[bytes, ...]
    codes: frozenset[ErrorCode]  # of the errors in them


class Receiver(Protocol):
    """One subscriber of a view."""

    feed: Feed[Any, Any]

    @property
    def is_busy(self) -> bool:
        """Whether it cannot be written to right now; it calls the view's `serve` when it can."""

    def deliver(self, item: EncodedItem) -> None:
        """Send the events of an item."""

    def complete(self) -> None:
        """End the stream: the topic has ended."""

    def fail(self, error: Exception) -> None:
        """End the stream with an error."""

    def fetch_missed(self) -> None:
        """Fetch what stands for the items that are gone."""


@dataclass(frozen=True, slots=True)
class EventOperation:
    """The subscription that a view executes for each event."""

    schema: DarkroomSchema
    prepared: PreparedOperation
    variables: Mapping[str, Any] | None
    cost: int  # of one event

    def executor(self, context: Context) -> PlannedExecutor:
        """Return graphql-core's executor of the subscription, of which each event gets a copy.

        Raises:
            ValueError: the variables are invalid, which opening the subscription would have found.
        """
        return build_executor(self.schema, self.prepared, context, self.variables)

    def key(self, context: Context) -> Hashable:
        """Return what the events depend on besides the topic: the document, its variables, the language, the rights."""
        viewer = context.require_viewer()
        variables = b""
        if (
            self.variables
        ):  # as a digest, which is small; not by orjson, which refuses lone surrogates and large integers
            variables = sha256(json.dumps(self.variables, sort_keys=True).encode()).digest()
        rights = (viewer.id, viewer.role, context.uses_api_key)
        return (self.prepared.text, self.prepared.name, variables, context.locale, rights)


class EventView:
    """Executes and encodes the newest items of a topic for its receivers.

    A receiver that cannot be written to is passed over, and served again when it can: of a topic that keeps its newest
    item it then gets that one. The account's views share its budget of events: while it is used up, views wait.
    """

    __slots__ = (
        "_context",
        "_count",
        "_encoded",
        "_executor",
        "_is_paid",
        "_key",
        "_operation",
        "_pending",
        "_render",
        "_topic",
        "receivers",
    )

    def __init__(self, key: Hashable, feed: Feed[Any, Any], operation: EventOperation, context: Context) -> None:
        self._key = key
        self._topic = feed.topic
        self._render = feed.render
        self._operation = operation
        self._context = context
        slots = context.services.operations.query_slots
        # Counts an event of the account, and returns the seconds until its turn.
        self._count = partial(slots.count_event, context.caller, operation.cost)
        self._executor: Executor[Any] | None = None  # made for the first event
        self.receivers: dict[Receiver, None] = {}
        self._encoded: dict[Position, EncodedItem] = {}
        self._pending: asyncio.Task[None] | asyncio.TimerHandle | None = None
        self._is_paid = False

    @classmethod
    def of(cls, feed: Feed[Any, Any], operation: EventOperation) -> "EventView":
        """Return the view for the subscriber of a feed, a new one if there is none."""
        context = feed.context.of_events(feed.viewer)
        key = operation.key(context)
        view = feed.topic.followers.get(key)
        if view is None:
            view = feed.topic.followers[key] = cls(key, feed, operation, context)
        return cast("EventView", view)

    def add(self, receiver: Receiver) -> None:
        """Send the topic's items to a receiver from now on."""
        self.receivers[receiver] = None
        self.serve(receiver)

    def remove(self, receiver: Receiver) -> None:
        """Stop sending to a receiver; a view without any is gone."""
        self.receivers.pop(receiver, None)
        if not self.receivers:
            self._topic.followers.pop(self._key, None)
            if self._pending is not None:
                self._pending.cancel()

    def changed(self) -> None:
        for receiver in tuple(self.receivers):
            self.serve(receiver)

    def serve(self, receiver: Receiver) -> None:
        """Send a receiver what it has not received, until it cannot be written to."""
        feed, topic = receiver.feed, self._topic
        while not receiver.is_busy and receiver in self.receivers:
            if topic.has_missed(feed.position):
                receiver.fetch_missed()
                return
            item = topic.next_item(feed.position)
            if item is None:
                if topic.has_ended:
                    receiver.complete()
                return
            encoded = self._encoded.get(item.position)
            if encoded is None:
                try:
                    encoded = self._execute_next(item)
                except Exception as error:  # noqa: BLE001 - formatted as any error of an operation
                    receiver.fail(error)
                    return
            if encoded is None:
                return  # all receivers are served when it is there
            receiver.deliver(encoded)
            if topic.keeps_newest and not topic.has_ended:
                return  # it was the only one

    async def encode(self, item: Item[Any]) -> EncodedItem:
        """Execute an item for one receiver, outside the turns of the view."""
        await asyncio.sleep(self._count())
        return self._encode(item.position, [await _result(value) for value in self._execute(item)])

    def _execute_next(self, item: Item[Any]) -> EncodedItem | None:
        """Execute an item for all receivers; None: it takes longer, or has to wait for its turn."""
        if self._pending is not None:
            return None
        if not self._is_paid:
            delay = self._count()
            if delay > 0:
                self._is_paid = True
                self._pending = asyncio.get_running_loop().call_later(delay, self._continue)
                return None
        self._is_paid = False
        results = self._execute(item)
        for result in results:
            if not isinstance(result, ExecutionResult):
                self._pending = asyncio.create_task(self._finish(item, results))
                return None
        return self._keep(self._encode(item.position, cast("list[ExecutionResult]", results)))

    async def _finish(self, item: Item[Any], results: list[ExecutionResult | Awaitable[ExecutionResult]]) -> None:
        try:
            encoded = self._keep(self._encode(item.position, [await _result(result) for result in results]))
        except Exception as error:  # noqa: BLE001 - formatted as any error of an operation
            for receiver in tuple(self.receivers):
                receiver.fail(error)
            return
        finally:
            self._pending = None
        for receiver in tuple(self.receivers):  # also where a newer item has replaced it: that one takes as long
            if receiver.feed.position < item.position and not receiver.is_busy:
                receiver.deliver(encoded)
        self.changed()

    def _continue(self) -> None:
        self._pending = None
        self.changed()

    def _keep(self, encoded: EncodedItem) -> EncodedItem:
        topic = self._topic
        if topic.keeps_newest:
            self._encoded.clear()
        elif len(self._encoded) >= topic.max_items:
            current = {item.position for item in topic.items}
            self._encoded = {position: kept for position, kept in self._encoded.items() if position in current}
        self._encoded[encoded.position] = encoded
        return encoded

    def _execute(self, item: Item[Any]) -> list[ExecutionResult | Awaitable[ExecutionResult]]:
        return [self._execute_event(event) for event in self._render(item.value, self._context)]

    def _execute_event(self, event: Any) -> ExecutionResult | Awaitable[ExecutionResult]:
        executor, self._executor = self._executor or self._operation.executor(self._context), None
        executor.root_value = event
        # Without @defer and @stream, there is one result.
        result = cast("ExecutionResult | Awaitable[ExecutionResult]", executor.execute_operation())
        if isinstance(result, ExecutionResult) and not result.errors:
            self._executor = executor
        else:  # it still has the event and its errors; a copy costs as much as the rest
            self._executor = executor.build_per_event_executor(None)
        return result

    def _encode(self, position: Position, results: list[ExecutionResult]) -> EncodedItem:
        messages, codes = [], _NO_CODES
        for result in results:
            payload: dict[str, object] = {"data": result.data}
            if result.errors:
                with collecting_codes() as found:
                    format_errors(result.errors, self._context)
                codes |= found
                payload["errors"] = [error.formatted for error in result.errors]
            messages.append(next_message(encode_json(payload)))
        return EncodedItem(position, tuple(messages), codes)


async def _result(result: ExecutionResult | Awaitable[ExecutionResult]) -> ExecutionResult:
    return result if isinstance(result, ExecutionResult) else await result


def next_message(payload: bytes) -> bytes:
    """Return a message of type `next`, up to the operation's id."""
    return b'{"type":"next","payload":' + payload + b',"id":'
