"""Favorites: a mark that users set on their generations."""

from models import Generation
from models.database.connection import rows, run_tx
from services.core.error import NotFoundError
from services.events import account_change
from services.events.account_change import AccountChange, ChangeKind
from services.events.publisher import EventPublisher


class _UnchangedError(Exception):
    """Rolls back after a concurrent request did the same, because a version must not increase without a change."""


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
        except _UnchangedError:
            return await self._get(user_id, generation_id)
        # The account first: the generation may be deleted by now, but no version may be skipped.
        await self._events.account_changed(account)
        generation = await self._get(user_id, generation_id)
        await self._events.generation_changed(generation)
        return generation

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
            raise _UnchangedError
        return account.with_generations(ChangeKind.UPDATED, [generation_id], favorite=True)
