"""Limits of the uploads that are received at the same time: their files are in memory or temporary until stored."""

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from services.core.error import RateLimitedError, UnavailableError
from web.content_length import content_length

_RETRY_SECONDS = 5.0
_MIB = 1024 * 1024


@dataclass(frozen=True)
class ReceivingLimits:
    """Bytes of the uploads that are received at the same time. One upload may exceed them if it is alone."""

    account: int | None = 64 * _MIB  # None: any number
    client: int | None = 128 * _MIB  # of one address, so that its accounts do not take all of `total`
    total: int = 256 * _MIB  # compose.yaml gives /tmp twice as much


class UploadSlots:
    """Counts the bytes of the uploads that a process is receiving."""

    def __init__(self, limits: ReceivingLimits) -> None:
        self._limits = limits
        self._bytes: Counter[tuple[str, str]] = Counter()

    @contextlib.contextmanager
    def receiving(self, account: str, client: str, size: int) -> Iterator[None]:
        """Count an upload of at most `size` bytes for the length of the block.

        Raises:
            RateLimitedError: the account or the client address sends as much as it may.
            UnavailableError: all uploads together are too large.
        """
        own = {("account", account): self._limits.account, ("client", client): self._limits.client}
        everything = ("total", "")
        if any(self._is_too_much(key, size, most) for key, most in own.items()):
            raise RateLimitedError(_RETRY_SECONDS)
        if self._is_too_much(everything, size, self._limits.total):
            raise UnavailableError
        sizes = Counter(dict.fromkeys((*own, everything), size))
        self._bytes += sizes
        try:
            yield
        finally:
            self._bytes -= sizes  # drops what is zero

    def _is_too_much(self, key: tuple[str, str], size: int, most: int | None) -> bool:
        held = self._bytes[key]
        return most is not None and held > 0 and held + size > most


def announced_bytes(headers: Mapping[str, str], most: int) -> int:
    """Return the Content-Length of a request, or `most` if it has none or a larger one."""
    announced = content_length(headers.get("content-length"))
    return most if announced is None else min(announced, most)
