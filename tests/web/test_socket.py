"""graphql-transport-ws, message by message, against its specification."""

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
    server: Running, protocol: str = "graphql-transport-ws"
) -> AsyncIterator[websockets.ClientConnection]:
    url = server.api.address.replace("http", "ws", 1) + "/graphql"
    async with websockets.connect(url, subprotocols=[websockets.Subprotocol(protocol)]) as connection:
        yield connection


async def send(connection: websockets.ClientConnection, *messages: dict[str, Any]) -> None:
    for message in messages:
        await connection.send(json.dumps(message))


async def receive(connection: websockets.ClientConnection) -> Any:
    return json.loads(await asyncio.wait_for(connection.recv(), PATIENCE))


async def closing(connection: websockets.ClientConnection) -> int | None:
    """Return the server's close code, skipping messages before it."""
    with contextlib.suppress(websockets.ConnectionClosed):
        while True:
            await asyncio.wait_for(connection.recv(), PATIENCE)
    return connection.close_code


def subscribe(query: str, id: str = "1", **payload: Any) -> dict[str, Any]:
    return {"id": id, "type": "subscribe", "payload": {"query": query, **payload}}


def init(**payload: Any) -> dict[str, Any]:
    return {"type": "connection_init", "payload": payload}


@pytest.mark.parametrize(
    "payload",
    [
        '{"Authorization": "Bearer %s"}', '{"authorization": "bearer %s"}', '{"Authorization": "%s"}',
        '{"token": "%s"}', '{"token": "Bearer %s"}', '{"authToken": "%s"}', '{"accessToken": "%s"}',
        '{"headers": {"Authorization": "Bearer %s"}}', '{"headers": {"authorization": "%s"}}',
    ],
)  # fmt: skip
async def test_connection_init_payload_authenticates(module_server: Running, ada: Api, payload: str) -> None:
    async with connected(module_server) as connection:
        await send(connection, init(**json.loads(payload % ada.token)))
        assert await receive(connection) == {"type": "connection_ack"}
        await send(connection, subscribe(VIEWER))
        assert await receive(connection) == {
            "id": "1",
            "type": "next",
            "payload": {"data": {"viewer": {"email": "ada@example.com"}}},
        }
        assert await receive(connection) == {"id": "1", "type": "complete"}


@pytest.mark.parametrize(
    "first",
    [
        SIGNED_OUT,
        SIGNED_OUT | {"payload": None},
        init(),
        init(token=None),
        init(authToken=""),
        init(headers={"Authorization": None}),
        init(headers="x"),
    ],
    ids=str,
)
async def test_connection_init_without_token_connects_signed_out(module_server: Running, first: dict[str, Any]) -> None:
    async with connected(module_server) as connection:
        await send(connection, first, subscribe(VIEWER))
        assert (await receive(connection))["type"] == "connection_ack"
        assert (await receive(connection))["payload"] == {"data": {"viewer": None}}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ({"token": "wrong"}, "This token is not valid"),
        ({"Authorization": "Bearer " + "x" * 5000}, "This token is not valid"),
        ({"token": "\0é"}, "This token is not valid"),
        ({"token": 7}, "A token in connection_init is a text"),
        ({"headers": {"Authorization": "Basic x"}}, "This kind of Authorization is not accepted"),
        ({"Authorization": "Bearer undefined"}, "There is no token in this Authorization"),
    ],
)
async def test_invalid_token_closes_with_4403(module_server: Running, payload: dict[str, str], reason: str) -> None:
    async with connected(module_server) as connection:
        await send(connection, init(**payload))
        assert await closing(connection) == 4403
        assert (connection.close_reason or "").startswith(reason)


async def test_second_connection_init_closes_with_4429(module_server: Running) -> None:
    async with connected(module_server) as connection:
        await send(connection, SIGNED_OUT, SIGNED_OUT)
        assert await closing(connection) == 4429


async def test_subscribe_before_the_acknowledgement_closes_with_4401(module_server: Running) -> None:
    async with connected(module_server) as connection:
        await send(connection, subscribe(VIEWER))
        assert await closing(connection) == 4401


async def test_duplicate_id_closes_with_4409_and_ends_subscriptions(module_server: Running, ada: Api) -> None:
    async with connected(module_server) as connection:
        await send(connection, init(token=ada.token), subscribe(CREDITS))
        assert (await receive(connection))["type"] == "connection_ack"
        assert (await receive(connection))["type"] == "next"
        await send(connection, subscribe(CREDITS))
        assert await closing(connection) == 4409
    await wait_for_subscribers(module_server.services, 0)


