"""A storage in a local folder, served through signed links."""

import asyncio
import binascii
import contextlib
import hashlib
import hmac
import os
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import BinaryIO, TypeVar
from urllib.parse import quote

from itsdangerous import BadSignature, URLSafeSerializer

from services.integrations.storage.measurement import measured
from services.integrations.storage.protocol import (
    PROBE_BODY,
    Link,
    MissingObjectError,
    StorageError,
    Target,
    TooLargeError,
    check_key,
)

_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_SIGNATURE_BYTES = 20
_FOLDER_ATTEMPTS = 100  # to write into a folder that other processes remove
_PLAIN_NAME = re.compile(r"[A-Za-z0-9._-]+")  # of a download, which needs no quoting
_NO_PARAMETERS: Mapping[str, str] = MappingProxyType({})
# The folder of files that are being written. It is small, so that a deletion finds leftovers of interrupted writes in
# it quickly, however many objects an account has. A file's name there is its key, with another letter for the slash.
_UNFINISHED = ".unfinished"
_SLASH = "+"
_FOLDERS_REMEMBERED = 10_000
_KEPT_LINKS = 50_000  # since a link stays the same for a while: about 21 MiB

T = TypeVar("T")


def _base64(data: bytes) -> str:
    """Return URL-safe base64 without padding, by two calls of C."""
    return binascii.b2a_base64(data, newline=False).translate(_URL_SAFE, b"=").decode("ascii")


@contextlib.contextmanager
def _operation(name: str, key: str | None = None) -> Iterator[None]:
    """Measure one operation, and raise StorageError for errors of the disk; `key`: of the object that it needs."""
    with measured(name):
        try:
            yield
        except FileNotFoundError as error:
            raise (StorageError.of(error) if key is None else MissingObjectError(key)) from error
        except OSError as error:
            raise StorageError.of(error) from error


