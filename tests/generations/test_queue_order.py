"""The order of the queue: by priority, then accounts take turns, then by age."""

from collections.abc import AsyncIterator

import pytest

from models.database.connection import open_database
from services.events.publisher import EventPublisher
from services.generations.claim_statement import next_in_line
from services.generations.queue.estimate import QueueEstimator
from services.integrations.messaging.bus import Bus
from services.operations.maintenance import MaintenanceService
from services.operations.provider_keys import ProviderKeys
from services.operations.provider_pause import ProviderPauses
from services.operations.worker_registry import WorkerRegistry
from tests.support import factories
from tests.support.factories import NOW, insert

PER_USER = 4


@pytest.fixture(autouse=True)
async def _opened(database: str) -> AsyncIterator[None]:
    async with open_database(database):
        yield


async def account(*, running: int, waiting: int, priority: int = 0) -> list[str]:
    """Create an account and return the ids of its waiting generations, oldest first."""
    owner = (await insert("users", factories.user()))["id"]
    for _ in range(running):
        row = factories.generation(owner, status="PROCESSING", stage="GENERATING", lease_until=NOW)
        await insert("generations", row)
    rows = [await insert("generations", factories.generation(owner, priority=priority)) for _ in range(waiting)]
    return [row["id"] for row in rows]


async def test_account_with_nothing_running_comes_before_an_older_backlog() -> None:
    flood = await account(running=1, waiting=20)
    (one,) = await account(running=0, waiting=1)
    assert await next_in_line(PER_USER) == [one, *flood[:7]]


async def test_accounts_with_fewer_running_generations_come_first() -> None:
    three = await account(running=3, waiting=2)
    one = await account(running=1, waiting=2)
    none = await account(running=0, waiting=1)
    assert await next_in_line(PER_USER) == [*none, *one, *three]


async def test_accounts_at_their_limit_are_left_out() -> None:
    await account(running=PER_USER, waiting=3)
    assert await next_in_line(PER_USER) == []
    assert len(await next_in_line(PER_USER + 1)) == 3


async def test_priority_comes_before_turns() -> None:
    free = await account(running=0, waiting=1)
    paid = await account(running=3, waiting=2, priority=1)
    assert await next_in_line(PER_USER) == [*paid, *free]


async def test_position_in_the_queue_assumes_that_accounts_take_turns() -> None:
    flood = await account(running=0, waiting=20)
    one, two = await account(running=0, waiting=2)
    (paid,) = await account(running=0, waiting=1, priority=1)
    async with Bus.open(None) as bus:
        pauses, maintenance = (
            ProviderPauses(bus, ProviderKeys(()), {}),
            MaintenanceService(bus, EventPublisher(bus), "", ()),
        )
        estimator = QueueEstimator(WorkerRegistry(10), pauses, maintenance)
        positions = await estimator.positions([paid, flood[0], one, flood[1], two, flood[19]])
    assert positions == {paid: 0, flood[0]: 1, one: 2, flood[1]: 3, two: 4, flood[19]: 22}


@pytest.mark.parametrize("per_user", [1, 2, 3, 256])
async def test_any_number_of_generations_per_account_is_accepted(per_user: int) -> None:
    waiting = await account(running=0, waiting=2)
    assert await next_in_line(per_user) == waiting
