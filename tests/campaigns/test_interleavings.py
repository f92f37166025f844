"""Concurrent conflicting operations on one generation: every interleaving has one of the defined outcomes."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any

import pytest

from models import CreditTransaction, File, Generation, User
from models.database.connection import dialect, rows
from models.enum import FileKind, FileState, TransactionType
from services.core.chore import Lane
from services.core.error import ConflictError, NotFoundError
from services.core.lease import LeaseLostError
from services.events.payload import account_channel
from services.generations.claim import Batches, Claim
from services.generations.queue.next_claims import take_next
from services.generations.regeneration import RegenerationRequest
from services.generations.specification import GenerationRequest
from services.integrations.images.sanitizer import CleanImage
from services.integrations.providers.protocol import FinalImage
from services.services import Services
from tests.support.client import photo
from tests.support.integrity import assert_invariants

if TYPE_CHECKING:
    from tests.conftest import Running

SHORT, LONG = 12, 1000  # interleavings per race
AUDIT_INTERVAL = 20  # interleavings between two audits; one more follows the last
MAX_YIELDS = 120  # of the event loop before an operation starts: about as many as a transaction and its reads on SQLite
MAX_DELAY = 0.012  # seconds, instead of yields, on PostgreSQL: about as long as a transaction and the reads before it

MANY = 200  # rounds after which every outcome must have occurred, even on a busy machine
PATIENCE = 5.0  # seconds for a message that has been published

pytestmark = pytest.mark.timeout(1800)


class Race:
    """Repeats a race between operations on generations of one account, and records the outcomes."""

    def __init__(self, services: Services, user: User, photo: CleanImage, rng: random.Random, rounds: int) -> None:
        self.services = services
        self.user = user
        self.rounds = rounds
        self._photo = photo
        self.rng = rng
        self.outcomes: set[str] = set()
        self.unpublished: set[int] = set()  # account versions that subscribers did not receive

    async def create_generation(self) -> str:
        """Create a pending generation with a photo; the photo is inserted directly, which is faster than an upload."""
        (made,) = await self.services.generations.requests.create(self.user, GenerationRequest(prompt="A fox"))
        file = await self.services.media.files.store(self.user.id, FileKind.ORIGINAL, self._photo)
        await File.filter(id=file.id).update(state=FileState.LIVE)
        await Generation.filter(id=made.id).update(original_id=file.id)
        return made.id

    async def prepare_completion(self, id: str) -> Coroutine[Any, Any, Generation]:
        """Claim a generation and return the worker's last step, with the result already stored."""
        claim = await Claim.take(id, "worker", 600, 1000)
        assert claim is not None
        await claim.record_call("openrouter")
        stored = await self.services.media.files.store(self.user.id, FileKind.RESULT, self._photo)

        async def complete() -> Generation:
            try:
                return await claim.complete(stored.id, FinalImage(b"", "model", None, None))
            except LeaseLostError:
                await self.services.media.files.discard(stored.id)  # as the worker does
                raise

        return complete()

    async def run(self, *operations: Awaitable[Any]) -> list[Any]:
        """Start the operations at random moments; return their results, or the types of their exceptions."""

        async def delayed(operation: Awaitable[Any], fraction: float) -> Any:
            if dialect() == "postgres":
                await asyncio.sleep(fraction * MAX_DELAY)
            else:
                for _ in range(int(fraction * MAX_YIELDS)):
                    await asyncio.sleep(0)
            return await operation

        delayed_operations = [delayed(operation, self.rng.random()) for operation in operations]
        results = await asyncio.gather(*delayed_operations, return_exceptions=True)
        return [type(result) if isinstance(result, BaseException) else result for result in results]

    def assert_outcomes(self, *outcomes: str) -> None:
        """Assert that only these outcomes occurred, and after many rounds each of them."""
        assert self.outcomes <= set(outcomes)
        assert self.rounds < MANY or self.outcomes == set(outcomes)

    async def refunds(self, id: str) -> int:
        return await CreditTransaction.filter(generation_id=id, type=TransactionType.REFUND).count()

    async def repeat(self, interleave: Callable[[], Awaitable[str]], *, all_published: bool = False) -> None:
        """Run `rounds` interleavings and audit the database in between.

        `all_published`: both operations publish their changes, so subscribers must receive every account version.
        """
        received = {(await User.get(id=self.user.id)).version}
        for number in range(1, self.rounds + 1):
            async with self.services.integrations.bus.subscribe(account_channel(self.user.id)) as subscription:
                self.outcomes.add(await interleave())
                now = (await User.get(id=self.user.id)).version
                while all_published and set(range(min(received), now + 1)) - received:
                    event = await subscription.get(PATIENCE)
                    if not isinstance(event, dict):
                        break
                    received.add(int(str(event["version"])))
            if number % AUDIT_INTERVAL == 0 or number == self.rounds:
                await assert_invariants(self.services)
        self.unpublished = set(range(min(received), (await User.get(id=self.user.id)).version + 1)) - received
        await self.services.background.sweeper.sweep_lane(Lane.CLEAN_UP)
        unsettled = await File.exclude(state=FileState.LIVE).count()
        assert unsettled == 0


