"""The generations that a request names: up to 100 of an account; those that are missing do not prevent the others."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from models import Generation, ids
from models.database.connection import placeholders, rows
from models.enum import FINAL
from services.core.error import InvalidInputError, NotFoundError, Refusal
from services.core.message import Message, message
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher

MAX_PER_REQUEST = 100  # generations


@dataclass(frozen=True)
class Chosen:
    """The generations of a selection that the account has, and the indexes in the request of the others."""

    found: tuple[str, ...]
    missing: tuple[int, ...]

    @property
    def refusals(self) -> list[Refusal]:
        """One refusal for each that is missing, with its place in the request."""
        return [NotFoundError(field=("ids", str(place))) for place in self.missing]


class UnchangedError(Exception):
    """Rolls back a transaction that changed nothing but the account's version. `found`: its ids of the selection."""

    def __init__(self, found: Iterable[str]) -> None:
        super().__init__()
        self.found = tuple(found)


class Selection:
    """The ids of a request as the client sent them; duplicates count once."""

    def __init__(self, wanted: Sequence[str], refusal: Message | None = None) -> None:
        """`refusal`: of too many.

        Raises:
            InvalidInputError: more than MAX_PER_REQUEST ids.
        """
        if len(wanted) > MAX_PER_REQUEST:
            text = refusal or message("At most {limit} can be changed at a time.", limit=MAX_PER_REQUEST)
            raise InvalidInputError(text, field=("ids",))
        self._wanted = wanted
        self.known = list(dict.fromkeys(id for id in wanted if ids.is_id(id, ids.GENERATION)))

    async def present(self, user_id: str) -> list[str]:
        """Return those that the account has, in the order of the request."""
        if not self.known:
            return []
        found = await rows(
            "SELECT id FROM generations WHERE user_id = $1 AND deleted_at IS NULL"  # noqa: S608 - placeholders
            f" AND id IN ({placeholders(self.known, first=2)})",
            user_id,
            *self.known,
        )
        present = {row["id"] for row in found}
        return [id for id in self.known if id in present]

    def chosen(self, found: Iterable[str]) -> Chosen:
        """Return what was found of them, in the order of the request, and where the others are in it."""
        present = set(found)
        first_index = {id: index for index, id in reversed(list(enumerate(self._wanted)))}
        return Chosen(
            found=tuple(id for id in self.known if id in present),
            missing=tuple(sorted(index for id, index in first_index.items() if id not in present)),
        )


async def publish(events: EventPublisher, account: AccountChange) -> None:
    """Publish a committed change of generations; of those in progress also to the streams of each."""
    await events.account_changed(account)
    changed = [change.generation_id for change in account.generations]
    for generation in await Generation.filter(id__in=changed).exclude(status__in=list(FINAL)):
        await events.generation_changed(generation)
