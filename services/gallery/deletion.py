"""Deleting generations: gone from every read at once, their pictures as soon as the storage lets them go."""

from collections.abc import Sequence
from dataclasses import dataclass

from models import Generation, ids
from models.database.connection import rows, run_tx
from services.core.crashpoint import crashpoint
from services.core.error import InvalidInputError
from services.core.message import message
from services.events import account_change
from services.events.account_change import AccountChange, ChangeKind
from services.events.publisher import EventPublisher
from services.generations.cancellation import cancel

MOST = 100  # generations in one request


class _NothingThereError(Exception):
    """Ends a transaction that would have changed nothing."""


@dataclass(frozen=True)
class Deletion:
    """What is gone, and at which places of the request there was nothing of the account's."""

    deleted: list[str]
    missing: list[int]


class DeletionService:
    """Deletes what people have made."""

    def __init__(self, events: EventPublisher) -> None:
        self._events = events

    async def delete(self, user_id: str, wanted: Sequence[str]) -> Deletion:
        """Delete generations of one's own, in one transaction; what is under way is called off first.

        `wanted`: ids as they came; the same one twice counts once. One that is not there, somebody else's or deleted
        already stops no other.

        Raises:
            InvalidInputError: more than 100 at once.
        """
        if len(wanted) > MOST:
            text = message("At most {limit} can be deleted at a time.", limit=MOST)
            raise InvalidInputError(text, field=("ids",))
        known = list(dict.fromkeys(id for id in wanted if ids.is_id(id, ids.GENERATION)))
        deleted = set(await self._delete(user_id, known)) if known else set()
        first = {id: place for place, id in reversed(list(enumerate(wanted)))}
        return Deletion(
            deleted=[id for id in known if id in deleted],
            missing=sorted(place for id, place in first.items() if id not in deleted),
        )

    async def _delete(self, user_id: str, known: list[str]) -> list[str]:
        try:
            found, canceled, account = await run_tx(self._bury, user_id, known)
        except _NothingThereError:
            return []
        crashpoint("delete.committed")
        for generation in await Generation.filter(id__in=canceled):
            await self._events.generation_canceled(generation)
        await self._events.account_changed(account)
        return found

    @staticmethod
    async def _bury(user_id: str, known: list[str]) -> tuple[list[str], list[str], AccountChange]:
        found, canceled, account = await soft_delete(await account_change.bump_version(user_id, departed=True), known)
        if not found:
            raise _NothingThereError  # the account's version moves only with a change
        crashpoint("delete.before_commit")
        return found, canceled, account


_WORDLESS = (
    "prompt = NULL, full_prompt = '', variables = '{}', style_title = '{}', search_text = '', earlier_prompts = '[]'"
)
_UNSEEN = "original_id = NULL, result_id = NULL, preview = NULL, share_slug = NULL, shared_at = NULL"


async def soft_delete(
    account: AccountChange, generation_ids: Sequence[str]
) -> tuple[list[str], list[str], AccountChange]:
    """Delete those of the account's generations that are there, inside the transaction that has taken its row.

    What has not ended is called off first, and refunded as a cancel would. Pictures that no other generation shows
    are the sweeper's from now on; the account's row orders this against whoever is about to show one again.
    Answers with the deleted ids, those of them that were called off, and the account after.
    """
    present = await Generation.filter(user_id=account.user_id, id__in=list(generation_ids), deleted_at__isnull=True)
    if not present:
        return [], [], account
    found = [row.id for row in present]
    canceled, account = await cancel(account, found)
    await rows(
        "UPDATE generations SET deleted_at = NOW(), updated_at = NOW(), version = version + 1,"  # noqa: S608 - constants and placeholders
        f" is_favorite = (1 = 0), {_WORDLESS}, {_UNSEEN} WHERE id IN ({_marks(found)}) RETURNING id",
        *found,
    )
    pictures = {id for row in present for id in (row.original_id, row.result_id) if id is not None}
    if pictures:
        await rows(
            "UPDATE files SET state = 'DELETING', updated_at = NOW()"  # noqa: S608 - placeholders
            f" WHERE id IN ({_marks(pictures)}) AND state = 'LIVE' AND NOT EXISTS"
            " (SELECT 1 FROM generations WHERE original_id = files.id)"
            " AND NOT EXISTS (SELECT 1 FROM generations WHERE result_id = files.id) RETURNING id",
            *pictures,
        )
    favorites = [row.id for row in present if row.is_favorite]
    account = account.about(ChangeKind.DELETED, favorites, favorite=True)
    return found, canceled, account.about(ChangeKind.DELETED, [id for id in found if id not in favorites])


def _marks(values: Sequence[str] | set[str]) -> str:
    return ", ".join(f"${number}" for number in range(1, len(values) + 1))
