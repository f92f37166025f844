"""Writes a zip while it is read: its files are stored as they are, and come in parts from the storage."""

import contextlib
import zipfile
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import NamedTuple

import structlog

from services.core.message import Message, message
from services.integrations.storage.protocol import MissingObjectError, StorageError

log = structlog.get_logger(__name__)

NOTES = "missing.txt"
_PART = 2**20  # bytes in memory at once, of a larger file
_WHOLE = 8 * 2**20  # bytes up to which a file is read before it begins in the zip, so that none of these is cut
_FIRST_YEAR = 1980  # of the format
_MISSING = message("These could not be read:")
_CUT = message("These are incomplete, because they could not be read to their end:")

Read = Callable[[str, int, int], Awaitable[bytes]]  # the key, and the start and the size of a part


class StoredPicture(NamedTuple):
    """A stored file, and its name and time in the zip."""

    name: str
    key: str
    byte_size: int
    created_at: datetime


@dataclass
class Unread:
    """The names of files that could not be read: at all, or to their end."""

    missing: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)

    def add(self, name: str, *, cut: bool) -> None:
        """Add the name of a file; `cut`: its beginning is in the zip."""
        (self.cut if cut else self.missing).append(name)

    def described(self, translate: Callable[[Message], str]) -> str:
        """Return lines about these files, translated by `translate`; empty: there are none."""
        lines = []
        for text, names in ((_MISSING, self.missing), (_CUT, self.cut)):
            if names:
                lines += [translate(text), *(f"  {name}" for name in names)]
        return "".join(f"{line}\n" for line in lines)


class Pipe:
    """What the zip writes, until it is taken; it cannot be sought, so sizes and checksums follow each file."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._written.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Do nothing: what is written is there already."""

    def close(self) -> None:
        """Do nothing: what is written may still be taken."""

    def take(self) -> bytes:
        """Return what was written since."""
        taken = b"".join(self._written)
        self._written.clear()
        return taken


async def zipped(
    pictures: Sequence[StoredPicture], read: Read, explain: Callable[[Unread], str]
) -> AsyncGenerator[bytes, None]:
    """Yield a zip of the files, in parts. What `explain` says of those that cannot be read is a text in it, if any.

    Raises:
        StorageError: the storage does not respond for the first file.
    """
    pipe, unread = Pipe(), Unread()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:
        for place, picture in enumerate(pictures):
            begun = False
            try:
                async with contextlib.aclosing(entry_of(picture, read, archive, pipe)) as chunks:
                    async for chunk in chunks:
                        begun = True
                        yield chunk
            except StorageError as error:
                if begun:
                    log.warning("archive.file_cut", key=picture.key, error=error)
                    unread.add(picture.name, cut=True)
                    continue
                if place == 0 and not isinstance(error, MissingObjectError):
                    raise
                log.warning("archive.file_unread", key=picture.key, error=error)
                unread.add(picture.name, cut=False)
        add_notes(archive, explain(unread))
    yield pipe.take()


def add_notes(archive: zipfile.ZipFile, text: str) -> None:
    """Write a text about what is not in the zip into it; an empty one is none."""
    if text:
        archive.writestr(_info(NOTES, datetime.now(UTC)), text)


async def entry_of(
    picture: StoredPicture, read: Read, archive: zipfile.ZipFile, pipe: Pipe
) -> AsyncGenerator[bytes, None]:
    """Write a file into the zip, and yield what that puts into the pipe, in parts.

    Raises:
        StorageError: it cannot be read. If nothing was yielded, nothing of it is in the zip; else its beginning is.
    """
    first = _PART if picture.byte_size > _WHOLE else picture.byte_size
    data = await read(picture.key, 0, first)
    with archive.open(_info(picture.name, picture.created_at), "w", force_zip64=True) as entry:
        begun = len(data)
        entry.write(data)
        del data  # a slow client has it once, in the pipe
        yield pipe.take()
        for start in range(begun, picture.byte_size, _PART):
            entry.write(await read(picture.key, start, min(_PART, picture.byte_size - start)))
            yield pipe.take()


def _info(name: str, moment: datetime) -> zipfile.ZipInfo:
    at = moment.replace(year=max(moment.year, _FIRST_YEAR))
    return zipfile.ZipInfo(name, (at.year, at.month, at.day, at.hour, at.minute, at.second))
