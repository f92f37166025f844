"""The base of all subscriptions: subscribe, then read the rows, then receive; read again after a timeout or a gap."""

from contextlib import AsyncExitStack
from typing import Self

from models.enum import Role
from schema.runtime.context import Context
from services.accounts.connection_registry import OpenConnection
from services.core.error import TooManySubscriptionsError, UnauthenticatedError
from services.integrations.messaging.bus import Gap, Subscription


class ChannelReader:
    """Receives the messages of one channel of the bus for a subscriber, as long as the subscriber's session lasts."""

    def __init__(self, context: Context, channel: str) -> None:
        self._context = context
        self._channel = channel
        self._stack = AsyncExitStack()
        self._messages: Subscription | None = None
        self._connection: OpenConnection | None = None
        self._role: Role | None = None

    async def __aenter__(self) -> Self:
        context = self._context
        viewer, connections = context.require_viewer(), context.services.accounts.connections
        messages = await self._stack.enter_async_context(context.services.integrations.bus.subscribe(self._channel))
        assert context.token is not None  # noqa: S101 - there is a viewer
        subscription = connections.subscription(context.token, viewer, messages.interrupt)
        try:
            self._connection = self._stack.enter_context(subscription)
        except TooManySubscriptionsError:
            await self._stack.aclose()
            raise
        self._messages, self._role = messages, viewer.role
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def receive(self, within: float | None = None) -> dict[str, object] | Gap | None:
        """Return the next message, GAP when messages were lost, or None after `within` seconds.

        `within` is at most, and by default, the interval at which subscriptions read their rows again.

        Raises:
            UnauthenticatedError: the subscriber's session has ended.
        """
        messages, connection = self._messages, self._connection
        assert messages is not None  # noqa: S101 - only used inside `async with`
        assert connection is not None  # noqa: S101 - the same
        reread_seconds = self._context.services.events.reread_seconds
        event = await messages.get(timeout=reread_seconds if within is None else min(within, reread_seconds))
        if connection.signed_out:
            raise UnauthenticatedError
        if connection.user.role is not self._role:  # the role decides what the stream may show
            self._role = connection.user.role
            self._context.set_viewer(connection.user)
        return event

    async def receive_message(self) -> dict[str, object] | None:
        """Return the next message; None after a timeout or when messages were lost: read the row.

        Raises:
            UnauthenticatedError: the subscriber's session has ended.
        """
        event = await self.receive()
        return event if isinstance(event, dict) else None
