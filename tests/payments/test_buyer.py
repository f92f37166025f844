"""Buyers: who gets what was paid when Polar's customer, the metadata and our checkout name different accounts."""

import itertools
from datetime import UTC, datetime
from typing import Any

import pytest

from models import Membership, Purchase
from tests.conftest import Running
from tests.support.client import Api
from tests.support.fakes.polar import PolarServer
from tests.support.fakes.polar_wire import Json, customer, order, refund, refunded, subscription, timestamp
from tests.support.integrity import assert_invariants
from tests.support.polar_store import BASIC, FIFTY, deliver, lines, user_of

CHECKOUT = (
    "mutation($input: CreateCheckoutInput!) { createCheckout(input: $input) { checkout { id } errors { code } } }"
)
DELETE_ACCOUNT = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { errors { code } } }"
UNKNOWN = "usr_01h455vb4pex5vsknk084sn02q"


@pytest.fixture
async def ada(polar_store: Running) -> Api:
    return await polar_store.api.sign_up()


@pytest.fixture
async def eve(polar_store: Running) -> Api:
    return await polar_store.api.sign_up("eve@example.com")


async def open_checkout(client: Api, polar: PolarServer, **wanted: str) -> Json:
    """Open a checkout, and return it as Polar has it."""
    assert (await client.one(CHECKOUT, input=wanted))["errors"] == []
    return polar.checkouts[-1]


async def delete_account(client: Api) -> None:
    left = await client.one(DELETE_ACCOUNT, input={"password": "correct horse", "confirmEmail": client.user["email"]})
    assert left["errors"] == []


def paid(checkout: Json, external_id: str | None, **changes: Any) -> Json:
    """Return the paid order of a checkout, whose customer has this external id at Polar."""
    changes = {"checkout_id": checkout["id"], "metadata": checkout["metadata"], **changes}
    return order(None, checkout["product_id"], customer=customer(external_id), **changes)


async def test_returning_customer_with_old_external_id_gets_what_was_paid(
    polar_store: Running, ada: Api, polar: PolarServer
) -> None:
    """Polar finds its customer by the e-mail address, and keeps the external id of the deleted account."""
    former = user_of(ada)
    await deliver(ada, "order.paid", order(former, FIFTY))
    await delete_account(ada)
    back = await polar_store.api.sign_up()
    assert user_of(back) != former
    bought = paid(await open_checkout(back, polar, package="credits-50"), former)
    for _ in range(2):
        assert (await deliver(back, "order.paid", bought)).outcome == "HANDLED"
    assert await lines(back) == [("PURCHASE", 50)]
    await deliver(back, "order.refunded", refunded(bought, 499))
    assert await lines(back) == [("PURCHASE", 50), ("REVERSAL", -50)]
    await assert_invariants(polar_store.services)


async def test_returning_customer_keeps_renewing_plan(polar_store: Running, ada: Api, polar: PolarServer) -> None:
    """Renewals have no checkout of their own: the subscription's checkout and metadata name the account."""
    former = user_of(ada)
    await delete_account(ada)
    back = await polar_store.api.sign_up()
    checkout = await open_checkout(back, polar, plan="basic")
    plan = subscription(former, BASIC, checkout_id=checkout["id"], metadata=checkout["metadata"])
    first = paid(checkout, former, billing_reason="subscription_create", subscription_id=plan["id"])
    renewal = {**first, "id": "order-2", "billing_reason": "subscription_cycle", "checkout_id": None}
    without_metadata = {**renewal, "id": "order-3", "metadata": {}, "subscription": plan}
    for kind, data in (
        ("subscription.active", plan),
        ("order.paid", first),
        ("order.paid", renewal),
        ("order.paid", without_metadata),
    ):
        assert (await deliver(back, kind, data)).outcome == "HANDLED"
    assert await lines(back) == [("SUBSCRIPTION", 100)] * 3
    assert (await back.one("{ viewer { isMember } }"))["isMember"]
    assert (await Membership.get(subscription_id=plan["id"])).user_id == user_of(back)
    await assert_invariants(polar_store.services)


