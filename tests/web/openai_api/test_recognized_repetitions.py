"""Repetitions by clients that count their attempts: answered by the order whose answer they did not receive."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI

from models import Generation, IdempotencyKey
from models.database.connection import rows
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api, photo, until
from tests.web.openai_api.conftest import HangingStorage, create_key, hold_orders
from tests.web.openai_api.test_image_errors import error_of, post

ORDER = {"prompt": "A fox"}
SIGN_IN = 'mutation { signIn(input: {email: "ada@example.com", password: "correct horse"}) { token } }'
GATEWAY_TIMEOUT = b"HTTP/1.1 504 Gateway Time-out\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@asynccontextmanager
async def impatient_proxy(address: str) -> AsyncIterator[str]:
    """A proxy that answers the first request with 504, as nginx does in time, once it is submitted; yields its URL."""
    host, port = address.removeprefix("http://").split(":")
    given_up: list[bool] = []

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(host, int(port))
        request = asyncio.create_task(copy(reader, server_writer))
        if given_up:
            await copy(server_reader, writer)
        else:
            given_up.append(True)
            await until(Generation.all().exists)
            writer.write(GATEWAY_TIMEOUT)
        request.cancel()
        for each in (server_writer, writer):
            each.close()

    proxy = await asyncio.start_server(pass_on, "127.0.0.1", 0)
    async with proxy:
        yield f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)


async def make_once_kept(server: Running) -> None:
    """Make the picture of an order once a repetition may be answered by it."""
    await until(IdempotencyKey.filter(operation="unansweredOrder").exists)
    await server.services.generations.worker.process((await Generation.get()).id)


async def attempt(api: Api, number: int | None, **changes: Any) -> httpx.Response:
    headers = {} if number is None else {"x-stainless-retry-count": str(number)}
    token = changes.pop("token", api.token)
    return await post(api, token, ORDER | changes, headers=headers)


async def is_answered(api: Api) -> bool:
    """Return whether a repetition gets its picture, rather than that its time is up, as on a busy machine."""
    answer = await attempt(api, 2)
    assert answer.status_code in (200, 504), answer.text
    return answer.status_code == 200


@pytest.mark.parametrize("is_edit", [False, True])
async def test_order_behind_a_proxy_that_gives_up_is_charged_once(idle_server: Running, is_edit: bool) -> None:
    ada = await idle_server.api.sign_up()
    before = await ada.credits()
    async with (
        impatient_proxy(ada.address) as address,
        AsyncOpenAI(base_url=f"{address}/v1", api_key=str(ada.token)) as client,
    ):
        image: Any = {"image": ("me.jpg", photo(), "image/jpeg")} if is_edit else {}
        ordered: Any = client.images.edit if is_edit else client.images.generate
        order = asyncio.create_task(ordered(**ORDER, **image))
        await make_once_kept(idle_server)
        assert (await order).data
    row = await Generation.get()
    assert before - await ada.credits() == row.cost


@pytest.mark.any_database
async def test_order_that_takes_longer_than_one_request_is_waited_for(scripted_settings: Settings) -> None:
    async with running(scripted_settings, idle=True, order_seconds=0.2) as server:
        ada = await server.api.sign_up()
        for number in (0, 1):
            late = await attempt(ada, number)
            assert (late.status_code, late.headers["x-should-retry"]) == (504, "false")
        await make_once_kept(server)
        await until(partial(is_answered, ada))
        assert await Generation.all().count() == 1


@pytest.mark.any_database
async def test_repetition_that_fails_does_not_lose_the_order(scripted_settings: Settings) -> None:
    async with running(scripted_settings, idle=True, order_seconds=0.2) as server:
        ada = await server.api.sign_up()
        await attempt(ada, 0)
        await rows("ALTER TABLE generations RENAME TO hidden_generations")
        try:
            failed = await attempt(ada, 1)
        finally:
            await rows("ALTER TABLE hidden_generations RENAME TO generations")
        assert failed.status_code >= 500
        assert failed.headers["x-should-retry"] == "false"
        await make_once_kept(server)
        await until(partial(is_answered, ada))
        assert await Generation.all().count() == 1


async def test_order_that_outlives_the_server_is_charged_once(scripted_settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=30))
        async with running(scripted_settings) as server:
            ada = replace(await server.api.sign_up(), http=http)
            files: Any = server.services.media.files
            files._storage = storage = HangingStorage(server.services.integrations.storage)
            order = asyncio.create_task(attempt(ada, 0))
            await storage.is_read.wait()
        stopped = await order
        assert (stopped.status_code, stopped.headers["x-should-retry"]) == (503, "false")
        server = await stack.enter_async_context(running(scripted_settings))
        assert (await attempt(replace(server.api, token=ada.token), 1)).json()["data"]
        assert await Generation.all().count() == 1


async def test_order_that_is_canceled_while_it_is_charged_is_not_repeated(scripted_settings: Settings) -> None:
    async with httpx.AsyncClient(timeout=30) as http:
        async with running(scripted_settings) as server:
            ada = replace(await server.api.sign_up(), http=http)
            held = hold_orders(server)
            orders = [asyncio.create_task(attempt(ada, number)) for number in (None, 0)]
            keyed = asyncio.create_task(post(ada, ada.token, ORDER, headers={"idempotency-key": "1"}))
            await held.waits_for(3)
        for order in orders:
            assert ((await order).status_code, (await order).headers["x-should-retry"]) == (503, "false")
        assert ((await keyed).status_code, "x-should-retry" in (await keyed).headers) == (503, False)


@pytest.mark.any_database
async def test_each_order_answers_one_repetition(scripted_settings: Settings) -> None:
    async with running(scripted_settings, idle=True, order_seconds=0.01) as server:
        ada = await server.api.sign_up()
        for _ in range(2):
            late = await attempt(ada, 0)
            assert (late.status_code, late.headers["x-should-retry"]) == (504, "false")
        assert await Generation.all().count() == 2, "a first attempt is always a new order"
    async with running(scripted_settings, idle=True) as server:
        ada = replace(server.api, token=ada.token)
        for row in await Generation.all():
            await server.services.generations.worker.process(row.id)
        answers = [await attempt(ada, 1) for _ in range(2)]
        assert len({answer.json()["data"][0]["id"] for answer in answers}) == 2
        third = asyncio.create_task(attempt(ada, 1))
        await until(Generation.filter(status="PENDING").exists)
        third.cancel()


@pytest.mark.any_database
async def test_order_that_is_still_waited_for_answers_no_other_request(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    orders = []
    for number in (0, 1):
        orders.append(asyncio.create_task(attempt(ada, number)))

        async def is_submitted(count: int = number + 1) -> bool:
            return await Generation.all().count() == count

        await until(is_submitted)
    for row in await Generation.all():
        await idle_server.services.generations.worker.process(row.id)
    answers = [await order for order in orders]
    assert len({answer.json()["data"][0]["id"] for answer in answers}) == 2


@pytest.mark.any_database
async def test_repetition_has_the_same_order_and_credential(scripted_settings: Settings) -> None:
    async with running(scripted_settings, idle=True, order_seconds=0.01) as server:
        ada = await server.api.sign_up()
        bob = await server.api.sign_up("bob@example.com")
        assert (await attempt(ada, None)).headers["x-should-retry"] == "false"
        assert not await IdempotencyKey.all().exists()
        await attempt(ada, 0)
        others = [(ada, {"prompt": "A dog"}), (ada, {"quality": "hd"}), (ada, {"token": await create_key(ada)})]
        for number, (api, changes) in enumerate([*others, (bob, {})], start=3):
            await attempt(api, 1, **changes)
            assert await Generation.all().count() == number
        await attempt(ada, 1, token=(await server.api.one(SIGN_IN))["token"])  # any session of the account
        assert await Generation.all().count() == 6
        await IdempotencyKey.all().update(created_at=datetime(2020, 1, 1, tzinfo=UTC))
        await attempt(ada, 1)
        assert await Generation.all().count() == 7
        kept = await IdempotencyKey.filter(user_id=ada.user["id"]).count()
        assert kept == 1, "those that answer no repetition any more are gone"


@pytest.mark.any_database
async def test_repetition_of_a_deleted_order_is_not_found(scripted_settings: Settings) -> None:
    delete = "mutation($id: ID!) { deleteGenerations(ids: [$id]) { errors { code } } }"
    async with running(scripted_settings, idle=True, order_seconds=0.01) as server:
        ada = await server.api.sign_up()
        await attempt(ada, 0)
        row = await Generation.get()
        await server.services.generations.worker.process(row.id)
        assert (await ada.one(delete, id=row.id))["errors"] == []
        gone = await attempt(ada, 1)
        assert gone.status_code == 404
        assert error_of(gone)["message"] == "The picture was deleted."
