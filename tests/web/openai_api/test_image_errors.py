"""What is wrong with an image request, in the form that OpenAI's client raises, and that nothing is lost by it."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import httpx
import openai
import pytest

from models import Generation
from setting_types import Switch
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api, photo, until
from tests.support.fakes import openrouter_response as answer
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.web.openai_api.conftest import NewClient, create_key

PATH = "/v1/images/generations"


async def post(api: Api, token: str | None, body: Any = None, **options: Any) -> httpx.Response:
    headers = options.pop("headers", {})
    if token is not None:
        headers["authorization"] = f"Bearer {token}"
    if body is not None:
        options["content"] = body if isinstance(body, bytes) else json.dumps(body)
        headers.setdefault("content-type", "application/json")
    return await api.http.post(api.address + options.pop("path", PATH), headers=headers, **options)


def error_of(response: httpx.Response) -> dict[str, Any]:
    found: dict[str, Any] = response.json()["error"]
    assert set(found) == {"message", "type", "param", "code"}
    assert found["message"]
    return found


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("changes", "parameter"),
    [
        ({"prompt": None}, None),
        ({"prompt": 5}, "prompt"),
        ({"prompt": ""}, None),
        ({"prompt": "x" * 50_000}, "prompt"),
        ({"prompt": "a\x00b"}, "prompt"),
        ({"n": 0}, "n"),
        ({"n": 10**30}, "n"),
        ({"n": "many"}, "n"),
        ({"n": [1]}, "n"),
        ({"size": "huge"}, "size"),
        ({"size": "0x0"}, "size"),
        ({"size": "99999x1"}, "size"),
        ({"quality": "best"}, "quality"),
        ({"response_format": "html"}, "response_format"),
        ({"output_format": "tiff"}, "output_format"),
        ({"output_compression": 101}, "output_compression"),
        ({"background": "transparent"}, "background"),
        ({"stream": "perhaps"}, "stream"),
        ({"stream": True, "n": 2}, "n"),
        ({"partial_images": 9, "stream": True}, "partial_images"),
        ({"model": "dall-e-3"}, "model"),
        ({"style_id": "stl_of_no_one"}, "style_id"),
        ({"style_id": {}}, "style_id"),
        ({"variables": [1]}, "variables"),
        ({"variables": {"colour": {"$gt": 1}}}, "variables"),
    ],
)
async def test_value_that_cannot_be_used_is_named(ada: Api, changes: dict[str, Any], parameter: str | None) -> None:
    before = await ada.credits()
    response = await post(ada, ada.token, {"prompt": "A fox"} | changes)
    assert response.status_code in (400, 404), response.text
    error = error_of(response)
    if parameter is not None:
        assert error["param"] == parameter
    assert response.headers["x-should-retry"] == "false"
    assert await ada.credits() == before
    assert not await Generation.all().exists()


@pytest.mark.any_database
@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"text"', b"null", b"\xff\xfe", b'{"prompt": NaN}'])
async def test_body_that_is_no_object_is_refused(ada: Api, body: bytes) -> None:
    response = await post(ada, ada.token, body)
    assert response.status_code == 400
    assert error_of(response)["type"] == "invalid_request_error"


@pytest.mark.any_database
async def test_request_without_a_working_token_is_refused_before_its_body(server: Running, ada: Api) -> None:
    for token in (None, "dk_" + "x" * 43, "nonsense", "null"):
        response = await post(server.api, token, {"prompt": "A fox"})
        assert response.status_code == 401
        assert error_of(response)["code"] == "invalid_api_key"
        assert response.headers["www-authenticate"].startswith("Bearer")
    response = await post(server.api, None, path="/v1/images/edits", files={"image": photo()})
    assert response.status_code == 401


@pytest.mark.any_database
async def test_cookie_orders_nothing(server: Running, ada: Api) -> None:
    cookies = f"darkroom_session={ada.token}"
    response = await server.api.http.post(PATH, json={"prompt": "A fox"}, headers={"cookie": cookies})
    assert response.status_code == 401
    assert not await Generation.all().exists()


async def test_key_that_may_only_read_orders_nothing(ada: Api, client_of: NewClient) -> None:
    async with client_of(ada, await create_key(ada, "READ")) as client:
        with pytest.raises(openai.PermissionDeniedError):
            await client.images.generate(prompt="A fox")
        assert [model async for model in client.models.list()]
    assert not await Generation.all().exists()


async def test_account_without_credits_is_refused_without_a_repetition(
    scripted_settings: Settings, client_of: NewClient
) -> None:
    async with running(scripted_settings.model_copy(update={"signup_credits": 1}), idle=True) as server:
        ada = await server.api.sign_up()
        async with client_of(ada, await create_key(ada)) as client:
            repeating = client.with_options(max_retries=2)
            with pytest.raises(openai.RateLimitError) as refused:
                await repeating.images.generate(prompt="A fox", quality="hd", n=2)
        assert refused.value.code == "insufficient_quota"
        assert await ada.credits() == 1
        assert not await Generation.all().exists()


async def test_rate_limit_says_when_to_come_again(scripted_settings: Settings) -> None:
    changes = {"rate_limits": Switch.ON, "rate_limit_generations_per_minute": 1}
    async with running(scripted_settings.model_copy(update=changes)) as server:
        ada = await server.api.sign_up()
        assert (await post(ada, ada.token, {"prompt": "A fox"})).status_code == 200
        response = await post(ada, ada.token, {"prompt": "A fox"})
        assert response.status_code == 429
        assert error_of(response)["code"] == "rate_limit_exceeded"
        assert int(response.headers["retry-after"]) > 0
        assert "x-should-retry" not in response.headers


@pytest.mark.parametrize(
    ("response", "status", "code"),
    [
        (answer.refusal(), 400, "content_policy_violation"),
        (answer.text_only(), 502, "generation_failed"),
        (answer.status(401, "authentication"), 503, "provider_unavailable"),
    ],
)
async def test_failure_of_the_model_is_answered_once_and_refunded(
    scripted: Running, openrouter: ScriptedOpenRouter, response: Any, status: int, code: str
) -> None:
    openrouter.script(response)
    ada = await scripted.api.sign_up()
    before = await ada.credits()
    failed = await post(ada, ada.token, {"prompt": "A fox"})
    assert (failed.status_code, error_of(failed)["code"]) == (status, code)
    assert failed.headers["x-should-retry"] == "false"
    row = await Generation.get()
    assert await ada.credits() == before - (0 if row.refunded else row.cost)


async def test_pictures_that_were_made_come_without_those_that_failed(
    scripted: Running, openrouter: ScriptedOpenRouter
) -> None:
    openrouter.script(answer.refusal(), answer.picture())
    ada = await scripted.api.sign_up()
    response = await post(ada, ada.token, {"prompt": "A fox", "n": 2})
    assert response.status_code == 200
    assert len(response.json()["data"]) == 1


async def test_picture_that_is_canceled_or_deleted_meanwhile_ends_the_request(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    cancel = "mutation($id: ID!) { cancelGeneration(id: $id) { errors { code } } }"
    request = asyncio.create_task(post(ada, ada.token, {"prompt": "A fox"}))
    await until(Generation.all().exists)
    await ada.execute(cancel, id=(await Generation.get()).id)
    response = await request
    assert (response.status_code, error_of(response)["code"]) == (409, "conflict")


async def test_picture_that_takes_too_long_is_found_with_the_same_idempotency_key(scripted_settings: Settings) -> None:
    order = {"prompt": "A fox"}
    async with running(scripted_settings, idle=True, order_seconds=0.01) as server:
        ada = await server.api.sign_up()
        for headers, may_repeat in (({"idempotency-key": "1"}, True), ({}, False)):
            response = await post(ada, ada.token, order, headers=dict(headers))
            assert (response.status_code, error_of(response)["code"]) == (504, "generation_timeout")
            assert ("x-should-retry" not in response.headers) is may_repeat
    async with running(scripted_settings) as server:
        response = await post(server.api, ada.token, order, headers={"idempotency-key": "1"})
        assert response.status_code == 200
        assert await Generation.all().count() == 2


async def test_stopping_server_answers_what_waits(scripted_settings: Settings) -> None:
    async with httpx.AsyncClient(timeout=30) as http:
        async with running(scripted_settings, idle=True) as server:
            ada = await server.api.sign_up()
            request = asyncio.create_task(post(replace(ada, http=http), ada.token, {"prompt": "A fox"}))
            await until(Generation.all().exists)
        assert (await request).status_code == 504


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("fields", "files", "parameter"),
    [
        ({"prompt": "A fox"}, [], "image"),
        ({"prompt": "A fox", "image": "text"}, [], "image"),
        ({"prompt": "A fox"}, [("image[]", photo()), ("image[]", photo())], "image"),
        ({"prompt": "A fox"}, [("image", photo()), ("mask", photo())], "mask"),
        ({"prompt": "A fox"}, [("image", b"no picture")], "image"),
        ({"prompt": "A fox"}, [("image", b"")], "image"),
        ({"prompt": "A fox", "variables": "x", "variables[colour]": "red"}, [("image", photo())], "variables"),
        ({"prompt": "A fox", "n": "0"}, [("image", photo())], "n"),
    ],
)
async def test_form_that_cannot_be_used_is_refused(
    ada: Api, fields: dict[str, str], files: list[tuple[str, bytes]], parameter: str
) -> None:
    before = await ada.credits()
    sent = [(name, ("photo.jpg", data, "image/jpeg")) for name, data in files]
    response = await post(ada, ada.token, path="/v1/images/edits", data=fields, files=sent or {"other": b"x"})
    assert (response.status_code, error_of(response)["param"]) == (400, parameter)
    assert await ada.credits() == before
    assert not await Generation.all().exists()


@pytest.mark.any_database
async def test_malformed_form_and_json_are_no_forms(ada: Api) -> None:
    form = {"content-type": "multipart/form-data; boundary=x"}
    for headers in (form, {"content-type": "application/json"}):
        response = await post(ada, ada.token, b"--y\r\nnothing", path="/v1/images/edits", headers=headers)
        assert response.status_code == 400
        assert error_of(response)["type"] == "invalid_request_error"


@pytest.mark.any_database
async def test_body_that_is_too_large_names_the_limit(ada: Api) -> None:
    response = await post(ada, ada.token, {"prompt": "x" * 200_000})
    assert response.status_code == 413
    assert error_of(response)["message"] == "The request is too large: it can have up to 100 KiB."


@pytest.mark.any_database
async def test_method_that_is_not_offered_is_named(ada: Api) -> None:
    response = await ada.http.get(PATH)
    assert response.status_code == 405
    assert "POST" in response.headers["allow"]


@pytest.mark.any_database
async def test_message_is_in_the_language_of_the_account(ada: Api) -> None:
    await ada.execute('mutation { updateProfile(input: {locale: "zh-CN"}) { errors { code } } }')
    error = error_of(await post(ada, ada.token, {"prompt": "A fox", "size": "huge"}))
    assert any("\u4e00" <= letter <= "\u9fff" for letter in error["message"])
