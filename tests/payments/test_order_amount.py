"""Amounts of orders: credits go by the product, whatever the currency; trials cost nothing and grant no credits."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from models import CreditTransaction, ExternalEvent, Membership, Pass, Purchase
from tests.conftest import Running
from tests.support.client import Api
from tests.support.fakes.polar import PolarServer
from tests.support.fakes.polar_wire import line_item, order, refunded, subscription, timestamp, trial_order
from tests.support.integrity import assert_invariants
from tests.support.polar_store import BASIC, FIFTY, FLASH, LEDGER, deliver, lines, user_of

MEMBER = "{ viewer { isMember membership { plan { slug } } } }"


@pytest.fixture
async def ada(polar_store: Running) -> Api:
    return await polar_store.api.sign_up()


@pytest.mark.parametrize(("currency", "amount"), [("eur", 449), ("jpy", 750), ("inr", 41900), ("KWD", 1530)])
async def test_order_in_other_currency_grants_credits_of_its_product(
    polar_store: Running, ada: Api, currency: str, amount: int
) -> None:
    bought = order(user_of(ada), FIFTY, amount, currency=currency)
    for _ in range(2):
        assert (await deliver(ada, "order.paid", bought)).outcome == "HANDLED"
    newest = (await ada.one(LEDGER))["transactions"]["nodes"][0]
    paid = {"price": amount, "currency": currency.lower()}
    assert newest == {"type": "PURCHASE", "amount": 50, "balance": 60, **paid}
    stored = await Purchase.get(order_id=bought["id"])
    assert (stored.net_amount, stored.currency, stored.status) == (amount, currency.lower(), "PAID")
    await deliver(ada, "order.refunded", refunded(bought, amount // 2))
    due = 50 * (amount // 2) // amount
    assert await lines(ada) == [("PURCHASE", 50), ("REVERSAL", -due)]
    await assert_invariants(polar_store.services)


async def test_month_and_pass_in_other_currency_are_granted(polar_store: Running, ada: Api) -> None:
    me = user_of(ada)
    month = order(me, BASIC, 899, currency="eur", billing_reason="subscription_create", subscription_id="sub_1")
    flash = order(me, FLASH, 179, currency="eur")
    for bought in (month, flash):
        assert (await deliver(ada, "order.paid", bought)).outcome == "HANDLED"
    assert await lines(ada) == [("SUBSCRIPTION", 100)]
    assert (await Pass.get(reference=f"polar:order:{flash['id']}")).revoked_at is None
    line = await CreditTransaction.get(reference=f"polar:order:{month['id']}")
    assert (line.price, line.currency) == (899, "eur")
    await assert_invariants(polar_store.services)


async def test_trial_is_settled_without_credits_review_or_alert(
    polar_store: Running, ada: Api, capfd: pytest.CaptureFixture[str]
) -> None:
    trial = trial_order(user_of(ada), BASIC)
    plan = subscription(user_of(ada), BASIC, id=trial["subscription_id"], status="trialing")
    for kind, data in (("subscription.active", plan), ("order.paid", trial), ("order.paid", trial)):
        stored = await deliver(ada, kind, data)
        assert (stored.outcome, stored.problem) == ("HANDLED", None), kind
    assert await lines(ada) == []
    assert (await ada.one(MEMBER)) == {"isMember": True, "membership": {"plan": {"slug": "basic"}}}
    purchase = await Purchase.get(order_id=trial["id"])
    assert (purchase.status, purchase.is_paid, purchase.credits, purchase.net_amount) == ("PAID", True, 0, 0)
    assert "needs_review" not in capfd.readouterr().out
    # The first month after the trial is paid, and grants its credits.
    cycle = {"billing_reason": "subscription_cycle", "subscription_id": plan["id"], "items": [line_item(999, "price")]}
    await deliver(ada, "order.paid", order(user_of(ada), BASIC, 999, **cycle))
    assert await lines(ada) == [("SUBSCRIPTION", 100)]
    await assert_invariants(polar_store.services)


async def test_trial_listed_after_it_ended_is_settled(polar_store: Running, ada: Api, polar: PolarServer) -> None:
    """Reconciliation sees the subscription as it is by then: no longer trialing."""
    now = datetime.now(UTC)
    trial = trial_order(user_of(ada), BASIC, created_at=timestamp(now - timedelta(days=20)))
    trial["subscription"] |= {"status": "active", "created_at": trial["created_at"]}
    polar.orders = [trial]
    await polar_store.services.payments.reconciliation.reconcile_when_due(now)
    assert (await Purchase.get(order_id=trial["id"])).status == "PAID"
    assert await lines(ada) == []
    assert (await Membership.get(subscription_id=trial["subscription_id"])).status == "ACTIVE"


async def test_free_price_is_no_trial_and_discount_pays_for_month(polar_store: Running, ada: Api) -> None:
    me, create = user_of(ada), {"billing_reason": "subscription_create", "subscription_id": "sub_1"}
    free = order(me, BASIC, 0, items=[line_item(0, "price-of-zero")], **create)
    assert (await deliver(ada, "order.paid", free)).outcome == "PARKED"
    renewed = order(me, BASIC, 0, items=[line_item(0)], **{**create, "billing_reason": "subscription_cycle"})
    assert (await deliver(ada, "order.paid", renewed)).outcome == "PARKED", "a trial is not renewed"
    package = order(me, FIFTY, 0, items=[line_item(0)])
    assert (await deliver(ada, "order.paid", package)).outcome == "PARKED", "packages have no trials"
    discounted = order(
        me, BASIC, 0, subtotal_amount=999, discount_amount=999, items=[line_item(999, "price")], **create
    )
    assert (await deliver(ada, "order.paid", discounted)).outcome == "HANDLED"
    assert await lines(ada) == [("SUBSCRIPTION", 100)]
    await assert_invariants(polar_store.services)


async def test_concurrent_trial_reports_are_settled_once(polar_store: Running, ada: Api) -> None:
    trial = trial_order(user_of(ada), BASIC)
    before = (await ada.one("{ viewer { version } }"))["version"]
    stored = await asyncio.gather(*(deliver(ada, "order.paid", trial) for _ in range(5)))
    assert {event.outcome for event in stored} == {"HANDLED"}
    assert await Purchase.all().count() == 1
    assert await ExternalEvent.all().count() == 5
    assert (await ada.one("{ viewer { version } }"))["version"] == before + 1
