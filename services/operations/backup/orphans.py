"""Objects that no row refers to, as a restore leaves them: those stored after the backup was made."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.database.connection import rows
from services.integrations.storage.protocol import Storage, StorageError
from services.operations.backup.manifest import BackupError
from services.operations.storage_comparison import compare_storage, final_key


@dataclass(frozen=True)
class Orphans:
    """Keys without a row, and leftovers of interrupted writes beside an object that has one."""

    keys: Sequence[str]
    leftovers: Sequence[str]


async def find_orphans(storage: Storage) -> Orphans:
    """Return the objects without a row; the server may be working. The database is open. Raises BackupError."""
    if not await rows("SELECT 1 AS found FROM users LIMIT 1"):
        raise BackupError("the database has no accounts: every object would be an orphan. Is DATABASE_URL right?")
    try:
        found, _ = await compare_storage(storage.keys)
    except StorageError as error:
        raise BackupError(f"the storage does not respond: {error}") from error
    whole = {key for key in found if "/." not in key}
    keys = whole | {final_key(key) for key in found if "/." in key and final_key(key) in whole}
    return Orphans(sorted(keys), [key for key in found if "/." in key and final_key(key) not in whole])


async def remove_orphans(storage: Storage, keys: Sequence[str]) -> int:
    """Remove these objects, and return their number. Raises BackupError, when some of them may be removed."""
    for number, key in enumerate(keys):
        try:
            await storage.delete(key)
        except StorageError as error:
            raise BackupError(f"{number} of {len(keys)} were removed; {key} cannot be: {error}") from error
    return len(keys)
