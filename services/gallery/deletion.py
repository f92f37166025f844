"""Deletion of generations: hidden from every read at once, their files removed from the storage later."""

from collections.abc import Sequence

from models import Generation
from models.database.connection import placeholders, rows, run_tx
from services.core.crashpoint import crashpoint
from services.core.message import message
from services.events import account_change
from services.events.account_change import AccountChange, ChangeKind
from services.events.publisher import EventPublisher
from services.gallery.selection import MAX_PER_REQUEST, Chosen, Selection, UnchangedError
from services.gallery.tag import delete_unused
from services.generations.calls.expected_cost import ExpectedCosts
from services.generations.cancellation import cancel


class DeletionService:
    """Deletes users' generations. `expected_costs`: of calls for those that have not ended."""

    def __init__(self, events: EventPublisher, expected_costs: ExpectedCosts) -> None:
        self._events = events
        self._expected_costs = expected_costs

    async def delete(self, user_id: str, wanted: Sequence[str]) -> Chosen:
        """Delete the user's generations in one transaction; those that have not ended are canceled first.

        `wanted`: ids as the client sent them; duplicates count once. An id that does not exist, belongs to another user
        or was deleted before does not prevent the deletion of the others.

        Raises:
            InvalidInputError: more than MAX_PER_REQUEST ids.
        """
        selection = Selection(wanted, message("At most {limit} can be deleted at a time.", limit=MAX_PER_REQUEST))
        return selection.chosen(await self._delete(user_id, selection.known) if selection.known else ())

    async def _delete(self, user_id: str, known: list[str]) -> list[str]:
        try:
            found, canceled, account = await run_tx(self._soft_delete, user_id, known)
        except UnchangedError:
            return []
        crashpoint("delete.committed")
        for generation in await Generation.filter(id__in=canceled):
            await self._events.generation_canceled(generation)
        await self._events.account_changed(account)
        return found

    async def _soft_delete(self, user_id: str, known: list[str]) -> tuple[list[str], list[str], AccountChange]:
        account = await account_change.bump_version(user_id, include_deleted=True)
        found, canceled, account = await soft_delete(account, known, self._expected_costs)
        if not found:
            raise UnchangedError(())  # the account's version increases only with a change
        crashpoint("delete.before_commit")
        return found, canceled, account


_CLEARED_TEXTS = (
    "prompt = NULL, enhanced_prompt = NULL, full_prompt = '', variables = '{}', style_title = '{}', search_text = '',"
    " earlier_prompts = '[]'"
)
_CLEARED_REFERENCES = "original_id = NULL, result_id = NULL, preview = NULL, share_slug = NULL, shared_at = NULL"

_ALBUMS_CHANGED = """
UPDATE albums SET updated_at = NOW() WHERE id IN (SELECT album_id FROM album_entries WHERE generation_id IN ({}))
RETURNING id
"""


async def soft_delete(
    account: AccountChange, generation_ids: Sequence[str], costs: ExpectedCosts
) -> tuple[list[str], list[str], AccountChange]:
    """Soft-delete the given generations that exist, in a transaction that holds the account's lock.

    Generations that have not ended are canceled first, and refunded as a cancellation would. Files that no other
    generation refers to are marked for the sweeper; the account's lock serializes this with requests that are about to
    refer to one again. Returns the deleted ids, those of them that were canceled, and the account's change.
    """
    present = await Generation.filter(user_id=account.user_id, id__in=list(generation_ids), deleted_at__isnull=True)
    if not present:
        return [], [], account
    found = [row.id for row in present]
    canceled, account = await cancel(account, found, costs)
    await rows(_ALBUMS_CHANGED.format(placeholders(found)), *found)  # while they have them: a trigger removes entries
    await rows(
        "UPDATE generations SET deleted_at = NOW(), updated_at = NOW(), version = version + 1,"  # noqa: S608 - constants and placeholders
        f" is_favorite = (1 = 0), {_CLEARED_TEXTS}, {_CLEARED_REFERENCES}"
        f" WHERE id IN ({placeholders(found)}) RETURNING id",
        *found,
    )
    await delete_unused(account.user_id)
    file_ids = {id for row in present for id in (row.original_id, row.result_id) if id is not None}
    if file_ids:
        await rows(
            "UPDATE files SET state = 'DELETING', updated_at = NOW()"  # noqa: S608 - placeholders
            f" WHERE id IN ({placeholders(file_ids)}) AND state = 'LIVE' AND NOT EXISTS"
            " (SELECT 1 FROM generations WHERE original_id = files.id)"
            " AND NOT EXISTS (SELECT 1 FROM generations WHERE result_id = files.id) RETURNING id",
            *file_ids,
        )
    favorites = [row.id for row in present if row.is_favorite]
    account = account.with_generations(ChangeKind.DELETED, favorites, favorite=True)
    return found, canceled, account.with_generations(ChangeKind.DELETED, [id for id in found if id not in favorites])
