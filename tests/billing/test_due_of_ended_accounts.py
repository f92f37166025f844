"""Refills, expiries and months that are due for accounts which are just merged, suspended or deleted."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from models import CreditGrant, CreditRefill, CreditTransaction, Membership, User
from tests.accounts.test_guest_merge import merge, token_of
from tests.accounts.test_guests import guest_of
from tests.billing.test_grant_expiry import DELETE, buy, store, sweep
from tests.billing.test_granted_plan import code, let_month_end
from tests.billing.test_granted_plan import grant as grant_plan
from tests.billing.test_refill import server
from tests.conftest import Running
from tests.support.client import Api
from tests.support.expiring_profile import let_expire
from tests.support.integrity import adjust_credits, assert_invariants, make_admin
from tests.support.polar_store import user_of

__all__ = ["server", "store"]


async def suspend(api: Api) -> None:
    await User.filter(id=user_of(api)).update(suspended_at=datetime.now(UTC))


async def delete(api: Api) -> None:
    confirmation = {"password": "correct horse", "confirmEmail": "ada@example.com"}
    assert (await api.one(DELETE, input=confirmation))["errors"] == []


async def refills_of(api: Api) -> int:
    return await CreditTransaction.filter(user_id=user_of(api), reference__startswith="refill:").count()


@pytest.mark.parametrize("end", [suspend, delete])
async def test_request_that_read_the_account_before_gets_no_refill(
    server: Running, end: Callable[[Api], Awaitable[None]]
) -> None:
    ada = await server.api.sign_up()
    before = await User.get(id=user_of(ada))
    assert server.services.billing.refills.is_due(before)
    await end(ada)  # a deletion is a request, which gets the refill before
    await User.filter(id=before.id).update(refill_month="2020-01", credits=0)
    await CreditRefill.all().delete()
    count = await refills_of(ada)
    after = await server.services.billing.refills.refill(before)
    assert (after.id, after.may_sign_in) == (before.id, False)
    assert (await refills_of(ada), (await User.get(id=before.id)).refill_month) == (count, "2020-01")


async def test_credits_of_a_suspended_account_expire_and_its_month_begins_once(store: Running) -> None:
    ada, admin = await store.api.sign_up(), await make_admin(store.api)
    assert code(await grant_plan(admin, ada)) == "OK"
    await suspend(ada)
    await let_month_end(ada)
    await let_expire(user_of(ada), "BONUS")
    await asyncio.gather(*(sweep(store) for _ in range(3)))
    written = CreditTransaction.filter(user_id=user_of(ada), sequence__gt=2).order_by("sequence")
    assert await written.values_list("type", "amount") == [
        ("EXPIRY", -100), ("ROLLOVER", 20), ("SUBSCRIPTION", 100), ("EXPIRY", -10),
    ]  # fmt: skip
    assert (await User.get(id=user_of(ada))).credits == 120
    await assert_invariants(store.services)


async def test_month_that_begins_while_the_account_is_deleted_is_granted_before_or_never(store: Running) -> None:
    ada, admin = await store.api.sign_up(), await make_admin(store.api)
    assert code(await grant_plan(admin, ada)) == "OK"
    await let_month_end(ada)
    await let_expire(user_of(ada))
    granted, expiry = store.services.billing.granted_plans, store.services.billing.grant_expiry
    [plan], due = await granted.due(10), await expiry.due(10)
    await asyncio.gather(delete(ada), granted.renew(plan), *(expiry.expire(id) for id in due), granted.renew(plan))
    await sweep(store)
    assert await CreditGrant.filter(user_id=user_of(ada)).count() == 0
    assert await CreditTransaction.filter(type="SUBSCRIPTION").count() in (1, 2)
    if await Membership.filter(status="ACTIVE").exists():  # its month began before
        await let_month_end(ada)
        await sweep(store)
    assert (await Membership.get(id=plan)).status == "ENDED"
    await assert_invariants(store.services, all_ended=True)


async def test_credits_that_expire_while_their_guest_is_merged_are_taken_once(store: Running) -> None:
    ada, guest = await store.api.sign_up(), await guest_of(store.api)
    await buy(guest)
    await let_expire(user_of(guest))
    expiry, token = store.services.billing.grant_expiry, await token_of(guest)
    due = await expiry.due(10)
    assert len(due) == 2
    await asyncio.gather(merge(ada, token), *(expiry.expire(id) for id in due * 3))
    await sweep(store)
    [left] = await CreditGrant.filter(remaining__gt=0)
    assert (left.user_id, left.remaining) == (user_of(ada), 10)
    assert await CreditTransaction.filter(type="EXPIRY", amount=-50).count() == 1
    assert await ada.credits() == 10
    await assert_invariants(store.services)


async def test_plan_is_granted_to_a_guest_or_the_guest_is_merged(store: Running) -> None:
    ada, admin, guest = await store.api.sign_up(), await make_admin(store.api), await guest_of(store.api)
    token = await token_of(guest)
    merged, granted = await asyncio.gather(merge(ada, token), grant_plan(admin, guest))
    assert (code(merged), code(granted)) in (("OK", "NOT_FOUND"), ("CONFLICT", "OK"))
    await sweep(store)
    assert await Membership.filter(user_id=user_of(ada)).count() == 0
    await assert_invariants(store.services)


async def test_account_that_a_guest_is_merged_into_gets_one_refill(server: Running) -> None:
    ada, guest = await server.api.sign_up(), await guest_of(server.api)
    await adjust_credits(user_of(guest), 50, "A gift.")
    token = await token_of(guest)
    merged, *_ = await asyncio.gather(merge(ada, token), *(ada.credits() for _ in range(4)))
    assert (merged["errors"], merged["movedCredits"]) == ([], 50)
    assert (await ada.credits(), await refills_of(ada), await refills_of(guest)) == (75, 1, 0)
    await assert_invariants(server.services)
