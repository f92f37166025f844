"""Concurrent requests that a pass pays for: no allowance is used twice or lost."""

import asyncio
from collections import Counter

from models import Generation
from models.enum import ErrorCode
from services.core.lease import LeaseLostError
from services.generations.claim import Claim
from tests.conftest import Running
from tests.support.client import CANCEL
from tests.support.integrity import assert_invariants
from tests.support.passes import DELETE, EIGHT, QUOTA, advance, grant, hours, paid


async def test_allowance_of_eight_accepts_eight_of_fifty_concurrent_requests(creditless: Running) -> None:
    ada = await creditless.api.sign_up()
    held = await grant(ada, EIGHT)
    made = await asyncio.gather(*(ada.create(prompt="A fox") for _ in range(50)))
    codes = Counter(one["errors"][0]["code"] if one["errors"] else None for one in made)
    assert codes == {None: 8, "QUOTA_EXCEEDED": 42}
    assert await hours(held) == {0: 8}
    await assert_invariants(creditless.services)


async def test_concurrent_requests_continue_with_credits(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    held = await grant(ada, EIGHT)
    made = await asyncio.gather(*(paid(ada) for _ in range(20)))
    assert Counter(made_of for (made_of,) in made) == {("PASS", 0): 8, ("CREDITS", 1): 12}
    assert (await hours(held), await ada.credits()) == ({0: 8}, 10_000 - 12)
    await assert_invariants(idle_server.services)


async def test_concurrent_requests_failures_cancels_and_deletions_leave_no_drift(creditless: Running) -> None:
    ada = await creditless.api.sign_up()
    held = await grant(ada, EIGHT)

    async def fail(id: str) -> None:
        claim = await Claim.take(id, "worker", 60, 100)
        if claim is not None:
            try:
                await claim.fail(ErrorCode.GENERATION_FAILED, called=False)
            except LeaseLostError:
                return  # the cancel came first

    for _ in range(3):
        accepted = [one["generations"] for one in await asyncio.gather(*(ada.create(prompt="A fox") for _ in range(8)))]
        waiting = [one[0]["id"] for one in accepted if one]
        assert len(waiting) == 8
        await asyncio.gather(
            *(fail(id) for id in waiting[:6]),
            *(ada.one(CANCEL, id=id) for id in waiting[3:7]),
            ada.one(DELETE, ids=waiting[5:7]),
            *(ada.create(prompt="A fox") for _ in range(4)),
        )
        await assert_invariants(creditless.services)
        await ada.one(DELETE, ids=[one.id for one in await Generation.filter(deleted_at__isnull=True)])
        assert await hours(held) == {0: 0}
    await assert_invariants(creditless.services, all_ended=True)


async def test_requests_around_hour_boundary_use_both_hours(creditless: Running) -> None:
    ada = await creditless.api.sign_up()
    held = await grant(ada)
    for _ in range(2):
        await ada.create(prompt="A fox")
    await advance(held, 1 - 2 / 3600)  # the next hour begins in 2 seconds: the last place of this one is taken in time
    async with asyncio.timeout(20):
        while (await hours(held)).get(1, 0) < 3:
            await asyncio.gather(*(ada.create(prompt="A fox") for _ in range(4)))
    assert await hours(held) == {0: 3, 1: 3}
    assert (await ada.refused(QUOTA, input={"prompt": "A fox"}))["code"] == "QUOTA_EXCEEDED"
    await assert_invariants(creditless.services)