async def _to_its_end(call: Callable[..., T], *values: object) -> T:
    """Call in a thread and wait for it even when canceled: a file that is written to must not be closed."""
    task = asyncio.ensure_future(asyncio.to_thread(call, *values))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with contextlib.suppress(asyncio.CancelledError):  # once more: this call ends by the first
                await asyncio.wait([task])
        raise


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
        # Of links whose path is their token, as former releases signed them: until the last of them has expired.
        self._signer = URLSafeSerializer(secret, salt="darkroom-files")
        key = URLSafeSerializer(secret, salt="darkroom-file-links").make_signer().derive_key()
        self._mac = hmac.new(key, digestmod=hashlib.sha256)
        self._upload_signer = URLSafeSerializer(secret, salt="darkroom-uploads")
        self._puts_uploads = puts_uploads
        # A link stays the same for half of its lifetime, so that browsers can cache the file.
        self._window = max(link_seconds // 2, 1)
        self._clock = clock
        self._begin_window(clock())
        # Once this release alone writes, there are no new ones, so each folder is read once.
        self._beside = lru_cache(_FOLDERS_REMEMBERED)(_leftovers_beside)

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
        with _operation("put"):
            await asyncio.to_thread(self._write, self._path(key), data)

    async def put_file(self, key: str, file: BinaryIO, content_type: str) -> None:
        with _operation("put"):
            await asyncio.to_thread(self._write, self._path(key), file)

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes], content_type: str) -> None:
        path = self._path(key)
        temporary = self._temporary(path)
        file = None
        try:
            with _operation("put"):
                file = await _to_its_end(self._create, temporary, path)
            async for chunk in chunks:
                with _operation("put"):
                    await _to_its_end(file.write, chunk)
            with _operation("put"):
                await _to_its_end(self._finish, file, temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # again, where the disk is full
                if file is not None:
                    file.close()
            raise

    def _write(self, path: Path, data: bytes | BinaryIO) -> None:
        temporary = self._temporary(path)
        try:
            with self._create(temporary, path) as file:
                if isinstance(data, bytes):
                    file.write(data)
                else:
                    data.seek(0)
                    shutil.copyfileobj(data, file)
                self._finish(file, temporary, path)
        except OSError:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise

    def _temporary(self, path: Path) -> Path:
        return self._folder / _UNFINISHED / f"{self._unfinished_name(path)}.{secrets.token_hex(4)}"

    def _unfinished_name(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix().replace("/", _SLASH)

    @staticmethod
    def _create(temporary: Path, path: Path) -> BinaryIO:
        with contextlib.suppress(FileExistsError):  # removed while it was found: see `_finish`
            path.parent.mkdir(parents=True, exist_ok=True)
        temporary.parent.mkdir(exist_ok=True)
        return temporary.open("xb")

    @staticmethod
    def _finish(file: BinaryIO, temporary: Path, path: Path) -> None:
        """Put a file in its place, when all of it is on the disk."""
        file.flush()
        os.fsync(file.fileno())
        file.close()
        for _ in range(_FOLDER_ATTEMPTS):  # its folder may be removed with another file until this one is in it
            with contextlib.suppress(FileNotFoundError, FileExistsError):  # the latter: removed while it was found
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary.replace(path)
                return
        temporary.replace(path)

    async def get(self, key: str, *, max_bytes: int | None = None) -> bytes:
        with _operation("get", key):
            return await asyncio.to_thread(self._read, self._path(key), max_bytes)

    @staticmethod
    def _read(path: Path, max_bytes: int | None) -> bytes:
        with path.open("rb") as file:  # files are never changed in place, so the size is stable
            if max_bytes is not None and os.fstat(file.fileno()).st_size > max_bytes:
                raise TooLargeError(f"more than {max_bytes} bytes")
            return file.read()

    async def get_part(self, key: str, start: int, size: int) -> bytes:
        with _operation("get", key):
            part = await asyncio.to_thread(self._read_part, self._path(key), start, size)
        if len(part) != size:
            raise StorageError("the file ends too early")
        return part

    @staticmethod
    def _read_part(path: Path, start: int, size: int) -> bytes:
        with path.open("rb") as file:
            file.seek(start)
            return file.read(size)

    async def delete(self, key: str) -> None:
        with _operation("delete"):
            await asyncio.to_thread(self._remove, self._path(key))

    def _remove(self, path: Path) -> None:
        # Including the temporary files of processes that were killed while writing.
        unfinished = (self._folder / _UNFINISHED).glob(f"{self._unfinished_name(path)}.*")
        for leftover in (*unfinished, *self._beside(path.parent).get(path.name, ())):
            leftover.unlink(missing_ok=True)
        path.unlink(missing_ok=True)
        if path.parent.parent != self._folder:  # the folder of an account, whose name is the account's id
            with contextlib.suppress(OSError):  # it has other files, or is gone
                path.parent.rmdir()

    async def link(self, key: str, content_type: str, *, download_as: str | None = None) -> Link:
        return self.sign(key, content_type, download_as)

    def sign(self, key: str, content_type: str, download_as: str | None = None) -> Link:
        now = self._clock()
        if not self._began_at <= now < self._began_at + self._window:  # also where the clock was set back
            self._begin_window(now)
        if download_as is not None:
            return Link(self._signed_url(key, content_type, download_as), self._expires_at)
        url = self._urls.get((key, content_type))
        if url is None:
            if len(self._urls) >= _KEPT_LINKS:
                self._urls.clear()
            url = self._urls[key, content_type] = self._signed_url(key, content_type)
        return Link(url, self._expires_at)

    def _begin_window(self, now: float) -> None:
        self._began_at = int(now) // self._window * self._window
        self._expires_at = self._began_at + 2 * self._window
        # That expire then, by key and content type. An lru_cache, which drops the oldest, takes more memory for each.
        self._urls: dict[tuple[str, str], str] = {}

    def _signed_url(self, key: str, content_type: str, download_as: str = "") -> str:
        """Return a URL whose path is that of the object, so that caches recognise it under the next signature, too."""
        signature = self._sign(key, content_type, str(self._expires_at), download_as)
        url = f"{self._links}{key}?type={content_type}&expires={self._expires_at}"
        if download_as:
            name = download_as if _PLAIN_NAME.fullmatch(download_as) else quote(download_as, safe="")
            url += f"&download={name}"
        return f"{url}&signature={signature}"

    def _sign(self, *parts: str) -> str:
        mac = self._mac.copy()
        mac.update("\n".join(parts).encode("utf-8", "surrogatepass"))
        return _base64(mac.digest()[:_SIGNATURE_BYTES])

    def resolve(self, path: str, parameters: Mapping[str, str] = _NO_PARAMETERS) -> LocalFile | None:
        """Return the file of a signed link; None if it is forged or expired, or the file does not exist.

        `path`: below `/files/`. `parameters`: of the query.
        """
        try:
            key, content_type, download_as, expires_at = self._read_link(path, parameters)
            found = self._path(key)
            seconds_left = int(expires_at - self._clock())
        except (BadSignature, StorageError, ValueError, TypeError):
            return None
        if seconds_left <= 0 or not found.is_file():
            return None
        return LocalFile(found, content_type, download_as, seconds_left)

    def _read_link(self, path: str, parameters: Mapping[str, str]) -> tuple[str, str, str | None, int]:
        """Return the key, the type, the name of a download and the expiry. Raises BadSignature, ValueError."""
        signature = parameters.get("signature")
        if signature is None:
            key, content_type, download_as, expires_at = self._signer.loads(path)
            return key, content_type, download_as, expires_at
        content_type, expires, name = (parameters.get(one, "") for one in ("type", "expires", "download"))
        expected = self._sign(path, content_type, expires, name).encode()
        if not hmac.compare_digest(expected, signature.encode("utf-8", "surrogatepass")):
            raise BadSignature("forged")
        return path, content_type, name or None, int(expires)

    async def upload_target(self, key: str, content_type: str, *, byte_size: int, seconds: int) -> Target:
        expires_at = int(self._clock()) + seconds
        path = f"/uploads/{self._upload_signer.dumps([key, content_type, byte_size, expires_at])}"
        url = self._address + path
        if self._puts_uploads:
            return Target(url, "PUT", expires_at, headers={"Content-Type": content_type}, fields=None, path=path)
        return Target(url, "POST", expires_at, path=path)

    def resolve_upload(self, token: str) -> LocalUpload | None:
        """Return the upload of a signed upload URL; None if it is forged or expired."""
        try:
            key, content_type, byte_size, expires_at = self._upload_signer.loads(token)
            self._path(key)
        except (BadSignature, StorageError, ValueError, TypeError):
            return None
        return LocalUpload(key, content_type, byte_size) if self._clock() < expires_at else None

    async def check(self) -> None:
        with _operation("check"):
            await asyncio.to_thread(self._probe)

    def _probe(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        # An unnamed file: a process that is killed here leaves no file without a row.
        with tempfile.TemporaryFile(dir=self._folder) as file:
            file.write(PROBE_BODY)
            file.flush()
            os.fsync(file.fileno())
            file.seek(0)
            if file.read() != PROBE_BODY:
                raise StorageError("other bytes were read than stored")

    async def keys(self) -> set[str]:
        with _operation("list"):
            return await asyncio.to_thread(self._list)

    def _list(self) -> set[str]:
        """Return all keys, with one call of the system for each folder."""
        found: set[str] = set()
        folders = [("", str(self._folder))]  # each with the beginning of its keys
        while folders:
            prefix, path = folders.pop()
            with contextlib.suppress(FileNotFoundError), os.scandir(path) as entries:  # one may be removed meanwhile
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append((f"{prefix}{entry.name}/", entry.path))
                    elif entry.is_file():
                        found.add(prefix + entry.name if prefix != f"{_UNFINISHED}/" else _leftover_key(entry.name))
        return found


def _leftover_key(name: str) -> str:
    """Return the key by which `keys` lists an unfinished file: of a hidden one beside its object."""
    key, _, random = name.rpartition(".")
    folder, _, last = key.replace(_SLASH, "/").rpartition("/")
    return f"{folder}/.{last}.{random}"


def _leftovers_beside(folder: Path) -> Mapping[str, Sequence[Path]]:
    """Return the leftovers of interrupted writes in a folder of objects, where former releases wrote, by object."""
    found: dict[str, list[Path]] = {}
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                found.setdefault(entry.name[1:].rpartition(".")[0], []).append(Path(entry.path))
    return found