async def test_id_can_be_reused_after_its_operation_completes(module_server: Running) -> None:
    async with connected(module_server) as connection:
        await send(connection, SIGNED_OUT)
        assert (await receive(connection))["type"] == "connection_ack"
        for _ in range(2):
            await send(connection, subscribe(VIEWER))
            assert [(await receive(connection))["type"], (await receive(connection))["type"]] == ["next", "complete"]


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
        '{"type": "subscribe", "id": null, "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": "' + "x" * 256 + '", "payload": {"query": "{ __typename }"}}',
        '{"type": "subscribe", "id": "1", "payload": null}',
        '{"type": "subscribe", "id": "1", "payload": []}',
        '{"type": "subscribe", "id": "1", "payload": {}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": null}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "variables": "{}"}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "operationName": false}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "extensions": []}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "extensions": "text"}}',
        '{"type": "subscribe", "id": "1", "payload": {"query": "{ __typename }", "extensions": 0}}',
        '{"type": "complete"}',
        '{"type": "complete", "id": ""}',
        '{"type": "complete", "id": 7}',
        '{"type": ""}',
        '{"type": null}',
        '{"type": "connection_ack"}',
        '{"type": "next", "id": "1", "payload": {"data": {}}}',
        '{"type": "error", "id": "1", "payload": []}',
        '{"type": "connection_init", "payload": 7}',
        '{"type": "pong", "payload": []}',
        '{"type": "' + "x" * 50_000 + '"}',
        '{"type": "ping", "payload": "text"}',
        b'{"type": "ping"}',
    ],
    ids=lambda raw: str(raw)[:60],
)
async def test_invalid_message_closes_with_4400(module_server: Running, raw: str | bytes) -> None:
    async with connected(module_server) as connection:
        if "connection_init" not in str(raw):
            await send(connection, SIGNED_OUT)
            assert (await receive(connection))["type"] == "connection_ack"
        await connection.send(raw)
        assert await closing(connection) == 4400
        assert len((connection.close_reason or "").encode()) <= 123


async def test_null_members_of_a_subscribe_payload_are_accepted(module_server: Running) -> None:
    async with connected(module_server) as connection:
        await send(connection, SIGNED_OUT, subscribe(VIEWER, variables=None, operationName=None, extensions=None))
        assert [(await receive(connection))["type"] for _ in range(3)] == ["connection_ack", "next", "complete"]


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
async def test_invalid_document_ends_only_its_own_operation(
    module_server: Running, message: dict[str, Any], code: str
) -> None:
    async with connected(module_server) as connection:
        await send(connection, SIGNED_OUT, message, {"type": "ping"})
        assert (await receive(connection))["type"] == "connection_ack"
        answers = [await receive(connection), await receive(connection)]
        (error,) = [answer for answer in answers if answer["type"] != "pong"]
        assert error["id"] == "1"
        assert error["type"] == "error"
        assert {each["extensions"]["code"] for each in error["payload"]} == {code}
        await send(connection, subscribe(VIEWER, "1"))
        assert (await receive(connection))["type"] == "next"


async def test_ping_is_answered_with_its_payload_at_any_time(module_server: Running) -> None:
    async with connected(module_server) as connection:
        await send(connection, {"type": "ping"}, {"type": "ping", "payload": {"n": 1}}, {"type": "pong"}, SIGNED_OUT)
        assert await receive(connection) == {"type": "pong"}
        assert await receive(connection) == {"type": "pong", "payload": {"n": 1}}
        assert await receive(connection) == {"type": "connection_ack"}


async def test_complete_ends_the_subscription(module_server: Running, ada: Api) -> None:
    async with connected(module_server) as connection:
        await send(connection, init(token=ada.token), subscribe(CREDITS, "a"), subscribe(CREDITS, "b"))
        assert (await receive(connection))["type"] == "connection_ack"
        assert {(await receive(connection))["id"], (await receive(connection))["id"]} == {"a", "b"}
        assert subscriber_count(module_server.services) == 2
        await send(connection, {"id": "a", "type": "complete"}, {"id": "unknown", "type": "complete"})
        await wait_for_subscribers(module_server.services, 1)
        await send(connection, {"id": "b", "type": "complete"})
        await wait_for_subscribers(module_server.services, 0)
        await send(connection, {"type": "ping"})
        assert await receive(connection) == {"type": "pong"}


