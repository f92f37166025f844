"""OpenAI's image API, used by its official client: pictures from prompts and photos, their prices, and repetitions."""

import base64
import io
from typing import Any

import httpx
import pytest
from openai import AsyncOpenAI
from PIL import Image

from models import Generation
from tests.conftest import Running
from tests.support.client import Api, photo
from tests.support.fakes import openrouter_response as answer
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.web.openai_api.conftest import NewClient, create_key


def opened(encoded: str | None) -> Image.Image:
    assert encoded is not None
    return Image.open(io.BytesIO(base64.b64decode(encoded)))


async def test_prompt_makes_a_picture_that_is_charged_once_and_in_the_gallery(ada: Api, client: AsyncOpenAI) -> None:
    before = await ada.credits()
    made = await client.images.generate(prompt="A fox in the snow")
    assert made.data is not None
    (found,) = made.data
    assert opened(found.b64_json).format == (made.output_format or "").upper()
    extra: Any = made.model_extra
    assert extra["credits"] == {"spent": before - await ada.credits(), "balance": await ada.credits()}
    assert extra["credits"]["spent"] > 0
    generation = await ada.generation(found.model_extra["id"])  # type: ignore[index]  # a field of this API
    assert (generation["status"], generation["prompt"]) == ("COMPLETED", "A fox in the snow")


@pytest.mark.any_database
async def test_credits_spent_are_those_that_were_not_refunded(
    scripted: Running, openrouter: ScriptedOpenRouter, client_of: NewClient
) -> None:
    ada = await scripted.api.sign_up()
    hero = await ada.style("noir", "avenger")  # a failure after the call of the provider is not refunded
    openrouter.script(answer.refusal(), answer.picture(answer.good_picture(1024, 1024)))  # smaller than ordered
    before = await ada.credits()
    async with client_of(ada, str(ada.token)) as client:
        sent = {"style_id": hero}
        made = await client.images.edit(
            image=("me.jpg", photo(), "image/jpeg"), prompt="", n=2, quality="high", extra_body=sent
        )
    assert len(made.data or []) == 1
    rows = await Generation.all()
    assert sorted(row.status.value for row in rows) == ["COMPLETED", "FAILED"]
    assert not any(row.refunded for row in rows)
    assert any(row.size_refund for row in rows)
    extra: Any = made.model_extra
    assert extra["credits"] == {"spent": before - await ada.credits(), "balance": await ada.credits()}


async def test_several_pictures_come_as_signed_addresses(client: AsyncOpenAI) -> None:
    made = await client.images.generate(prompt="A fox", n=2, response_format="url")
    assert made.data is not None
    urls = [found.url for found in made.data]
    assert len(set(urls)) == 2
    async with httpx.AsyncClient() as http:
        for url in urls:
            assert (await http.get(str(url))).headers["content-type"].startswith("image/")


@pytest.mark.any_database
@pytest.mark.parametrize("format", ["png", "jpeg", "webp"])
async def test_picture_comes_in_the_format_that_is_asked_for(client: AsyncOpenAI, format: Any) -> None:
    made = await client.images.generate(prompt="A fox", output_format=format, output_compression=60)
    assert made.data is not None
    assert made.output_format == format
    assert opened(made.data[0].b64_json).format == format.upper()


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("size", "ratio"),
    [("1024x1024", "1:1"), ("1536x1024", "3:2"), ("1792x1024", "16:9"), ("1024x1792", "9:16"), ("auto", None)],
)
async def test_size_is_ordered_as_the_nearest_aspect_ratio(client: AsyncOpenAI, size: Any, ratio: str | None) -> None:
    await client.images.generate(prompt="A fox", size=size)
    assert (await Generation.get()).aspect_ratio == ratio


@pytest.mark.any_database
async def test_quality_and_large_sizes_are_ordered_as_qualities(ada: Api, client_of: NewClient) -> None:
    async with client_of(ada, str(ada.token)) as client:
        await client.images.generate(prompt="A fox", quality="hd")
        await client.images.generate(prompt="A fox", size="2048x2048")
    assert [row.quality for row in await Generation.all()] == ["HD", "HD"]


async def test_photo_is_edited(ada: Api, client: AsyncOpenAI) -> None:
    made = await client.images.edit(image=("me.jpg", photo(), "image/jpeg"), prompt="As a watercolour")
    assert made.data is not None
    assert opened(made.data[0].b64_json).size
    row = await Generation.get()
    assert row.original_id is not None
    assert row.prompt == "As a watercolour"


@pytest.mark.any_database
async def test_style_of_the_catalogue_is_used_by_its_id(ada: Api, client: AsyncOpenAI) -> None:
    styles = await ada.one("{ styles(first: 20) { nodes { id slug referenceImage variables { name required } } } }")
    free = next(
        style
        for style in styles["nodes"]
        if style["referenceImage"] != "REQUIRED" and not any(v["required"] for v in style["variables"])
    )
    await client.images.generate(prompt="A fox", extra_body={"style_id": free["id"]})
    assert (await Generation.get()).style_slug == free["slug"]


async def test_same_idempotency_key_is_answered_with_the_same_picture(ada: Api, client: AsyncOpenAI) -> None:
    headers = {"Idempotency-Key": "order-1"}
    first = await client.images.generate(prompt="A fox", extra_headers=headers)
    left = await ada.credits()
    second = await client.images.generate(prompt="A fox", extra_headers=headers)
    assert first.data is not None
    assert second.data is not None
    assert first.data[0].b64_json == second.data[0].b64_json
    assert await ada.credits() == left
    assert await Generation.all().count() == 1


@pytest.mark.any_database
async def test_models_that_make_images_are_listed_and_can_be_named(client: AsyncOpenAI) -> None:
    models = [model.id async for model in client.models.list()]
    assert models
    await client.images.generate(prompt="A fox", model=models[0])
    assert (await Generation.get()).requested_model == models[0]


@pytest.mark.any_database
async def test_session_token_works_as_a_key_does(ada: Api, client_of: NewClient) -> None:
    async with client_of(ada, str(ada.token)) as client:
        assert (await client.images.generate(prompt="A fox")).data


async def test_key_is_charged_against_its_monthly_cap(server: Running, ada: Api, client_of: NewClient) -> None:
    key = await create_key(ada)
    async with client_of(ada, key) as client:
        await client.images.generate(prompt="A fox")
    (row,) = (await ada.one("{ viewer { apiKeys { spentThisMonth } } }"))["apiKeys"]
    assert row["spentThisMonth"] > 0
