"""Reconciliation: settles what no webhook reported, despite invalid data, and cancels deleted accounts' plans."""

from datetime import UTC, datetime, timedelta

import pytest

from models import JobRun, Membership, Purchase, User
from services.integrations.payments.protocol import PaymentProviderError
from tests.conftest import Running
from tests.support.client import Api
from tests.support.fakes.polar import PolarServer
from tests.support.fakes.polar_wire import Json, order, refund, refunded, subscription, timestamp
from tests.support.integrity import assert_invariants
from tests.support.polar_store import BASIC, FIFTY, deliver, lines, user_of

DELETE_ACCOUNT = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { errors { code } } }"
HOUR = timedelta(hours=1)


@pytest.fixture
async def ada(polar_store: Running) -> Api:
    return await polar_store.api.sign_up()


async def delete_account(client: Api) -> None:
    left = await client.one(DELETE_ACCOUNT, input={"password": "correct horse", "confirmEmail": client.user["email"]})
    assert left["errors"] == []


async def test_reconciliation_grants_orders_without_webhook(polar_store: Running, ada: Api, polar: PolarServer) -> None:
    now, me = datetime.now(UTC), user_of(ada)
    delivered, missed = (order(me, FIFTY, created_at=timestamp(now)) for _ in range(2))
    waiting = order(me, FIFTY, created_at=timestamp(now), paid=False, status="pending")
    polar.orders = [delivered, missed, waiting]
    await deliver(ada, "order.paid", delivered)
    run = polar_store.services.payments.reconciliation.reconcile_when_due
    assert sorted([await run(now), await run(now)], key=str) == [1, None]  # only one worker does it
    assert await lines(ada) == [("PURCHASE", 50), ("PURCHASE", 50)]
    assert await run(now + timedelta(hours=1)) == 0
    polar.orders = [refunded(missed, 499)]
    assert await run(now + timedelta(hours=2)) == 1
    assert await ada.credits() == 60


async def test_invalid_order_does_not_stop_the_others(polar_store: Running, ada: Api, polar: PolarServer) -> None:
    now = datetime.now(UTC)
    polar.orders = [order(user_of(ada), FIFTY, created_at=timestamp(now)) for _ in range(4)]
    wrong: list[Json] = [{"status": "an unknown status"}, {"net_amount": None}, {"description": "\x00"}]
    for data, changes in zip(polar.orders, wrong, strict=False):
        data.update(changes)
    await polar_store.services.payments.reconciliation.reconcile_when_due(now)
    assert (await JobRun.get(job="reconciliation")).state == "COMPLETED"
    assert await Purchase.filter(order_id=polar.orders[3]["id"], status="PAID").exists()
    assert ("PURCHASE", 50) in await lines(ada)


async def test_refund_of_old_order_is_found(polar_store: Running, ada: Api, polar: PolarServer) -> None:
    now = datetime.now(UTC)
    bought = order(user_of(ada), FIFTY, created_at=timestamp(now - timedelta(days=200)))
    await deliver(ada, "order.paid", bought)
    polar.orders = [refunded(bought, 300)]
    recent = [refund(bought["id"], amount, created_at=timestamp(now)) for amount in (100, 200)]
    pending = refund(bought["id"], 50, "pending", created_at=timestamp(now))
    older = refund("another order", 499, created_at=timestamp(now - timedelta(days=31)))
    polar.refunds = [*recent, pending, older]
    assert await polar_store.services.payments.reconciliation.reconcile_when_due(now) == 2
    assert await lines(ada) == [("PURCHASE", 50), ("REVERSAL", -10), ("REVERSAL", -20)]
    assert await polar_store.services.payments.reconciliation.reconcile_when_due(now + HOUR) == 0
    await deliver(ada, "order.refunded", polar.orders[0])
    assert await ada.credits() == 10 + 50 - 30
    assert not await Purchase.exists(order_id="another order")
    await assert_invariants(polar_store.services)


async def test_failed_run_is_recorded_and_repeated_by_the_next(
    polar_store: Running, ada: Api, polar: PolarServer
) -> None:
    now = datetime.now(UTC)
    polar.orders = [order(user_of(ada), FIFTY, created_at=timestamp(now - timedelta(days=20)))]
    polar.fail(500)
    with pytest.raises(PaymentProviderError):
        await polar_store.services.payments.reconciliation.reconcile_when_due(now)
    assert (await JobRun.get(job="reconciliation")).state == "FAILED"
    assert await polar_store.services.payments.reconciliation.reconcile_when_due(now + HOUR) == 1
    assert await lines(ada) == [("PURCHASE", 50)]


async def test_account_deletion_cancels_subscription(polar_store: Running, ada: Api, polar: PolarServer) -> None:
    active, over = subscription(user_of(ada), BASIC), subscription(user_of(ada), BASIC, status="canceled")
    for row in (active, over):
        polar.subscriptions[row["id"]] = row
        await deliver(ada, "subscription.updated", row)
    await delete_account(ada)
    assert active["status"] == "canceled"
    assert [call.path for call in polar.calls if call.method == "DELETE"] == [f"/v1/subscriptions/{active['id']}"]
    assert not await Membership.exclude(status="ENDED").exists()
    assert (await deliver(polar_store.api, "subscription.revoked", active)).outcome == "IGNORED"
    await assert_invariants(polar_store.services)


async def test_cancellation_is_retried_after_polar_outage(polar_store: Running, ada: Api, polar: PolarServer) -> None:
    bob, now = await polar_store.api.sign_up("bob@example.com"), datetime.now(UTC)
    for client in (ada, bob):
        row = subscription(user_of(client), BASIC)
        polar.subscriptions[row["id"]] = row
        await deliver(client, "subscription.active", row)
    polar.fail(500)
    await delete_account(ada)
    assert {row["status"] for row in polar.subscriptions.values()} == {"active"}
    await polar_store.services.payments.reconciliation.reconcile_when_due(now)
    assert {row["metadata"]["user_id"]: row["status"] for row in polar.subscriptions.values()} == {
        user_of(ada): "canceled",
        user_of(bob): "active",
    }
    polar.calls.clear()
    await polar_store.services.payments.reconciliation.reconcile_when_due(now + HOUR)
    assert {call.method for call in polar.calls} == {"GET"}, "canceled once"


async def test_subscription_of_deleted_account_is_recorded_and_canceled(
    polar_store: Running, ada: Api, polar: PolarServer
) -> None:
    me = user_of(ada)
    before, late = order(me, FIFTY), order(me, FIFTY)
    started = subscription(me, BASIC)
    polar.subscriptions[started["id"]] = started
    await deliver(ada, "order.paid", before)
    await delete_account(ada)
    version = (await User.get(id=me)).version
    for kind, data, outcome in (
        ("order.paid", before, "HANDLED"),
        ("order.paid", late, "PARKED"),
        ("order.refunded", refunded(before, 100), "HANDLED"),
        ("refund.updated", refund(late["id"], 100), "HANDLED"),
        ("subscription.active", started, "HANDLED"),
        ("subscription.active", started, "HANDLED"),
        ("order.paid", order(me, BASIC, 999, billing_reason="subscription_create"), "PARKED"),
    ):
        assert (await deliver(polar_store.api, kind, data)).outcome == outcome, (kind, outcome)
    user = await User.get(id=me)
    assert (user.credits, user.plan_id, user.member_until) == (10 + 50 - 10, None, None)
    assert user.version == version + 1, "only the refund"
    await polar_store.services.payments.reconciliation.reconcile_when_due(datetime.now(UTC))
    assert started["status"] == "canceled"
    await assert_invariants(polar_store.services)
