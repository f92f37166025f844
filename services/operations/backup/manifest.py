"""The manifest of a backup: what the backup consists of. It is written last, so that a folder without one is none."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FORMAT = 1  # of the folder; a release refuses a backup of a format that it does not know
MANIFEST = "manifest.json"
SQLITE_COPY = "database.sqlite3"
TABLES = "tables"
OBJECTS = "files"
OBJECT_LIST = "files.jsonl"


class BackupError(Exception):
    """The backup cannot be made or restored; the message is one line for the operator."""


@dataclass(frozen=True, slots=True)
class StoredCopy:
    """One object of the storage in a backup; `sha256` is None if its bytes are not in it."""

    key: str
    content_type: str
    size: int | None = None
    sha256: str | None = None  # hex


@dataclass(frozen=True)
class Manifest:
    """What a backup consists of."""

    made_at: str  # ISO 8601, UTC: the moment of the database's copy
    database: str  # `postgres` or `sqlite`
    migrations: list[str]  # applied in it
    rows: dict[str, int]  # by table
    checksums: dict[str, str]  # SHA-256 of each file of the database's copy and of the list of objects
    objects: int
    object_bytes: int | None  # None: only their keys are in it
    violations: dict[str, int]  # invariants that did not hold, with the number of violations
    format: int = FORMAT

    def write(self, folder: Path) -> None:
        """Write it, after everything else is on the disk."""
        os.sync()
        with (folder / MANIFEST).open("w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=2)
            file.flush()
            os.fsync(file.fileno())

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read the manifest of a backup. Raises BackupError."""
        try:
            given: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            if given["format"] != FORMAT:
                raise BackupError(f"{folder} was made by another release: its format is {given['format']}")
            return cls(**given)
        except FileNotFoundError:
            raise BackupError(f"{folder} is no complete backup: it has no {MANIFEST}") from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise BackupError(f"{folder / MANIFEST} cannot be read: {error}") from None

    def check_files(self, folder: Path) -> None:
        """Raise BackupError if a file of the database's copy, or the list of objects, is not what was written."""
        for name, checksum in self.checksums.items():
            path = folder / name
            if not path.is_file() or checksum_of(path) != checksum:
                raise BackupError(f"{path} is damaged or missing")


def checksum_of(path: Path) -> str:
    """Return the SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_objects(folder: Path, objects: list[StoredCopy]) -> None:
    """Write the list of objects, one a line."""
    with (folder / OBJECT_LIST).open("w", encoding="utf-8") as file:
        file.writelines(json.dumps(asdict(each)) + "\n" for each in objects)


def read_objects(folder: Path) -> Iterator[StoredCopy]:
    """Yield the objects of a backup."""
    with (folder / OBJECT_LIST).open(encoding="utf-8") as file:
        for line in file:
            yield StoredCopy(**json.loads(line))
