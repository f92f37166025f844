"""Orders: paid, refunded in part and in full, reported in any order and any number of times, reviewed if unclear."""

import asyncio
import contextlib
import os
import random
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from structlog.testing import capture_logs

from models import CreditTransaction, ExternalEvent, Pass, Purchase, User
from services.core.chore import Lane
from services.integrations.payments.polar.client import PolarPaymentProvider
from services.payments.checkout import CheckoutRequest, CheckoutService
from setting_types import Environment
from settings import ROOT, Settings
from tests.conftest import Running, running
from tests.support.client import Api, until
from tests.support.fakes.polar import PolarServer
from tests.support.fakes.polar_wire import Json, event, order, refund, refunded, sign, subscription, timestamp
from tests.support.integrity import assert_invariants
from tests.support.polar_store import (
    BASIC,
    FIFTY,
    FIVE_HUNDRED,
    FLASH,
    LEDGER,
    PRODUCTS,
    SECRET,
    deliver,
    lines,
    paid_by,
    user_of,
)
from tests.support.server_process import free_port

CHECKOUT = """
mutation($input: CreateCheckoutInput!) {
  createCheckout(input: $input) { checkout { id url } errors { code message field } }
}"""


@pytest.fixture
async def ada(polar_store: Running) -> Api:
    return await polar_store.api.sign_up()


async def test_paid_order_grants_credits_once(polar_store: Running, ada: Api) -> None:
    bought = order(user_of(ada), FIFTY, currency="USD")
    for _ in range(3):
        assert (await deliver(ada, "order.paid", bought)).outcome == "HANDLED"
    newest = (await ada.one(LEDGER))["transactions"]["nodes"][0]
    assert newest == {"type": "PURCHASE", "amount": 50, "balance": 60, "price": 499, "currency": "usd"}
    assert await lines(ada) == [("PURCHASE", 50)]
    version = (await ada.one("{ viewer { version } }"))["version"]
    await deliver(ada, "order.paid", bought)
    assert (await ada.one("{ viewer { version } }"))["version"] == version
    await assert_invariants(polar_store.services)


async def test_buyer_is_notified_at_once(polar_store: Running, ada: Api) -> None:
    async with ada.socket() as socket:
        stream = await socket.subscribe("subscription { creditsChanged { credits transaction { type amount } } }")
        assert (await stream.next())["credits"] == 10
        await deliver(ada, "order.paid", order(user_of(ada), FIFTY))
        assert await stream.next() == {"credits": 60, "transaction": {"type": "PURCHASE", "amount": 50}}


async def test_refund_reverses_its_share_even_if_credits_are_spent(polar_store: Running, ada: Api) -> None:
    bought = order(user_of(ada), FIFTY)
    await deliver(ada, "order.paid", bought)
    for amount, credits in ((100, -10), (249, -14), (100, 0), (499, -26), (499, 0)):  # 50 * 100 // 499 is 10
        before = await ada.credits()
        await deliver(ada, "order.refunded", refunded(bought, amount))
        assert await ada.credits() - before == credits, amount
    assert await lines(ada) == [("PURCHASE", 50), ("REVERSAL", -10), ("REVERSAL", -14), ("REVERSAL", -26)]
    dear = order(user_of(ada), FIVE_HUNDRED, 2999)
    await deliver(ada, "order.paid", dear)
    spent = [await ada.create(styleId=await ada.style("free", "sandbox"), prompt="a hill", count=4) for _ in range(3)]
    assert not any(made["errors"] for made in spent)
    await deliver(ada, "order.refunded", refunded(dear, 2999))
    assert await ada.credits() == -2
    await assert_invariants(polar_store.services)


