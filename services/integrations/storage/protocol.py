"""What every place where pictures are kept can do. Keys are made by us and hold no text of anybody's."""

import re
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

_KEY = re.compile(r"(?=.{1,120}\Z)[a-z0-9_-]+(/[a-z0-9_-]+)*")


class StorageError(Exception):
    """The storage could not do what it was asked; trying again later may help."""


class MissingObjectError(StorageError):
    """There is nothing under this key."""


class TooLargeError(StorageError):
    """There is more under this key than the caller wants to read."""


@dataclass(frozen=True)
class Link:
    """A URL that needs no sign-in and stops working."""

    url: str
    expires_at: int  # Unix seconds


@dataclass(frozen=True)
class Target:
    """Where a client sends bytes by itself: as multipart/form-data, `fields` first, then a part named `file`."""

    url: str
    method: str
    expires_at: int  # Unix seconds
    headers: dict[str, str] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)


class Storage(Protocol):
    """Keeps bytes under keys. `put` replaces, `delete` of what is not there succeeds."""

    @property
    def origin(self) -> str | None:
        """Where links and upload targets lead, such as https://bucket.example.com; None: to our own address."""
        ...

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        """Store all of `data`, or nothing. Raises StorageError."""
        ...

    async def put_file(self, key: str, file: BinaryIO, content_type: str) -> None:
        """Store all that an open file holds, of any size, a part of it in memory at a time. Raises StorageError."""
        ...

    async def get(self, key: str, *, max_bytes: int | None = None) -> bytes:
        """Raises MissingObjectError, TooLargeError (before anything is read), StorageError."""
        ...

    async def get_part(self, key: str, start: int, size: int) -> bytes:
        """`size` bytes from `start` of what has that many. Raises MissingObjectError, StorageError."""
        ...

    async def delete(self, key: str) -> None:
        """Raises StorageError."""
        ...

    async def link(self, key: str, content_type: str, *, download_as: str | None = None) -> Link:
        """A link to the bytes; with `download_as`, one that makes a browser save them under that name.

        It is signed here, so it is made while the storage is down, too. Raises StorageError where nothing can sign.
        """
        ...

    async def upload_target(self, key: str, content_type: str, *, max_bytes: int, seconds: int) -> Target:
        """Where a client may send these bytes for so long: of this type, 1 to `max_bytes` of them. Raises StorageError.

        Whoever uses what came looks at it first: a store may take more on trust than it says.
        """
        ...

    async def check(self) -> None:
        """Raises StorageError where nothing could be stored right now."""
        ...

    async def keys(self) -> set[str]:
        """Every key that holds bytes, what interrupted writes left included; for audits. Raises StorageError."""
        ...


def check_key(key: str) -> None:
    """Raises StorageError for a key that we cannot have made."""
    if not _KEY.fullmatch(key):
        raise StorageError(f"not a key of ours: {key!r}")
