"""Durations of videos: chosen, priced, kept and compared; and what else is made of a finished video."""

import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
from PIL import Image

from models import Collection, File
from services.integrations.videos.sample import tiny_video
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api
from tests.support.custom_styles import create
from tests.support.fakes.openrouter_response import status
from tests.support.fakes.openrouter_videos import ScriptedVideos
from tests.support.integrity import assert_invariants
from tests.support.passes import grant
from tests.support.video_orders import ended, go_on, order, row_of, work

VEO = "google/veo-3.1"
MODELS = "{ models(media: VIDEO) { id durations durationFactors } }"
QUOTE = """
query($input: QuoteInput!) { quote(input: $input) { cost paidBy reusable { generationId cost } model { id } } }"""
SHOWN = "query($id: ID!) { viewer { generation(id: $id) { durationSeconds cost result { durationSeconds } } } }"
CREATE = """
mutation($input: CreateGenerationInput!) {
  createGeneration(input: $input) { generations { id status reusedId cost } errors { code message field } } }"""
AGAIN = """
mutation($input: RegenerateInput!) {
  regenerate(input: $input) { generations { id cost durationSeconds } errors { code } } }"""
SET_PICTURE = """
mutation($input: SetStylePictureInput!) {
  setStylePicture(input: $input) { style { previewUrl } errors { code message } } }"""


@pytest.fixture
async def videos() -> AsyncIterator[ScriptedVideos]:
    async with ScriptedVideos(tiny_video()) as fake:
        yield fake


@pytest.fixture
def video_settings(scripted_settings: Settings, videos: ScriptedVideos) -> Settings:
    return scripted_settings.model_copy(
        update={"openrouter_base_url": videos.base_url, "video_poll_seconds": 0.1, "video_deadline_seconds": 30.0}
    )


@pytest.fixture
async def studio(video_settings: Settings) -> AsyncIterator[Running]:
    async with running(video_settings) as found:
        yield found


async def price(api: Api, **input: Any) -> tuple[int, str]:
    found = await api.one(QUOTE, input={"media": "VIDEO", **input})
    return found["cost"], found["paidBy"]


async def refusal(api: Api, query: str = CREATE, **input: Any) -> tuple[str, str, list[str]]:
    error = await api.refused(query, input={"media": "VIDEO", **input})
    return error["code"], error["message"], error["field"]


async def test_duration_is_chosen_priced_and_kept(studio: Running, videos: ScriptedVideos) -> None:
    ada = await studio.api.sign_up()
    (veo,) = await ada.one(MODELS)
    assert veo == {"id": VEO, "durations": [4, 6, 8], "durationFactors": [1.0, 1.5, 2.0]}
    assert [await price(ada, durationSeconds=seconds) for seconds in (None, 4, 6, 8)] == [
        (cost, "CREDITS") for cost in (20, 20, 30, 40)
    ]
    assert await price(ada, durationSeconds=6, quality="HD") == (45, "CREDITS")
    before = await ada.credits()
    id = await order(ada, durationSeconds=8)
    assert (await ended(id)).status == "COMPLETED"
    assert videos.jobs[0].body["duration"] == 8
    shown = (await ada.one(SHOWN, id=id))["generation"]
    assert (shown["durationSeconds"], shown["cost"]) == (8, 40)
    assert shown["result"]["durationSeconds"] == pytest.approx(1 / 3, abs=0.05)  # of the file that came
    assert await ada.credits() == before - 40
    # The same request again is as long; one that named no duration gets the model's first.
    again = await ada.one(AGAIN, input={"id": id})
    assert [(one["cost"], one["durationSeconds"]) for one in again["generations"]] == [(40, 8)]
    plain = await order(ada)
    for one in (again["generations"][0]["id"], plain):
        assert (await ended(one)).status == "COMPLETED"
    assert sorted(job.body["duration"] for job in videos.jobs) == [4, 8, 8]
    assert (await ada.one(SHOWN, id=plain))["generation"]["durationSeconds"] is None
    await assert_invariants(studio.services, all_ended=True)


@pytest.mark.any_database
async def test_duration_that_is_not_offered_is_refused_with_those_that_are(studio: Running) -> None:
    ada = await studio.api.sign_up()
    before = await ada.credits()
    made = f"{VEO} makes videos of these seconds: 4, 6, 8."
    for seconds in (5, 0, -4, 2**31 - 1):
        for query in (CREATE, QUOTE):
            wrong = {"durationSeconds": seconds, **({"prompt": "A fox"} if query is CREATE else {})}
            assert await refusal(ada, query, **wrong) == ("INVALID_INPUT", made, ["durationSeconds"]), seconds
    answer = await refusal(ada, prompt="A fox", media="IMAGE", durationSeconds=4)
    assert answer == ("INVALID_INPUT", "Only a video has a duration.", ["durationSeconds"])
    assert await ada.credits() == before


