"""Limits of what one client address, and one account, may keep open in this process: WebSockets and event streams."""

import asyncio
import contextlib
import math
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from cross_web import HTTPException

from telemetry import metric

RETRY_SECONDS = 5.0  # until a client that has closed some should try again


class TooManyConnectionsError(HTTPException):
    """As many are open already."""

    def __init__(self) -> None:
        super().__init__(429, "Too many connections are open. Please close some of them.")


@dataclass(frozen=True)
class Pace:
    """What a client may send over all its sockets: `burst` messages at once, `per_second` from then on.

    A message counts once more for each 512 bytes, because the time that a document takes grows with its length.
    """

    burst: int = 400
    per_second: float = 200.0


_BYTES = 512  # that count as a message
_CONNECT_BYTES = 10 * _BYTES  # that cost as much as opening a connection


class _Client:
    """The open connections of one client address, and how far its messages are ahead of its pace."""

    def __init__(self) -> None:
        self.open = 0
        # When the last message would have come at the steady pace; in monotonic seconds, since the machine began.
        self.due = -math.inf


class ConnectionLimits:
    """Counts open connections, and slows down clients whose messages keep the process busy.

    `per_client`: connections of one address, 0 for any number. `pace`: None to slow down no client.
    `limits_accounts`: whether an account's connections are limited.
    """

    def __init__(self, per_client: int, pace: Pace | None, *, limits_accounts: bool = True) -> None:
        self._per_client = per_client
        self._pace = pace
        self._limits_accounts = limits_accounts
        self._clients: dict[str, _Client] = {}
        self._accounts: Counter[str] = Counter()

    @classmethod
    def off(cls) -> Self:
        """Return limits that allow everything."""
        return cls(0, None, limits_accounts=False)

    def open_client(self, address: str) -> None:
        """Count a connection of a client address, until `close_client`.

        Raises:
            TooManyConnectionsError: it has as many open as it may.
        """
        client = self._clients.setdefault(address, _Client())
        if self._per_client and client.open >= self._per_client:
            metric.sockets_refused.labels("client").inc()
            raise TooManyConnectionsError
        client.open += 1

    def close_client(self, address: str) -> None:
        """Stop counting a connection of a client address."""
        self._clients[address].open -= 1
        self._forget(address)

    @contextlib.contextmanager
    def client(self, address: str) -> Iterator[None]:
        """Count a connection of a client address for the length of the block. Raises TooManyConnectionsError."""
        self.open_client(address)
        try:
            yield
        finally:
            self.close_client(address)

    def open_account(self, user_id: str, most: int) -> None:
        """Count a connection of an account, until `close_account`.

        Raises:
            TooManyConnectionsError: it has `most` open.
        """
        if self._limits_accounts and self._accounts[user_id] >= most:
            metric.sockets_refused.labels("account").inc()
            raise TooManyConnectionsError
        self._accounts[user_id] += 1

    def close_account(self, user_id: str) -> None:
        """Stop counting a connection of an account."""
        self._accounts[user_id] -= 1
        if not self._accounts[user_id]:
            del self._accounts[user_id]

    @contextlib.contextmanager
    def account(self, user_id: str, most: int) -> Iterator[None]:
        """Count a connection of an account for the length of the block. Raises TooManyConnectionsError."""
        self.open_account(user_id, most)
        try:
            yield
        finally:
            self.close_account(user_id)

    async def wait_to_connect(self, address: str) -> None:
        """Wait until the client's pace allows another connection."""
        await self.wait(address, _CONNECT_BYTES)

    async def wait(self, address: str, size: int) -> None:
        """Let others run, and wait until the client's pace allows its next message, of `size` bytes."""
        await asyncio.sleep(self.count(address, size))

    def count(self, address: str, size: int) -> float:
        """Count a message of `size` bytes, and return the seconds until the client's pace allows it."""
        client = self._clients.get(address)
        if self._pace is None or client is None:
            return 0.0
        now, cost = time.monotonic(), 1 + size // _BYTES
        client.due = max(client.due, now - self._pace.burst / self._pace.per_second) + cost / self._pace.per_second
        return max(client.due - now, 0.0)

    def _forget(self, address: str) -> None:
        """Remove a client without connections as soon as it has its whole burst again."""
        client = self._clients.get(address)
        if client is None or client.open:
            return
        remaining = client.due + self._pace.burst / self._pace.per_second - time.monotonic() if self._pace else 0.0
        if remaining <= 0:
            del self._clients[address]
        else:
            asyncio.get_running_loop().call_later(remaining, self._forget, address)
