"""A storage in a local folder, served through signed links."""

import asyncio
import binascii
import contextlib
import hashlib
import hmac
import json
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import orjson
from itsdangerous import BadSignature, URLSafeSerializer

from services.integrations.storage.protocol import (
    KEPT_LINKS,
    Link,
    MissingObjectError,
    StorageError,
    Target,
    TooLargeError,
    check_key,
)

_COMPACT = json.JSONEncoder(separators=(",", ":"))
_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def _base64(data: bytes) -> bytes:
    """Return URL-safe base64 without padding, as itsdangerous writes it, by two calls of C."""
    return binascii.b2a_base64(data, newline=False).translate(_URL_SAFE, b"=")


@dataclass(frozen=True)
class LocalFile:
    """The file that a signed link refers to."""

    path: Path
    content_type: str
    download_as: str | None
    seconds_left: int  # until the link expires


@dataclass(frozen=True)
class LocalUpload:
    """The upload that a signed upload URL allows."""

    key: str
    content_type: str
    byte_size: int  # no more and no less


class LocalStorage:
    """A local folder; `web` serves it through signed links.

    `puts_uploads`: upload targets ask for PUT instead of a form; either is accepted.
    """

    def __init__(
        self,
        folder: Path,
        *,
        address: str,
        secret: str,
        link_seconds: int,
        puts_uploads: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder.resolve()
        self._address = address
        self._links = f"{address}/files/"
        self._signer = URLSafeSerializer(secret, salt="darkroom-files")
        # As the signer signs, with a key that is derived once.
        self._mac = hmac.new(self._signer.make_signer().derive_key(), digestmod=hashlib.sha1)
        self._upload_signer = URLSafeSerializer(secret, salt="darkroom-uploads")
        self._puts_uploads = puts_uploads
        # A link stays the same for half of its lifetime, so that browsers can cache the file.
        self._window = max(link_seconds // 2, 1)
        self._clock = clock
        self._signed = lru_cache(KEPT_LINKS)(self._new_link)

    @property
    def origin(self) -> None:
        """None: files are served by the server itself."""
        return

    def _path(self, key: str) -> Path:
        check_key(key)
        path = self._folder / key
        # A symbolic link inside the folder must not lead out of it.
        if path.parent.resolve() != path.parent or path.is_symlink():
            raise StorageError("a symbolic link inside the storage folder")
        return path

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        await asyncio.to_thread(self._write, self._path(key), data)

    async def put_file(self, key: str, file: BinaryIO, content_type: str) -> None:
        await asyncio.to_thread(self._write, self._path(key), file)

    @staticmethod
    def _write(path: Path, data: bytes | BinaryIO) -> None:
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as file:
                if isinstance(data, bytes):
                    file.write(data)
                else:
                    data.seek(0)
                    shutil.copyfileobj(data, file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise StorageError(str(error)) from error

    async def get(self, key: str, *, max_bytes: int | None = None) -> bytes:
        try:
            return await asyncio.to_thread(self._read, self._path(key), max_bytes)
        except FileNotFoundError as error:
            raise MissingObjectError(key) from error
        except OSError as error:
            raise StorageError(str(error)) from error

    @staticmethod
    def _read(path: Path, max_bytes: int | None) -> bytes:
        with path.open("rb") as file:  # files are never changed in place, so the size is stable
            if max_bytes is not None and os.fstat(file.fileno()).st_size > max_bytes:
                raise TooLargeError(f"more than {max_bytes} bytes")
            return file.read()

    async def get_part(self, key: str, start: int, size: int) -> bytes:
        try:
            part = await asyncio.to_thread(self._read_part, self._path(key), start, size)
        except FileNotFoundError as error:
            raise MissingObjectError(key) from error
        except OSError as error:
            raise StorageError(str(error)) from error
        if len(part) != size:
            raise StorageError("the file ends too early")
        return part

    @staticmethod
    def _read_part(path: Path, start: int, size: int) -> bytes:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(size)

    async def delete(self, key: str) -> None:
        try:
            await asyncio.to_thread(self._remove, self._path(key))
        except OSError as error:
            raise StorageError(str(error)) from error

    @staticmethod
    def _remove(path: Path) -> None:
        # Including the temporary files of processes that were killed while writing.
        for leftover in path.parent.glob(f".{path.name}.*"):
            leftover.unlink(missing_ok=True)
        path.unlink(missing_ok=True)

    async def link(self, key: str, content_type: str, *, download_as: str | None = None) -> Link:
        return self.sign(key, content_type, download_as)

    def sign(self, key: str, content_type: str, download_as: str | None = None) -> Link:
        return self._signed(key, content_type, download_as, (int(self._clock()) // self._window + 2) * self._window)

    def _new_link(self, key: str, content_type: str, download_as: str | None, expires_at: int) -> Link:
        # As `self._signer.dumps` writes it, but without deriving the key anew and without trying to compress.
        fields = [key, content_type, download_as, expires_at]
        # orjson is ten times as fast, and writes the same unless there are other letters than ASCII's.
        found = orjson.dumps(fields) if download_as is None else _COMPACT.encode(fields).encode()
        payload = _base64(found)
        mac = self._mac.copy()
        mac.update(payload)
        return Link(self._links + (payload + b"." + _base64(mac.digest())).decode("ascii"), expires_at)

    def resolve(self, token: str) -> LocalFile | None:
        """Return the file of a signed link; None if it is forged or expired, or the file does not exist."""
        try:
            key, content_type, download_as, expires_at = self._signer.loads(token)
            path = self._path(key)
            seconds_left = int(expires_at - self._clock())
        except (BadSignature, StorageError, ValueError, TypeError):
            return None
        if seconds_left <= 0 or not path.is_file():
            return None
        return LocalFile(path, content_type, download_as, seconds_left)

    async def upload_target(self, key: str, content_type: str, *, byte_size: int, seconds: int) -> Target:
        expires_at = int(self._clock()) + seconds
        url = f"{self._address}/uploads/{self._upload_signer.dumps([key, content_type, byte_size, expires_at])}"
        if self._puts_uploads:
            return Target(url, "PUT", expires_at, headers={"Content-Type": content_type}, fields=None)
        return Target(url, "POST", expires_at)

    def resolve_upload(self, token: str) -> LocalUpload | None:
        """Return the upload of a signed upload URL; None if it is forged or expired."""
        try:
            key, content_type, byte_size, expires_at = self._upload_signer.loads(token)
            self._path(key)
        except (BadSignature, StorageError, ValueError, TypeError):
            return None
        return LocalUpload(key, content_type, byte_size) if self._clock() < expires_at else None

    async def check(self) -> None:
        try:
            await asyncio.to_thread(self._probe)
        except OSError as error:
            raise StorageError(str(error)) from error

    def _probe(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        # An unnamed file: a process that is killed here leaves no file without a row.
        with tempfile.TemporaryFile(dir=self._folder) as file:
            file.write(b"darkroom")
            file.flush()
            os.fsync(file.fileno())

    async def keys(self) -> set[str]:
        return await asyncio.to_thread(self._list)

    def _list(self) -> set[str]:
        return {str(path.relative_to(self._folder)) for path in self._folder.rglob("*") if path.is_file()}
