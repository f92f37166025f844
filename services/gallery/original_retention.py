"""Retention of originals: the photo of a generation that ended before its provider call is removed after a while.

Nothing was paid for it, so keeping it for ever would store any number of photos for free.
"""

from models.database.connection import rows, run_tx
from services.events import account_change
from services.events.account_change import AccountChange, ChangeKind
from services.events.publisher import EventPublisher

# The partial index ix_generations_unused has these conditions except `provider_called_at`, which would make each
# provider call update all indexes of its row. A generation that ended before its call has no provider either.
_UNUSED = (
    "{row}.status IN ('CANCELED', 'FAILED') AND {row}.provider IS NULL AND {row}.provider_called_at IS NULL"
    " AND {row}.original_id IS NOT NULL"
)
_EXPIRED = "{row}.completed_at < LATER($1)"

# A regeneration shares the original, and that of a refinement is the result of another generation.
_IS_REMOVABLE = f"""NOT EXISTS (SELECT 1 FROM generations AS made WHERE made.result_id = unused.original_id)
AND NOT EXISTS (SELECT 1 FROM generations AS other WHERE other.original_id = unused.original_id
    AND NOT ({_UNUSED.format(row="other")} AND {_EXPIRED.format(row="other")}))
"""  # noqa: S608 - constants

_CANDIDATES = f"""SELECT unused.id, unused.original_id, unused.user_id,
    CASE WHEN {_IS_REMOVABLE} THEN 1 ELSE 0 END AS is_removable
FROM generations AS unused
WHERE {_UNUSED.format(row="unused")} AND {_EXPIRED.format(row="unused")} AND unused.id > $2
ORDER BY unused.id LIMIT $3
"""  # noqa: S608 - constants

_DETACH = f"""UPDATE generations AS unused SET original_id = NULL, original_removed_at = NOW(), updated_at = NOW(),
    version = version + 1
WHERE unused.original_id = $2 AND unused.user_id = $3 AND {_IS_REMOVABLE} RETURNING id
"""  # noqa: S608 - constants


class _InUseError(Exception):
    """Rolls back a transaction that would have removed nothing but increased the account's version."""


class OriginalRetention:
    """Removes originals that only generations use which ended `seconds` ago before their provider call."""

    def __init__(self, events: EventPublisher, seconds: float) -> None:
        self._events = events
        self._seconds = float(seconds)
        self._position = ""  # the last generation that was examined; those whose photo is in use stay candidates

    async def find(self, limit: int) -> list[tuple[str, str]]:
        """Examine the next `limit` generations; return the owners and ids of the originals that can be removed."""
        found = await rows(_CANDIDATES, -self._seconds, self._position, limit)
        self._position = found[-1]["id"] if len(found) == limit else ""
        return list(dict.fromkeys((row["user_id"], row["original_id"]) for row in found if row["is_removable"]))

    async def remove(self, original: tuple[str, str]) -> bool:
        """Detach an original from its generations and mark it for removal, unless it is in use again. Returns True."""
        user_id, file_id = original
        try:
            account = await run_tx(self._remove, user_id, file_id)
        except _InUseError:
            return True
        await self._events.account_changed(account)
        return True

    async def _remove(self, user_id: str, file_id: str) -> AccountChange:
        # Requests that are about to use the original again lock the account's row, too.
        account = await account_change.bump_version(user_id, include_deleted=True)
        detached = await rows(_DETACH, -self._seconds, file_id, user_id)
        if not detached:
            raise _InUseError
        await rows(
            "UPDATE files SET state = 'DELETING', updated_at = NOW() WHERE id = $1 AND state = 'LIVE' RETURNING id",
            file_id,
        )
        return account.with_generations(ChangeKind.UPDATED, [row["id"] for row in detached])
