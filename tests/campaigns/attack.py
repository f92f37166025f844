"""What all attacks share: the target, a client at an address of the attackers' own, and the count of the answers."""

import asyncio
import contextlib
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.support.client import Api

ATTACK_TIMEOUT = 60.0  # seconds


@dataclass
class Target:
    """The attacked server, and for how long; `outcomes` counts the answers by what they say."""

    address: str
    source: str  # the attack's own address on loopback: the limits of a client must reach neither bystander nor others
    seconds: float
    rng: random.Random
    http: httpx.AsyncClient
    ends_at: float | None = None  # set when the attack first asks, after its preparations
    outcomes: Counter[str] = field(default_factory=Counter)

    @classmethod
    @contextlib.asynccontextmanager
    async def open(cls, address: str, seconds: float, rng: random.Random) -> AsyncIterator["Target"]:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        source = f"127.{rng.randint(1, 254)}.{rng.randint(1, 254)}.{rng.randint(1, 254)}"
        transport = httpx.AsyncHTTPTransport(local_address=source, limits=limits)
        async with httpx.AsyncClient(transport=transport, base_url=address, timeout=ATTACK_TIMEOUT) as http:
            yield cls(address, source, seconds, rng, http)

    @property
    def is_over(self) -> bool:
        if self.ends_at is None:
            self.ends_at = time.monotonic() + self.seconds
        return time.monotonic() >= self.ends_at

    @property
    def api(self) -> Api:
        """A client that is not signed in."""
        return Api(self.http, self.address)

    @property
    def port(self) -> int:
        return urlsplit(self.address).port or 80

    async def sign_up(self) -> Api:
        """Create an attacker's account."""
        return await self.api.sign_up(f"mallory-{self.rng.getrandbits(48):x}@example.com")

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open a TCP connection from the attackers' address."""
        return await asyncio.open_connection("127.0.0.1", self.port, local_addr=(self.source, 0))

    async def repeat(self, senders: int, send: Callable[[], Awaitable[httpx.Response]], pause: float = 0.0) -> None:
        """Let `senders` call `send` one after another until the time is over, and count the answers."""

        async def loop() -> None:
            while not self.is_over:
                try:
                    self.outcomes[outcome(await send())] += 1
                except httpx.TransportError as error:
                    self.outcomes[type(error).__name__] += 1
                    await asyncio.sleep(0.01)
                await asyncio.sleep(pause)

        await asyncio.gather(*(loop() for _ in range(senders)))


Attack = Callable[[Target], Awaitable[None]]


def outcome(response: httpx.Response) -> str:
    """Return an answer's codes, of GraphQL errors or of the payload's; "data" without errors, else the status."""
    try:
        body: Any = response.json()
    except ValueError:
        return str(response.status_code)
    if not isinstance(body, dict):
        return str(response.status_code)
    found = [error.get("extensions", {}).get("code") for error in body.get("errors") or []]
    for value in (body.get("data") or {}).values():
        if isinstance(value, dict):
            found += [error.get("code") for error in value.get("errors") or []]
    return "data" if not found else ",".join(sorted({str(code) for code in found}))
