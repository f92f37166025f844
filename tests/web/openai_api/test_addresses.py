"""Addresses and methods below /v1, and limits of connections, as OpenAI's client understands them."""

from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI

from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api, photo
from tests.web.openai_api.test_image_errors import PATH, error_of, post
from web.connection_limit import RETRY_SECONDS, ConnectionLimits


@pytest.mark.any_database
async def test_model_is_found_by_its_id(client: AsyncOpenAI) -> None:
    listed = [model async for model in client.models.list()]
    assert listed
    for model in listed:
        assert await client.models.retrieve(model.id) == model


@pytest.mark.any_database
@pytest.mark.parametrize("id", ["dall-e-3", "openai/no-model", "a%20b"])
async def test_model_that_is_not_offered_is_not_found(client: AsyncOpenAI, id: str) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        await client.models.retrieve(id)
    assert (missing.value.code, missing.value.param) == ("model_not_found", "model")


@pytest.mark.any_database
async def test_address_that_is_not_offered_is_an_error_of_the_api(server: Running, client: AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        await client.embeddings.create(model="text", input="A fox")
    assert missing.value.code == "unknown_url"
    assert "/v1/embeddings" in missing.value.message
    for path in ("/v1/", "/v1/chat/completions", "/v1/%ff%fe", "/v1/" + "x" * 2000):
        response = await server.api.http.request("PUT", path)
        assert (response.status_code, error_of(response)["code"]) == (404, "unknown_url")


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", PATH, "POST"),
        ("PUT", "/v1/images/edits", "POST"),
        ("POST", "/v1/models", "GET"),
        ("DELETE", "/v1/models/gpt-image-2", "GET"),
    ],
)
async def test_method_that_an_address_does_not_have_is_an_error_of_the_api(
    ada: Api, method: str, path: str, allowed: str
) -> None:
    response = await ada.http.request(method, path, headers=ada.headers())
    assert (response.status_code, response.headers["allow"]) == (405, allowed)
    assert error_of(response)["code"] == "method_not_supported"
    assert response.headers["x-should-retry"] == "false"


async def test_too_many_connections_say_when_to_come_again(scripted_settings: Settings) -> None:
    limits = ConnectionLimits(1, None)
    async with running(scripted_settings, idle=True, connection_limits=limits) as server:
        ada = await server.api.sign_up()
        limits.open_client("127.0.0.1")
        response = await post(ada, ada.token, {"prompt": "A fox"})
    assert (response.status_code, error_of(response)["code"]) == (429, "rate_limit_exceeded")
    assert response.headers["retry-after"] == f"{RETRY_SECONDS:.0f}"


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("fields", "files", "parameter", "words"),
    [
        ({}, 5, "image", "one picture"),
        ({f"variables[a{number}]": "x" for number in range(50)}, 1, None, "too many fields"),
        ({"prompt": "x" * 200_000}, 1, None, "too long"),
    ],
)
async def test_form_that_is_too_large_says_why(
    ada: Api, fields: dict[str, str], files: int, parameter: str | None, words: str
) -> None:
    sent: Any = [("image[]", ("photo.jpg", photo(), "image/jpeg"))] * files
    response = await post(ada, ada.token, path="/v1/images/edits", data={"prompt": "A fox"} | fields, files=sent)
    error = error_of(response)
    assert (response.status_code, error["param"]) == (400, parameter)
    assert words in error["message"]


async def test_page_of_another_origin_reads_whether_to_repeat(scripted_settings: Settings) -> None:
    origin = "https://app.example.com"
    settings = scripted_settings.model_copy(update={"cors_origins": (origin,)})
    async with running(settings, idle=True, order_seconds=0.01) as server:
        ada = await server.api.sign_up()
        response: httpx.Response = await post(ada, ada.token, {"prompt": "A fox"}, headers={"origin": origin})
    assert response.headers["x-should-retry"] == "false"
    assert "x-should-retry" in response.headers["access-control-expose-headers"].lower().split(", ")
