"""The maximum age of a socket: clients connect again, and miss nothing."""

import asyncio
from functools import partial
from typing import Any

import pytest
import websockets

from models.database.connection import rows
from settings import Settings
from tests.conftest import running
from tests.support.client import CREDITS, PATIENCE, Api, until
from tests.support.integrity import adjust_credits


async def test_old_socket_is_closed_and_its_client_continues_where_it_was(settings: Settings) -> None:
    async with asyncio.timeout(PATIENCE), running(settings, socket_max_seconds=0.2) as server:
        ada = await server.api.sign_up()
        (first,) = await rows("SELECT id FROM credit_transactions WHERE user_id = $1", ada.user["id"])
        codes: list[int] = []
        seen: list[dict[str, Any]] = []
        lines = 40
        started = asyncio.Event()

        async def follow(client: Api) -> None:
            """Follow the account over as many sockets as it takes, as the guide says."""
            after = first["id"]
            while len(seen) < lines:
                async with client.socket() as socket:
                    stream = await socket.subscribe(CREDITS, after=after)
                    closed = asyncio.create_task(socket.connection.wait_closed())
                    while len(seen) < lines:
                        message = asyncio.create_task(socket.inbox[stream.id].get())
                        await asyncio.wait([message, closed], return_when=asyncio.FIRST_COMPLETED)
                        if not message.done():
                            message.cancel()
                            break
                        started.set()
                        transaction = message.result()["payload"]["data"]["creditsChanged"]["transaction"]
                        if transaction is not None:
                            seen.append(transaction)
                            after = transaction["id"]
                    if closed.done() and socket.connection.close_code is not None:
                        codes.append(socket.connection.close_code)
                    closed.cancel()

        async def has_another(sockets: int) -> bool:
            return len(codes) > sockets

        following = asyncio.create_task(follow(ada))
        await started.wait()
        for number in range(lines):
            change = await adjust_credits(ada.user["id"], 1, f"line {number}")
            await server.services.events.publisher.account_changed(change)
            if number % 8 == 4:  # the change after this one comes on another socket
                await until(partial(has_another, len(codes)))
        await following
        sequences = [line["sequence"] for line in seen]
        assert sequences == list(range(sequences[0], sequences[0] + lines))
        assert set(codes) == {1012}
        assert len(codes) >= 5


async def test_socket_that_is_old_answers_a_running_operation_first(settings: Settings) -> None:
    async with running(settings, socket_max_seconds=0.05) as server:
        sign_up = 'mutation { signUp(input: {email: "bob@example.com", password: "correct horse"}) { token } }'
        async with server.api.socket() as socket:
            stream = await socket.subscribe(sign_up)
            assert (await stream.next())["token"]
            await asyncio.wait_for(socket.connection.wait_closed(), PATIENCE)
            assert socket.connection.close_code == 1012


async def test_sockets_have_no_maximum_age_by_default(settings: Settings) -> None:
    assert settings.socket_max_seconds == 0
    async with running(settings) as server, server.api.socket() as socket:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(socket.connection.wait_closed(), 0.3)
        assert socket.connection.state is websockets.State.OPEN
