"""Endpoints: managed by their owners alone, with a secret that is shown once."""

import asyncio
from dataclasses import replace
from typing import Any

import orjson
import pytest

from models import WebhookEndpoint
from models.database.connection import rows
from services.webhooks.own_endpoint import own_endpoints, synchronize
from setting_types import Environment, Switch
from tests.conftest import Running, running
from tests.support.fakes.webhook_receiver import (
    CREATE_ENDPOINT,
    DELETE,
    ENDPOINTS,
    REPLAY,
    ROTATE,
    SEND_TEST,
    UPDATE_ENDPOINT,
    WebhookReceiver,
    create_endpoint,
    deliveries,
)

pytestmark = pytest.mark.any_database

URL = "https://hooks.example.com/darkroom"
EVERY = "mutation($id: ID!) { %s(id: $id) { errors { code field } } }"


async def test_endpoint_is_created_changed_and_deleted(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    made = await create_endpoint(ada, URL, events=["CREDITS_LOW", "CREDITS_LOW"], description=" The shop ")
    endpoint = made["endpoint"]
    assert made["secret"].startswith("whsec_")
    assert (endpoint["url"], endpoint["description"], endpoint["events"]) == (URL, "The shop", ["CREDITS_LOW"])
    assert (endpoint["isEnabled"], endpoint["creditsLowBelow"]) == (True, 10)
    assert await ada.one(ENDPOINTS) == [endpoint]
    stored = await rows("SELECT * FROM webhook_endpoints")
    assert made["secret"] not in str(stored)
    change = {"url": URL + "/2", "events": None, "description": None, "creditsLowBelow": 0, "isEnabled": False}
    changed = (await ada.one(UPDATE_ENDPOINT, id=endpoint["id"], input=change))["endpoint"]
    assert {name: changed[name] for name in change} == change
    assert changed["disabledReason"] == "OWNER"
    nothing = (await ada.one(UPDATE_ENDPOINT, id=endpoint["id"], input={"url": None, "isEnabled": None}))["endpoint"]
    assert nothing == changed
    deleted = await ada.one(DELETE, id=endpoint["id"])
    assert deleted["deletedIds"] == [endpoint["id"]]
    assert await ada.one(ENDPOINTS) == []
    assert (await ada.refused(DELETE, id=endpoint["id"]))["code"] == "NOT_FOUND"


@pytest.mark.parametrize(
    ("input", "field"),
    [
        ({"url": "http://example.com/"}, None),  # in development
        ({"url": "https://10.0.0.1/"}, "url"),
        ({"url": "https://169.254.169.254/latest/meta-data"}, "url"),
        ({"url": "ftp://example.com/"}, "url"),
        ({"url": "https://example.com:22/"}, "url"),
        ({"url": "https://example.com/" + "x" * 3000}, "url"),
        ({"url": "https://example.com/\u0000"}, "url"),
        ({"url": URL, "events": []}, "events"),
        ({"url": URL, "creditsLowBelow": -1}, "creditsLowBelow"),
        ({"url": URL, "creditsLowBelow": 2**31 - 1}, "creditsLowBelow"),
        ({"url": URL, "description": "x" * 101}, "description"),
        ({"url": URL, "description": "a\u0000b"}, "description"),
    ],
)
async def test_invalid_values_are_refused_with_their_field(
    idle_server: Running, input: dict[str, Any], field: str | None
) -> None:
    ada = await idle_server.api.sign_up()
    await ada.verify_address()
    made = await ada.one(CREATE_ENDPOINT, input=input)
    assert [error["field"] for error in made["errors"]] == ([[field]] if field else [])
    assert len(await ada.one(ENDPOINTS)) == (0 if field else 1)


async def test_production_refuses_this_machine(scripted_settings: Any) -> None:
    settings = scripted_settings.model_copy(update={"environment": Environment.PRODUCTION, "secret_key": "s" * 32})
    async with running(settings, idle=True) as server:
        ada = await server.api.sign_up()
        await ada.verify_address()
        for url in ("http://localhost:9000/", "http://127.0.0.1/", "https://localhost/", "http://example.com/"):
            refused = await ada.one(CREATE_ENDPOINT, input={"url": url})
            assert [error["field"] for error in refused["errors"]] == [["url"]]


async def test_account_has_at_most_five_endpoints_also_at_the_same_time(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    await ada.verify_address()
    made = await asyncio.gather(*(ada.one(CREATE_ENDPOINT, input={"url": f"{URL}/{number}"}) for number in range(8)))
    assert sorted(len(each["errors"]) for each in made) == [0] * 5 + [1] * 3
    assert {error["code"] for each in made for error in each["errors"]} == {"CONFLICT"}
    assert len(await ada.one(ENDPOINTS)) == 5


async def test_unverified_account_and_guest_get_no_endpoint(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    assert (await ada.refused(CREATE_ENDPOINT, input={"url": URL}))["code"] == "FORBIDDEN"
    assert (await idle_server.api.refused(CREATE_ENDPOINT, input={"url": URL}))["code"] == "UNAUTHENTICATED"
    assert (await idle_server.api.refused(ENDPOINTS))["code"] == "UNAUTHENTICATED"


async def test_endpoints_and_deliveries_of_others_do_not_exist(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    made = await create_endpoint(ada, URL)
    sent = (await ada.one(SEND_TEST, id=made["endpoint"]["id"]))["delivery"]
    await synchronize([URL], 10)
    [own] = await own_endpoints()
    for endpoint_id in (made["endpoint"]["id"], own.id, sent["id"], "whk_x", "", "whk_" + "0" * 26, "x" * 10_000):
        for document in (DELETE, ROTATE, SEND_TEST, EVERY % "rotateWebhookSecret"):
            assert (await eve.refused(document, id=endpoint_id))["code"] == "NOT_FOUND"
        assert (await eve.refused(UPDATE_ENDPOINT, id=endpoint_id, input={"url": URL}))["code"] == "NOT_FOUND"
    for delivery_id in (sent["id"], made["endpoint"]["id"], "whd_" + "0" * 26):
        assert (await eve.refused(REPLAY, id=delivery_id))["code"] == "NOT_FOUND"
    assert await eve.one(ENDPOINTS) == []
    assert len(await ada.one(ENDPOINTS)) == 1


async def test_endpoint_and_delivery_are_found_by_their_ids(idle_server: Running) -> None:
    ada, bob = await idle_server.api.sign_up(), await idle_server.api.sign_up("bob@example.com")
    endpoint = (await create_endpoint(ada, URL))["endpoint"]
    delivery = (await ada.one(SEND_TEST, id=endpoint["id"]))["delivery"]
    query = "query($ids: [ID!]!) { nodes(ids: $ids) { id __typename } }"
    wanted = [endpoint["id"], delivery["id"]]
    found = await ada.one(query, ids=wanted)
    assert [node["id"] for node in found] == wanted
    assert [node["__typename"] for node in found] == ["WebhookEndpoint", "WebhookDelivery"]
    assert await bob.one(query, ids=wanted) == [None, None]


async def test_api_keys_read_and_replay_but_change_no_endpoint(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    made = await create_endpoint(ada, URL)
    key = (await ada.one('mutation { createApiKey(name: "k") { key } }'))["key"]
    script, id = replace(ada, token=key), made["endpoint"]["id"]
    assert len(await script.one(ENDPOINTS)) == 1
    sent = await script.one(SEND_TEST, id=id)
    assert (await script.one(REPLAY, id=sent["delivery"]["id"]))["errors"] == []
    assert (await script.refused(CREATE_ENDPOINT, input={"url": URL}))["code"] == "FORBIDDEN"
    for document in (ROTATE, DELETE):
        assert (await script.refused(document, id=id))["code"] == "FORBIDDEN"


async def test_tests_and_replays_of_an_account_are_limited(scripted_settings: Any) -> None:
    async with running(scripted_settings.model_copy(update={"rate_limits": Switch.ON}), idle=True) as server:
        ada = await server.api.sign_up()
        made = await create_endpoint(ada, URL)
        sent = (await ada.one(SEND_TEST, id=made["endpoint"]["id"]))["delivery"]
        codes = [(await ada.one(REPLAY, id=sent["id"]))["errors"] for _ in range(60)]
        assert [error["code"] for errors in codes for error in errors] == ["RATE_LIMITED"]


async def test_deletion_of_an_account_removes_its_endpoints(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    await create_endpoint(ada, URL, events=["CREDITS_LOW"])
    delete = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { errors { code } } }"
    await ada.one(delete, input={"password": "correct horse", "confirmEmail": "ada@example.com"})
    assert await WebhookEndpoint.all().count() == 0


async def test_endpoints_of_the_settings_follow_them_and_get_events_of_all_accounts(
    scripted_settings: Any, receiver: WebhookReceiver
) -> None:
    secret = "whsec_" + "A" * 32
    settings = scripted_settings.model_copy(update={"webhook_urls": (receiver.url,), "webhook_secret": (secret,)})
    async with running(settings, idle=True) as server:
        await asyncio.gather(*(server.services.webhooks.synchronize_own() for _ in range(5)))
        assert [row.url for row in await own_endpoints()] == [receiver.url]
        ada = await server.api.sign_up()
        bob = await server.api.sign_up("bob@example.com")
        for user in (ada, bob):
            await rows(
                "UPDATE users SET is_member = TRUE, member_since = NOW() WHERE id = $1 RETURNING id", user.user["id"]
            )
        await server.services.webhooks.worker.drain()
        owners = {orjson.loads(call.raw)["data"]["userId"] for call in receiver.received}
        assert owners == {ada.user["id"], bob.user["id"]}
        assert await deliveries(ada) == []
