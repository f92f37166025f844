"""docs/frontend.md: each of its ten mistakes shows what the guide says. Its apps are in test_typescript_client.py."""

import json
import re
from typing import Any

import httpx
import pytest
import websockets

from tests.support.client import Api, photo
from tests.support.typescript import ROOT

pytestmark = pytest.mark.any_database

GUIDE = (ROOT / "docs" / "frontend.md").read_text(encoding="utf-8")
MISTAKES = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in GUIDE.split("\n## Ten common mistakes\n")[1].splitlines()[3:]
    if line.startswith("|")
]
CREATE = """mutation($input: CreateGenerationInput!) {
  createGeneration(input: $input) { generations { id } errors { message } }
}"""
LIVE = "subscription { galleryChanged { kind } }"


def seen(mistake: str) -> str:
    """Return the text that the guide quotes as the sight of a mistake."""
    (row,) = (row for row in MISTAKES if row[0].startswith(mistake))
    return str(re.findall(r'"([^"]+)"', row[1] + row[2])[0])


def test_guide_lists_ten_mistakes() -> None:
    assert len(MISTAKES) == 10
    assert {len(row) for row in MISTAKES} == {3}


async def post(api: Api, content: Any = None, **options: Any) -> httpx.Response:
    return await api.http.post("/graphql", content=content, **options)


def form(input: dict[str, Any]) -> dict[str, Any]:
    operations = json.dumps({"query": CREATE, "variables": {"input": {**input, "image": None}}})
    fields = {"operations": operations, "map": json.dumps({"0": ["variables.input.image"]})}
    return {"data": fields, "files": {"0": ("me.jpg", photo(), "image/jpeg")}}


async def test_mistakes_over_http_show_what_the_guide_says(ada: Api) -> None:
    signed_in = {"Authorization": f"Bearer {ada.token}"}
    style = await ada.style("cute", "plushify")
    refused = await ada.one(CREATE, input={"styleId": style})
    assert refused["generations"] == []
    assert refused["errors"] == [{"message": seen("Only the top-level")}]

    body = {"query": CREATE, "variables": {"input": {"styleId": style, "image": {}}}}
    assert seen("The photo is put into") in (await post(ada, json=body, headers=signed_in)).text

    by_hand = {**signed_in, "Content-Type": "multipart/form-data"}
    answer = await post(ada, b"--boundary", headers=by_hand)
    assert (answer.status_code, seen("`Content-Type") in answer.text) == (400, True)

    answer = await post(ada, **form({"styleId": style}))
    assert (answer.status_code, seen("A form is sent") in answer.text) == (400, True)
    answer = await post(ada, **form({"styleId": style}), headers={"GraphQL-Require-Preflight": "1"})
    assert seen("A form is sent") not in answer.text

    answer = await post(ada, json={"query": LIVE}, headers=signed_in)
    assert (answer.status_code, json.loads(answer.text)["errors"][0]["message"]) == (
        406,
        seen("A subscription is sent"),
    )

    ids = set()
    for key in ("first", "first", "second"):
        made = await ada.one(CREATE, input={"prompt": "A fox", "idempotencyKey": key})
        ids.add(made["generations"][0]["id"])
    assert len(ids) == 2


async def test_mistakes_over_sockets_show_what_the_guide_says(ada: Api) -> None:
    address = ada.address.replace("http", "ws") + "/graphql"
    async with websockets.connect(address, subprotocols=[websockets.Subprotocol("graphql-transport-ws")]) as socket:
        await socket.send(json.dumps({"type": "connection_init"}))
        assert json.loads(await socket.recv())["type"] == "connection_ack"
        await socket.send(json.dumps({"id": "1", "type": "subscribe", "payload": {"query": LIVE}}))
        answer = json.loads(await socket.recv())
        assert (answer["type"], answer["payload"][0]["message"]) == ("error", seen("The token is missing"))
    async with websockets.connect(address, subprotocols=[websockets.Subprotocol("graphql-ws")]) as socket:
        with pytest.raises(websockets.ConnectionClosedError) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4406
