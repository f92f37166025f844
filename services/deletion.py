"""Deleting generations: gone from every read at once, their pictures as soon as the storage lets them go."""

from collections.abc import Sequence
from dataclasses import dataclass

from models import Generation, ids
from models.database import run_tx
from services import credit
from services.crashpoint import crashpoint
from services.credit import Account
from services.error import InvalidInputError
from services.event import Events
from services.message import message
from services.tombstone import bury

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

    def __init__(self, events: Events) -> None:
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
    async def _bury(user_id: str, known: list[str]) -> tuple[list[str], list[str], Account]:
        found, canceled, account = await bury(await credit.touch(user_id, departed=True), known)
        if not found:
            raise _NothingThereError  # the account's version moves only with a change
        crashpoint("delete.before_commit")
        return found, canceled, account
