"""Orders that wait for their pictures: what they hold meanwhile, and what ends the wait before."""

import asyncio
import gc
import os
import types
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx
import openai
import pytest

from models import Generation
from services.generations.specification import GenerationRequest
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api, photo, until
from tests.web.openai_api.conftest import CREATE_KEY, NewClient, hold_orders
from tests.web.openai_api.test_image_errors import PATH, error_of, post
from tests.web.test_metrics import read_metrics, sample
from web.connection_limit import ConnectionLimits

EDITS = "/v1/images/edits"
REVOKE = "mutation($id: ID!) { revokeApiKey(id: $id) { errors { code } } }"
ORDER = {"prompt": "A fox"}


@pytest.fixture
def limits() -> ConnectionLimits:
    """What counts the connections of `idle`."""
    return ConnectionLimits(0, None)


@pytest.fixture
async def idle(scripted_settings: Settings, limits: ConnectionLimits) -> AsyncIterator[Running]:
    """A server whose orders wait, and whose streams send comments all the time."""
    async with running(scripted_settings, idle=True, connection_limits=limits, heartbeat_seconds=0.05) as found:
        yield found


async def is_waiting(server: Running, orders: int = 1) -> None:
    """Return once this number of orders waits."""

    async def waits() -> bool:
        return server.services.events.topics.subscriber_count() == orders

    await until(waits)


async def holds_nothing(limits: ConnectionLimits) -> None:
    async def is_free() -> bool:
        return not limits._accounts and not any(client.open for client in limits._clients.values())

    await until(is_free)


async def outcomes(server: Running, outcome: str) -> float:
    found = await read_metrics(server.api.http)
    return sample(found, "graphql_operations_total", operation=PATH, type="openai", outcome=outcome)


def held_by_coroutines() -> Iterable[object]:
    """Return the local variables of all coroutines that wait."""
    for found in gc.get_objects():
        if isinstance(found, types.CoroutineType) and found.cr_frame is not None:
            yield from found.cr_frame.f_locals.values()


async def test_waiting_order_holds_its_photo_no_longer(idle: Running) -> None:
    ada = await idle.api.sign_up()
    sent = photo() + os.urandom(300_000)
    files = {"image": ("me.jpg", sent, "image/jpeg")}
    request = asyncio.create_task(post(ada, ada.token, path=EDITS, data=ORDER, files=files))
    await is_waiting(idle)
    del files
    gc.collect()
    requests = [found for found in gc.get_objects() if isinstance(found, GenerationRequest) and found.image == sent]
    held = [value for value in held_by_coroutines() if isinstance(value, bytes)]
    copies = [value for value in held if value == sent and value is not sent]
    assert (len(requests), len(copies)) == (0, 0)
    await idle.services.generations.worker.process((await Generation.get()).id)
    assert (await request).status_code == 200


@pytest.mark.parametrize("is_stream", [False, True])
async def test_client_that_leaves_is_not_waited_for_and_its_picture_is_made(
    idle: Running, limits: ConnectionLimits, is_stream: bool
) -> None:
    ada = await idle.api.sign_up()
    before = await outcomes(idle, "disconnected")
    order = asyncio.create_task(post(ada, ada.token, {**ORDER, "stream": is_stream}))
    await is_waiting(idle)
    order.cancel()
    await holds_nothing(limits)
    await is_waiting(idle, 0)
    assert await outcomes(idle, "disconnected") == before + 1
    (row,) = await Generation.all()
    await idle.services.generations.worker.process(row.id)
    assert (await Generation.get()).status == "COMPLETED"


async def test_client_that_leaves_while_it_orders_leaves_nothing_open(idle: Running, limits: ConnectionLimits) -> None:
    ada = await idle.api.sign_up()
    before = await outcomes(idle, "disconnected")
    held = hold_orders(idle)
    host, port = ada.address.removeprefix("http://").split(":")
    head = f"POST {PATH} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {ada.token}\r\n"
    for body in (b'{"prompt": "A fox"}', b'{"prompt": "A fox", "stream": true}'):
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        await held.waits_for(1)
        writer.transport.abort()
    held.release.set()
    await until(Generation.all().exists)
    await holds_nothing(limits)
    await is_waiting(idle, 0)
    assert await Generation.all().count() == 2
    assert await outcomes(idle, "disconnected") == before + 2


async def test_comments_keep_a_stream_open_and_clients_skip_them(idle: Running, client_of: NewClient) -> None:
    ada = await idle.api.sign_up()
    body, headers = {**ORDER, "stream": True}, ada.headers()
    async with (
        httpx.AsyncClient(base_url=ada.address, timeout=30) as http,
        http.stream("POST", PATH, json=body, headers=headers) as response,
    ):
        lines = response.aiter_lines()
        assert [await anext(lines) for _ in range(4)] == [": ping", ""] * 2
    async with client_of(ada, str(ada.token)) as client:
        stream = await client.images.generate(prompt="A fox", stream=True)
        await asyncio.sleep(0.2)
        await idle.services.generations.worker.process((await Generation.all().order_by("-id"))[0].id)
        assert [event.type async for event in stream] == ["image_generation.completed"]


@pytest.mark.parametrize("key", [None, "order-1"])
async def test_stream_has_an_end(scripted_settings: Settings, client_of: NewClient, key: str | None) -> None:
    async with running(scripted_settings, idle=True, order_stream_seconds=0.2, heartbeat_seconds=0.05) as server:
        ada = await server.api.sign_up()
        async with client_of(ada, str(ada.token)) as client:
            headers = {"Idempotency-Key": key} if key else {}
            stream = await client.images.generate(prompt="A fox", stream=True, extra_headers=headers)
            with pytest.raises(openai.APIError) as ended:
                _ = [event async for event in stream]
    assert ended.value.code == "generation_timeout"
    assert ("Idempotency-Key" in ended.value.message) is (key is not None)


@pytest.mark.parametrize("is_stream", [False, True])
async def test_revoked_key_is_waited_for_no_longer(idle: Running, client_of: NewClient, is_stream: bool) -> None:
    ada = await idle.api.sign_up()
    await ada.verify_address()
    made = await ada.one(CREATE_KEY.replace("{ key ", "{ key apiKey { id } "), scope="GENERATE")
    order = asyncio.create_task(ended_order(ada, client_of, made["key"], is_stream))
    await is_waiting(idle)
    assert (await ada.one(REVOKE, id=made["apiKey"]["id"]))["errors"] == []
    assert await order == "invalid_api_key"
    assert await Generation.all().count() == 1


async def ended_order(api: Api, client_of: NewClient, token: str, is_stream: bool) -> str | None:
    """Return the code of the error that ends an order."""
    async with client_of(api, token) as client:
        try:
            made: Any = await client.with_options(max_retries=2).images.generate(prompt="A fox", stream=is_stream)
            _ = [event async for event in made]
        except openai.APIError as error:
            return error.code
    return None


async def test_message_names_the_idempotency_key_to_those_who_sent_one(scripted_settings: Settings) -> None:
    async with running(scripted_settings, idle=True, order_seconds=0.01) as server:
        ada = await server.api.sign_up()
        for headers in ({}, {"idempotency-key": "1"}):
            message = error_of(await post(ada, ada.token, ORDER, headers=dict(headers)))["message"]
            assert ("Idempotency-Key" in message) is bool(headers)
            assert "gallery" in message