async def test_every_order_of_events_has_the_same_result(polar_store: Running) -> None:
    """order.paid, two order.refunded and their refunds, each delivered twice, in twenty-four random orders."""
    rng = random.Random(7)
    for number in range(24):
        someone = await polar_store.api.sign_up(f"someone-{number}@example.com")
        bought = order(user_of(someone), FIFTY)
        events = [
            ("order.paid", bought),
            ("order.refunded", refunded(bought, 100)),
            ("order.refunded", refunded(bought, 300)),
            ("refund.updated", refund(bought["id"], 100)),
            ("refund.created", refund(bought["id"], 200)),
        ]
        twice = events * 2
        rng.shuffle(twice)
        for kind, data in twice:
            assert (await deliver(someone, kind, data)).outcome == "HANDLED"
        assert await someone.credits() == 10 + 50 - 30, [kind for kind, _ in twice]
        purchase = await Purchase.get(order_id=bought["id"])
        assert (purchase.status, purchase.credits, purchase.reversed_credits) == ("REFUNDED", 50, 30)
        assert purchase.user_id == user_of(someone)
    await assert_invariants(polar_store.services)


async def test_unclear_orders_need_review(polar_store: Running, ada: Api) -> None:
    me = user_of(ada)
    unclear: dict[str, Json] = {
        "no customer": order(None, FIFTY),
        "unknown account": order("usr_01h455vb4pex5vsknk084sn02q", FIFTY),
        "no id": order("ada", FIFTY),
        "an unknown account in the metadata": order(me, FIFTY, metadata={"user_id": "usr_01h455vb4pex5vsknk084sn02q"}),
        "another product": order(me, "99999999-9999"),
        "no product": order(me, None),
        "nothing": order(me, FIFTY, 0),
        "less than nothing": order(me, FIFTY, -499),
        "no currency": order(me, FIFTY, currency="euro"),
        "no number": order(me, FIFTY, net_amount="499"),
        "not paid": order(me, FIFTY, paid=False, status="pending"),
        "more refunded than paid": order(me, FIFTY, refunded_amount=500),
        "a month of a package": order(me, FIFTY, billing_reason="subscription_cycle"),
        "a plan bought once": order(me, BASIC, 999),
    }
    for name, data in unclear.items():
        stored = await deliver(ada, "order.paid", data)
        assert (stored.outcome, bool(stored.problem)) == ("PARKED", True), name
    assert await lines(ada) == []
    await assert_invariants(polar_store.services)


async def test_replay_settles_events_after_configuration_is_fixed(polar: PolarServer, settings: Settings) -> None:
    """POLAR_PRODUCTS lacks a product; the operator adds it, restarts, and replays the events."""
    incomplete = paid_by(polar, settings)
    async with running(incomplete, idle=True) as server:
        ada = await server.api.sign_up()
        events = [await deliver(ada, "order.paid", order(user_of(ada), "99999999-9999", 1499)) for _ in range(2)]
        never = await deliver(ada, "order.paid", order("usr_01h455vb4pex5vsknk084sn02q", FIFTY))
        assert {event.outcome for event in (*events, never)} == {"PARKED"}
        assert [row.outcome for row in await server.services.payments.webhooks.replay(events[0].event_id)] == ["PARKED"]
    fixed = incomplete.model_copy(update={"polar_products": (*incomplete.polar_products, "credits-200=99999999-9999")})
    async with running(fixed, idle=True) as server:
        ada = Api(server.api.http, server.api.address, ada.token, ada.user)
        assert [row.outcome for row in await server.services.payments.webhooks.replay(events[0].event_id)] == [
            "HANDLED"
        ]
        assert await lines(ada) == [("PURCHASE", 200)]
        left = {row.event_id: row.outcome for row in await server.services.payments.webhooks.replay(None)}
        assert left == {events[1].event_id: "HANDLED", never.event_id: "PARKED"}
        assert await lines(ada) == [("PURCHASE", 200), ("PURCHASE", 200)]
        await assert_invariants(server.services)