async def test_account_that_began_checkout_is_preferred(
    polar_store: Running, ada: Api, eve: Api, polar: PolarServer
) -> None:
    """Eve enters Ada's address at Polar: its customer is Ada, and Eve began the checkout and paid."""
    checkout = await open_checkout(eve, polar, package="credits-50")
    ours = checkout["metadata"]["checkout"]
    cases: list[tuple[str, Json]] = [
        ("by Polar's id of the checkout", paid(checkout, user_of(ada), metadata={"user_id": user_of(ada)})),
        ("by our id of the checkout", paid(checkout, user_of(ada), checkout_id=None, metadata={"checkout": ours})),
        ("by the checkout and no customer", paid(checkout, None, metadata={})),
        ("by the checkout and an unknown customer", paid(checkout, UNKNOWN, metadata={"user_id": UNKNOWN})),
        ("by the metadata", paid(checkout, user_of(ada), checkout_id=None, metadata={"user_id": user_of(eve)})),
        ("by the metadata alone", paid(checkout, None, checkout_id=None, metadata={"user_id": user_of(eve)})),
        ("by the customer alone", paid(checkout, user_of(eve), checkout_id=None, metadata={"checkout": 5})),
        ("by the customer of a foreign checkout", paid(checkout, user_of(eve), checkout_id="x", metadata={})),
    ]
    for number, (name, data) in enumerate(cases, 1):
        assert (await deliver(eve, "order.paid", data)).outcome == "HANDLED", name
        assert await lines(eve) == [("PURCHASE", 50)] * number, name
    assert await lines(ada) == []
    await assert_invariants(polar_store.services)


async def test_payment_of_checkout_begun_by_deleted_account_needs_review(
    polar_store: Running, ada: Api, eve: Api, polar: PolarServer
) -> None:
    checkout = await open_checkout(ada, polar, package="credits-50")
    await delete_account(ada)
    late = paid(checkout, user_of(eve), metadata={"user_id": user_of(eve)})
    stored = await deliver(eve, "order.paid", late)
    assert (stored.outcome, stored.problem) == ("PARKED", f"the account {user_of(ada)} is deleted")
    assert await lines(eve) == []


async def test_order_recorded_for_other_account_without_grant_is_settled_for_its_owner(
    polar_store: Running, ada: Api, eve: Api, polar: PolarServer
) -> None:
    """An order parked for a deleted account is granted by a replay that knows the checkout."""
    former = user_of(ada)
    await delete_account(ada)
    checkout = await open_checkout(eve, polar, package="credits-50")
    known, foreign = paid(checkout, former), paid(checkout, former, checkout_id=None, metadata={})
    foreign["id"] = known["id"]
    assert (await deliver(eve, "order.paid", foreign)).outcome == "PARKED"
    assert (await Purchase.get(order_id=known["id"])).user_id == former
    assert (await deliver(eve, "order.paid", known)).outcome == "HANDLED"
    assert await lines(eve) == [("PURCHASE", 50)]
    # Granted once, it stays with its account, whatever later reports say.
    assert (await deliver(eve, "order.paid", foreign)).outcome == "HANDLED"
    assert (await deliver(eve, "order.refunded", refunded(foreign, 499))).outcome == "HANDLED"
    assert await lines(eve) == [("PURCHASE", 50), ("REVERSAL", -50)]
    await assert_invariants(polar_store.services)


async def test_disagreeing_reports_have_same_result_in_every_order(
    polar_store: Running, ada: Api, polar: PolarServer
) -> None:
    former = user_of(ada)
    await delete_account(ada)
    for number, arrival in enumerate(itertools.permutations(range(4))):
        back = await polar_store.api.sign_up(f"back-{number}@example.com")
        bought = paid(await open_checkout(back, polar, package="credits-50"), former)
        reports = [
            ("order.paid", bought),
            ("order.paid", bought),
            ("order.refunded", refunded(bought, 100)),
            ("refund.updated", refund(bought["id"], 100)),
        ]
        for index in arrival:
            assert (await deliver(back, *reports[index])).outcome == "HANDLED", arrival
        assert await back.credits() == 10 + 50 - 10, arrival
    await assert_invariants(polar_store.services)


async def test_reconciliation_grants_order_of_returning_customer(
    polar_store: Running, ada: Api, polar: PolarServer
) -> None:
    former = user_of(ada)
    await delete_account(ada)
    back, now = await polar_store.api.sign_up(), datetime.now(UTC)
    checkout = await open_checkout(back, polar, package="credits-50")
    polar.orders = [paid(checkout, former, created_at=timestamp(now))]
    assert await polar_store.services.payments.reconciliation.reconcile_when_due(now) == 1
    assert await lines(back) == [("PURCHASE", 50)]