@pytest.fixture
async def race(idle_server: "Running", rng: random.Random, pytestconfig: pytest.Config) -> Race:
    ada = await idle_server.api.sign_up()
    user = await User.get(id=ada.user["id"])
    rounds = max(SHORT, round(LONG * float(pytestconfig.getoption("--budget"))))
    return Race(
        idle_server.services,
        user,
        await idle_server.services.media.files.check_upload(photo(64, 48), account="usr_ada"),
        rng,
        rounds,
    )


async def test_delete_races_with_completion(race: Race) -> None:
    async def interleave() -> str:
        id = await race.create_generation()
        deleted, completed = await race.run(
            race.services.gallery.deletion.delete(race.user.id, [id]), await race.prepare_completion(id)
        )
        row = await Generation.get(id=id)
        assert (deleted.found, deleted.missing) == ((id,), ())
        assert row.deleted_at is not None
        assert await race.refunds(id) == 0  # the provider was called
        if completed is LeaseLostError:
            assert row.status == "CANCELED"
        else:
            assert (completed.id, row.status) == (id, "COMPLETED")
        return str(row.status)

    await race.repeat(interleave)
    race.assert_outcomes("CANCELED", "COMPLETED")


async def test_delete_races_with_cancel(race: Race) -> None:
    async def interleave() -> str:
        id = await race.create_generation()
        deleted, canceled = await race.run(
            race.services.gallery.deletion.delete(race.user.id, [id]),
            race.services.generations.requests.cancel(race.user.id, id),
        )
        row = await Generation.get(id=id)
        assert (deleted.found, row.status, row.refunded) == ((id,), "CANCELED", True)
        assert row.deleted_at is not None
        assert await race.refunds(id) == 1
        assert canceled is NotFoundError or canceled.status == "CANCELED"
        return "not found" if canceled is NotFoundError else "canceled first"

    await race.repeat(interleave, all_published=True)
    assert race.unpublished == set()


async def test_delete_races_with_favorite(race: Race) -> None:
    async def interleave() -> str:
        id = await race.create_generation()
        deleted, marked = await race.run(
            race.services.gallery.deletion.delete(race.user.id, [id]),
            race.services.gallery.favorites.set(race.user.id, id, is_favorite=True),
        )
        row = await Generation.get(id=id)
        assert (deleted.found, row.is_favorite) == ((id,), False)
        assert marked is NotFoundError or marked.is_favorite
        return "not found" if marked is NotFoundError else "marked first"

    await race.repeat(interleave, all_published=True)
    assert race.unpublished == set()


async def test_concurrent_deletes_refund_once(race: Race) -> None:
    async def interleave() -> str:
        id = await race.create_generation()
        results = await race.run(*(race.services.gallery.deletion.delete(race.user.id, [id]) for _ in range(2)))
        assert sorted(result.found for result in results) == [(), (id,)]
        assert sorted(result.missing for result in results) == [(), (0,)]
        assert await race.refunds(id) == 1
        return f"by the {['first', 'second'][results[1].found == (id,)]}"

    await race.repeat(interleave)
    race.assert_outcomes("by the first", "by the second")


async def test_delete_races_with_regeneration_of_the_same_photo(race: Race) -> None:
    async def interleave() -> str:
        id = await race.create_generation()
        photo_id = (await Generation.get(id=id)).original_id
        deleted, made = await race.run(
            race.services.gallery.deletion.delete(race.user.id, [id]),
            race.services.generations.regenerations.regenerate(race.user, RegenerationRequest(id)),
        )
        assert deleted.found == (id,)
        state = (await File.get(id=photo_id)).state
        children = await Generation.filter(parent_id=id)
        if made is NotFoundError:
            assert (children, state) == ([], FileState.DELETING)
            return "deleted first"
        (child,) = made
        assert ([row.id for row in children], child.original_id, state) == ([child.id], photo_id, FileState.LIVE)
        return "regenerated first"

    await race.repeat(interleave)
    race.assert_outcomes("deleted first", "regenerated first")


async def test_cancel_races_with_completion(race: Race) -> None:
    async def interleave() -> str:
        id = await race.create_generation()
        canceled, completed = await race.run(
            race.services.generations.requests.cancel(race.user.id, id), await race.prepare_completion(id)
        )
        row = await Generation.get(id=id)
        if canceled is ConflictError:
            assert (completed.id, row.status, row.refunded) == (id, "COMPLETED", False)
        else:
            assert (completed, canceled.status, row.status) == (LeaseLostError, "CANCELED", "CANCELED")
        assert await race.refunds(id) == 0
        return str(row.status)

    await race.repeat(interleave)
    race.assert_outcomes("CANCELED", "COMPLETED")


