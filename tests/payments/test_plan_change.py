"""Changes of plans in Polar's portal: what each kind of proration grants, once, and which plan the account has."""

import asyncio
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models import CreditTransaction, ExternalEvent, Membership, Plan, Purchase
from models.enum import PlanKind
from tests.conftest import Running
from tests.support.client import Api
from tests.support.fakes.polar_wire import (
    Json,
    line_item,
    order,
    plan_change,
    refunded,
    subscription,
    timestamp,
    trial_order,
)
from tests.support.integrity import assert_invariants
from tests.support.polar_store import BASIC, PRO, deliver, lines, user_of

BASIC_PRICE, PRO_PRICE = "price-of-basic", "price-of-pro"  # 100 credits for $9.99, 300 for $29.99
PLAN = "{ viewer { membership { plan { slug } } } }"
NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)
START, END = NOW - 15 * DAY, NOW + 15 * DAY
Report = tuple[str, Json, datetime]


@dataclass(frozen=True)
class Customer:
    """A customer on the plan Basic, in a period of thirty days whose first half is over."""

    api: Api
    subscription_id: str

    def plan(self, product: str, start: datetime = START, end: datetime = END, **changes: Any) -> Json:
        period = {"current_period_start": timestamp(start), "current_period_end": timestamp(end)}
        return subscription(user_of(self.api), product, id=self.subscription_id, **period, **changes)

    def month(self, product: str, price: int, price_id: str, start: datetime = START, **changes: Any) -> Json:
        """Return the order of a whole month."""
        plan = self.plan(product, start, start + 30 * DAY)
        made = {"items": [line_item(price, price_id)], "subscription": plan, "subscription_id": plan["id"]}
        made |= {"billing_reason": "subscription_create", "created_at": timestamp(start)}
        return order(user_of(self.api), product, price, **{**made, **changes})

    def upgrade(self, at: datetime = NOW, charge: int = 1500, credit: int = 500, **changes: Any) -> Json:
        """Return the order of a change to Pro: the rest of the period is charged, and that of Basic credited."""
        prices = ((charge, PRO_PRICE), (credit, BASIC_PRICE))
        return plan_change(user_of(self.api), self.plan(PRO), at, *prices, **changes)

    def downgrade(self, at: datetime = NOW + DAY) -> Json:
        """Return the order of a change back to Basic: it is negative, and paid."""
        return plan_change(user_of(self.api), self.plan(BASIC), at, (466, BASIC_PRICE), (1400, PRO_PRICE))


@pytest.fixture
async def ada(polar_store: Running) -> Customer:
    customer = Customer(await polar_store.api.sign_up(), "sub-1")
    await report(customer, ("subscription.active", customer.plan(BASIC), START))
    await report(customer, ("order.paid", customer.month(BASIC, 999, BASIC_PRICE), START))
    assert await lines(customer.api) == [("SUBSCRIPTION", 100)]
    return customer


async def report(customer: Customer, *reports: Report) -> None:
    for kind, data, at in reports:
        stored = await deliver(customer.api, kind, data, at)
        assert (stored.outcome, stored.problem) == ("HANDLED", None), (kind, at)


async def plan_of(customer: Customer) -> str:
    return str((await customer.api.one(PLAN))["membership"]["plan"]["slug"])


async def test_upgrade_by_invoice_grants_difference_in_proportion(polar_store: Running, ada: Customer) -> None:
    bought = ada.upgrade()
    change = ("subscription.updated", ada.plan(PRO), NOW)
    await report(ada, ("order.paid", bought, NOW), change, ("order.paid", bought, NOW))
    assert await lines(ada.api) == [("SUBSCRIPTION", 100), ("SUBSCRIPTION", 100)], "half of 300 - 100"
    line = await CreditTransaction.get(reference=f"polar:order:{bought['id']}")
    assert (line.price, line.currency, line.metadata) == (1000, "usd", {"plan": "pro"})
    assert await plan_of(ada) == "pro"
    await report(ada, ("order.refunded", refunded(bought, 500), NOW))
    assert (await lines(ada.api))[-1] == ("REVERSAL", -50)
    await assert_invariants(polar_store.services)


@pytest.mark.parametrize(
    ("days_left", "charge", "credit", "credits"),
    [(29, 2899, 966, 193), (15, 1500, 500, 100), (10, 1000, 333, 67), (1, 100, 33, 7)],
)
@pytest.mark.any_database
async def test_difference_follows_the_rest_of_the_period(
    ada: Customer, days_left: int, charge: int, credit: int, credits: int
) -> None:
    await report(ada, ("order.paid", ada.upgrade(END - days_left * DAY, charge, credit), NOW))
    assert (await lines(ada.api))[1:] == [("SUBSCRIPTION", credits)]


