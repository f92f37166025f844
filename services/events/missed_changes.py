"""The changes that a subscriber missed, from what the bus keeps of an account's last messages."""

import asyncio
from collections.abc import Sequence

import orjson

from services.events.account_change import AccountChange, ChangeKind, GenerationChange
from services.events.payload import account_channel
from services.integrations.messaging.bus import Bus
from services.integrations.messaging.kept_messages import MAX_KEPT

Changes = tuple[GenerationChange, ...]

_MAX_CHANGES = 32  # that are kept of one version; more are known to be missed, but not which
_MAX_REPLAYED = 200  # changes, to one subscriber: reading the list again costs less
_WAIT_SECONDS = 0.25  # for the messages of versions that were just committed
_READS = 8  # at once: each takes a connection to Redis


def kept_text(account: AccountChange) -> str:
    """Return what the bus keeps of the message about a change: the version, and the generations that it changed."""
    changes = account.generations
    if account.has_new_gallery or len(changes) > _MAX_CHANGES:
        return orjson.dumps([account.version, None]).decode()
    kept = [(change.kind, change.generation_id, change.favorite) for change in changes]
    return orjson.dumps([account.version, kept]).decode()


class MissedChanges:
    """What happened to the generations of an account between two versions, as long as the bus remembers."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self._reads = asyncio.Semaphore(_READS)

    async def between(self, user_id: str, after: int, version: int) -> list[tuple[int, Changes]] | None:
        """Return the changes after version `after`, up to the row's `version`, in order; None if any is not known."""
        count = version - after
        if not 0 < count <= MAX_KEPT:
            return [] if count == 0 else None
        wanted = range(after + 1, version + 1)
        known = await self._known(user_id)
        is_near = after in known or after + 1 in known
        if is_near and version not in known:  # it may be published in a moment
            await asyncio.sleep(_WAIT_SECONDS)
            known = await self._known(user_id)
        missed = [(number, changes) for number in wanted if (changes := known.get(number)) is not None]
        is_complete = len(missed) == count and sum(len(changes) for _, changes in missed) <= _MAX_REPLAYED
        return missed if is_complete else None

    async def _known(self, user_id: str) -> dict[int, Changes | None]:
        async with self._reads:
            return _decode(await self._bus.kept(account_channel(user_id)))


def _decode(texts: Sequence[str | bytes]) -> dict[int, Changes | None]:
    """Return the changes by version. None: unknown, or two messages differ, of a database that was restored since."""
    known: dict[int, Changes | None] = {}
    for text in texts:
        try:
            number, kept = orjson.loads(text)
            version = int(number)
            changes = tuple(GenerationChange(ChangeKind(kind), str(id), bool(favorite)) for kind, id, favorite in kept)
        except (orjson.JSONDecodeError, ValueError, TypeError):  # of another release, or too many to be kept
            continue
        known[version] = changes if known.get(version, changes) == changes else None
    return known
