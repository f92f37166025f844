"""Streams of OpenAI's image API: previews, the picture, and how they end."""

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI
from openai.types import (
    ImageEditCompletedEvent,
    ImageEditPartialImageEvent,
    ImageGenCompletedEvent,
    ImageGenPartialImageEvent,
)
from pydantic import BaseModel

from models import Generation
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api, photo, until
from tests.support.fakes import openrouter_images as images
from tests.support.fakes import openrouter_response as answer
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.raw_server import Ending, Response
from tests.web.openai_api.conftest import NewClient

CANCEL = "mutation($id: ID!) { cancelGeneration(id: $id) { errors { code } } }"


async def test_stream_shows_previews_and_then_the_picture(
    scripted: Running, openrouter: ScriptedOpenRouter, client_of: NewClient
) -> None:
    partials = tuple(answer.good_picture(tint=tint) for tint in (1, 2, 3))
    openrouter.script(answer.sse_picture(partials))
    ada = await scripted.api.sign_up()
    async with client_of(ada, str(ada.token)) as client:
        stream = await client.images.generate(prompt="A fox", stream=True, partial_images=2)
        events: list[Any] = [event async for event in stream]
    *previews, completed = events
    assert completed.type == "image_generation.completed"
    assert {event.type for event in previews} <= {"image_generation.partial_image"}
    assert [event.partial_image_index for event in previews] == list(range(len(previews)))
    assert len(previews) <= 2
    for event in events:
        assert base64.b64decode(event.b64_json)
    assert (await Generation.get()).status == "COMPLETED"


async def streamed(client: AsyncOpenAI, *, is_edit: bool, **order: Any) -> AsyncIterator[dict[str, Any]]:
    """Yield the events of an order with one preview."""
    image = {"image": ("me.jpg", photo(), "image/jpeg")} if is_edit else {}
    ordered: Any = client.images.edit if is_edit else client.images.generate
    async for event in await ordered(prompt="A fox", stream=True, partial_images=1, **image, **order):
        yield event.to_dict()


@pytest.mark.any_database
@pytest.mark.parametrize(
    ("is_edit", "kinds"),
    [
        (False, (ImageGenPartialImageEvent, ImageGenCompletedEvent)),
        (True, (ImageEditPartialImageEvent, ImageEditCompletedEvent)),
    ],
)
async def test_events_have_all_that_the_types_of_the_client_require(
    scripted: Running,
    openrouter: ScriptedOpenRouter,
    client_of: NewClient,
    is_edit: bool,
    kinds: tuple[type[BaseModel], type[BaseModel]],
) -> None:
    whole = images.streamed(answer.good_picture()).wire
    before = whole[: whole.index(b'data: {"type": "image_generation.completed"')]
    ada = await scripted.api.sign_up()
    async with client_of(ada, str(ada.token)) as client:
        openrouter.script(Response(before, ending=Ending.SILENCE))
        preview = await anext(streamed(client, is_edit=is_edit, model="openai/gpt-image-2", quality="low"))
        await ada.execute(CANCEL, id=(await Generation.get()).id)  # its answer has no end
        openrouter.script(answer.picture())
        for quality, shown in (("low", "medium"), ("hd", "high"), ("max", "max")):
            *_, completed = [event async for event in streamed(client, is_edit=is_edit, quality=quality)]
            assert kinds[1].model_validate(completed, strict=True)
            assert completed["quality"] == shown
    assert kinds[0].model_validate(preview, strict=True)


@pytest.mark.any_database
async def test_edit_streams_events_of_its_own(ada: Api, client: AsyncOpenAI) -> None:
    stream = await client.images.edit(image=("me.jpg", photo(), "image/jpeg"), prompt="A fox", stream=True)
    events: list[Any] = [event async for event in stream]
    assert events[-1].type == "image_edit.completed"
    assert events[-1].size


@pytest.mark.any_database
async def test_failure_ends_the_stream_with_its_error(
    scripted: Running, openrouter: ScriptedOpenRouter, client_of: NewClient
) -> None:
    openrouter.script(answer.refusal())
    ada = await scripted.api.sign_up()
    async with client_of(ada, str(ada.token)) as client:
        stream = await client.images.generate(prompt="A fox", stream=True)
        with pytest.raises(openai.APIError) as failed:
            _ = [event async for event in stream]
    assert failed.value.code == "content_policy_violation"


async def test_stopping_server_ends_the_stream_with_an_error(scripted_settings: Settings, client_of: NewClient) -> None:
    async with running(scripted_settings, idle=True) as server:
        ada = await server.api.sign_up()
        client = client_of(ada, str(ada.token))
        stream = await client.images.generate(prompt="A fox", stream=True)
    with pytest.raises(openai.APIError) as failed:
        _ = [event async for event in stream]
    assert failed.value.code == "unavailable"


async def test_client_that_leaves_leaves_the_topic(scripted_settings: Settings) -> None:
    async with running(scripted_settings, idle=True) as server:
        ada = await server.api.sign_up()
        topics = server.services.events.topics
        headers = {"authorization": f"Bearer {ada.token}"}
        async with httpx.AsyncClient(base_url=ada.address) as http:
            body = {"prompt": "A fox", "stream": True}
            async with http.stream("POST", "/v1/images/generations", json=body, headers=headers) as response:
                assert response.status_code == 200
                await until(lambda: _has_subscribers(topics))
        await until(lambda: _has_none(topics))
        assert (await Generation.get()).status == "PENDING"


async def _has_subscribers(topics: Any) -> bool:
    return bool(topics.subscriber_count())


async def _has_none(topics: Any) -> bool:
    await asyncio.sleep(0)
    return not topics.subscriber_count()