async def test_month_paid_by_proration_is_granted(polar_store: Running, ada: Api) -> None:
    """From an expensive plan to a cheap one within a month: the next order is negative, and paid."""
    cycle = {"billing_reason": "subscription_cycle", "subscription_id": "sub_1"}
    left = {"amount": -1999, "proration": True}
    month = order(user_of(ada), BASIC, -1000, items=[{"amount": 999, "proration": False}, left], **cycle)
    assert (await deliver(ada, "order.paid", month)).outcome == "HANDLED"
    nothing = order(user_of(ada), BASIC, 1, items=[{**left, "amount": 1}], **cycle)
    assert (await deliver(ada, "order.paid", nothing)).outcome == "PARKED"
    assert await lines(ada) == [("SUBSCRIPTION", 100)]
    assert (await Purchase.get(order_id=month["id"])).net_amount == 0
    await assert_invariants(polar_store.services)


async def test_months_and_passes_are_granted_and_refunded_pass_ends(polar_store: Running, ada: Api) -> None:
    me = user_of(ada)
    plan = subscription(me, BASIC)
    first = order(me, BASIC, 999, billing_reason="subscription_create", subscription_id=plan["id"])
    again = order(me, BASIC, 999, billing_reason="subscription_cycle", subscription_id=plan["id"])
    change = order(me, BASIC, 0, billing_reason="subscription_update", subscription_id=plan["id"])
    assert not (await ada.one("{ viewer { isMember } }"))["isMember"]
    for kind, data in (
        ("subscription.active", plan),
        ("order.paid", first),
        ("order.paid", again),
        ("order.paid", change),
    ):
        assert (await deliver(ada, kind, data)).outcome == "HANDLED"
    assert await lines(ada) == [("SUBSCRIPTION", 100), ("SUBSCRIPTION", 100)]
    assert (await ada.one("{ viewer { isMember } }"))["isMember"]
    over = {**plan, "status": "canceled", "ended_at": timestamp(datetime.now(UTC))}
    await deliver(ada, "subscription.revoked", over, datetime.now(UTC) + timedelta(seconds=1))
    assert not (await ada.one("{ viewer { isMember } }"))["isMember"]
    flash = order(me, FLASH, 199)
    await deliver(ada, "order.paid", flash)
    held = await Pass.get(reference=f"polar:order:{flash['id']}")
    assert held.revoked_at is None
    await deliver(ada, "order.refunded", refunded(flash, 100))
    assert (await Pass.get(id=held.id)).revoked_at is None
    await deliver(ada, "order.refunded", refunded(flash, 199))
    assert (await Pass.get(id=held.id)).revoked_at is not None


async def test_checkout_is_opened_once_per_idempotency_key(polar_store: Running, ada: Api, polar: PolarServer) -> None:
    wanted = {"package": "credits-50", "idempotencyKey": "one", "successUrl": f"{polar_store.settings.address}/thanks"}
    made = await asyncio.gather(*(ada.one(CHECKOUT, input=wanted) for _ in range(3)))
    assert len({one["checkout"]["id"] for one in made}) == 1
    assert [one["checkout"]["url"] for one in made] == [polar.checkouts[0]["url"]] * 3
    assert (await ada.one(CHECKOUT, input=wanted))["checkout"]["url"] == polar.checkouts[0]["url"]
    assert len(polar.checkouts) == 1
    assert polar.checkouts[0]["external_customer_id"] == user_of(ada)
    assert (await ada.refused(CHECKOUT, input={**wanted, "package": "credits-500"}))["code"] == "CONFLICT"
    refusals: list[tuple[dict[str, Any], str]] = [
        ({}, "INVALID_INPUT"),
        ({"package": "credits-50", "plan": "basic"}, "INVALID_INPUT"),
        ({"package": "credits-51"}, "NOT_FOUND"),
        ({"plan": "credits-50"}, "NOT_FOUND"),
        ({"plan": "enterprise"}, "INVALID_INPUT"),
        ({"package": "credits-200"}, "PAYMENTS_UNAVAILABLE"),  # not in POLAR_PRODUCTS
        *(
            ({"package": "credits-50", "successUrl": url}, "INVALID_INPUT")
            for url in ("https://evil.example.com/", "javascript:alert(1)", "//evil.example.com", "", "/thanks")
        ),
        ({"package": "credits-50", "cancelUrl": "https://evil.example.com/"}, "INVALID_INPUT"),
        ({"package": "credits-50", "successUrl": polar_store.settings.address + "@evil.example.com"}, "INVALID_INPUT"),
        ({"package": "credits-50", "successUrl": polar_store.settings.address + ".evil.example.com"}, "INVALID_INPUT"),
    ]
    for input, code in refusals:
        assert (await ada.refused(CHECKOUT, input=input))["code"] == code, input
    polar.fail(500)
    with capture_logs() as lines:
        assert (await ada.refused(CHECKOUT, input={"package": "credits-50"}))["code"] == "PAYMENTS_UNAVAILABLE"
        assert (await ada.refused(CHECKOUT, input={"package": "credits-200"}))["code"] == "PAYMENTS_UNAVAILABLE"
    outcomes = [line["outcome"] for line in lines if line["event"] == "graphql.operation"]
    assert outcomes == ["failed", "refused"], "an outage is no mistake of the user"
    assert (await polar_store.api.refused(CHECKOUT, input=wanted))["code"] == "UNAUTHENTICATED"


