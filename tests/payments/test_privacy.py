"""Who paid: Polar's business, and ours only while nobody knows whose an order is."""

import orjson

from models import ExternalEvent, Purchase, ids
from models.enum import EventOutcome
from tests.conftest import Running
from tests.support.client import Api
from tests.support.fakes.polar_wire import customer, order, subscription
from tests.support.polar_store import BASIC, FIFTY, tell, user_of

PERSONAL = ("ada@example.com", "Ada", "Analytical Street")


async def kept() -> str:
    """Everything that the tables hold of what Polar told."""
    told = [event.data for event in await ExternalEvent.all()] + [purchase.data for purchase in await Purchase.all()]
    return orjson.dumps(told).decode()


def of(user_id: str) -> dict[str, object]:
    """An order with all that Polar may say of a person."""
    address = {"line1": "1 Analytical Street", "country": "GB"}
    told = order(user_id, FIFTY)
    person = {**told["customer"], "name": "Ada", "billing_address": address}
    return {**told, "billing_name": "Ada", "billing_address": address, "customer": person, "user": person}


async def test_settled_events_contain_no_customer_data(polar_store: Running) -> None:
    ada = await polar_store.api.sign_up("grace@example.com")
    bought = of(user_of(ada))
    assert (await tell(ada, "order.paid", bought)).outcome is EventOutcome.HANDLED
    monthly = subscription(user_of(ada), BASIC)
    assert (await tell(ada, "subscription.active", monthly)).outcome is EventOutcome.HANDLED
    assert (await tell(ada, "customer.updated", customer(user_of(ada)))).outcome is EventOutcome.IGNORED
    found = await kept()
    assert [word for word in PERSONAL if word in found] == []
    again = await polar_store.services.payments.webhooks.replay((await ExternalEvent.filter(type="order.paid"))[0].id)
    assert [event.outcome for event in again] == [EventOutcome.HANDLED]  # what is left is enough
    assert await ada.credits() == 60


async def test_order_of_unknown_customer_keeps_contact_for_review(polar_store: Running) -> None:
    stranger: Api = polar_store.api
    assert (await tell(stranger, "order.paid", of(ids.new_id(ids.USER)))).outcome is EventOutcome.PARKED
    assert "ada@example.com" in await kept()
