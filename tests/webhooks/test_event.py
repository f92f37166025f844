"""Events: each change writes one, by a trigger, and only where an endpoint asks for it."""

from typing import Any

import orjson
import pytest

from models import WebhookEvent
from models.database.connection import rows, run_tx
from services.events.account_change import bump_version
from tests.conftest import Running, running
from tests.support import factories
from tests.support.client import Api
from tests.support.development_checkout import buy
from tests.support.factories import NOW, insert
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import text_only
from tests.support.fakes.webhook_receiver import WebhookReceiver, create_endpoint
from tests.support.integrity import adjust_credits

pytestmark = pytest.mark.any_database


def data_of(receiver: WebhookReceiver) -> list[dict[str, Any]]:
    return [orjson.loads(call.raw)["data"] for call in receiver.received]


async def test_account_without_endpoints_writes_no_event(ada: Api, receiver: WebhookReceiver, api: Api) -> None:
    bob = await api.sign_up("bob@example.com")
    await create_endpoint(bob, receiver.url)
    created = await ada.create(prompt="A fox")
    await ada.wait_for_end(created["generations"][0]["id"])
    assert await WebhookEvent.all().count() == 0
    assert receiver.received == []


async def test_low_balance_is_sent_once_for_each_crossing(idle_server: Running, receiver: WebhookReceiver) -> None:
    ada, worker = await idle_server.api.sign_up(), idle_server.services.webhooks.worker
    user_id = str(ada.user["id"])
    await create_endpoint(ada, receiver.url, creditsLowBelow=100)
    balance = await ada.credits()
    for amount in (101 - balance, -1, -1, -50, 1, 60, -60, -1):
        await adjust_credits(user_id, amount, "test")
    await worker.drain()
    assert receiver.types == ["credits.low"] * 2
    assert sorted(each["balance"] for each in data_of(receiver)) == [50, 99]
    assert {each["threshold"] for each in data_of(receiver)} == {100}


async def test_each_endpoint_has_its_own_threshold(idle_server: Running, receiver: WebhookReceiver) -> None:
    ada, worker = await idle_server.api.sign_up(), idle_server.services.webhooks.worker
    for threshold in (100, 50):
        await create_endpoint(ada, receiver.url, creditsLowBelow=threshold)
    await adjust_credits(str(ada.user["id"]), 90 - await ada.credits(), "test")
    await adjust_credits(str(ada.user["id"]), -80, "test")
    await worker.drain()
    assert sorted(each["threshold"] for each in data_of(receiver)) == [50, 100]


async def test_order_is_a_crossing_as_well(scripted_settings: Any, receiver: WebhookReceiver) -> None:
    async with running(scripted_settings.model_copy(update={"signup_credits": 10}), idle=True) as server:
        ada = await server.api.sign_up()
        await create_endpoint(ada, receiver.url)
        for _ in range(2):
            assert (await ada.create(prompt="A fox"))["errors"] == []
        await server.services.webhooks.worker.drain()
        assert receiver.types == ["credits.low"]


async def test_failed_generation_is_sent_with_its_code(
    scripted: Running, openrouter: ScriptedOpenRouter, receiver: WebhookReceiver
) -> None:
    ada = await scripted.api.sign_up()
    await create_endpoint(ada, receiver.url, creditsLowBelow=0)
    openrouter.script(text_only())
    created = await ada.create(prompt="A fox")
    await receiver.wait_for(1)
    assert receiver.types == ["generation.failed"]
    [data] = data_of(receiver)
    assert (data["generationId"], data["errorCode"]) == (created["generations"][0]["id"], "GENERATION_FAILED")
    assert data["refunded"]


async def test_purchase_and_membership_are_sent(server: Running, receiver: WebhookReceiver) -> None:
    ada = await server.api.sign_up()
    await create_endpoint(ada, receiver.url)
    await buy(ada, package="credits-50")
    [call] = await receiver.wait_for(1)
    event = orjson.loads(call.raw)
    assert event["type"] == "purchase.completed"
    assert (event["data"]["package"], event["data"]["credits"], event["data"]["status"]) == ("credits-50", 50, "PAID")
    await buy(ada, plan="pro")
    await receiver.wait_for(3)
    assert set(receiver.types[1:]) == {"purchase.completed", "membership.changed"}
    changed = data_of(receiver)[receiver.types.index("membership.changed")]
    assert changed["plan"] == "pro"
    assert changed["isMember"]


async def test_refund_is_sent(idle_server: Running, receiver: WebhookReceiver) -> None:
    ada = await idle_server.api.sign_up()
    await create_endpoint(ada, receiver.url)
    order = factories.purchase(user_id=ada.user["id"], is_paid=False, status="REFUNDED", credits=0, net_amount=100)
    await insert("purchases", order)
    await rows("UPDATE purchases SET status = 'PAID', is_paid = TRUE WHERE id = $1 RETURNING id", order["id"])
    await rows("UPDATE purchases SET updated_at = NOW() WHERE id = $1 RETURNING id", order["id"])
    await rows("UPDATE purchases SET status = 'REFUNDED', refunded_amount = 40 WHERE id = $1 RETURNING id", order["id"])
    await idle_server.services.webhooks.worker.drain()
    assert sorted(receiver.types) == ["purchase.completed", "purchase.refunded"]


async def test_rolled_back_change_leaves_no_event(idle_server: Running, receiver: WebhookReceiver) -> None:
    ada = await idle_server.api.sign_up()
    await create_endpoint(ada, receiver.url)

    async def work() -> None:
        await bump_version(str(ada.user["id"]))
        await rows("UPDATE users SET is_member = TRUE WHERE id = $1 RETURNING id", ada.user["id"])
        assert await WebhookEvent.all().count() == 1
        raise KeyError

    with pytest.raises(KeyError):
        await run_tx(work)
    assert await WebhookEvent.all().count() == 0


async def test_event_whose_subject_is_gone_is_dropped(idle_server: Running, receiver: WebhookReceiver) -> None:
    ada = await idle_server.api.sign_up()
    await create_endpoint(ada, receiver.url)
    event = {"type": "generation.failed", "user_id": ada.user["id"], "subject_id": "gen_x", "created_at": NOW}
    await insert("webhook_events", event)
    await idle_server.services.webhooks.worker.drain()
    assert receiver.received == []
    assert await WebhookEvent.all().count() == 0
