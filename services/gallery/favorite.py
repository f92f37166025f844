"""Favorites: a mark that users set on their generations."""

from collections.abc import Sequence

from models import Generation
from models.database.connection import placeholders, rows, run_tx
from services.core.error import NotFoundError
from services.events import account_change
from services.events.account_change import AccountChange, ChangeKind
from services.events.publisher import EventPublisher
from services.gallery.selection import Chosen, Selection, UnchangedError, publish


class FavoriteService:
    """Sets and clears the favorite mark."""

    def __init__(self, events: EventPublisher) -> None:
        self._events = events

    async def set(self, user_id: str, generation_id: str, *, is_favorite: bool) -> Generation:
        """Set or clear the mark. If nothing changes, no version increases.

        Raises:
            NotFoundError: the generation does not exist or belongs to another user.
        """
        generation = await self._get(user_id, generation_id)
        if generation.is_favorite is is_favorite:
            return generation
        try:
            account = await run_tx(self._set, user_id, generation_id, is_favorite)
        except UnchangedError:
            return await self._get(user_id, generation_id)
        # The account first: the generation may be deleted by now, but no version may be skipped.
        await self._events.account_changed(account)
        generation = await self._get(user_id, generation_id)
        await self._events.generation_changed(generation)
        return generation

    async def set_many(self, user_id: str, wanted: Sequence[str], *, is_favorite: bool) -> Chosen:
        """Set or clear the mark of several in one transaction. If nothing changes, no version increases.

        `wanted`: ids as the client sent them. One that is missing does not prevent the others from being marked.

        Raises:
            InvalidInputError: more than MAX_PER_REQUEST ids.
        """
        selection = Selection(wanted)
        try:
            found, account = await run_tx(self._set_many, user_id, selection, is_favorite)
        except UnchangedError as unchanged:
            return selection.chosen(unchanged.found)
        await publish(self._events, account)
        return selection.chosen(found)

    @staticmethod
    async def _set_many(user_id: str, selection: Selection, is_favorite: bool) -> tuple[list[str], AccountChange]:
        account = await account_change.bump_version(user_id)
        found = await selection.present(user_id)
        changed = found and await rows(
            "UPDATE generations SET is_favorite = $1, updated_at = NOW(), version = version + 1"  # noqa: S608 - placeholders
            f" WHERE id IN ({placeholders(found, first=2)}) AND is_favorite <> $1 RETURNING id",
            is_favorite,
            *found,
        )
        if not changed:
            raise UnchangedError(found)
        marked = {row["id"] for row in changed}
        in_order = [id for id in found if id in marked]
        return found, account.with_generations(ChangeKind.UPDATED, in_order, favorite=True)

    @staticmethod
    async def _get(user_id: str, generation_id: str) -> Generation:
        found = await Generation.present().get_or_none(id=generation_id, user_id=user_id)
        if found is None:
            raise NotFoundError(field=("id",))
        return found

    @staticmethod
    async def _set(user_id: str, generation_id: str, is_favorite: bool) -> AccountChange:
        account = await account_change.bump_version(user_id)
        changed = await rows(
            "UPDATE generations SET is_favorite = $3, updated_at = NOW(), version = version + 1"
            " WHERE id = $1 AND user_id = $2 AND deleted_at IS NULL AND is_favorite <> $3 RETURNING id",
            generation_id,
            user_id,
            is_favorite,
        )
        if not changed:
            raise UnchangedError((generation_id,))
        return account.with_generations(ChangeKind.UPDATED, [generation_id], favorite=True)
