"""The sockets and streams that are open in this process, and whether their sessions are still valid."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable

import structlog

from models import User
from services.accounts.api_key import ApiKeyService, is_api_key
from services.accounts.identity.external_sign_in import ExternalSignIns
from services.accounts.result_mail.presence import Presence
from services.accounts.session import SessionService, SessionState
from services.core.error import TooManySubscriptionsError
from services.events.payload import SIGN_INS_CHANNEL
from services.integrations.identity.issuer import is_external_token
from services.integrations.messaging.bus import Bus

log = structlog.get_logger(__name__)

_BATCH = 500  # tokens in one statement


class Credential:
    """The token of a request, or of a socket, which may replace it while it is open.

    `user_id`: the account for which the registry checks it, the only one whose tokens may replace it.
    """

    __slots__ = ("token", "user_id")

    def __init__(self, token: str | None) -> None:
        self.token = token
        self.user_id: str | None = None


class OpenConnection:
    """One socket or stream.

    `user`: the account's row as of the last change of what is checked. `signed_out`: the token no longer works.
    `notify` is called after the token stopped working, or its SessionState changed. `is_program`: as in `register`.
    """

    __slots__ = ("credential", "is_program", "notify", "signed_out", "user")

    def __init__(self, credential: Credential, user: User, notify: Callable[[], None], *, is_program: bool) -> None:
        self.is_program = is_program
        self.credential = credential
        self.user = user
        self.signed_out = False
        self.notify = notify

    def has(self, state: SessionState | None) -> bool:
        """Whether a valid session's state is the one that is known; None: it is invalid, or must be read."""
        return state is not None and not self.signed_out and SessionState.of(self.user) == state


class ConnectionRegistry:
    """Every open socket and stream of this process, each notified when its session ends or its rights change.

    A service that ends sessions publishes it on the bus, and that account's connections are checked at once. Messages
    may be lost, so all connections are checked every `every` seconds, hundreds with one statement. The accounts
    themselves are read only where something has changed.

    `presence`: records who is connected, for accounts that want mail only while they are not.
    `max_subscriptions`: of one account, because each reads its rows again every few seconds; None: any number.
    """

    def __init__(
        self,
        bus: Bus,
        sessions: SessionService,
        api_keys: ApiKeyService,
        external: ExternalSignIns,
        presence: Presence,
        *,
        every: float,
        max_subscriptions: int | None,
    ) -> None:
        self._presence = presence
        self._bus = bus
        self._sessions = sessions
        self._api_keys = api_keys
        self._external = external
        self._every = every
        self._max_subscriptions = max_subscriptions
        self._subscriptions: Counter[str] = Counter()
        self._connections: set[OpenConnection] = set()
        self._checking: asyncio.Task[None] | None = None

    def open_subscription(self, credential: Credential, user: User, notify: Callable[[], None]) -> OpenConnection:
        """Count a subscription of an account, and check it like a connection, until `close_subscription`.

        Raises:
            TooManySubscriptionsError: the account has as many open as it may.
        """
        most = self._max_subscriptions
        if most is not None and self._subscriptions[user.id] >= most:
            raise TooManySubscriptionsError(most)
        self._subscriptions[user.id] += 1
        return self.register(credential, user, notify)

    def close_subscription(self, connection: OpenConnection) -> None:
        """Stop counting and checking a subscription."""
        user_id = connection.user.id
        self.unregister(connection)
        self._subscriptions[user_id] -= 1
        if not self._subscriptions[user_id]:
            del self._subscriptions[user_id]

    def register(
        self, credential: Credential, user: User, notify: Callable[[], None], *, is_program: bool = False
    ) -> OpenConnection:
        """Check a connection until `unregister`; `notify` is called when it has changed.

        `is_program`: a program waits for one order by it, while the user may see nothing of all others.
        """
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._check_forever(), name="sign-ins")
        credential.user_id = user.id
        connection = OpenConnection(credential, user, notify, is_program=is_program)
        self._connections.add(connection)
        self._note(connection)
        return connection

    def unregister(self, connection: OpenConnection) -> None:
        """Stop checking a connection."""
        self._connections.discard(connection)
        self._note(connection)

    def _note(self, connection: OpenConnection) -> None:
        if connection.user.notify_by_mail and not connection.is_program:
            self._presence.note(connection.user.id)

    async def aclose(self) -> None:
        """Stop checking."""
        if self._checking is not None:
            self._checking.cancel()
            await asyncio.wait([self._checking])
        await self._presence.aclose()

    async def _check_forever(self) -> None:
        async with self._bus.subscribe(SIGN_INS_CHANNEL) as messages:
            while True:
                event = await messages.get(timeout=self._every)
                user_id = event.get("user") if isinstance(event, dict) else None
                try:
                    await self._check([one for one in self._connections if user_id is None or one.user.id == user_id])
                    await self._presence.renew(one.user.id for one in self._connections if not one.is_program)
                except Exception as error:  # noqa: BLE001 - the next check comes when the database is back
                    log.warning("connection.check_failed", error=error)

    async def _check(self, connections: list[OpenConnection]) -> None:
        by_token: dict[str, list[OpenConnection]] = {}
        for connection in connections:
            if (token := connection.credential.token) is not None:
                by_token.setdefault(token, []).append(connection)
        tokens = list(by_token)
        for start in range(0, len(tokens), _BATCH):
            batch = tokens[start : start + _BATCH]
            states = await self._states_of(batch)
            changed = [token for token in batch if any(not one.has(states.get(token)) for one in by_token[token])]
            if changed:
                self._apply({token: by_token[token] for token in changed}, await self._users_of(changed))

    async def _states_of(self, tokens: list[str]) -> dict[str, SessionState]:
        """Return the states of the tokens of sessions; an API key's depends on more, so it is always read."""
        sessions = [token for token in tokens if not (is_api_key(token) or is_external_token(token))]
        external = [token for token in tokens if is_external_token(token)]
        return (await self._sessions.states_of(sessions) if sessions else {}) | (
            await self._external.states_of(external) if external else {}
        )

    @staticmethod
    def _apply(by_token: dict[str, list[OpenConnection]], users: dict[str, User]) -> None:
        """Notify the connections whose session has ended, or whose SessionState has changed."""
        for token, connections in by_token.items():
            now = users.get(token)
            for connection in connections:
                if connection.credential.token != token:  # replaced while the old one was checked
                    continue
                before = connection.user
                connection.signed_out, connection.user = now is None, now or before
                after = connection.user
                if connection.signed_out or SessionState.of(after) != SessionState.of(before):
                    connection.notify()

    async def _users_of(self, tokens: Iterable[str]) -> dict[str, User]:
        keys: list[str] = []
        external: list[str] = []
        others: list[str] = []
        for token in tokens:
            (keys if is_api_key(token) else external if is_external_token(token) else others).append(token)
        found = await self._sessions.users_of(others) if others else {}
        found |= await self._api_keys.users_of(keys) if keys else {}
        return found | (await self._external.users_of(external) if external else {})