async def test_restarted_period_grants_whole_month_of_new_plan(polar_store: Running, ada: Customer) -> None:
    plan = ada.plan(PRO, NOW, NOW + 30 * DAY)
    bought = plan_change(user_of(ada.api), plan, NOW + timedelta(seconds=1), (2999, PRO_PRICE), None)
    await report(ada, ("subscription.updated", plan, NOW), ("order.paid", bought, NOW))
    assert await lines(ada.api) == [("SUBSCRIPTION", 100), ("SUBSCRIPTION", 300)]
    assert await plan_of(ada) == "pro"
    back = ada.plan(BASIC, NOW + DAY, NOW + 31 * DAY)
    change = plan_change(user_of(ada.api), back, NOW + DAY, (999, BASIC_PRICE), None)
    await report(ada, ("subscription.updated", back, NOW + DAY), ("order.paid", change, NOW + DAY))
    assert (await lines(ada.api))[2:] == [("SUBSCRIPTION", 100)], "a whole month of the cheaper plan"
    assert await plan_of(ada) == "basic"
    await assert_invariants(polar_store.services)


async def test_downgrade_takes_effect_at_the_end_of_the_period(polar_store: Running, ada: Customer) -> None:
    await report(
        ada,
        ("order.paid", ada.upgrade(), NOW),
        ("subscription.updated", ada.plan(PRO), NOW),
        ("order.paid", ada.downgrade(), NOW + DAY),
        ("subscription.updated", ada.plan(BASIC), NOW + DAY),
    )
    assert await lines(ada.api) == [("SUBSCRIPTION", 100), ("SUBSCRIPTION", 100)], "nothing is granted or reversed"
    assert await plan_of(ada) == "pro"
    cycled = ada.plan(BASIC, END, END + 30 * DAY)
    renewal = ada.month(BASIC, 999, BASIC_PRICE, END, billing_reason="subscription_cycle")
    await report(ada, ("subscription.cycled", cycled, END), ("order.paid", renewal, END))
    assert await plan_of(ada) == "basic"
    assert (await lines(ada.api))[2:] == [("SUBSCRIPTION", 100)]
    await assert_invariants(polar_store.services)


async def test_moving_between_two_plans_grants_the_difference_once(polar_store: Running, ada: Customer) -> None:
    """Polar credits a downgrade to the customer's balance, which pays for the next upgrade."""
    await report(
        ada,
        ("order.paid", ada.upgrade(), NOW),
        ("order.paid", ada.downgrade(), NOW + DAY),
        ("order.paid", ada.upgrade(NOW + 2 * DAY, 1300, 433, applied_balance_amount=-867), NOW + 2 * DAY),
    )
    assert await lines(ada.api) == [("SUBSCRIPTION", 100), ("SUBSCRIPTION", 100)]
    await assert_invariants(polar_store.services)


async def test_concurrent_orders_of_one_change_grant_the_difference_once(polar_store: Running, ada: Customer) -> None:
    """Two orders of the same levels, each delivered four times at once."""
    orders = [ada.upgrade(), ada.upgrade()]
    await asyncio.gather(*(deliver(ada.api, "order.paid", bought, NOW) for bought in orders * 4))
    # A delivery that waited too long for the others was stored, and is handled as the sweeper does it.
    await polar_store.services.payments.webhooks.replay(None)
    assert not await ExternalEvent.exclude(outcome="HANDLED").exists()
    assert await lines(ada.api) == [("SUBSCRIPTION", 100), ("SUBSCRIPTION", 100)]
    assert await Purchase.filter(status="PAID").count() == 3
    await assert_invariants(polar_store.services)


async def test_upgrade_after_full_refund_of_upgrade_is_granted(polar_store: Running, ada: Customer) -> None:
    first = ada.upgrade()
    await report(ada, ("order.paid", first, NOW), ("order.refunded", refunded(first, 1000), NOW))
    await report(ada, ("subscription.updated", ada.plan(BASIC), NOW + timedelta(hours=1)))
    assert await plan_of(ada) == "basic", "what was refunded keeps no plan"
    await report(ada, ("order.paid", ada.upgrade(NOW + 5 * DAY, 1000, 333), NOW + 5 * DAY))
    credits = [amount for _, amount in await lines(ada.api)]
    assert credits == [100, 100, -100, 67]
    await assert_invariants(polar_store.services)


