"""Password hashing with argon2id, off the event loop."""

import asyncio
import functools
import unicodedata

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

# OWASP's password storage cheat sheet: 19 MiB, 2 passes, 1 lane; about 50 ms on one core.
_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
_AT_ONCE = 4  # hashes in flight: each takes a thread and 19 MiB


def _composed(password: str) -> str:
    # Keyboards differ in how they spell an accented letter; a person's password is the same on all of them.
    return unicodedata.normalize("NFC", password)


@functools.cache
def _nobodys_hash() -> str:
    """Checked against where there is no such account, so that both answers take the same time."""
    return _HASHER.hash("nobody's password")


class Passwords:
    """Makes and checks password hashes; a burst of sign-ins waits here instead of filling the memory."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def hash(self, password: str) -> str:
        """The argon2id hash, with its parameters and salt inside."""
        async with self._slots:
            return await asyncio.to_thread(_HASHER.hash, _composed(password))

    async def matches(self, password_hash: str | None, password: str) -> bool:
        """Whether `password` made the hash; None stands for an account that does not exist, "" for one without any."""
        async with self._slots:
            return await asyncio.to_thread(self._verify, password_hash, _composed(password))

    @staticmethod
    def _verify(password_hash: str | None, password: str) -> bool:
        try:
            return _HASHER.verify(password_hash or _nobodys_hash(), password) and bool(password_hash)
        except (Argon2Error, InvalidHashError, UnicodeEncodeError):  # lone surrogates are nobody's password
            return False
