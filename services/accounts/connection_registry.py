"""Who is connected to this process right now, and whether their sign-ins are still good."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import structlog

from models import User
from services.accounts.api_key import ApiKeyService, is_api_key
from services.accounts.session import SessionService
from services.events.payload import SIGN_INS_CHANNEL
from services.integrations.messaging.bus import Bus

log = structlog.get_logger(__name__)

_AT_ONCE = 500  # tokens in one statement


class OpenConnection:
    """One socket or stream. `user`: as its account was seen last; `is_over`: its sign-in has ended."""

    def __init__(self, token: str, user: User, tell: Callable[[], None]) -> None:
        self.token = token
        self.user = user
        self.is_over = False
        self.tell = tell


class ConnectionRegistry:
    """Every socket and stream of this process, each told when its sign-in ends or its account's role changes.

    Whoever ends sign-ins says so on the bus, and all of that account are looked at at once. Messages may be lost, so
    every `every` seconds all are looked at, with one statement for hundreds of them; nobody else needs to ask.
    """

    def __init__(self, bus: Bus, sessions: SessionService, api_keys: ApiKeyService, *, every: float) -> None:
        self._bus = bus
        self._sessions = sessions
        self._api_keys = api_keys
        self._every = every
        self._here: set[OpenConnection] = set()
        self._looking: asyncio.Task[None] | None = None

    @contextmanager
    def of(self, token: str, user: User, tell: Callable[[], None]) -> Iterator[OpenConnection]:
        """Be looked after for the length of the block; `tell` is called when there is something new to be seen."""
        if self._looking is None or self._looking.done():
            self._looking = asyncio.create_task(self._look_again_and_again(), name="sign-ins")
        presence = OpenConnection(token, user, tell)
        self._here.add(presence)
        try:
            yield presence
        finally:
            self._here.discard(presence)

    async def aclose(self) -> None:
        """Stop looking."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    async def _look_again_and_again(self) -> None:
        async with self._bus.subscribe(SIGN_INS_CHANNEL) as messages:
            while True:
                news = await messages.get(timeout=self._every)
                named = news.get("user") if isinstance(news, dict) else None
                try:
                    await self._look([one for one in self._here if named is None or one.user.id == named])
                except Exception as error:  # noqa: BLE001 - a database that is away comes back, and then we know
                    log.warning("presence.not_looked", error=repr(error))

    async def _look(self, here: list[OpenConnection]) -> None:
        for start in range(0, len(here), _AT_ONCE):
            some = here[start : start + _AT_ONCE]
            known = await self._users_of({one.token for one in some})
            for one in some:
                seen, before = known.get(one.token), one.user
                one.is_over, one.user = seen is None, seen or before
                if one.is_over or one.user.role is not before.role:
                    one.tell()

    async def _users_of(self, tokens: Iterable[str]) -> dict[str, User]:
        keys = [token for token in tokens if is_api_key(token)]
        others = [token for token in tokens if not is_api_key(token)]
        return (await self._sessions.users_of(others) if others else {}) | (
            await self._api_keys.users_of(keys) if keys else {}
        )
