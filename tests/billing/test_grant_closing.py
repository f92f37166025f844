"""Credits that expire, at the edges: closed months, debts, and refunds of what has expired."""

from models import CreditGrant, CreditRefill, User
from services.billing.grants.grant import REFUND_DAYS
from tests.accounts.test_guest_merge import merge, token_of
from tests.accounts.test_guests import guest_of
from tests.billing.test_grant_expiry import ada, buy, cancel, spend, store, sweep
from tests.billing.test_granted_plan import grant as grant_plan
from tests.billing.test_granted_plan import let_month_end
from tests.billing.test_refill import server
from tests.conftest import Running
from tests.support.client import Api
from tests.support.expiring_profile import KEPT, PACKAGE_DAYS, expiring, let_expire
from tests.support.fakes.polar_wire import order, refunded
from tests.support.integrity import adjust_credits, assert_invariants, make_admin
from tests.support.polar_store import BASIC, deliver, lines, user_of

__all__ = ["ada", "server", "store"]

FIRST = {"billing_reason": "subscription_create", "subscription_id": "sub_1"}
NEXT = {**FIRST, "billing_reason": "subscription_cycle"}


async def test_refund_leaves_a_closed_month_closed_and_the_next_one_is_granted(store: Running, ada: Api) -> None:
    await deliver(ada, "order.paid", order(user_of(ada), BASIC, 999, **FIRST))
    made = await spend(ada, 12)  # the last two with the month's credits
    await deliver(ada, "order.paid", order(user_of(ada), BASIC, 999, **NEXT))
    assert await ada.credits() == 100 + KEPT
    await cancel(ada, made[-1])
    assert await ada.credits() == 101 + KEPT
    assert (1, REFUND_DAYS) in await expiring(ada)
    third = await deliver(ada, "order.paid", order(user_of(ada), BASIC, 999, **NEXT))
    assert (third.outcome, await ada.credits()) == ("HANDLED", 101 + KEPT)
    assert (await lines(ada))[-2:] == [("ROLLOVER", KEPT), ("SUBSCRIPTION", 100)]
    await let_expire(user_of(ada))
    await sweep(store)
    assert (await ada.credits(), await CreditGrant.filter(remaining__gt=0).count()) == (0, 0)
    await assert_invariants(store.services, all_ended=False)


async def test_refunded_order_takes_nothing_of_what_has_expired(store: Running, ada: Api) -> None:
    await let_expire(user_of(ada))
    await sweep(store)
    bought = await buy(ada)
    await spend(ada, 10)
    await adjust_credits(user_of(ada), 60, "A gift.")
    await let_expire(user_of(ada))
    await sweep(store)
    assert await ada.credits() == 60
    await deliver(ada, "order.refunded", refunded(bought, 250))
    assert await ada.credits() == 60, "25 credits are due, and 40 have expired"
    await deliver(ada, "order.refunded", refunded(bought, 499))
    assert (await ada.credits(), (await lines(ada))[-1]) == (50, ("REVERSAL", -10))
    await assert_invariants(store.services, all_ended=False)


async def test_refunded_month_takes_back_what_the_next_one_kept_of_it(store: Running, ada: Api) -> None:
    await let_expire(user_of(ada))
    await sweep(store)
    first = order(user_of(ada), BASIC, 999, **FIRST)
    await deliver(ada, "order.paid", first)
    await deliver(ada, "order.paid", order(user_of(ada), BASIC, 999, **NEXT))
    assert await ada.credits() == 100 + KEPT
    await deliver(ada, "order.refunded", refunded(first, 999))
    assert (await ada.credits(), (await lines(ada))[-1]) == (100, ("REVERSAL", -KEPT))
    await assert_invariants(store.services, all_ended=False)


async def test_month_that_is_due_with_the_expiry_of_the_former_one_keeps_of_it(store: Running, ada: Api) -> None:
    """After an outage of all workers, or of a plan whose credits were granted for a month only."""
    admin = await make_admin(store.api)
    for api in (ada, bob := await ada.sign_up("bob@example.com")):
        assert (await grant_plan(admin, api))["errors"] == []
        await let_month_end(api)
        await let_expire(user_of(api), "SUBSCRIPTION")
    await sweep(store)
    for api in (ada, bob):
        assert (await lines(api))[-3:] == [("EXPIRY", -100), ("ROLLOVER", KEPT), ("SUBSCRIPTION", 100)]
        assert await api.credits() == 110 + KEPT, "with the bonus"
    await assert_invariants(store.services)


async def test_refill_pays_no_debt(server: Running) -> None:
    ada = await server.api.sign_up()
    assert await ada.credits() == 25
    await adjust_credits(user_of(ada), -26, "Charged back.")
    await User.filter(id=user_of(ada)).update(refill_month="2020-01")
    await CreditRefill.all().delete()
    assert await ada.credits() == -1
    user = await User.get(id=user_of(ada))
    assert not server.services.billing.refills.is_due(user)
    assert (await server.services.billing.refills.refill(user)).credits == -1, "decided again in the transaction"
    assert (await User.get(id=user_of(ada))).refill_month == "2020-01"


async def test_merged_guest_pays_the_accounts_debt_from_its_grants(store: Running, ada: Api) -> None:
    guest = await guest_of(store.api)
    await buy(guest)
    await adjust_credits(user_of(ada), -40, "Charged back.")
    assert await ada.credits() == -30
    assert (await merge(ada, await token_of(guest)))["movedCredits"] == 50
    assert (await ada.credits(), await expiring(ada)) == (20, [(20, PACKAGE_DAYS)])
    await assert_invariants(store.services)


async def test_month_ends_no_credits_of_another_subscription(store: Running, ada: Api) -> None:
    await deliver(ada, "order.paid", order(user_of(ada), BASIC, 999, **FIRST))
    await deliver(ada, "order.paid", order(user_of(ada), BASIC, 999, **{**FIRST, "subscription_id": "sub_2"}))
    assert await ada.credits() == 210
    await deliver(ada, "order.paid", order(user_of(ada), BASIC, 999, **NEXT))
    assert await ada.credits() == 310
    assert await lines(ada) == [("SUBSCRIPTION", 100)] * 3
    await assert_invariants(store.services, all_ended=False)


async def test_order_that_is_reported_late_ends_no_later_month(store: Running, ada: Api) -> None:
    first = order(user_of(ada), BASIC, 999, **FIRST, created_at="2026-01-01T00:00:00Z")
    second = order(user_of(ada), BASIC, 999, **NEXT, created_at="2026-01-15T00:00:00Z")
    await deliver(ada, "order.paid", second)
    await deliver(ada, "order.paid", first)
    assert await ada.credits() == 210
    assert await lines(ada) == [("SUBSCRIPTION", 100)] * 2
    await assert_invariants(store.services, all_ended=False)
