"""The topic of one account's gallery: every version of the account, with the present state of what it changed."""

import asyncio
from dataclasses import dataclass
from typing import ClassVar

from models import User
from models.generation_row import AnyGeneration
from services.core.error import NotFoundError
from services.events.account_change import ChangeKind, GenerationChange
from services.events.missed_changes import Changes, MissedChanges
from services.events.payload import account_channel
from services.events.topic import Item, Position, QueuedTopic
from services.events.version_buffer import VersionBuffer
from services.gallery.gallery import GalleryService
from services.integrations.messaging.bus import GAP, Message

_REORDER_SECONDS = 0.25  # an early message waits for its predecessor; they are milliseconds apart


PresentChanges = tuple[tuple[GenerationChange, AnyGeneration | None], ...]  # with the row; None: it is deleted


@dataclass(frozen=True)
class GalleryStep:
    """One version of an account. `changes`: with their present rows; None: changes were missed, read the gallery."""

    version: int
    changes: PresentChanges | None


class GalleryTopic(QueuedTopic[GalleryStep]):
    """The versions of an account in their order, each with its changed generations, read by one statement.

    `only_favorites`: leave out changes that are not in the list of favorites.
    """

    table: ClassVar = User

    __slots__ = ("_buffer", "_gallery", "_missed", "_only_favorites", "_resyncs", "_timer")

    def __init__(self, user_id: str, gallery: GalleryService, missed: MissedChanges, *, only_favorites: bool) -> None:
        super().__init__(account_channel(user_id), user_id)
        self._gallery = gallery
        self._missed = missed
        self._only_favorites = only_favorites
        self._buffer: VersionBuffer | None = None
        self._resyncs = 0
        self._timer: asyncio.TimerHandle | None = None

    async def open(self) -> Position:
        """Return the position of a subscriber that has read the gallery in its present version."""
        version = await self._read_version()
        if self.began_after(version):
            version = await self._read_version()
        if self._buffer is None:
            self._buffer = VersionBuffer(version)
            self.opened(version)
        return (version, self._resyncs)

    async def opening(self, position: Position, after: int | None) -> list[Item[GalleryStep]]:
        """Return what brings a subscriber to `position`: the versions since `after`, if they are known, or a snapshot.

        `after`: the version that it has; one that the account does not have is not known.
        """
        version = int(position[0])
        missed = None if after is None else await self._missed.between(self.row_id, after, version)
        if missed is None:
            return [Item(position, GalleryStep(version, None))]
        async with self.topics.opening:
            present = await self._present_of([changes for _, changes in missed])
        steps = zip([number for number, _ in missed], present, strict=True)
        return [Item((number, 0), GalleryStep(number, changes)) for number, changes in steps if changes]

    async def missed_items(self, position: Position) -> list[Item[GalleryStep]]:
        newest = self.items[-1].position
        return [Item(newest, GalleryStep(int(newest[0]), None))]

    async def apply(self, message: Message) -> None:
        assert self._buffer is not None  # noqa: S101 - made before messages are applied
        had_gap = self._buffer.has_gap
        steps = self._buffer.add(message) if isinstance(message, dict) else None
        if steps is None:
            steps = self._buffer.resync(await self._read_version())
            self._resyncs += 1
        for version, changes in steps:
            resyncs = self._resyncs if changes is None else 0
            present = None if changes is None else (await self._present_of([changes]))[0]
            step = GalleryStep(version, present)
            self.version = version
            if step.changes != ():
                self.add(Item((version, resyncs), step))
        if not self._buffer.has_gap:
            self._stop_timer()
        elif steps or not had_gap:
            self._stop_timer()
            self._timer = asyncio.get_running_loop().call_later(_REORDER_SECONDS, self.receive, GAP)

    async def _present_of(self, steps: list[Changes]) -> list[PresentChanges]:
        """Return the changes of each version that are wanted, with the present rows of their generations."""
        if self._only_favorites:
            steps = [tuple(change for change in changes if change.favorite) for changes in steps]
        named = {
            change.generation_id for changes in steps for change in changes if change.kind is not ChangeKind.DELETED
        }
        rows = await self._gallery.by_ids(self.row_id, sorted(named)) if named else {}
        return [tuple((change, rows.get(change.generation_id)) for change in changes) for changes in steps]

    async def _read_version(self) -> int:
        user = await User.filter(id=self.row_id).only("version").first()
        if user is None:
            raise NotFoundError
        return int(user.version)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