@pytest.mark.any_database
async def test_pass_pays_for_the_default_duration_and_credits_for_a_longer_one(studio: Running) -> None:
    ada = await studio.api.sign_up()
    await grant(ada, "flash")
    assert [await price(ada, durationSeconds=seconds) for seconds in (None, 4, 8)] == [
        (0, "PASS"),
        (0, "PASS"),
        (40, "CREDITS"),
    ]


@pytest.mark.any_database
async def test_product_of_passes_refuses_a_longer_video(video_settings: Settings) -> None:
    settings = video_settings.model_copy(update={"profile": "flash", "signup_credits": None})
    async with running(settings, idle=True) as flash:
        ada = await flash.api.sign_up()
        await grant(ada)
        answer = await refusal(ada, prompt="A fox", durationSeconds=8)
        assert answer == ("INVALID_INPUT", "Your pass pays for videos of 4 seconds.", ["durationSeconds"])
        assert (await ada.create(prompt="A fox", media="VIDEO", durationSeconds=4))["errors"] == []


@pytest.mark.any_database
async def test_only_a_model_that_makes_the_ordered_duration_is_called_instead(
    video_settings: Settings, videos: ScriptedVideos
) -> None:
    videos.by_model = {VEO: status(404, "not_found")}
    settings = video_settings.model_copy(update={"fallback_models": ("demo:demo-video",), "demo_seconds": 0.0})
    async with running(settings, idle=True) as idle:
        ada = await idle.api.sign_up()
        none, six = await order(ada, durationSeconds=8), await order(ada, durationSeconds=6)
        await work(idle.services)
        row = await row_of(none)
        assert (row.status, row.error_code, row.refunded) == ("FAILED", "PROVIDER_MISCONFIGURED", True)
        row = await row_of(six)
        assert (row.status, row.provider) == ("PROCESSING", "demo")
        row = await go_on(idle.services, six)
        assert row.status == "COMPLETED"
        assert (await File.get(id=row.result_id)).duration == pytest.approx(6.0, abs=0.1)


@pytest.mark.any_database
async def test_earlier_video_of_the_same_request_is_reused(studio: Running, videos: ScriptedVideos) -> None:
    await Collection.filter(slug="sandbox").update(reuse_share=0.25)
    ada = await studio.api.sign_up()
    wanted = {"prompt": "A fox in the snow", "media": "VIDEO", "durationSeconds": 6}
    first = await order(ada, **wanted)
    assert (await ended(first)).status == "COMPLETED"
    shown = await ada.one(QUOTE, input={"styleId": await ada.style("free", "sandbox"), **wanted})
    assert shown["reusable"] == {"generationId": first, "cost": 8}
    for other in ({"durationSeconds": 8}, {"media": "IMAGE", "durationSeconds": None}):
        error = await ada.refused(CREATE, input={**wanted, **other, "reuseResult": True})
        assert (error["code"], error["field"]) == ("CONFLICT", ["reuseResult"])
    before = await ada.credits()
    made = await ada.one(CREATE, input={**wanted, "reuseResult": True})
    (second,) = made["generations"]
    assert (second["status"], second["reusedId"], second["cost"]) == ("COMPLETED", first, 8)
    assert await ada.credits() == before - 8
    assert len(videos.jobs) == 1
    one, two = [(await row_of(id)).result_id for id in (first, second["id"])]
    assert one == two
    await ada.execute("mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { errors { code } } }", ids=[first])
    assert (await ada.one(SHOWN, id=second["id"]))["generation"]["result"] is not None
    await assert_invariants(studio.services, all_ended=True)


@pytest.mark.any_database
async def test_poster_of_a_video_becomes_the_picture_of_a_style(studio: Running) -> None:
    ada = await studio.api.sign_up()
    style = (await create(ada))["id"]
    id = await order(ada)
    assert (await ended(id)).status == "COMPLETED"
    answer = await ada.one(SET_PICTURE, input={"styleId": style, "generationId": id})
    assert answer["errors"] == []
    response = await ada.http.get(answer["style"]["previewUrl"])
    assert (response.status_code, response.headers["content-type"]) == (200, "image/webp")
    with Image.open(io.BytesIO(response.content)) as picture:
        assert picture.size == (64, 64)
    await assert_invariants(studio.services)
