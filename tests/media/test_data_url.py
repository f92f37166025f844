"""A reference image as a data URL in the input: what an upload may be, and bodies that are large for nothing else."""

import asyncio
import base64
import json
import os
from collections.abc import AsyncIterator
from typing import Any

import pytest

from settings import Settings
from tests.conftest import Running, running
from tests.support.client import CREATE, PATIENCE, Api, photo
from tests.support.corpus import pictures
from tests.support.corpus.picture_cases import HOSTILE, MARKERS
from tests.support.integrity import assert_invariants, count_rows, stored_keys
from tests.support.raw_http import Answer, connection, request
from web.upload_slots import ReceivingLimits

MIB = 2**20
KIB_100 = "The request is too large: it can have up to 100 KiB."
JSON = "Content-Type: application/json"
FIELD = ["reference", "dataUrl"]
NOTHING = {"generations": 0, "files": 0, "lines": 0}


def data_url(data: bytes, media_type: str = "image/jpeg") -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def variables(text: str, **more: Any) -> dict[str, Any]:
    return {"input": {"prompt": "A fox", "reference": {"dataUrl": text}, **more}}


def body_of(text: str, query: str = CREATE) -> bytes:
    return json.dumps({"query": query, "variables": variables(text)}).encode()


def error(answer: Answer) -> dict[str, Any]:
    (found,) = json.loads(answer.body)["errors"]
    return {"message": found["message"], **found["extensions"]}


async def post(client: Api, body: bytes, **headers: str) -> Any:
    sent = client.headers(**{"content-type": "application/json"}, **headers)
    return await client.http.post("/graphql", content=body, headers=sent)


@pytest.fixture
async def few(settings: Settings) -> AsyncIterator[Running]:
    """A server that receives few uploads at once."""
    limits = ReceivingLimits(account=20 * MIB, client=30 * MIB, total=24 * MIB)
    async with running(settings, idle=True, receiving=limits) as server:
        yield server


