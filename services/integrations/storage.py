"""Where pictures are kept. Keys are made by us and hold no text of anybody's."""

import asyncio
import contextlib
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from itsdangerous import BadSignature, URLSafeSerializer

_KEY = re.compile(r"[a-z0-9/_-]{1,120}")


class StorageError(Exception):
    """The storage could not do what it was asked; trying again later may help."""


class MissingObjectError(StorageError):
    """There is nothing under this key."""


@dataclass(frozen=True)
class Link:
    """A URL that needs no sign-in and stops working."""

    url: str
    expires_at: int  # Unix seconds


class Storage(Protocol):
    """Keeps bytes under keys. `put` replaces, `delete` of what is not there succeeds."""

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        """Store all of `data`, or nothing. Raises StorageError."""
        ...

    async def get(self, key: str) -> bytes:
        """Raises MissingObjectError, StorageError."""
        ...

    async def delete(self, key: str) -> None:
        """Raises StorageError."""
        ...

    def link(self, key: str, content_type: str, *, download_as: str | None = None) -> Link:
        """A link to the bytes; with `download_as`, one that makes a browser save them under that name."""
        ...

    async def check(self) -> None:
        """Raises StorageError where nothing could be stored right now."""
        ...


@dataclass(frozen=True)
class LocalFile:
    """What a signed link stands for."""

    path: Path
    content_type: str
    download_as: str | None
    seconds_left: int  # until the link stops working


class LocalStorage:
    """A folder of this machine; `web` serves it behind signed links."""

    def __init__(
        self,
        folder: Path,
        *,
        address: str,
        secret: str,
        link_seconds: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder.resolve()
        self._address = address
        self._signer = URLSafeSerializer(secret, salt="darkroom-files")
        # A link is the same for half of its life, so that browsers can cache what it leads to.
        self._window = max(link_seconds // 2, 1)
        self._clock = clock

    def _path(self, key: str) -> Path:
        path = self._folder / key
        if not _KEY.fullmatch(key) or ".." in key or key.startswith("/") or not path.is_relative_to(self._folder):
            raise StorageError(f"not a key of ours: {key!r}")
        # A link planted inside the folder must not lead out of it.
        if path.parent.resolve() != path.parent or path.is_symlink():
            raise StorageError("a symbolic link inside the storage folder")
        return path

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        await asyncio.to_thread(self._write, self._path(key), data)

    @staticmethod
    def _write(path: Path, data: bytes) -> None:
        fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with fresh.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise StorageError(str(error)) from error

    async def get(self, key: str) -> bytes:
        try:
            return await asyncio.to_thread(self._path(key).read_bytes)
        except FileNotFoundError as error:
            raise MissingObjectError(key) from error
        except OSError as error:
            raise StorageError(str(error)) from error

    async def delete(self, key: str) -> None:
        try:
            await asyncio.to_thread(self._remove, self._path(key))
        except OSError as error:
            raise StorageError(str(error)) from error

    @staticmethod
    def _remove(path: Path) -> None:
        # With what a process that was killed while writing left beside it.
        for leftover in path.parent.glob(f".{path.name}.*"):
            leftover.unlink(missing_ok=True)
        path.unlink(missing_ok=True)

    def link(self, key: str, content_type: str, *, download_as: str | None = None) -> Link:
        expires_at = (int(self._clock()) // self._window + 2) * self._window
        token = self._signer.dumps([key, content_type, download_as, expires_at])
        return Link(f"{self._address}/files/{token}", expires_at)

    def resolve(self, token: str) -> LocalFile | None:
        """What a link of ours leads to; None when it is forged, expired, or the file is gone."""
        try:
            key, content_type, download_as, expires_at = self._signer.loads(token)
            path = self._path(key)
            seconds_left = int(expires_at - self._clock())
        except (BadSignature, StorageError, ValueError, TypeError):
            return None
        if seconds_left <= 0 or not path.is_file():
            return None
        return LocalFile(path, content_type, download_as, seconds_left)

    async def check(self) -> None:
        probe = "check/" + secrets.token_hex(8)
        await self.put(probe, b"darkroom", "text/plain")
        await self.delete(probe)

    def keys(self) -> Iterator[str]:
        """Every key that holds bytes, leftovers of interrupted writes included; for checks and the sweeper."""
        for path in self._folder.rglob("*"):
            if path.is_file():
                yield str(path.relative_to(self._folder))
