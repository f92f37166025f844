"""graphql-transport-ws, message by message, as its specification has it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import websockets

from tests.conftest import Running
from tests.support.bus_subscribers import subscriber_count, wait_for_subscribers
from tests.support.client import CREDITS, PATIENCE, Api

VIEWER = "{ viewer { email } }"
SIGNED_OUT: dict[str, Any] = {"type": "connection_init"}


@pytest.fixture(scope="module")
async def ada(module_server: Running) -> Api:
    return await module_server.api.sign_up()


@contextlib.asynccontextmanager
async def connected(
    door: Running, protocol: str = "graphql-transport-ws"
) -> AsyncIterator[websockets.ClientConnection]:
    url = door.api.address.replace("http", "ws", 1) + "/graphql"
    async with websockets.connect(url, subprotocols=[websockets.Subprotocol(protocol)]) as connection:
        yield connection


async def tell(connection: websockets.ClientConnection, *messages: dict[str, Any]) -> None:
    for message in messages:
        await connection.send(json.dumps(message))


async def hear(connection: websockets.ClientConnection) -> Any:
    return json.loads(await asyncio.wait_for(connection.recv(), PATIENCE))


async def closing(connection: websockets.ClientConnection) -> int | None:
    """The code with which the server closes, whatever it still says before."""
    with contextlib.suppress(websockets.ConnectionClosed):
        while True:
            await asyncio.wait_for(connection.recv(), PATIENCE)
    return connection.close_code


def subscribe(query: str, id: str = "1", **more: Any) -> dict[str, Any]:
    return {"id": id, "type": "subscribe", "payload": {"query": query, **more}}


def init(**payload: Any) -> dict[str, Any]:
    return {"type": "connection_init", "payload": payload}


@pytest.mark.parametrize("name", ["Authorization", "authorization", "token"])
async def test_the_payload_of_the_first_message_signs_in(module_server: Running, ada: Api, name: str) -> None:
    async with connected(module_server) as connection:
        await tell(connection, init(**{name: ada.token if name == "token" else f"Bearer {ada.token}"}))
        assert await hear(connection) == {"type": "connection_ack"}
        await tell(connection, subscribe(VIEWER))
        assert await hear(connection) == {
            "id": "1",
            "type": "next",
            "payload": {"data": {"viewer": {"email": "ada@example.com"}}},
        }
        assert await hear(connection) == {"id": "1", "type": "complete"}


@pytest.mark.parametrize(
    "first",
    [
        SIGNED_OUT,
        SIGNED_OUT | {"payload": None},
        init(),
        init(token=None),
        init(token=7),
        init(Authorization="Basic x"),
    ],
    ids=str,
)
async def test_without_a_token_the_first_message_connects_signed_out(
    module_server: Running, first: dict[str, Any]
) -> None:
    async with connected(module_server) as connection:
        await tell(connection, first, subscribe(VIEWER))
        assert (await hear(connection))["type"] == "connection_ack"
        assert (await hear(connection))["payload"] == {"data": {"viewer": None}}


@pytest.mark.parametrize("payload", [{"token": "wrong"}, {"Authorization": "Bearer " + "x" * 5000}, {"token": "\0é"}])
async def test_a_wrong_token_closes_with_4403(module_server: Running, payload: dict[str, str]) -> None:
    async with connected(module_server) as connection:
        await tell(connection, init(**payload))
        assert await closing(connection) == 4403


async def test_a_second_init_closes_with_4429(module_server: Running) -> None:
    async with connected(module_server) as connection:
        await tell(connection, SIGNED_OUT, SIGNED_OUT)
        assert await closing(connection) == 4429


async def test_subscribing_before_the_acknowledgement_closes_with_4401(module_server: Running) -> None:
    async with connected(module_server) as connection:
        await tell(connection, subscribe(VIEWER))
        assert await closing(connection) == 4401


async def test_an_id_in_use_closes_with_4409_and_leaves_nobody_listening(module_server: Running, ada: Api) -> None:
    async with connected(module_server) as connection:
        await tell(connection, init(token=ada.token), subscribe(CREDITS))
        assert (await hear(connection))["type"] == "connection_ack"
        assert (await hear(connection))["type"] == "next"
        await tell(connection, subscribe(CREDITS))
        assert await closing(connection) == 4409
    await wait_for_subscribers(module_server.services, 0)


async def test_an_id_may_be_used_again_when_its_operation_is_over(module_server: Running) -> None:
    async with connected(module_server) as connection:
        await tell(connection, SIGNED_OUT)
        assert (await hear(connection))["type"] == "connection_ack"
        for _ in range(2):
            await tell(connection, subscribe(VIEWER))
            assert [(await hear(connection))["type"], (await hear(connection))["type"]] == ["next", "complete"]


@pytest.mark.parametrize(
    "raw",
    [
        "not json",
        "",
        "null",
        "7",
        "[]",
        "{}",
        "[" * 20_000,
        '{"type": "ping", "payload": {"n": ' + "9" * 5_000 + "}}",
        '{"type": "ping", "payload": NaN}',
        '{"type": "unknown"}',
        '{"type": 7}',
        '{"type": "connection_init", "payload": []}',
        '{"type": "subscribe", "id": "1"}',
        '{"type": "subscribe", "id": "", "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": 7, "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": 7}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "variables": []}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "operationName": 7}}',
        '{"type": "complete"}',
        '{"type": "ping", "payload": "text"}',
        b'{"type": "ping"}',
    ],
    ids=lambda raw: str(raw)[:60],
)
async def test_what_is_no_message_closes_with_4400(module_server: Running, raw: str | bytes) -> None:
    async with connected(module_server) as connection:
        if "connection_init" not in str(raw):
            await tell(connection, SIGNED_OUT)
            assert (await hear(connection))["type"] == "connection_ack"
        await connection.send(raw)
        assert await closing(connection) == 4400


@pytest.mark.parametrize(
    ("message", "code"),
    [
        (subscribe("{"), "INVALID_INPUT"),
        (subscribe(""), "INVALID_INPUT"),
        (subscribe("fragment F on Query { __typename }"), "INVALID_INPUT"),
        (subscribe("query A { __typename }", operationName="B"), "INVALID_INPUT"),
        (subscribe("query A { __typename }", operationName="\ud800"), "INVALID_INPUT"),
        (subscribe("{ nothing }"), "INVALID_INPUT"),
        (subscribe("subscription($id: ID!) { generationProgress(id: $id) { id } }"), "INVALID_INPUT"),
        (subscribe("{" + " __typename" * 1001 + "}"), "TOO_COMPLEX"),
        (subscribe("{" + " a" * 3000 + "}"), "TOO_COMPLEX"),
        (subscribe(CREDITS), "UNAUTHENTICATED"),
    ],
    ids=lambda value: str(value)[:90],
)
async def test_a_wrong_document_is_an_error_of_its_own_operation(
    module_server: Running, message: dict[str, Any], code: str
) -> None:
    async with connected(module_server) as connection:
        await tell(connection, SIGNED_OUT, message, {"type": "ping"})
        assert (await hear(connection))["type"] == "connection_ack"
        answers = [await hear(connection), await hear(connection)]
        (error,) = [answer for answer in answers if answer["type"] != "pong"]
        assert error["id"] == "1"
        assert error["type"] == "error"
        assert {each["extensions"]["code"] for each in error["payload"]} == {code}
        await tell(connection, subscribe(VIEWER, "1"))
        assert (await hear(connection))["type"] == "next"


async def test_a_ping_is_answered_with_its_payload_at_any_time(module_server: Running) -> None:
    async with connected(module_server) as connection:
        await tell(connection, {"type": "ping"}, {"type": "ping", "payload": {"n": 1}}, {"type": "pong"}, SIGNED_OUT)
        assert await hear(connection) == {"type": "pong"}
        assert await hear(connection) == {"type": "pong", "payload": {"n": 1}}
        assert await hear(connection) == {"type": "connection_ack"}


async def test_complete_stops_the_stream_and_leaves_nobody_listening(module_server: Running, ada: Api) -> None:
    async with connected(module_server) as connection:
        await tell(connection, init(token=ada.token), subscribe(CREDITS, "a"), subscribe(CREDITS, "b"))
        assert (await hear(connection))["type"] == "connection_ack"
        assert {(await hear(connection))["id"], (await hear(connection))["id"]} == {"a", "b"}
        assert subscriber_count(module_server.services) == 2
        await tell(connection, {"id": "a", "type": "complete"}, {"id": "unknown", "type": "complete"})
        await wait_for_subscribers(module_server.services, 1)
        await tell(connection, {"id": "b", "type": "complete"})
        await wait_for_subscribers(module_server.services, 0)
        await tell(connection, {"type": "ping"})
        assert await hear(connection) == {"type": "pong"}


async def test_a_lost_connection_leaves_nobody_listening(module_server: Running, ada: Api) -> None:
    async with connected(module_server) as connection:
        await tell(connection, init(token=ada.token), *(subscribe(CREDITS, str(number)) for number in range(5)))
        for _ in range(6):
            await hear(connection)
        assert subscriber_count(module_server.services) == 5
        connection.transport.abort()  # no closing handshake: a phone that went into a tunnel
        await wait_for_subscribers(module_server.services, 0)


async def test_queries_and_mutations_run_over_the_socket(module_server: Running) -> None:
    sign_up = (
        'mutation { signUp(input: {email: "socket@example.com", password: "correct horse"}) { token errors { code } } }'
    )
    async with connected(module_server) as connection:
        await tell(connection, SIGNED_OUT, subscribe(sign_up), subscribe("{ styles { totalCount } }", "2"))
        assert (await hear(connection))["type"] == "connection_ack"
        answers = [await hear(connection) for _ in range(4)]
    told = {answer["id"]: answer["payload"]["data"] for answer in answers if answer["type"] == "next"}
    assert told["1"]["signUp"]["errors"] == []
    assert told["2"]["styles"]["totalCount"] > 0
    assert [answer["id"] for answer in answers if answer["type"] == "complete"] in (["1", "2"], ["2", "1"])


async def test_a_socket_closes_with_its_sign_in_and_others_of_the_account_stay(module_server: Running) -> None:
    eve = await module_server.api.sign_up("eve@example.com")
    again = await module_server.api.one(
        "mutation($input: SignInInput!) { signIn(input: $input) { token } }",
        input={"email": "eve@example.com", "password": "correct horse"},
    )
    async with (
        connected(module_server) as quiet,
        connected(module_server) as other,
        connected(module_server) as signed_out,
    ):
        await tell(quiet, init(token=eve.token))
        await tell(other, init(token=again["token"]))
        await tell(signed_out, SIGNED_OUT)
        for connection in (quiet, other, signed_out):
            assert (await hear(connection))["type"] == "connection_ack"
        await eve.one("mutation { signOut { sessionsEnded } }")
        assert await closing(quiet) == 4401, "which clients take as final"
        for connection in (other, signed_out):
            await tell(connection, subscribe(VIEWER))
            assert (await hear(connection))["type"] == "next"


async def test_who_signs_out_on_a_socket_is_answered_before_it_closes(module_server: Running) -> None:
    mallory = await module_server.api.sign_up("mallory@example.com")
    async with connected(module_server) as connection:
        await tell(connection, init(token=mallory.token), subscribe(CREDITS, "stream"))
        assert [(await hear(connection))["type"] for _ in range(2)] == ["connection_ack", "next"]
        await tell(connection, subscribe("mutation { signOut { sessionsEnded } }", "out"))
        said: dict[str, list[Any]] = {"stream": [], "out": []}
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                message = await hear(connection)
                said[message["id"]].append(message)
        assert connection.close_code == 4401
    assert said["out"][0]["payload"] == {"data": {"signOut": {"sessionsEnded": 1}}}
    (last,) = [each for each in said["stream"] if "errors" in each.get("payload", {})]
    assert last["payload"]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    await wait_for_subscribers(module_server.services, 0)


async def test_one_operation_too_many_is_refused_and_the_others_go_on(module_server: Running, ada: Api) -> None:
    async with connected(module_server) as connection:
        await tell(connection, init(token=ada.token), *(subscribe(CREDITS, str(number)) for number in range(20)))
        assert (await hear(connection))["type"] == "connection_ack"
        assert {(await hear(connection))["type"] for _ in range(20)} == {"next"}
        await tell(connection, subscribe(VIEWER, "too many"))
        refused = await hear(connection)
        assert (refused["id"], refused["type"]) == ("too many", "error")
        assert refused["payload"][0]["extensions"] == {"code": "RATE_LIMITED"}
        await tell(connection, {"id": "0", "type": "complete"})
        await wait_for_subscribers(module_server.services, 19)
        await tell(connection, subscribe(VIEWER, "fits"))
        assert (await hear(connection))["type"] == "next"
    await wait_for_subscribers(module_server.services, 0)


@pytest.mark.parametrize("protocol", ["graphql-ws", "anything"])
async def test_another_subprotocol_is_closed_with_4406(module_server: Running, protocol: str) -> None:
    async with connected(module_server, protocol) as connection:
        assert await closing(connection) == 4406
