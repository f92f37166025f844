"""Two who want opposite things of one picture at the same moment: whatever the order, one defined outcome."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

import pytest

from models import CreditTransaction, File, Generation, User
from models.database.connection import dialect
from models.enum import FileKind, FileState, TransactionType
from services.core.chore import Lane
from services.core.error import ConflictError, NotFoundError
from services.events.payload import account_channel
from services.generations.claim import Claim, ClaimLostError
from services.generations.regeneration import RegenerationRequest
from services.generations.specification import GenerationRequest
from services.integrations.images.sanitizer import CleanImage
from services.integrations.providers.protocol import FinalImage
from services.services import Services
from tests.support.client import photo
from tests.support.integrity import assert_invariants

if TYPE_CHECKING:
    from tests.conftest import Running  # at run time, that is this folder's

SHORT, LONG = 12, 1000  # interleavings of each race
AUDITED_EVERY = 20  # interleavings, and after the last
YIELDS = 60  # of the event loop, at most, before one of them begins; a transaction on SQLite takes about as many
LATE = 0.012  # seconds, in place of that, on PostgreSQL: a transaction and what is read before it take about as long

MANY = 200  # rounds, in which each outcome is seen, however busy the machine is
PATIENCE = 5.0  # seconds for a message that has been published

pytestmark = pytest.mark.timeout(1800)


class Race:
    """One account whose generations two sides fight over, again and again."""

    def __init__(self, services: Services, user: User, photo: CleanImage, dice: random.Random, rounds: int) -> None:
        self.services = services
        self.user = user
        self.rounds = rounds
        self._photo = photo
        self._dice = dice
        self.outcomes: set[str] = set()
        self.untold: set[int] = set()  # versions of the account of which subscribers never heard

    async def order(self) -> str:
        """A waiting generation of a photo; its original is a row of its own, cheaper than a request with a picture."""
        (made,) = await self.services.generations.requests.create(self.user, GenerationRequest(prompt="A fox"))
        file = await self.services.media.files.store(self.user.id, FileKind.ORIGINAL, self._photo)
        await File.filter(id=file.id).update(state=FileState.LIVE)
        await Generation.filter(id=made.id).update(original_id=file.id)
        return made.id

    async def work(self, id: str) -> Coroutine[Any, Any, Generation]:
        """The last step of a worker that has made the picture of a generation."""
        claim = await Claim.take(id, "worker", 600, 1000)
        assert claim is not None
        await claim.record_call("openrouter")
        stored = await self.services.media.files.store(self.user.id, FileKind.RESULT, self._photo)

        async def complete() -> Generation:
            try:
                return await claim.complete(stored.id, FinalImage(b"", "model", None, None))
            except ClaimLostError:
                await self.services.media.files.discard(stored.id)  # as the worker does
                raise

        return complete()

    async def run(self, *sides: Awaitable[Any]) -> list[Any]:
        """Let the sides go, each a little later than another; what they answer, or the class of what they raise."""

        async def late(side: Awaitable[Any], share: float) -> Any:
            if dialect() == "postgres":
                await asyncio.sleep(share * LATE)
            else:
                for _ in range(int(share * YIELDS)):
                    await asyncio.sleep(0)
            return await side

        started = [late(side, self._dice.random()) for side in sides]
        answers = await asyncio.gather(*started, return_exceptions=True)
        return [type(answer) if isinstance(answer, BaseException) else answer for answer in answers]

    def ended(self, *outcomes: str) -> None:
        """Say how it may have ended; where there were many rounds, it has ended in each way."""
        assert self.outcomes <= set(outcomes)
        assert self.rounds < MANY or self.outcomes == set(outcomes)

    async def refunds(self, id: str) -> int:
        return await CreditTransaction.filter(generation_id=id, type=TransactionType.REFUND).count()

    async def again(self, one: Callable[[], Awaitable[str]], *, tells_all: bool = False) -> None:
        """So many interleavings, each ending in an outcome that it may have; the audit looks again and again.

        `tells_all`: both sides tell subscribers what they did, so every version of the account must be heard of.
        """
        told = {(await User.get(id=self.user.id)).version}
        for number in range(1, self.rounds + 1):
            async with self.services.integrations.bus.subscribe(account_channel(self.user.id)) as heard:
                self.outcomes.add(await one())
                now = (await User.get(id=self.user.id)).version
                while tells_all and set(range(min(told), now + 1)) - told:
                    news = await heard.get(PATIENCE)
                    if not isinstance(news, dict):
                        break
                    told.add(int(str(news["version"])))
            if number % AUDITED_EVERY == 0 or number == self.rounds:
                await assert_invariants(self.services)
        self.untold = set(range(min(told), (await User.get(id=self.user.id)).version + 1)) - told
        await self.services.background.sweeper.sweep_lane(Lane.CLEAN_UP)
        unsettled = await File.exclude(state=FileState.LIVE).count()
        assert unsettled == 0


@pytest.fixture
async def race(idle_server: "Running", rng: random.Random, pytestconfig: pytest.Config) -> Race:
    ada = await idle_server.api.sign_up()
    user = await User.get(id=ada.user["id"])
    rounds = max(SHORT, round(LONG * float(pytestconfig.getoption("--budget"))))
    return Race(
        idle_server.services, user, await idle_server.services.media.files.check_upload(photo(64, 48)), rng, rounds
    )


async def test_delete_against_complete(race: Race) -> None:
    async def one() -> str:
        id = await race.order()
        deleted, completed = await race.run(
            race.services.gallery.deletion.delete(race.user.id, [id]), await race.work(id)
        )
        row = await Generation.get(id=id)
        assert (deleted.deleted, deleted.missing) == ([id], [])
        assert row.deleted_at is not None
        assert await race.refunds(id) == 0  # the provider was called
        if completed is ClaimLostError:
            assert row.status == "CANCELED"
        else:
            assert (completed.id, row.status) == (id, "COMPLETED")
        return str(row.status)

    await race.again(one)
    race.ended("CANCELED", "COMPLETED")


async def test_delete_against_cancel(race: Race) -> None:
    async def one() -> str:
        id = await race.order()
        deleted, canceled = await race.run(
            race.services.gallery.deletion.delete(race.user.id, [id]),
            race.services.generations.requests.cancel(race.user.id, id),
        )
        row = await Generation.get(id=id)
        assert (deleted.deleted, row.status, row.refunded) == ([id], "CANCELED", True)
        assert row.deleted_at is not None
        assert await race.refunds(id) == 1
        assert canceled is NotFoundError or canceled.status == "CANCELED"
        return "gone" if canceled is NotFoundError else "canceled first"

    await race.again(one, tells_all=True)
    assert race.untold == set()


async def test_delete_against_favorite(race: Race) -> None:
    async def one() -> str:
        id = await race.order()
        deleted, marked = await race.run(
            race.services.gallery.deletion.delete(race.user.id, [id]),
            race.services.gallery.favorites.set(race.user.id, id, is_favorite=True),
        )
        row = await Generation.get(id=id)
        assert (deleted.deleted, row.is_favorite) == ([id], False)
        assert marked is NotFoundError or marked.is_favorite
        return "gone" if marked is NotFoundError else "marked first"

    await race.again(one, tells_all=True)
    assert race.untold == set()


async def test_delete_twice(race: Race) -> None:
    async def one() -> str:
        id = await race.order()
        answers = await race.run(*(race.services.gallery.deletion.delete(race.user.id, [id]) for _ in range(2)))
        assert sorted(answer.deleted for answer in answers) == [[], [id]]
        assert sorted(answer.missing for answer in answers) == [[], [0]]
        assert await race.refunds(id) == 1
        return f"by the {['first', 'second'][answers[1].deleted == [id]]}"

    await race.again(one)
    race.ended("by the first", "by the second")


async def test_delete_against_regenerate_of_the_same_photo(race: Race) -> None:
    async def one() -> str:
        id = await race.order()
        photo_id = (await Generation.get(id=id)).original_id
        deleted, made = await race.run(
            race.services.gallery.deletion.delete(race.user.id, [id]),
            race.services.generations.regenerations.regenerate(race.user, RegenerationRequest(id)),
        )
        assert deleted.deleted == [id]
        state = (await File.get(id=photo_id)).state
        children = await Generation.filter(parent_id=id)
        if made is NotFoundError:
            assert (children, state) == ([], FileState.DELETING)
            return "deleted first"
        (child,) = made
        assert ([row.id for row in children], child.original_id, state) == ([child.id], photo_id, FileState.LIVE)
        return "regenerated first"

    await race.again(one)
    race.ended("deleted first", "regenerated first")


async def test_cancel_against_complete(race: Race) -> None:
    async def one() -> str:
        id = await race.order()
        canceled, completed = await race.run(
            race.services.generations.requests.cancel(race.user.id, id), await race.work(id)
        )
        row = await Generation.get(id=id)
        if canceled is ConflictError:
            assert (completed.id, row.status, row.refunded) == (id, "COMPLETED", False)
        else:
            assert (completed, canceled.status, row.status) == (ClaimLostError, "CANCELED", "CANCELED")
        assert await race.refunds(id) == 0
        return str(row.status)

    await race.again(one)
    race.ended("CANCELED", "COMPLETED")


async def test_regenerate_twice_with_one_key(race: Race) -> None:
    source = await race.order()
    numbers = iter(range(race.rounds))

    async def one() -> str:
        request = RegenerationRequest(source, idempotency_key=f"again-{next(numbers)}")
        before = await Generation.filter(parent_id=source).count()
        first, second = await race.run(
            *(race.services.generations.regenerations.regenerate(race.user, request) for _ in range(2))
        )
        assert [row.id for row in first] == [row.id for row in second]
        assert await Generation.filter(parent_id=source).count() == before + 1
        return "once"

    await race.again(one)


async def test_a_favorite_marked_fifty_times_at_once(race: Race) -> None:
    race.rounds = max(2, race.rounds // 50)
    id = await race.order()
    mark = False

    async def one() -> str:
        nonlocal mark
        mark = not mark
        before, version = await Generation.get(id=id), (await User.get(id=race.user.id)).version
        answers = await race.run(
            *(race.services.gallery.favorites.set(race.user.id, id, is_favorite=mark) for _ in range(50))
        )
        assert {answer.is_favorite for answer in answers} == {mark}
        after = await Generation.get(id=id)
        assert (after.is_favorite, after.version) == (mark, before.version + 1)
        assert (await User.get(id=race.user.id)).version == version + 1
        return "once"

    await race.again(one)
