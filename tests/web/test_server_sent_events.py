"""Server-sent events: subscriptions without a WebSocket, and the media types of other responses."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from settings import Settings
from tests.conftest import Running, running
from tests.support.bus_subscribers import wait_for_subscribers
from tests.support.client import CREDITS, PATIENCE, PROGRESS, Api, photo

STREAM = "text/event-stream"
URQL = (
    "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed"
)


@contextlib.asynccontextmanager
async def streaming(api: Api, query: str, accept: str = STREAM, **variables: Any) -> AsyncIterator[httpx.Response]:
    body = {"query": query, "variables": variables}
    async with (
        asyncio.timeout(PATIENCE),
        api.http.stream("POST", "/graphql", json=body, headers=api.headers(accept=accept)) as response,
    ):
        yield response


async def frames(response: httpx.Response) -> AsyncIterator[str]:
    """Yield the stream's frames as urql splits them: at two line feeds only."""
    text = ""
    async for chunk in response.aiter_text():
        text += chunk
        *whole, text = text.split("\n\n")
        for frame in whole:
            yield frame
    assert text == ""


def data_of(frame: str) -> Any:
    event, data = frame.split("\n")
    assert event == "event: next"
    payload = json.loads(data.removeprefix("data: "))
    assert "errors" not in payload, payload
    (value,) = payload["data"].values()
    return value


async def test_stream_sends_every_generation_event_and_completes(ada: Api) -> None:
    (generation,) = (await ada.create(photo(), styleId=await ada.style("cute", "plushify")))["generations"]
    async with streaming(ada, PROGRESS, id=generation["id"]) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith(STREAM)
        assert "no-cache" in response.headers["cache-control"]
        received = [frame async for frame in frames(response)]
    assert received.pop() == "event: complete\ndata: "
    events = [data_of(frame) for frame in received if not frame.startswith(":")]
    assert [event["version"] for event in events] == sorted({event["version"] for event in events})
    assert events[-1]["status"] == "COMPLETED"
    assert "\r" not in "".join(received)


async def test_stream_and_socket_send_the_same_events(ada: Api) -> None:
    style = await ada.style("noir", "avenger")
    async with ada.socket() as socket:
        (generation,) = (await ada.create(photo(), styleId=style))["generations"]
        over_socket = await socket.subscribe(PROGRESS, id=generation["id"])
        async with streaming(ada, PROGRESS, id=generation["id"]) as response:
            over_stream = [data_of(frame) async for frame in frames(response) if frame.startswith("event: next")]
        socket_events = await over_socket.rest()
    by_version = {event["version"]: event for event in socket_events}
    assert socket_events[-1] == over_stream[-1]
    shared = [event for event in over_stream if event["version"] in by_version]
    assert len(shared) >= 2
    for event in shared:
        assert event == by_version[event["version"]]


async def test_idle_stream_sends_pings(settings: Settings) -> None:
    async with running(settings, heartbeat_seconds=0.05) as server:
        ada = await server.api.sign_up()
        async with streaming(ada, CREDITS) as response:
            stream = frames(response)
            while (first := await anext(stream)).startswith(":"):
                pass  # pings may come before the first event
            assert data_of(first)["credits"] == 30
            assert await anext(stream) == ": ping"
            assert await anext(stream) == ": ping"


async def test_disconnect_ends_the_subscription(ada: Api, server: Running) -> None:
    async with streaming(ada, CREDITS) as response:
        assert data_of(await anext(frames(response)))["credits"] == 30
        await wait_for_subscribers(server.services, 1)
    await wait_for_subscribers(server.services, 0)


@pytest.mark.parametrize("accept", [URQL, f"{STREAM}, application/json", f"{STREAM};q=1, */*;q=0.1"])
async def test_accepting_both_gets_json_for_queries_and_a_stream_for_subscriptions(ada: Api, accept: str) -> None:
    answer = await ada.raw("{ viewer { credits } }", headers={"accept": accept})
    assert answer.headers["content-type"].split(";")[0].endswith("json")
    assert answer.json() == {"data": {"viewer": {"credits": 30}}}
    wrong = await ada.raw("{ nothing }", headers={"accept": accept})
    assert wrong.json()["errors"][0]["extensions"]["code"] == "INVALID_INPUT"
    async with streaming(ada, CREDITS, accept) as response:
        assert response.headers["content-type"].startswith(STREAM)
        assert data_of(await anext(frames(response)))["credits"] == 30


async def test_accepting_only_streams_gets_a_query_as_a_stream_of_one_event(ada: Api) -> None:
    async with streaming(ada, "{ viewer { credits } }") as response:
        received = [frame async for frame in frames(response)]
    assert [data_of(received[0]), *received[1:]] == [{"credits": 30}, "event: complete\ndata: "]


async def test_subscription_that_accepts_only_json_is_406(ada: Api) -> None:
    for accept in ("application/json", "application/graphql-response+json", "*/*"):
        response = await ada.raw(CREDITS, headers={"accept": accept})
        assert response.status_code == 406
        (error,) = response.json()["errors"]
        assert error["extensions"] == {"code": "INVALID_INPUT"}
        assert STREAM in error["message"]


async def test_errors_are_sent_in_the_stream(api: Api, ada: Api) -> None:
    for client, query, code in (
        (api, "subscription { creditsChanged { credits } }", "UNAUTHENTICATED"),
        (ada, 'subscription { creditsChanged(after: "txn_0") { credits } }', "NOT_FOUND"),
        (ada, 'subscription { generationProgress(id: "nothing") { id } }', "NOT_FOUND"),
        (ada, "subscription { nothing }", "INVALID_INPUT"),
        (ada, "subscription {", "INVALID_INPUT"),
        (ada, "fragment F on Query { __typename }", "INVALID_INPUT"),
    ):
        async with streaming(client, query) as response:
            received = [frame async for frame in frames(response)]
        event, data = received[0].split("\n")
        (error,) = json.loads(data.removeprefix("data: "))["errors"]
        assert (event, error["extensions"]["code"]) == ("event: next", code)
        assert received[1:] == ["event: complete\ndata: "]
