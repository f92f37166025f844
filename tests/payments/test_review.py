"""Payments that need review: listed with their reason, settled or dismissed once by an admin."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models import AuditEntry, ExternalEvent, Membership, Purchase
from tests.conftest import Running
from tests.support.client import Api
from tests.support.fakes.polar import PolarServer
from tests.support.fakes.polar_wire import Json, order, refunded, subscription, timestamp
from tests.support.integrity import assert_invariants, make_admin
from tests.support.polar_store import BASIC, FIFTY, deliver, lines, user_of

FIELDS = "id type reason isOpen orderId subscriptionId productId netAmount currency account customerEmail"
REVIEWS = f"query($first: Int) {{ admin {{ paymentReviews(first: $first) {{ totalCount nodes {{ {FIELDS} }} }} }} }}"
ERRORS = "errors { code message field }"
SETTLE = (
    "mutation($id: ID!, $reason: String!, $userId: ID, $product: String)"
    " { adminSettlePayment(id: $id, reason: $reason, userId: $userId, product: $product)"
    f" {{ review {{ isOpen reason }} {ERRORS} }} }}"
)
DISMISS = (
    "mutation($id: ID!, $reason: String!)"
    f" {{ adminDismissPayment(id: $id, reason: $reason) {{ review {{ isOpen reason }} {ERRORS} }} }}"
)
AUDIT = (
    "query($account: ID!) { admin { auditLog(filter: {account: $account}) { nodes { action target user { id } } } } }"
)
DELETE = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { errors { code } } }"
UNKNOWN = "99999999-9999"


@pytest.fixture
async def ada(polar_store: Running) -> Api:
    return await polar_store.api.sign_up()


@pytest.fixture
async def admin(polar_store: Running) -> Api:
    return await make_admin(polar_store.api)


async def reviews(admin: Api) -> list[Json]:
    found = (await admin.one(REVIEWS))["paymentReviews"]
    assert found["totalCount"] == len(found["nodes"])
    return list(found["nodes"])


async def acts_about(admin: Api, ada: Api) -> list[tuple[str, str]]:
    """Return the entries of the audit log about this account, newest first, each with the object it changed."""
    found = (await admin.one(AUDIT, account=user_of(ada)))["auditLog"]["nodes"]
    assert {entry["user"]["id"] for entry in found} <= {user_of(ada)}
    return [(entry["action"], entry["target"]) for entry in found]


async def settle(admin: Api, event: ExternalEvent, **more: Any) -> Any:
    return await admin.one(SETTLE, id=event.id, reason="As agreed.", **more)


async def dismiss(admin: Api, event: ExternalEvent) -> Any:
    return await admin.one(DISMISS, id=event.id, reason="A test of the shop.")


async def audit() -> list[tuple[str, Any]]:
    return [(entry.action.value, entry.detail) for entry in await AuditEntry.all().order_by("id")]


def code(payload: Any) -> str:
    return str(payload["errors"][0]["code"]) if payload["errors"] else "OK"


async def test_reviews_are_listed_with_their_reason(ada: Api, admin: Api) -> None:
    await deliver(ada, "order.paid", order(user_of(ada), FIFTY))
    bought = order(None, FIFTY)
    events = [await deliver(ada, "order.paid", bought), await deliver(ada, "order.paid", order(user_of(ada), UNKNOWN))]
    events.append(await deliver(ada, "order.paid", {"id": ["x"], "customer": 7, "net_amount": 10**12}))
    found = {each["id"]: each for each in await reviews(admin)}
    assert found.keys() == {event.id for event in events}
    assert found[events[0].id]["reason"] == "its customer is unknown"
    assert found[events[0].id] | {"customerEmail": ""} == {
        "id": events[0].id, "type": "order.paid", "reason": "its customer is unknown", "isOpen": True,
        "orderId": bought["id"], "subscriptionId": None, "productId": FIFTY, "netAmount": 499, "currency": "usd",
        "account": None, "customerEmail": "",
    }  # fmt: skip
    assert found[events[1].id]["reason"] == f"its product '{UNKNOWN}' is unknown"
    assert found[events[1].id]["account"] == user_of(ada)
    assert (await ada.refused(REVIEWS))["code"] == "FORBIDDEN"
    for mutation in (SETTLE, DISMISS):
        assert (await ada.refused(mutation, id=events[0].id, reason="x"))["code"] == "FORBIDDEN"


async def test_settling_grants_the_order_once_to_the_chosen_account(polar_store: Running, ada: Api, admin: Api) -> None:
    bought = order(None, FIFTY)
    event = await deliver(ada, "order.paid", bought)
    refused = await settle(admin, event)
    assert code(refused) == "CONFLICT"
    assert "its customer is unknown" in refused["errors"][0]["message"]
    answers = await asyncio.gather(*(settle(admin, event, userId=user_of(ada)) for _ in range(5)))
    assert {code(answer) for answer in answers} <= {"OK", "CONFLICT"}
    assert await settle(admin, event, userId=user_of(ada)) == {
        "review": {"isOpen": False, "reason": "its customer is unknown"}, "errors": [],
    }  # fmt: skip
    assert await lines(ada) == [("PURCHASE", 50)]
    assert await reviews(admin) == []
    (entry,) = await audit()
    assert entry[0] == "SETTLE_PAYMENT"
    assert {"reason": "As agreed.", "user": user_of(ada), "problem": "its customer is unknown"}.items() <= entry[
        1
    ].items()
    for kind, data in (("order.paid", bought), ("order.refunded", refunded(bought, 499))):
        assert (await deliver(ada, kind, data)).outcome == "HANDLED"
    assert await lines(ada) == [("PURCHASE", 50), ("REVERSAL", -50)]
    assert code(await dismiss(admin, event)) == "CONFLICT"
    await assert_invariants(polar_store.services)


async def test_product_can_be_chosen_and_the_rules_of_money_still_hold(ada: Api, admin: Api) -> None:
    event = await deliver(ada, "order.paid", order(user_of(ada), UNKNOWN))
    for product in ("none", "", "\x00", "x" * 9000):
        error = await admin.refused(SETTLE, id=event.id, reason="x", product=product)
        assert (error["code"], error["field"]) == ("INVALID_INPUT", ["product"])
    assert code(await settle(admin, event, product="basic")) == "CONFLICT", "a plan is not bought once"
    assert code(await settle(admin, event, product="credits-50")) == "OK"
    free = await deliver(ada, "order.paid", order(user_of(ada), UNKNOWN, 0))
    assert code(await settle(admin, free, product="credits-50")) == "CONFLICT", "sold for nothing"
    unpaid = await deliver(ada, "order.paid", order(user_of(ada), FIFTY, paid=False, status="pending"))
    assert code(await settle(admin, unpaid)) == "CONFLICT"
    unreadable = await deliver(ada, "order.paid", order(user_of(ada), FIFTY, net_amount="499"))
    assert code(await settle(admin, unreadable)) == "CONFLICT"
    assert await lines(ada) == [("PURCHASE", 50)]


async def test_dismissed_order_grants_nothing_when_it_is_reported_again(
    polar_store: Running, ada: Api, admin: Api, polar: PolarServer
) -> None:
    bought = order(user_of(ada), UNKNOWN, created_at=timestamp(datetime.now(UTC)))
    event = await deliver(ada, "order.paid", bought)
    for _ in range(2):
        assert (await dismiss(admin, event))["review"]["isOpen"] is False
    assert [action for action, _ in await audit()] == ["DISMISS_PAYMENT"]
    assert (await deliver(ada, "order.paid", {**bought, "product_id": FIFTY})).outcome == "IGNORED"
    polar.orders = [bought]
    await polar_store.services.payments.reconciliation.reconcile_when_due(datetime.now(UTC))
    await polar_store.services.payments.webhooks.replay(event.id)
    assert await reviews(admin) == []
    assert await lines(ada) == []
    assert code(await settle(admin, event, product="credits-50")) == "CONFLICT"
    await assert_invariants(polar_store.services)


async def test_audit_log_of_an_account_has_its_payments_that_were_settled_or_dismissed(
    polar_store: Running, ada: Api, admin: Api
) -> None:
    until = timestamp(datetime.now(UTC) + timedelta(days=30))
    plan = {**subscription(user_of(ada), UNKNOWN, current_period_end=until)}
    expected = []
    for kind, data, decided in (
        ("order.paid", order(user_of(ada), UNKNOWN), {"product": "credits-50"}),
        ("subscription.active", plan, {"product": "basic"}),
        ("order.paid", order(user_of(ada), UNKNOWN), None),
        ("subscription.active", {**plan, "id": "another"}, None),
        ("order.paid", order(user_of(ada), FIFTY, net_amount="499"), None),  # has no row of its own
        ("order.paid", order(user_of(ada), FIFTY, paid=False, status="pending"), None),
    ):
        event = await deliver(ada, kind, data)
        answer = await dismiss(admin, event) if decided is None else await settle(admin, event, **decided)
        assert code(answer) == "OK", kind
        expected.append(("DISMISS_PAYMENT" if decided is None else "SETTLE_PAYMENT", event.id))
    for unknown in (order(None, FIFTY), {"id": 7, "checkout_id": 7}, order("unknown", FIFTY)):
        assert code(await dismiss(admin, await deliver(ada, "order.paid", unknown))) == "OK"
    assert await acts_about(admin, ada) == expected[::-1]
    await assert_invariants(polar_store.services)


async def test_event_is_either_settled_or_dismissed(polar_store: Running, ada: Api, admin: Api) -> None:
    for _ in range(4):
        event = await deliver(ada, "order.paid", order(None, FIFTY))
        before = await ada.credits()
        settled, dismissed = await asyncio.gather(settle(admin, event, userId=user_of(ada)), dismiss(admin, event))
        assert sorted((code(settled), code(dismissed))) == ["CONFLICT", "OK"]
        assert await ada.credits() - before == (50 if code(settled) == "OK" else 0)
    assert len(await audit()) == 4
    await assert_invariants(polar_store.services)


async def test_order_that_only_the_reconciliation_found_is_listed_once(
    polar_store: Running, ada: Api, admin: Api, polar: PolarServer
) -> None:
    now = datetime.now(UTC)
    polar.orders = [order(None, FIFTY, created_at=timestamp(now))]
    for hour in range(2):
        await polar_store.services.payments.reconciliation.reconcile_when_due(now + timedelta(hours=hour))
    (review,) = await reviews(admin)
    event = await ExternalEvent.get(id=review["id"])
    assert code(await settle(admin, event, userId=user_of(ada))) == "OK"
    await polar_store.services.payments.reconciliation.reconcile_when_due(now + timedelta(hours=2))
    assert await reviews(admin) == []
    assert await lines(ada) == [("PURCHASE", 50)]


async def test_settled_subscription_finds_its_account_at_every_renewal(
    polar_store: Running, ada: Api, admin: Api
) -> None:
    until = timestamp(datetime.now(UTC) + timedelta(days=30))
    began = {**subscription("stranger", BASIC, current_period_end=until), "metadata": {}}
    began["customer"] = {**began["customer"], "external_id": None}
    reported = await deliver(ada, "subscription.active", began)
    first = order(None, BASIC, 999, billing_reason="subscription_create", subscription_id=began["id"])
    paid = await deliver(ada, "order.paid", first)
    assert (reported.outcome, paid.outcome) == ("PARKED", "PARKED")
    assert code(await settle(admin, reported, userId=user_of(ada))) == "OK"
    assert (await ada.one("{ viewer { isMember } }"))["isMember"]
    assert (await Membership.get(subscription_id=began["id"])).user_id == user_of(ada)
    assert code(await settle(admin, paid)) == "OK", "its subscription names the account now"
    renewal = order(None, BASIC, 999, billing_reason="subscription_cycle", subscription_id=began["id"])
    assert (await deliver(ada, "order.paid", renewal)).outcome == "HANDLED"
    assert await lines(ada) == [("SUBSCRIPTION", 100), ("SUBSCRIPTION", 100)]


async def test_unknown_ids_accounts_and_reasons_are_refused(ada: Api, admin: Api) -> None:
    event = await deliver(ada, "order.paid", order(None, FIFTY))
    for wrong in ("evt_01h455vb4pex5vsknk084sn02q", "x", "\x00", user_of(ada)):
        for mutation in (SETTLE, DISMISS):
            error = await admin.refused(mutation, id=wrong, reason="x")
            assert (error["code"], error["field"]) == ("NOT_FOUND", ["id"])
        error = await admin.refused(SETTLE, id=event.id, reason="x", userId="usr_01h455vb4pex5vsknk084sn02q")
        assert (error["code"], error["field"]) == ("NOT_FOUND", ["userId"])
    for mutation in (SETTLE, DISMISS):
        for reason in ("", "  ", "x" * 501):
            error = await admin.refused(mutation, id=event.id, reason=reason)
            assert (error["code"], error["field"]) == ("INVALID_INPUT", ["reason"])
    assert (await Purchase.get()).status == "PARKED"


async def test_replay_does_not_undo_what_an_admin_decided_meanwhile(polar_store: Running, ada: Api, admin: Api) -> None:
    webhooks = polar_store.services.payments.webhooks
    settled, dismissed = [await deliver(ada, "order.paid", order(None, FIFTY)) for _ in range(2)]
    assert code(await settle(admin, settled, userId=user_of(ada))) == "OK"
    assert code(await dismiss(admin, dismissed)) == "OK"
    for event, outcome in ((settled, "HANDLED"), (dismissed, "IGNORED")):
        assert event.outcome == "PARKED", "as the replay has read it"
        assert await webhooks.handle_read(event)
        assert (await ExternalEvent.get(id=event.id)).outcome == outcome
    assert await reviews(admin) == []
    assert await lines(ada) == [("PURCHASE", 50)]


async def test_replay_grants_nothing_for_an_event_that_is_dismissed_meanwhile(
    polar_store: Running, ada: Api, admin: Api
) -> None:
    until = timestamp(datetime.now(UTC) + timedelta(days=30))
    event = await deliver(ada, "subscription.active", subscription("stranger", BASIC, current_period_end=until))
    assert event.outcome == "PARKED"
    event.data["data"]["metadata"] = {"user_id": user_of(ada)}  # a replay that can handle it
    assert code(await dismiss(admin, event)) == "OK"
    assert await polar_store.services.payments.webhooks.handle_read(event)
    assert not (await ada.one("{ viewer { isMember } }"))["isMember"]
    assert not await Membership.exists()


async def test_dismissed_order_without_a_row_of_its_own_grants_nothing_later(
    polar_store: Running, ada: Api, admin: Api, polar: PolarServer
) -> None:
    now = datetime.now(UTC)
    bought = order(user_of(ada), FIFTY, created_at=timestamp(now))
    event = await deliver(ada, "order.paid", {**bought, "net_amount": "499"})
    await Purchase.all().delete()
    assert (event.outcome, code(await dismiss(admin, event))) == ("PARKED", "OK")
    assert (await deliver(ada, "order.paid", bought)).outcome == "IGNORED"
    polar.orders = [bought]
    await polar_store.services.payments.reconciliation.reconcile_when_due(now)
    assert (await deliver(ada, "order.refunded", refunded(bought, 499))).outcome == "IGNORED"
    assert await lines(ada) == []
    unpaid = order(user_of(ada), FIFTY, paid=False, status="pending")
    assert code(await dismiss(admin, await deliver(ada, "order.paid", unpaid))) == "OK"
    assert (await deliver(ada, "order.paid", {**unpaid, "paid": True, "status": "paid"})).outcome == "HANDLED"
    assert await lines(ada) == [("PURCHASE", 50)], "it was not paid when it was dismissed"
    for unusable in ("", "x" * 101, None, 7):
        event = await deliver(ada, "order.paid", {**order(user_of(ada), FIFTY), "id": unusable})
        assert (event.outcome, code(await dismiss(admin, event))) == ("PARKED", "OK"), unusable
    assert await Purchase.all().count() == 2
    await assert_invariants(polar_store.services)


async def test_reconciliation_opens_no_plan_for_a_dismissed_order(
    polar_store: Running, ada: Api, admin: Api, polar: PolarServer
) -> None:
    now = datetime.now(UTC)
    plan = subscription(user_of(ada), BASIC, current_period_end=timestamp(now + timedelta(days=30)))
    first = order(user_of(ada), UNKNOWN, 999, billing_reason="subscription_create", created_at=timestamp(now))
    first |= {"subscription_id": plan["id"], "subscription": plan}
    assert code(await dismiss(admin, await deliver(ada, "order.paid", first))) == "OK"
    polar.orders = [{**first, "product_id": BASIC}]
    await polar_store.services.payments.reconciliation.reconcile_when_due(now)
    assert not await Membership.exists()
    assert await lines(ada) == []


async def test_order_granted_by_another_report_is_not_settled_for_another_account_or_product(
    polar_store: Running, ada: Api, admin: Api
) -> None:
    bob = await ada.sign_up("bob@example.com")
    bought = order(None, BASIC, 999, billing_reason="subscription_create", subscription_id="sub-1")
    event = await deliver(ada, "order.paid", bought)
    assert (await deliver(ada, "order.paid", {**bought, "metadata": {"user_id": user_of(ada)}})).outcome == "HANDLED"
    for wrong in ({"userId": user_of(bob)}, {"product": "pro"}, {"userId": user_of(ada), "product": "credits-50"}):
        assert code(await settle(admin, event, **wrong)) == "CONFLICT"
    assert await audit() == []
    assert not (await bob.one("{ viewer { isMember } }"))["isMember"]
    assert code(await settle(admin, event, userId=user_of(ada), product="basic")) == "OK"
    assert await lines(ada) == [("SUBSCRIPTION", 100)]
    assert await lines(bob) == []
    await assert_invariants(polar_store.services)


async def test_renewal_that_names_a_deleted_account_goes_to_the_account_an_admin_chose(
    polar_store: Running, ada: Api, admin: Api
) -> None:
    former = user_of(ada)
    gone = await ada.one(DELETE, input={"password": "correct horse", "confirmEmail": "ada@example.com"})
    assert gone["errors"] == []
    back = await polar_store.api.sign_up()
    until = timestamp(datetime.now(UTC) + timedelta(days=30))
    plan = subscription(former, BASIC, current_period_end=until)
    first = order(former, BASIC, 999, billing_reason="subscription_create", subscription_id=plan["id"])
    event = await deliver(back, "order.paid", {**first, "subscription": plan})
    assert (event.outcome, code(await settle(admin, event, userId=user_of(back)))) == ("PARKED", "OK")
    renewal = {**first, "id": "order-2", "billing_reason": "subscription_cycle"}
    later = datetime.now(UTC) + timedelta(seconds=1)
    assert (await deliver(back, "order.paid", renewal)).outcome == "HANDLED"
    assert (await deliver(back, "subscription.updated", plan, later)).outcome == "HANDLED"
    assert await lines(back) == [("SUBSCRIPTION", 100)] * 2
    assert (await back.one("{ viewer { isMember } }"))["isMember"]
    await assert_invariants(polar_store.services)