async def test_picture_is_stored_as_if_it_had_been_uploaded(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    for data, media_type in (
        (photo(), "image/jpeg"),
        (photo(2000, 1500, "PNG"), "image/png"),
        (pictures.oriented("JPEG", 6), "IMAGE/JPG;name=a.jpg"),
        (photo(format="WEBP"), "application/octet-stream"),  # of a file whose type the browser does not know
    ):
        sent = (await ada.one(CREATE, **variables(data_url(data, media_type))))["generations"][0]["original"]
        uploaded = (await ada.create(data, prompt="A fox"))["generations"][0]["original"]
        found, expected = [(await ada.http.get(one["url"])).content for one in (sent, uploaded)]
        assert found == expected
        assert [marker for marker in MARKERS if marker in found] == []
    await assert_invariants(idle_server.services, all_swept=True)


async def test_body_may_be_as_large_as_the_largest_upload(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    limit = idle_server.services.media.files.limits.max_bytes
    largest = pictures.with_chunks(pictures.chunk(b"nOTe", os.urandom(limit - len(pictures.png()) - 12)))
    assert len(largest) == limit
    body = body_of(data_url(largest))
    made = (await post(ada, body)).json()["data"]["createGeneration"]
    assert (made["errors"], len(made["generations"])) == ([], 1)

    async def in_parts() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 100_000):
            yield body[start : start + 100_000]

    chunked = await post(ada, in_parts())  # type: ignore[arg-type]  # without Content-Length
    assert chunked.json()["data"]["createGeneration"]["errors"] == []
    escaped = await post(ada, body.replace(b"/", b"\\/"))  # as PHP writes JSON
    assert escaped.json()["data"]["createGeneration"]["errors"] == []


@pytest.mark.parametrize("more", [1, 400 * 1024])
async def test_picture_that_is_too_large_by_little_is_refused_at_its_field(idle_server: Running, more: int) -> None:
    ada = await idle_server.api.sign_up()
    limit = idle_server.services.media.files.limits.max_bytes
    (refused,) = (await post(ada, body_of(data_url(bytes(limit + more))))).json()["data"]["createGeneration"]["errors"]
    assert (refused["code"], refused["field"]) == ("INVALID_INPUT", FIELD)
    assert "up to 10 MiB" in refused["message"]
    assert await count_rows() == NOTHING


@pytest.mark.any_database
async def test_body_that_is_too_large_names_its_limit(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    response = await post(ada, body_of(data_url(bytes(11 * MIB))))
    assert response.status_code == 413
    assert response.json()["errors"] == [
        {
            "message": "The request is too large: it can have up to 14.1 MiB.",
            "extensions": {"code": "INVALID_INPUT"},
        }
    ]
    chinese = await post(ada, body_of(data_url(bytes(11 * MIB))), **{"accept-language": "zh"})
    assert "14.1 MiB" in chinese.json()["errors"][0]["message"]
    assert "too large" not in chinese.json()["errors"][0]["message"]


@pytest.mark.any_database
async def test_large_body_of_a_signed_out_client_is_not_read(few: Running) -> None:
    for framing in (f"Content-Length: {10 * MIB}", "Transfer-Encoding: chunked"):
        async with connection(few.api.address) as raw:
            start = b"x" * 120_000
            if framing.startswith("Transfer"):
                start = b"%x\r\n%b\r\n" % (len(start), start)
            await raw.send(request("POST", "/graphql", JSON, framing, body=start))
            answer = await raw.answer()
            assert (answer.status, error(answer)) == (413, {"message": KIB_100, "code": "INVALID_INPUT"})
    for credential in ("Bearer dr_invalid", "Basic x", "Bearer dk_1"):
        async with connection(few.api.address) as raw:
            headers = (JSON, f"Content-Length: {10 * MIB}", f"Authorization: {credential}")
            await raw.send(request("POST", "/graphql", *headers))
            assert error(await raw.answer())["code"] == "UNAUTHENTICATED"


@pytest.mark.any_database
async def test_large_bodies_in_flight_are_counted_as_uploads(few: Running) -> None:
    ada, ben = [await few.api.sign_up(f"{name}@example.com") for name in ("ada", "ben")]
    body = body_of(data_url(photo() + bytes(4 * MIB)))
    headers = [(JSON, f"Content-Length: {len(body)}", f"Authorization: Bearer {one.token}") for one in (ada, ben)]
    async with connection(few.api.address) as first:
        await first.send(request("POST", "/graphql", *headers[0], body=body[: len(body) // 2]))
        await few.api.http.get("/health/live")  # which is answered after the body has begun
        async with connection(few.api.address) as raw:
            await raw.send(request("POST", "/graphql", *headers[0]))
            answer = await raw.answer()
            assert (answer.status, answer.headers["retry-after"], error(answer)["code"]) == (429, "5", "RATE_LIMITED")
        async with connection(few.api.address, "127.0.0.4") as raw:
            await raw.send(request("POST", "/graphql", *headers[1]))
            answer = await raw.answer()
            assert (answer.status, error(answer)["code"]) == (503, "UNAVAILABLE")
        await first.send(body[len(body) // 2 :])
        assert (await first.answer()).status == 200


LITERAL = 'mutation { createGeneration(input: {reference: {dataUrl: "%s"}}) { errors { code } } }'
HUGE: dict[str, bytes] = {
    "brackets": b'{"query": "{ __typename }", "variables": {"a": ' + b"[" * 3 * MIB,
    "values": b'{"query": "{ __typename }", "variables": {"a": [' + b"[]," * MIB + b"0]}}",
    "text": b'{"query": "{ __typename }", "variables": {"a": "' + b"a" * 3 * MIB + b'"}}',
    "document": b'{"query": "{ __typename }' + b" " * 3 * MIB + b'"}',
    "literal": json.dumps({"query": LITERAL % data_url(bytes(3 * MIB))}).encode(),
    "many data URLs": b'{"query": "{ __typename }", "variables": {"a": ["' + b'data:a,","' * (MIB // 4) + b'"]}}',
    "long data URLs": b'{"query": "{ __typename }", "variables": {"a": ['
    + b",".join([b'"data:' + b"a" * 2000 + b'"'] * 1000) + b"]}}",
    "quotes": b'"data:' * (MIB // 2),
    "escaped": b'{"query": "{ __typename }", "variables": {"a": "data:' + b'\\"' * MIB + b'"}}',
    "array": b"[" + b",".join([b'{"query": "{ __typename }"}'] * 100_000) + b"]",
}  # fmt: skip


@pytest.mark.any_database
@pytest.mark.parametrize("name", HUGE)
async def test_only_data_urls_make_a_body_large(idle_server: Running, name: str) -> None:
    ada = await idle_server.api.sign_up()
    response = await post(ada, HUGE[name])
    assert response.status_code == 413
    assert response.json()["errors"][0]["message"] == KIB_100


@pytest.mark.any_database
async def test_data_urls_anywhere_in_a_large_body_are_ordinary_texts(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    text = data_url(bytes(200 * 1024))
    query = "query($a: String) { __typename viewer { id } }"
    found = {"data": {"__typename": "Query", "viewer": {"id": ada.user["id"]}}}
    for unused in ({"a": text}, {"a": text, "b": [{"c": [text, {text: text}]}]}):
        declared = query.replace("$a", "$b: JSON, $a")
        body = json.dumps({"query": declared, "variables": unused}).encode()
        response = await post(ada, body)
        assert response.json().get("data") == found["data"] or response.json()["errors"], response.text
        assert len(response.content) < 2000
    nested: Any = text
    for _ in range(900):
        nested = [nested]
    response = await post(ada, json.dumps({"query": query, "variables": {"a": nested}}).encode())
    assert response.json()["errors"][0]["extensions"]["code"] in ("TOO_COMPLEX", "INVALID_INPUT")
    for broken in (b'{"query": "{ a }", "variables": "%b"}', b'"%b"', b'["%b"]', b'{"a": "%b"'):
        response = await post(ada, broken % text.encode())
        assert response.status_code == 400
        assert len(response.content) < 2000


INVALID = {
    "": "data URL",
    "https://example.com/fox.png": "data URL",
    "data:image/png,%89PNG": "data URL",
    "data:image/png;base64": "data URL",
    "data:image/png;base64,": "empty",
    "data:image/png;base64,&&&&": "data URL",
    "data:image/png;base64,QUJD QUJD": "data URL",
    "data:image/png;base64,QUJ": "data URL",
    "data:image/png;base64,QU==QUJD": "data URL",
    "data:image/png;base64,QUJ\u00e9": "data URL",
    "data:" + "a" * 1000 + ";base64,QUJD": "data URL",
    "data:image/png;base64,QUJD": "JPEG, PNG, WEBP",
    base64.b64encode(photo()).decode(): "data URL",
    "data:image/png;base64," + "A" * (2**20 - 1) + "=" + "QUJD": "data URL",
}


async def test_texts_that_are_no_picture_are_refused_at_their_field(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    for text, words in INVALID.items():
        refused = await ada.refused(CREATE, **variables(text))
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", FIELD), text[:60]
        assert words in refused["message"], text[:60]
    for case in HOSTILE[::4]:
        refused = await ada.refused(CREATE, **variables(data_url(case.build())))
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", FIELD), case.name
    assert await count_rows() == NOTHING
    assert await stored_keys(idle_server.services) == set()


async def test_reference_has_exactly_one_form(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    text = data_url(photo())
    for wrong in ({"dataUrl": text, "uploadId": "upl_1"}, {"dataUrl": None}, {}):
        body = (await ada.raw(CREATE, input={"prompt": "A fox", "reference": wrong})).json()
        assert body["errors"][0]["extensions"]["code"] == "INVALID_INPUT"
    both = await ada.refused(CREATE, **variables(text, uploadId="upl_1"))
    assert both["field"] == ["reference"]
    damaged = await ada.refused(CREATE, {"input.reference.image": b"words"}, input={"prompt": "A fox", "reference": {}})
    assert damaged["field"] == ["reference", "image"]


async def test_same_key_with_the_same_picture_in_another_form_returns_the_first_result(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    (first,) = (await ada.create(photo(), prompt="A fox", idempotencyKey="one"))["generations"]
    again = await ada.one(CREATE, **variables(data_url(photo()), idempotencyKey="one"))
    assert [one["id"] for one in again["generations"]] == [first["id"]]
    other = await ada.refused(CREATE, **variables(data_url(photo(64, 64)), idempotencyKey="one"))
    assert other["code"] == "CONFLICT"


async def test_refused_texts_are_counted_as_refused_pictures(settings: Settings) -> None:
    limited = settings.model_copy(update={"rate_limits": "on", "signup_credits": 1000})
    async with running(limited, idle=True) as server:
        ada = await server.api.sign_up()
        codes = [(await ada.refused(CREATE, **variables("data:image/png;base64,&")))["code"] for _ in range(21)]
    assert codes == ["INVALID_INPUT"] * 20 + ["RATE_LIMITED"]


@pytest.mark.any_database
async def test_small_picture_may_come_over_a_socket_and_a_large_one_closes_it(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    async with ada.socket() as socket:
        stream = await socket.subscribe(CREATE, **variables(data_url(photo())))
        assert (await stream.next())["errors"] == []
        await socket.subscribe(CREATE, **variables(data_url(bytes(100_000))))
        async with asyncio.timeout(PATIENCE):
            await socket.connection.wait_closed()
        assert socket.connection.close_code == 1009
