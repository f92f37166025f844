"""The Polar provider against a fake of its API, whose payloads are validated with the SDK's models."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from polar.base import deserialize
from polar.v2026_10 import outputs, webhooks

from services.integrations.payments.polar.client import PolarPaymentProvider
from services.integrations.payments.polar.payload import Order
from services.integrations.payments.polar.signature import is_authentic
from services.integrations.payments.protocol import CheckoutSessionRequest, PaymentProviderError
from tests.support.fakes.polar import PolarServer
from tests.support.fakes.polar_wire import (
    checkout,
    customer,
    event,
    order,
    refund,
    refunded,
    session,
    sign,
    subscription,
    timestamp,
)

USER, PRODUCT = "usr_01h455vb4pex5vsknk084sn02q", "5f0f1b5e-41f0-4a9e-8a0b-1c1e1f8a7a01"
SECRET = "whsec_0123456789abcdef0123456789abcdef"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
REQUEST = CheckoutSessionRequest(
    "chk_1",
    PRODUCT,
    "credits-50",
    USER,
    "ada@example.com",
    "https://app.example.com/",
    "192.0.2.7",
    "https://app.example.com/credits",
)


@pytest.fixture
async def payments(polar: PolarServer) -> AsyncIterator[PolarPaymentProvider]:
    async with PolarPaymentProvider(polar.token, base_url=f"{polar.url}/v1", timeout=1.0) as found:
        yield found


def test_fake_payloads_parse_with_the_sdk() -> None:
    row = order(USER, PRODUCT)
    samples: list[tuple[dict[str, Any], Any]] = [
        (row, outputs.Order),
        (refunded(row, 100), outputs.Order),
        (refund(row["id"], 100), outputs.Refund),
        (subscription(USER, PRODUCT), outputs.Subscription),
        (checkout({"products": [PRODUCT]}, "https://polar.example.com"), outputs.Checkout),
        (session(customer(USER), "https://polar.example.com"), outputs.CustomerSession),
    ]
    for sample, model in samples:
        deserialize(sample, model)


@pytest.mark.parametrize("kind", ["order.paid", "order.refunded"])
def test_signatures_match_the_sdk(kind: str) -> None:
    body = event(kind, order(USER, PRODUCT))
    headers = sign(SECRET, body)
    assert type(webhooks.validate_event(body, headers, SECRET)).__name__.startswith("WebhookOrder")
    ours: dict[str, Any] = {
        "timestamp": headers["webhook-timestamp"],
        "signatures": headers["webhook-signature"],
        "now": time.time(),
    }
    assert is_authentic([SECRET], event_id=headers["webhook-id"], body=body, **ours)
    # The rule of the standard (without `whsec_`, decoded) is not Polar's.
    assert not is_authentic([SECRET.removeprefix("whsec_")], event_id=headers["webhook-id"], body=body, **ours)


async def test_checkout_request_names_buyer_and_product(payments: PolarPaymentProvider, polar: PolarServer) -> None:
    opened = await payments.create_checkout(REQUEST)
    (call,) = polar.calls
    assert (call.method, call.path, call.headers["polar-version"]) == ("POST", "/v1/checkouts/", "2026-10")
    assert call.body == {
        "products": [PRODUCT],
        "external_customer_id": USER,
        "metadata": {"user_id": USER, "slug": "credits-50", "checkout": "chk_1"},
        "customer_email": "ada@example.com",
        "success_url": "https://app.example.com/",
        "return_url": "https://app.example.com/credits",
        "customer_ip_address": "192.0.2.7",
    }
    (made,) = polar.checkouts
    assert (opened.provider_id, opened.url) == (made["id"], made["url"])
    assert opened.expires_at is not None
    assert opened.expires_at > datetime.now(UTC)


async def test_orders_are_read_to_the_last_page(payments: PolarPaymentProvider, polar: PolarServer) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    polar.orders = [
        order(USER, PRODUCT, created_at=timestamp(start + timedelta(minutes=number))) for number in range(203)
    ]
    found = [row["id"] async for row in payments.orders(LONG_AGO)]
    assert found == [row["id"] for row in polar.orders]
    assert [call.query["page"] for call in polar.calls] == [["1"], ["2"], ["3"]]
    late = [row["id"] async for row in payments.orders(start + timedelta(minutes=200, seconds=1))]
    assert late == found[201:]
    (row,) = [row async for row in payments.orders(start + timedelta(minutes=201, seconds=1))]
    assert replace(Order.of(row), data={}) == replace(Order.of(polar.orders[202]), data={})


async def test_invalid_order_hides_no_other(payments: PolarPaymentProvider, polar: PolarServer) -> None:
    made = [order(USER, PRODUCT, created_at=timestamp(LONG_AGO + timedelta(days=day))) for day in range(1, 204)]
    made[3]["status"] = "an unknown status"
    del made[5]["platform_fee_amount"]
    polar.orders = made
    assert [row["id"] async for row in payments.orders(LONG_AGO)] == [row["id"] for row in made]
    polar.invalid_pages = {1: [None, 7, *made[:100]], 2: "not a list"}
    assert [row["id"] async for row in payments.orders(LONG_AGO)] == [row["id"] for row in made[:100] + made[200:]]
    polar.fail(200)  # a response that is no page
    assert [row async for row in payments.orders(LONG_AGO)] == []


async def test_refunds_are_read_back_to_a_timestamp(payments: PolarPaymentProvider, polar: PolarServer) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    polar.refunds = [
        refund("an order", 1, created_at=timestamp(start + timedelta(minutes=number))) for number in range(250)
    ]
    found = [row["id"] async for row in payments.refunds(start + timedelta(minutes=60))]
    assert found == [row["id"] for row in polar.refunds[:59:-1]]
    assert [call.query["page"] for call in polar.calls] == [["1"], ["2"]]


async def test_subscription_is_canceled_once(payments: PolarPaymentProvider, polar: PolarServer) -> None:
    made = subscription(USER, PRODUCT)
    polar.subscriptions[made["id"]] = made
    for _ in range(2):
        await payments.cancel_subscription(made["id"])
        assert made["status"] == "canceled"
    await payments.cancel_subscription("3b4ae0f6-86d5-4a10-9b2c-000000000000")
    polar.fail(409, 500)
    for _ in range(2):
        with pytest.raises(PaymentProviderError):
            await payments.cancel_subscription(made["id"])
    assert {(call.method, call.path.rpartition("/")[0]) for call in polar.calls} == {("DELETE", "/v1/subscriptions")}


async def test_portal_is_opened_for_customers_only(payments: PolarPaymentProvider, polar: PolarServer) -> None:
    with pytest.raises(PaymentProviderError):
        await payments.portal(USER)
    polar.add_customer(USER, "Ada@example.com")
    portal = await payments.portal(USER)
    assert portal.url.startswith(f"{polar.url}/portal")
    assert portal.email == "Ada@example.com"


async def test_call_is_retried_once_where_polar_did_nothing(payments: PolarPaymentProvider, polar: PolarServer) -> None:
    for status, headers in ((503, {}), (429, {}), (429, {"retry_after": "0"})):
        polar.calls.clear()
        polar.fail(status, **headers)
        await payments.create_checkout(REQUEST)
        assert len(polar.calls) == 2, status
    for statuses, headers in (((500,), {}), ((401,), {}), ((429,), {"retry_after": "60"}), ((503, 503), {})):
        polar.calls.clear()
        polar.fail(*statuses, **headers)
        with pytest.raises(PaymentProviderError):
            await payments.create_checkout(REQUEST)
        assert len(polar.calls) == len(statuses), statuses


async def test_call_fails_when_polar_hangs_or_is_unreachable(polar: PolarServer) -> None:
    polar.open.clear()
    async with PolarPaymentProvider(polar.token, base_url=polar.url, timeout=0.2) as payments:
        with pytest.raises(PaymentProviderError):
            await payments.create_checkout(REQUEST)
    async with PolarPaymentProvider(polar.token, base_url="http://127.0.0.1:9", timeout=1.0) as payments:
        with pytest.raises(PaymentProviderError):
            await payments.portal(USER)