async def test_lost_connection_ends_its_subscriptions(module_server: Running, ada: Api) -> None:
    async with connected(module_server) as connection:
        await send(connection, init(token=ada.token), *(subscribe(CREDITS, str(number)) for number in range(5)))
        for _ in range(6):
            await receive(connection)
        assert subscriber_count(module_server.services) == 5
        connection.transport.abort()  # no closing handshake, as when a phone loses its network
        await wait_for_subscribers(module_server.services, 0)


async def test_queries_and_mutations_run_over_the_socket(module_server: Running) -> None:
    sign_up = (
        'mutation { signUp(input: {email: "socket@example.com", password: "correct horse"}) { token errors { code } } }'
    )
    async with connected(module_server) as connection:
        await send(connection, SIGNED_OUT, subscribe(sign_up), subscribe("{ styles { totalCount } }", "2"))
        assert (await receive(connection))["type"] == "connection_ack"
        answers = [await receive(connection) for _ in range(4)]
    results = {answer["id"]: answer["payload"]["data"] for answer in answers if answer["type"] == "next"}
    assert results["1"]["signUp"]["errors"] == []
    assert results["2"]["styles"]["totalCount"] > 0
    assert [answer["id"] for answer in answers if answer["type"] == "complete"] in (["1", "2"], ["2", "1"])


async def test_socket_closes_with_its_session_and_other_sessions_stay_open(module_server: Running) -> None:
    eve = await module_server.api.sign_up("eve@example.com")
    again = await module_server.api.one(
        "mutation($input: SignInInput!) { signIn(input: $input) { token } }",
        input={"email": "eve@example.com", "password": "correct horse"},
    )
    async with (
        connected(module_server) as idle,
        connected(module_server) as other,
        connected(module_server) as signed_out,
    ):
        await send(idle, init(token=eve.token))
        await send(other, init(token=again["token"]))
        await send(signed_out, SIGNED_OUT)
        for connection in (idle, other, signed_out):
            assert (await receive(connection))["type"] == "connection_ack"
        await eve.one("mutation { signOut { sessionsEnded } }")
        assert await closing(idle) == 4401, "after which clients do not reconnect"
        for connection in (other, signed_out):
            await send(connection, subscribe(VIEWER))
            assert (await receive(connection))["type"] == "next"


async def test_sign_out_on_a_socket_is_answered_before_it_closes(module_server: Running) -> None:
    mallory = await module_server.api.sign_up("mallory@example.com")
    async with connected(module_server) as connection:
        await send(connection, init(token=mallory.token), subscribe(CREDITS, "stream"))
        assert [(await receive(connection))["type"] for _ in range(2)] == ["connection_ack", "next"]
        await send(connection, subscribe("mutation { signOut { sessionsEnded } }", "out"))
        received: dict[str, list[Any]] = {"stream": [], "out": []}
        with contextlib.suppress(websockets.ConnectionClosed):
            while True:
                message = await receive(connection)
                received[message["id"]].append(message)
        assert connection.close_code == 4401
    assert received["out"][0]["payload"] == {"data": {"signOut": {"sessionsEnded": 1}}}
    (last,) = [each for each in received["stream"] if "errors" in each.get("payload", {})]
    assert last["payload"]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    await wait_for_subscribers(module_server.services, 0)


async def test_operation_over_the_limit_is_refused_and_the_others_continue(module_server: Running, ada: Api) -> None:
    async with connected(module_server) as connection:
        await send(connection, init(token=ada.token), *(subscribe(CREDITS, str(number)) for number in range(20)))
        assert (await receive(connection))["type"] == "connection_ack"
        assert {(await receive(connection))["type"] for _ in range(20)} == {"next"}
        await send(connection, subscribe(VIEWER, "too many"))
        refused = await receive(connection)
        assert (refused["id"], refused["type"]) == ("too many", "error")
        assert refused["payload"][0]["extensions"] == {"code": "RATE_LIMITED"}
        await send(connection, {"id": "0", "type": "complete"})
        await wait_for_subscribers(module_server.services, 19)
        await send(connection, subscribe(VIEWER, "fits"))
        assert (await receive(connection))["type"] == "next"
    await wait_for_subscribers(module_server.services, 0)


@pytest.mark.parametrize("protocol", ["graphql-ws", "anything"])
async def test_unknown_subprotocol_is_closed_with_4406(module_server: Running, protocol: str) -> None:
    async with connected(module_server, protocol) as connection:
        assert await closing(connection) == 4406
