"""What every subscription stands on: subscribe first, then read, then listen, and read again when it is quiet."""

from contextlib import AsyncExitStack
from typing import Self

from models.enum import Role
from schema.runtime.context import Context
from services.accounts.connection_registry import OpenConnection
from services.core.error import UnauthenticatedError
from services.integrations.messaging.bus import Gap, Subscription


class ChannelReader:
    """A channel of the bus, watched for one subscriber whose sign-in must stay good."""

    def __init__(self, context: Context, channel: str) -> None:
        self._context = context
        self._channel = channel
        self._stack = AsyncExitStack()
        self._messages: Subscription | None = None
        self._presence: OpenConnection | None = None
        self._role: Role | None = None

    async def __aenter__(self) -> Self:
        context = self._context
        viewer, presences = context.require_viewer(), context.services.accounts.connections
        messages = await self._stack.enter_async_context(context.services.integrations.bus.subscribe(self._channel))
        assert context.token is not None  # noqa: S101 - else there were no viewer
        self._presence = self._stack.enter_context(presences.register(context.token, viewer, messages.interrupt))
        self._messages, self._role = messages, viewer.role
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def next(self) -> dict[str, object] | None:
        """The next message; None when it has been quiet for a while or something was missed: read the row.

        Raises:
            UnauthenticatedError: the subscriber's sign-in has ended.
        """
        found = await self.hear()
        return found if isinstance(found, dict) else None

    async def hear(self, within: float | None = None) -> dict[str, object] | Gap | None:
        """The next message; GAP when something was missed, None after silence: of `within` seconds, where given.

        Raises:
            UnauthenticatedError: the subscriber's sign-in has ended.
        """
        messages, presence = self._messages, self._presence
        assert messages is not None  # noqa: S101 - only used inside `async with`
        assert presence is not None  # noqa: S101 - the same
        every = self._context.services.events.reread_seconds
        found = await messages.get(timeout=every if within is None else min(within, every))
        if presence.signed_out:
            raise UnauthenticatedError
        if presence.user.role is not self._role:  # which decides what the stream may tell
            self._role = presence.user.role
            self._context.set_viewer(presence.user)
        return found