async def test_checkout_opened_by_two_processes_at_once_returns_one_session(
    polar_store: Running, ada: Api, polar: PolarServer
) -> None:
    services, user = polar_store.services, await User.get(id=user_of(ada))
    request = CheckoutRequest(package="credits-50", idempotency_key="one")

    async def both_called() -> bool:
        return len(polar.calls) == 2

    polar.open.clear()
    async with PolarPaymentProvider(polar.token, base_url=polar.url) as provider:
        processes = [
            CheckoutService(provider, PRODUCTS, (), services.billing.plans, services.core.rates) for _ in range(2)
        ]
        opening = [asyncio.create_task(process.create(user, request, "127.0.0.1")) for process in processes]
        await until(both_called)
        polar.open.set()
        first, second = await asyncio.gather(*opening)
    assert len(polar.checkouts) == 2
    assert (first.id, first.url) == (second.id, second.url)


async def test_billing_portal_is_offered_only_to_subscribers(
    polar_store: Running, ada: Api, polar: PolarServer
) -> None:
    query = "{ viewer { billingPortalUrl } }"
    polar.add_customer(user_of(ada))
    await ada.verify_address()
    assert (await ada.one(query))["billingPortalUrl"] is None
    await deliver(ada, "subscription.active", subscription(user_of(ada), BASIC))
    assert (await ada.one(query))["billingPortalUrl"].startswith(polar.url)
    polar.fail(500)
    assert (await ada.one(query))["billingPortalUrl"] is None


async def test_billing_portal_of_a_customer_with_another_address_is_not_opened(
    polar_store: Running, ada: Api, polar: PolarServer
) -> None:
    query = "{ viewer { billingPortalUrl } }"
    await deliver(ada, "subscription.active", subscription(user_of(ada), BASIC))
    polar.add_customer(user_of(ada))
    assert (await ada.one(query))["billingPortalUrl"] is None, "Ada's address is not verified"
    await ada.verify_address()
    for email in ("victim@example.com", "ada@example.com.evil.example", ""):
        polar.add_customer(user_of(ada), email)
        assert (await ada.one(query))["billingPortalUrl"] is None, email
    polar.add_customer(user_of(ada), "Ada@Example.com")
    assert (await ada.one(query))["billingPortalUrl"].startswith(polar.url)


@pytest.mark.any_database
async def test_production_without_polar_has_no_checkout(settings: Settings) -> None:
    closed = settings.model_copy(update={"environment": Environment.PRODUCTION, "secret_key": "s" * 32})
    async with running(closed, idle=True) as found:
        ada = await found.api.sign_up()
        assert (await ada.refused(CHECKOUT, input={"package": "credits-50"}))["code"] == "PAYMENTS_UNAVAILABLE"
        assert (await ada.http.get("/checkout/anything")).status_code == 404


