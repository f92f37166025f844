"""Orders of a guest that is merged into an account: they are the account's, whatever is reported when."""

import asyncio

import pytest

from models import Purchase, User
from models.enum import EventOutcome
from tests.accounts.test_guest_merge import merge, token_of
from tests.accounts.test_guests import guest_of
from tests.conftest import Running
from tests.support.client import Api
from tests.support.fakes.polar_wire import order, refund, subscription
from tests.support.integrity import assert_invariants
from tests.support.polar_store import BASIC, FIFTY, deliver, lines, user_of


@pytest.fixture
async def ada(polar_store: Running) -> Api:
    return await polar_store.api.sign_up()


@pytest.fixture
async def guest(polar_store: Running) -> Api:
    return await guest_of(polar_store.api)


async def merged(account: Api, guest: Api) -> None:
    assert (await merge(account, await token_of(guest)))["errors"] == []


async def test_what_was_bought_is_moved_and_its_refund_reverses_it(polar_store: Running, ada: Api, guest: Api) -> None:
    first, second = order(user_of(guest), FIFTY), order(user_of(guest), FIFTY)
    for paid in (first, second):
        await deliver(ada, "order.paid", paid)
    await deliver(ada, "refund.updated", refund(first["id"], 499))
    assert await lines(guest) == [("PURCHASE", 50), ("PURCHASE", 50), ("REVERSAL", -50)]
    await merged(ada, guest)
    assert await lines(ada) == [("TRANSFER", 50)]
    await assert_invariants(polar_store.services)
    await deliver(ada, "refund.updated", refund(second["id"], 499))
    assert await lines(ada) == [("TRANSFER", 50), ("REVERSAL", -50)], "the account that has the credits pays"
    assert {purchase.user_id for purchase in await Purchase.all()} == {user_of(ada)}
    await assert_invariants(polar_store.services)


async def test_order_that_is_reported_after_the_merge_is_the_accounts(
    polar_store: Running, ada: Api, guest: Api
) -> None:
    token = await token_of(guest)
    assert (await merge(ada, token))["errors"] == []
    event = await deliver(ada, "order.paid", order(user_of(guest), FIFTY))
    assert event.outcome is EventOutcome.HANDLED
    assert await lines(ada) == [("PURCHASE", 50)]
    await assert_invariants(polar_store.services)


async def test_order_is_settled_once_while_a_merge_runs(polar_store: Running, ada: Api) -> None:
    for _ in range(5):
        guest = await guest_of(polar_store.api)
        before, paid = await ada.credits(), order(user_of(guest), FIFTY)
        done, *_ = await asyncio.gather(
            merge(ada, await token_of(guest)),
            deliver(ada, "order.paid", paid),
            deliver(ada, "order.paid", paid),
        )
        assert done["errors"] == []
        assert await ada.credits() == before + 50
        await assert_invariants(polar_store.services)
    assert await User.filter(merged_into_id=user_of(ada)).count() == 5


async def test_guest_with_a_plan_is_not_merged(polar_store: Running, ada: Api, guest: Api) -> None:
    """Only an admin can give it one: a guest cannot pay."""
    bought = subscription(user_of(guest), BASIC)
    await deliver(ada, "subscription.active", bought)
    token = await token_of(guest)
    assert [error["code"] for error in (await merge(ada, token))["errors"]] == ["CONFLICT"]
