"""Favorites: marks that people set on their generations."""

from models import Generation
from models.database.connection import rows, run_tx
from services.core.error import NotFoundError
from services.events import account_change
from services.events.account_change import AccountChange, ChangeKind
from services.events.publisher import EventPublisher


class _UnchangedError(Exception):
    """Somebody was faster; rolls back, because a version that moves must have something to show."""


class FavoriteService:
    """Sets and clears the mark."""

    def __init__(self, events: EventPublisher) -> None:
        self._events = events

    async def set(self, user_id: str, generation_id: str, *, is_favorite: bool) -> Generation:
        """Mark a generation, or take the mark away. Where nothing changes, no version moves.

        Raises:
            NotFoundError: not there, or not this account's.
        """
        generation = await self._get(user_id, generation_id)
        if generation.is_favorite is is_favorite:
            return generation
        try:
            account = await run_tx(self._set, user_id, generation_id, is_favorite)
        except _UnchangedError:
            return await self._get(user_id, generation_id)
        await self._events.account_changed(account)  # first: it may be deleted by now, and a version is never skipped
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
        return account.about(ChangeKind.UPDATED, [generation_id], favorite=True)
