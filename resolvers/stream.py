"""What every subscription stands on: subscribe first, then read, then listen, and read again when it is quiet."""

import asyncio
from contextlib import AsyncExitStack
from typing import Self

from schema.context import Context
from services.integrations.bus import Gap, Subscription


class Watch:
    """A channel of the bus, watched for one subscriber whose sign-in must stay good."""

    def __init__(self, context: Context, channel: str) -> None:
        self._context = context
        self._channel = channel
        self._stack = AsyncExitStack()
        self._messages: Subscription | None = None
        self._checked_at = 0.0

    async def __aenter__(self) -> Self:
        self._messages = await self._stack.enter_async_context(self._context.services.bus.subscribe(self._channel))
        self._checked_at = asyncio.get_running_loop().time()
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
        assert self._messages is not None  # noqa: S101 - only used inside `async with`
        every = self._context.services.reread_seconds
        found = await self._messages.get(timeout=every if within is None else min(within, every))
        now = asyncio.get_running_loop().time()
        if now - self._checked_at >= every:
            await self._context.still_signed_in()
            self._checked_at = now
        return found
