"""The events of one subscriber: those with which its subscription opens, then those of its topic."""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

from models import User
from schema.runtime.context import Context
from schema.runtime.live_operation import live_operation
from services.accounts.session import SessionState
from services.core.error import UnauthenticatedError
from services.events.topic import Item, Position, Topic

E = TypeVar("E")
T = TypeVar("T", bound=Topic[Any])


def as_it_is(value: E, _: Context) -> list[E]:
    """Return the event of an item that is one itself, a row, so that its columns may stand for it."""
    return [value]


class Feed(Generic[T, E]):
    """What one subscriber is sent, as long as its session lasts.

    `render` returns the source objects of the events for one item of the topic. `is_for_admins`: the stream ends
    with the admin's role, too.
    """

    __slots__ = (
        "_changed",
        "_user",
        "connection",
        "context",
        "is_for_admins",
        "is_live",
        "position",
        "render",
        "topic",
    )

    def __init__(
        self,
        context: Context,
        topic: T,
        render: Callable[[Any, Context], list[E]],
        *,
        is_for_admins: bool,
    ) -> None:
        self.context = context
        self.topic = topic
        self.render = render
        self.is_for_admins = is_for_admins
        self.position: Position = ()
        self.is_live = False  # what it opens with has been sent: the rest is the same for all subscribers of the topic
        viewer = context.require_viewer()
        assert context.token is not None  # noqa: S101 - there is a viewer
        self._user = viewer  # whose role is known to the context
        self._changed: asyncio.Event | None = None
        connections = context.services.accounts.connections
        self.connection = connections.open_subscription(context.credential, viewer, self.changed)

    @property
    def viewer(self) -> User:
        """The subscriber's account, whose rights may have changed since it subscribed."""
        return self.connection.user

    def check(self) -> None:
        """Check that the session lasts; apply a change of the rights, which decide what events show.

        Raises:
            UnauthenticatedError: the session has ended.
            ForbiddenError, SecondFactorError: the stream is for admins, and the subscriber is none any more.
        """
        connection, context = self.connection, self.context
        if connection.signed_out or context.viewer is None:
            raise UnauthenticatedError
        user = connection.user
        if user is not self._user:
            if SessionState.of(user) != SessionState.of(self._user):
                context.set_viewer(user, is_authenticated=True)
            self._user = user
        if self.is_for_admins:
            context.require_admin()

    def changed(self) -> None:
        """Continue with what is new: an item of the topic, or the state of the session."""
        if self._changed is not None:
            self._changed.set()

    def replaced(self, position: Position, columns: dict[str, Any]) -> None:
        """Continue with the topic's newest item."""
        self.changed()

    async def events(self, opening: AsyncIterable[Item[Any]] | list[Item[Any]] | None = None) -> AsyncIterator[E]:
        """Yield the events of `opening`, then those of the topic until it ends.

        Raises:
            UnauthenticatedError, ForbiddenError: as in `check`.
        """
        final: list[E] = []  # of the last item, so that it is known to be the last when it is sent
        if isinstance(opening, list):
            final = [event for item in opening for event in self.render(item.value, self.context)]
            self.position = max([self.position, *(item.position for item in opening)])
        elif opening is not None:
            async for item in opening:
                for event in final:
                    yield event
                final = self.render(item.value, self.context)
                self.position = item.position
        for event in final[:-1]:
            yield event
        self.is_live = not self.topic.has_ended
        for event in final[-1:]:
            yield event
        operation = live_operation.get()
        if not final and self.is_live and operation is not None:
            operation.is_handed_over = True  # without an event to wait for
            return
        self.context.is_live = True
        self._changed = asyncio.Event()
        self.topic.follow(self)
        while True:
            self._changed.clear()
            has_missed = self.topic.has_missed(self.position)
            items = (
                await self.topic.missed_items(self.position) if has_missed else self.topic.items_after(self.position)
            )
            for item in items:
                self.position = item.position
                for event in self.render(item.value, self.context):
                    self.check()
                    yield event
            if not items:
                if self.topic.has_ended:
                    return
                await self._changed.wait()
                self.check()

    def detach(self) -> None:
        """Stop waiting in `events`: the topic's next items are taken by others."""
        self.topic.unfollow(self)
        self._changed = None

    def close(self) -> None:
        """Leave the topic."""
        self.detach()
        self.context.services.accounts.connections.close_subscription(self.connection)
        self.topic.leave()


@asynccontextmanager
async def follow(
    context: Context,
    join: Awaitable[T],
    render: Callable[[Any, Context], list[E]],
    *,
    is_for_admins: bool = False,
) -> AsyncIterator[Feed[T, E]]:
    """Subscribe the viewer to a topic for the length of the block, or of its stream where the transport takes it over.

    Raises:
        TooManySubscriptionsError: the account has as many open as it may.
    """
    topic = await join
    try:
        feed = Feed(context, topic, render, is_for_admins=is_for_admins)
    except BaseException:
        topic.leave()
        raise
    operation = live_operation.get()
    if operation is not None:
        operation.feed = feed
    try:
        yield feed
    finally:
        if operation is None or not operation.is_handed_over:
            feed.close()