async def test_recovery_of_an_expired_lease_races_with_completion(race: Race) -> None:
    async def interleave() -> str:
        id = await race.create_generation()
        completion = await race.prepare_completion(id)
        await rows("UPDATE generations SET lease_until = LATER($2) WHERE id = $1 RETURNING id", id, -1.0)
        recovered, completed = await race.run(race.services.generations.lease_recovery.recover(id), completion)
        row = await Generation.get(id=id).select_related("result")
        assert recovered is True
        if completed is LeaseLostError:
            assert (row.status, row.refunded, row.result) == ("FAILED", True, None)
        else:
            assert row.result is not None
            assert (completed.id, row.status, row.result.state) == (id, "COMPLETED", FileState.LIVE)
        assert await race.refunds(id) == row.refunded
        return str(row.status)

    await race.repeat(interleave)
    race.assert_outcomes("COMPLETED", "FAILED")


@pytest.mark.parametrize("together", [False, True], ids=["alone", "together"])
async def test_recovery_of_an_expired_lease_races_with_the_call(race: Race, together: bool) -> None:
    batches = Batches("openrouter") if together else None  # which write calls together, on PostgreSQL

    async def interleave() -> str:
        id = await race.create_generation()
        found = await take_next("frozen", 60, 1000, 1, "openrouter", batches)
        (claim,) = found.claims
        assert claim.generation.id == id
        lease = race.rng.uniform(-0.5, 1.0) * MAX_DELAY  # it ends before, during or after the call is recorded
        await rows("UPDATE generations SET lease_until = LATER($2) WHERE id = $1 RETURNING id", id, lease)
        _, recorded = await race.run(
            race.services.generations.lease_recovery.recover(id), claim.record_call("openrouter")
        )
        row = await Generation.get(id=id)
        if recorded is LeaseLostError:  # it does not call, so that others may
            assert row.provider_calls == 0
            await race.services.generations.lease_recovery.recover(id)
            row = await Generation.get(id=id)
            await race.services.generations.requests.cancel(race.user.id, id)
            assert (str(row.status), row.fence) == ("PENDING", 2)
            return "recovered"
        # It is about to call, and holds the generation: no other worker takes it over.
        assert (str(row.status), row.fence, row.provider_calls) == ("PROCESSING", 1, 1)
        await race.services.generations.lease_recovery.recover(id)
        assert (await Generation.get(id=id)).fence == 1
        await race.services.generations.requests.cancel(race.user.id, id)
        return "called"

    await race.repeat(interleave)
    race.assert_outcomes("called", "recovered")


async def test_claim_races_with_cancel(race: Race) -> None:
    async def interleave() -> str:
        id = await race.create_generation()
        claims, canceled = await race.run(
            take_next("worker", 60, 4, 8, "openrouter"), race.services.generations.requests.cancel(race.user.id, id)
        )
        row = await Generation.get(id=id)
        assert (canceled.status, row.status, row.refunded, row.provider) == ("CANCELED", "CANCELED", True, None)
        assert await race.refunds(id) == 1
        if not claims.claims:
            return "canceled first"
        with pytest.raises(LeaseLostError):
            await claims.claims[0].record_call("openrouter")
        return "claimed first"

    await race.repeat(interleave)
    race.assert_outcomes("canceled first", "claimed first")


async def test_concurrent_regenerations_with_one_key_create_one_batch(race: Race) -> None:
    source = await race.create_generation()
    numbers = iter(range(race.rounds))

    async def interleave() -> str:
        request = RegenerationRequest(source, idempotency_key=f"repeat-{next(numbers)}")
        before = await Generation.filter(parent_id=source).count()
        first, second = await race.run(
            *(race.services.generations.regenerations.regenerate(race.user, request) for _ in range(2))
        )
        assert [row.id for row in first] == [row.id for row in second]
        assert await Generation.filter(parent_id=source).count() == before + 1
        return "once"

    await race.repeat(interleave)


async def test_fifty_concurrent_favorite_changes_count_once(race: Race) -> None:
    race.rounds = max(2, race.rounds // 50)
    id = await race.create_generation()
    mark = False

    async def interleave() -> str:
        nonlocal mark
        mark = not mark
        before, version = await Generation.get(id=id), (await User.get(id=race.user.id)).version
        results = await race.run(
            *(race.services.gallery.favorites.set(race.user.id, id, is_favorite=mark) for _ in range(50))
        )
        assert {result.is_favorite for result in results} == {mark}
        after = await Generation.get(id=id)
        assert (after.is_favorite, after.version) == (mark, before.version + 1)
        assert (await User.get(id=race.user.id)).version == version + 1
        return "once"

    await race.repeat(interleave)