@pytest.mark.parametrize(
    ("currency", "credit", "charge", "month"), [("usd", 500, 1500, 2999), ("eur", 450, 1350, 2699)]
)
async def test_upgrade_billed_with_next_month_grants_both(
    polar_store: Running, ada: Customer, currency: str, credit: int, charge: int, month: int
) -> None:
    """Polar's behavior "prorate": the plan changes at once, and the difference is on the next invoice."""
    await report(ada, ("subscription.updated", ada.plan(PRO), NOW))
    assert await lines(ada.api) == [("SUBSCRIPTION", 100)]
    rest = [line_item(-credit, BASIC_PRICE, proration=True), line_item(charge, PRO_PRICE, proration=True)]
    total = month + charge - credit
    renewal = ada.month(PRO, total, PRO_PRICE, END, billing_reason="subscription_cycle", currency=currency)
    renewal["items"] = [*rest, line_item(month, PRO_PRICE)]
    await report(ada, ("order.paid", renewal, END))
    assert (await lines(ada.api))[1:] == [("SUBSCRIPTION", 300 + 100)], "300 * 10.00 / 29.99 for the difference"
    await assert_invariants(polar_store.services)


async def test_plan_without_paid_order_ends_with_the_change(ada: Customer) -> None:
    for product, slug, at in ((PRO, "pro", NOW), (BASIC, "basic", NOW + DAY)):
        await report(ada, ("subscription.updated", ada.plan(product), at))
        assert await plan_of(ada) == slug


async def test_upgrade_in_other_currency_follows_time(polar_store: Running, ada: Customer) -> None:
    await report(ada, ("order.paid", ada.upgrade(NOW, 1350, 450, currency="eur"), NOW))
    assert (await lines(ada.api))[1:] == [("SUBSCRIPTION", 100)]
    assert await Purchase.filter(currency="eur", net_amount=900).count() == 1
    await assert_invariants(polar_store.services)


async def test_upgrade_without_period_follows_price_or_needs_review(polar_store: Running, ada: Customer) -> None:
    unknown = {"subscription": None}
    await report(ada, ("order.paid", {**ada.upgrade(), **unknown}, NOW))
    assert (await lines(ada.api))[1:] == [("SUBSCRIPTION", 100)], "$15.00 of $29.99"
    foreign = {**ada.upgrade(NOW + DAY, currency="eur"), **unknown}
    stored = await deliver(ada.api, "order.paid", foreign)
    assert (stored.outcome, stored.problem) == ("PARKED", "its share of the month is unknown")
    assert len(await lines(ada.api)) == 2
    await assert_invariants(polar_store.services)


async def test_old_plan_is_known_by_its_purchase_or_by_its_price(polar_store: Running, ada: Customer) -> None:
    """Both bought Basic at an earlier price, which is nearer to that of another plan; one first month is known."""
    texts, kind = {"en": "Plus", "zh": "Plus"}, PlanKind.SUBSCRIPTION
    await Plan.create(
        slug="plus", title=texts, kind=kind, price=1799, currency="usd", credits_per_month=200, max_batch=4, position=9
    )
    for email, is_known, credits in (("bob@example.com", True, 100), ("eve@example.com", False, 50)):
        customer = Customer(await polar_store.api.sign_up(email), email)
        if is_known:
            await report(customer, ("order.paid", customer.month(BASIC, 1799, "former-price"), START))
        change = plan_change(user_of(customer.api), customer.plan(PRO), NOW, (1500, PRO_PRICE), (900, "former-price"))
        await report(customer, ("order.paid", change, NOW))
        assert (await lines(customer.api))[-1] == ("SUBSCRIPTION", credits), email
    await assert_invariants(polar_store.services)


async def test_change_within_trial_costs_and_grants_nothing(polar_store: Running, ada: Customer) -> None:
    trial = trial_order(user_of(ada.api), PRO)
    await report(ada, ("order.paid", {**trial, "billing_reason": "subscription_update"}, NOW))
    assert await lines(ada.api) == [("SUBSCRIPTION", 100)]
    await assert_invariants(polar_store.services)


async def test_events_of_a_change_have_same_result_in_every_order(polar_store: Running) -> None:
    """A month, an upgrade and a downgrade, with their orders, each delivered twice, in twenty random orders."""
    rng = random.Random(12)
    for number in range(20):
        customer = Customer(await polar_store.api.sign_up(f"customer-{number}@example.com"), f"sub-{number}")
        reports: list[Report] = [
            ("subscription.active", customer.plan(BASIC), START),
            ("order.paid", customer.month(BASIC, 999, BASIC_PRICE), START),
            ("subscription.updated", customer.plan(PRO), NOW),
            ("order.paid", customer.upgrade(), NOW),
            ("subscription.updated", customer.plan(BASIC), NOW + DAY),
            ("order.paid", customer.downgrade(), NOW + DAY),
        ]
        twice = reports * 2
        rng.shuffle(twice)
        await report(customer, *twice)
        amounts = sorted(amount for _, amount in await lines(customer.api))
        arrival = [(kind, at) for kind, _, at in twice]
        assert amounts == [100, 100], arrival
        assert await plan_of(customer) == "pro", arrival
        assert (await Membership.get(subscription_id=f"sub-{number}")).renews_at == END
    await assert_invariants(polar_store.services)
