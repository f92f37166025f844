"""Password hashing with argon2id, off the event loop."""

import asyncio
import functools
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

HASH_KIB = 19 * 1024  # OWASP's password storage cheat sheet: 19 MiB, 2 passes, 1 lane; about 50 ms on one core
_AT_ONCE = 4  # hashes in flight: each takes a thread and its memory


def _composed(password: str) -> str:
    # Keyboards differ in how they spell an accented letter; a person's password is the same on all of them.
    return unicodedata.normalize("NFC", password)


class Passwords:
    """Makes and checks password hashes; a burst of sign-ins waits here instead of filling the memory.

    `kib`: the memory that a new hash takes, and by that its time; old ones are checked with what they were made with.
    """

    def __init__(self, kib: int) -> None:
        self._hasher = PasswordHasher(time_cost=2, memory_cost=kib, parallelism=1)
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def hash(self, password: str) -> str:
        """The argon2id hash, with its parameters and salt inside."""
        async with self._slots:
            return await asyncio.to_thread(self._hasher.hash, _composed(password))

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Whether `password` made the hash; None stands for an account that does not exist, "" for one without any."""
        async with self._slots:
            return await asyncio.to_thread(self._verify, password_hash, _composed(password))

    @functools.cached_property
    def _nobodys_hash(self) -> str:
        """Checked against where there is no such account, so that both answers take the same time."""
        return self._hasher.hash("nobody's password")

    def _verify(self, password_hash: str | None, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash or self._nobodys_hash, password) and bool(password_hash)
        except (Argon2Error, InvalidHashError, UnicodeEncodeError):  # lone surrogates are nobody's password
            return False
