"""Password hashing with argon2id, off the event loop."""

import asyncio
import functools
import unicodedata
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from services.integrations.background_threads import background_threads
from services.integrations.fair_slots import FairSlots

HASH_KIB = 19 * 1024  # OWASP's password storage cheat sheet: 19 MiB, 2 passes, 1 lane; about 50 ms on one core
_MAX_CONCURRENT = 4  # concurrent hashes; each occupies a thread and its memory
_MAX_PER_CLIENT = 2  # of these, so that no client holds all threads

_T = TypeVar("_T")


def _normalize(password: str) -> str:
    # Keyboards encode accented letters differently; the same password must match on all of them.
    return unicodedata.normalize("NFC", password)


class Passwords:
    """Creates and verifies password hashes; a burst of sign-ins queues here instead of exhausting the memory.

    Clients take turns: one that sends many passwords delays another by one hash at most. `client`: the network address
    of the request. `kib`: memory of a new hash, which also determines its time; existing hashes keep the parameters
    stored in them.
    """

    def __init__(self, kib: int) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=kib, parallelism=1)
        self._slots = FairSlots(_MAX_CONCURRENT, _MAX_PER_CLIENT)
        # Threads of their own: hashes would fill the event loop's, which read and write files.
        self._threads = background_threads(_MAX_CONCURRENT, "password-hashing")

    async def hash(self, password: str, *, client: str) -> str:
        """Return the argon2id hash, including its parameters and salt."""
        return await self._run(client, functools.partial(self._hasher.hash, _normalize(password)))

    async def matches(self, password_hash: str | None, password: str, *, client: str) -> bool:
        """Whether the password matches; the hash is None if there is no account, "" if the account has no password."""
        return await self._run(client, functools.partial(self._verify, password_hash, _normalize(password)))

    async def _run(self, client: str, work: Callable[[], _T]) -> _T:
        await self._slots.acquire(client)
        running = asyncio.get_running_loop().run_in_executor(self._threads, work)
        # A canceled request does not stop its thread: the slot is free when the thread has ended.
        running.add_done_callback(lambda _: self._slots.release(client))
        return await asyncio.shield(running)

    @functools.cached_property
    def _dummy_hash(self) -> str:
        """A hash to verify against if there is no account, so that both responses take the same time."""
        return self._hasher.hash("dummy password")

    def _verify(self, password_hash: str | None, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash or self._dummy_hash, password) and bool(password_hash)
        except (Argon2Error, InvalidHashError, UnicodeEncodeError):  # lone surrogates match no password
            return False
