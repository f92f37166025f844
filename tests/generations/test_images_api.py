"""Generations by a model of OpenRouter's images API: previews, results, and the outcome of every error."""

import re
from typing import Any

import pytest

from models import Generation
from models.database.connection import is_postgres
from tests.conftest import Running
from tests.support.client import Api, photo
from tests.support.corpus.openrouter_cases import BAD_IMAGES, BAD_RESPONSES, BadResponse
from tests.support.fakes import openrouter_images as images
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import good_picture
from tests.support.fakes.raw_server import Ending, Response
from tests.support.integrity import assert_invariants

MODEL = "openai/gpt-image-2"
SIZES = "bytedance-seed/seedream-4.5"  # a model with several
MESSAGES = {  # part of the message of each code
    "PROVIDER_MISCONFIGURED": "not set up correctly",
    "CONTENT_REJECTED": "declined",
    "GENERATION_FAILED": "no usable picture",
    "GENERATION_TIMEOUT": "too long",
    "PROVIDER_UNAVAILABLE": "not available right now",
}
# A hang has a test of its own, with a short deadline, in test_provider_errors.py.
SHARED = [bad for bad in BAD_RESPONSES if bad.name[:3].isdecimal() and "inside" not in bad.name]
CASES = [bad for bad in (*SHARED, *BAD_IMAGES) if bad.name != "a hang"]


async def ordered(api: Api, data: bytes | None = None, **input: Any) -> dict[str, Any]:
    made = await api.create(data, **{"prompt": "A fox", "model": MODEL, **input})
    assert made["errors"] == [], made
    ended: dict[str, Any] = await api.wait_for_end(made["generations"][0]["id"])
    return ended


async def test_image_is_completed_with_its_cost(scripted: Running, openrouter: ScriptedOpenRouter) -> None:
    ada = await scripted.api.sign_up()
    openrouter.script(images.images(), images.streamed(good_picture(tint=9)))
    for _ in range(2):
        ended = await ordered(ada)
        assert (ended["status"], ended["provider"], ended["model"]) == ("COMPLETED", "openrouter", MODEL)
        assert (ended["result"]["width"], ended["result"]["height"]) == (128, 128)
        row = await Generation.get(id=ended["id"])
        assert (row.provider_cost, row.provider_calls) == (images.COST, 1)
    assert {call.path for call in openrouter.calls} == {images.PATH}
    await assert_invariants(scripted.services, all_ended=True, all_swept=True)


@pytest.mark.any_database
async def test_request_has_the_photo_the_ratio_and_the_size(scripted: Running, openrouter: ScriptedOpenRouter) -> None:
    ada = await scripted.api.sign_up()
    style = await ada.style("cute", "plushify")
    ended = await ordered(ada, photo(), prompt=None, styleId=style, model=SIZES, aspectRatio="16:9")
    assert ended["status"] == "COMPLETED"
    body = openrouter.calls[-1].body
    assert (body["model"], body["aspect_ratio"], body["resolution"]) == (SIZES, "16:9", "1K")
    assert body["input_references"][0]["image_url"]["url"].startswith("data:image/")
    await ordered(ada)
    assert "resolution" not in openrouter.calls[-1].body  # the model has one size


@pytest.mark.any_database
async def test_previews_are_shown_while_the_image_is_being_made(
    scripted: Running, openrouter: ScriptedOpenRouter
) -> None:
    whole = images.streamed(good_picture()).wire
    before = whole[: whole.index(b'data: {"type": "image_generation.completed"')]
    openrouter.script(Response(before, ending=Ending.SILENCE))
    ada = await scripted.api.sign_up()
    (made,) = (await ada.create(prompt="A fox", model=MODEL))["generations"]
    async with ada.socket() as socket:
        stream = await socket.subscribe(PREVIEWS, id=made["id"])
        event = await stream.next()
        while event["previewUrl"] is None:
            event = await stream.next()
        assert re.match(r"data:image/\w+;base64,", event["previewUrl"])
        assert event["stage"] == "GENERATING"
    ended = await ada.wait_for_end(made["id"])  # the stream never goes on: the deadline ends it
    assert (ended["errorCode"], ended["result"]) == ("GENERATION_TIMEOUT", None)
    assert await ada.credits() == 10_000


PREVIEWS = "subscription($id: ID!) { generationProgress(id: $id) { stage previewUrl } }"


async def test_every_error_ends_in_its_code_message_and_refund(
    scripted: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await scripted.api.sign_up()
    noir = await ada.style("noir", "avenger")
    # The meaning of a response does not depend on the database: on PostgreSQL, one response for each code is enough.
    by_code = {case.code: case for case in CASES if not case.may_retry}
    for case in by_code.values() if is_postgres(scripted.settings.database) else CASES:
        await check(ada, openrouter, noir, case)
    await assert_invariants(scripted.services, all_ended=True, all_swept=True)


async def check(ada: Api, openrouter: ScriptedOpenRouter, noir: str, case: BadResponse) -> None:
    """One generation of each refund policy, sandbox (ON_FAILURE) and avenger (BEFORE_PROVIDER)."""
    before, calls = await ada.credits(), len(openrouter.calls)
    openrouter.script(case.response)
    free, hero = await ordered(ada), await ordered(ada, photo(64, 48), prompt=None, styleId=noir)
    for ended, refunded in ((free, True), (hero, False)):
        found = (ended["status"], ended["errorCode"], ended["refunded"], ended["result"])
        assert found == ("FAILED", case.code, refunded, None), case.name
        assert MESSAGES[ended["errorCode"]] in ended["errorMessage"], case.name
    if not case.may_retry:
        assert len(openrouter.calls) - calls == 2, case.name
    assert await ada.credits() == before - hero["cost"], case.name


@pytest.mark.any_database
async def test_drawing_as_text_is_no_usable_picture_and_its_cost_is_kept(
    scripted: Running, openrouter: ScriptedOpenRouter
) -> None:
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    openrouter.script(images.images(drawing, media_type="image/svg+xml"))
    ada = await scripted.api.sign_up()
    ended = await ordered(ada)
    assert (ended["status"], ended["errorCode"], ended["refunded"]) == ("FAILED", "GENERATION_FAILED", True)
    assert (await Generation.get(id=ended["id"])).provider_cost == images.COST