async def deliveries(server: Running, orders: int, deliveries_each: int, seed: int, *addresses: str) -> None:
    """Deliver orders of several users by eight concurrent senders: shuffled, repeated, and refunded at random.

    `addresses`: other servers on the same database, which get their share of the deliveries.
    """
    rng = random.Random(seed)
    users = [await server.api.sign_up(f"user-{number}@example.com") for number in range(max(orders // 10, 2))]
    expected = dict.fromkeys(map(user_of, users), 10)
    sent: list[tuple[bytes, dict[str, str]]] = []
    for _ in range(orders):
        buyer = user_of(rng.choice(users))
        bought = order(buyer, FIFTY)
        given_back = rng.choice([0, 0, 0, 100, 250, 499])
        events = [("order.paid", bought)]
        events += [("order.refunded", refunded(bought, given_back))] if given_back else []
        bodies = [event(kind, data) for kind, data in events]
        signed = [(body, sign(SECRET, body)) for body in bodies]
        for number in range(deliveries_each):
            body, headers = signed[number % len(signed)]
            # Half of the repetitions are the same delivery, half the same order in another delivery.
            sent.append((body, headers if number % 2 else sign(SECRET, body)))
        sent += signed
        expected[buyer] += 50 - 50 * given_back // 499
    rng.shuffle(sent)
    line = iter(sent)

    async def send() -> None:
        for body, headers in line:
            address = rng.choice([server.api.address, *addresses])
            answer = await server.api.http.post(f"{address}/webhooks/polar", content=body, headers=headers)
            assert answer.status_code == 202

    await asyncio.gather(*(send() for _ in range(8)))
    while await ExternalEvent.filter(outcome="RECEIVED").exists():  # not handled within the request
        await ExternalEvent.filter(outcome="RECEIVED").update(received_at=datetime(2026, 1, 1, tzinfo=UTC))
        await server.services.background.sweeper.sweep_lane(Lane.SETTLEMENT)
    assert {user_of(one): await one.credits() for one in users} == expected
    assert await CreditTransaction.filter(type="PURCHASE").count() == orders
    assert not await ExternalEvent.exclude(outcome="HANDLED").exists()
    await assert_invariants(server.services)


async def test_twenty_orders_delivered_two_hundred_times_are_granted_once(polar_store: Running) -> None:
    await deliveries(polar_store, 20, 9, seed=5)


@pytest.mark.chaos
@pytest.mark.timeout(600)
async def test_orders_delivered_ten_times_each_to_two_servers_are_granted_once(polar_store: Running) -> None:
    async with another_server(polar_store.settings) as address:
        await deliveries(polar_store, 200, 9, 11, address)


@contextlib.asynccontextmanager
async def another_server(settings: Settings) -> AsyncIterator[str]:
    """Start a second server process on the same database, sweeper included; yields its address."""
    port = free_port()
    environment = {
        "PATH": os.defpath,
        "PORT": str(port),
        "DATABASE_URL": settings.database,
        "DATA_DIR": str(settings.data_dir),
        "POLAR_ACCESS_TOKEN": str(settings.polar_access_token),
        "POLAR_BASE_URL": settings.polar_base_url,
        "POLAR_WEBHOOK_SECRET": ",".join(settings.polar_webhook_secret),
        "POLAR_PRODUCTS": ",".join(settings.polar_products),
        "LOG_LEVEL": "warning",
    }
    process = await asyncio.create_subprocess_exec(sys.executable, str(ROOT / "main.py"), env=environment)
    address = f"http://127.0.0.1:{port}"

    async def answers() -> bool:
        with contextlib.suppress(httpx.ConnectError):
            async with httpx.AsyncClient() as http:
                return (await http.get(f"{address}/webhooks/polar")).status_code == 405
        return False

    try:
        await until(answers)
        yield address
    finally:
        process.terminate()
        await process.wait()
