"""Personal data of customers: stored only while an order of an unknown account needs review."""

import orjson

from models import ExternalEvent, Purchase, ids
from models.enum import EventOutcome
from tests.conftest import Running
from tests.support.client import Api
from tests.support.fakes.polar_wire import customer, order, subscription
from tests.support.polar_store import BASIC, FIFTY, deliver, user_of

PERSONAL = ("ada@example.com", "Ada", "Analytical Street")


async def stored_payloads() -> str:
    """Return all stored payloads of Polar as text."""
    payloads = [event.data for event in await ExternalEvent.all()] + [
        purchase.data for purchase in await Purchase.all()
    ]
    return orjson.dumps(payloads).decode()


def personal_order(user_id: str) -> dict[str, object]:
    """Return an order with all personal data that Polar may send."""
    address = {"line1": "1 Analytical Street", "country": "GB"}
    paid = order(user_id, FIFTY)
    customer_data = {**paid["customer"], "name": "Ada", "billing_address": address}
    personal = {"billing_name": "Ada", "billing_address": address, "customer": customer_data, "user": customer_data}
    return {**paid, **personal}


async def test_settled_events_contain_no_customer_data(polar_store: Running) -> None:
    ada = await polar_store.api.sign_up("grace@example.com")
    bought = personal_order(user_of(ada))
    assert (await deliver(ada, "order.paid", bought)).outcome is EventOutcome.HANDLED
    monthly = subscription(user_of(ada), BASIC)
    assert (await deliver(ada, "subscription.active", monthly)).outcome is EventOutcome.HANDLED
    assert (await deliver(ada, "customer.updated", customer(user_of(ada)))).outcome is EventOutcome.IGNORED
    found = await stored_payloads()
    assert [word for word in PERSONAL if word in found] == []
    again = await polar_store.services.payments.webhooks.replay((await ExternalEvent.filter(type="order.paid"))[0].id)
    assert [event.outcome for event in again] == [EventOutcome.HANDLED]  # the redacted event is sufficient
    assert await ada.credits() == 60


async def test_order_of_unknown_customer_keeps_contact_for_review(polar_store: Running) -> None:
    stranger: Api = polar_store.api
    assert (await deliver(stranger, "order.paid", personal_order(ids.new_id(ids.USER)))).outcome is EventOutcome.PARKED
    assert "ada@example.com" in await stored_payloads()
