"""The flash product with a Hugging Face token alone: its checklist, point by point, over HTTP and WebSockets.

Each test names the point that it covers. The database's migrations and the place for images are prepared by `prepare`,
as at every start.
"""

import asyncio
import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from models import Generation, Pass
from models.enum import Role
from setting_types import Provider
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import PROGRESS, REGENERATE, Api, until
from tests.support.development_checkout import buy
from tests.support.fakes import huggingface_response as scripted
from tests.support.fakes.huggingface import TOKEN, ScriptedHuggingFace
from tests.support.huggingface_server import huggingface_settings, running_on_huggingface
from tests.support.integrity import assert_invariants, make_admin
from tests.support.passes import PASS, QUOTA, QUOTE, advance

pytestmark = pytest.mark.any_database

LOADING = "The image service is loading the model. This can take a minute."
SUNSET = "a beautiful sunset over mountains"
MODEL = "stable-diffusion-v1-5/stable-diffusion-v1-5"


async def image(client: Api, **more: Any) -> Any:
    """Request one image, and wait for its end."""
    made = await client.create(prompt=SUNSET, **more)
    assert made["errors"] == []
    return await client.wait_for_end(made["generations"][0]["id"])


async def images_of(client: Api) -> Any:
    return (await client.one(PASS))["pass"]["images"]


def test_key_is_added(settings: Settings, fake: ScriptedHuggingFace) -> None:
    """The token is the only setting that chooses the provider."""
    alone = settings.model_copy(update={"huggingface_api_key": TOKEN})
    assert (alone.provider, settings.provider) == (Provider.HUGGINGFACE, Provider.DEMO)


async def test_image_can_be_requested_and_credits_are_displayed(ada: Api) -> None:
    quote = await ada.one(QUOTE, input={})
    assert (quote["cost"], quote["paidBy"], quote["affordable"]) == (0, "PASS", True)
    shown = await images_of(ada)
    assert (shown["perHour"], shown["remaining"], shown["usedInTotal"]) == (3, 3, 0)


async def test_valid_prompt_makes_an_image_that_appears_and_can_be_downloaded(
    flash: Running, ada: Api, fake: ScriptedHuggingFace
) -> None:
    made = await image(ada)
    found = (made["status"], made["provider"], made["model"], made["paidBy"], made["cost"])
    assert found == ("COMPLETED", "huggingface", MODEL, "PASS", 0)
    [call] = fake.calls
    assert (call.model, call.body["inputs"]) == (MODEL, (await Generation.get(id=made["id"])).full_prompt)
    assert SUNSET in call.body["inputs"]
    shown = await ada.http.get(made["result"]["url"])
    assert (shown.status_code, shown.headers["content-type"]) == (200, made["result"]["contentType"])
    assert len(shown.content) == made["result"]["byteSize"] > 0
    download = await ada.http.get(made["result"]["downloadUrl"])
    assert (download.status_code, download.headers["content-disposition"].split(";")[0]) == (200, "attachment")
    await assert_invariants(flash.services, all_ended=True)


async def test_credits_decrement_and_error_is_shown_when_they_are_exhausted(ada: Api) -> None:
    for left in (2, 1, 0):
        assert (await image(ada))["status"] == "COMPLETED"
        assert (await images_of(ada))["remaining"] == left
    refused = await ada.refused(QUOTA, input={"prompt": SUNSET})
    assert refused["code"] == "QUOTA_EXCEEDED"
    assert refused["resetsAt"] == (await images_of(ada))["resetsAt"]
    assert datetime.fromisoformat(refused["resetsAt"]).tzinfo is not None
    await advance(await Pass.get(user_id=ada.user["id"]), 1)
    assert (await image(ada))["status"] == "COMPLETED", "the next hour has its own"


async def test_images_are_saved_stored_and_in_the_history(flash: Running, ada: Api) -> None:
    made = [await image(ada) for _ in range(2)]
    query = "{ viewer { generations { nodes { id prompt createdAt result { url } } } stats { totalGenerations } } }"
    seen = await ada.one(query)
    assert [one["id"] for one in seen["generations"]["nodes"]] == [one["id"] for one in reversed(made)]
    assert {one["prompt"] for one in seen["generations"]["nodes"]} == {SUNSET}
    assert seen["stats"] == {"totalGenerations": 2}
    rows = await Generation.filter(user_id=ada.user["id"]).select_related("result")
    for row in rows:
        assert row.result is not None
        assert await flash.services.media.files.read(row.result)


async def test_history_and_images_are_those_of_their_user_only(ada: Api) -> None:
    made = await image(ada)
    bob = await ada.sign_up("bob@example.com")
    assert (await bob.one("{ viewer { generations { nodes { id } } } }"))["generations"]["nodes"] == []
    assert await bob.generation(made["id"]) is None


async def test_progress_rises_while_the_model_is_loading(ada: Api, fake: ScriptedHuggingFace) -> None:
    """ "Model is loading": the server waits and asks again, and the subscriber sees that it goes on."""
    fake.script(scripted.loading(2.0), scripted.loading(1.0), scripted.image())
    made = await ada.create(prompt=SUNSET)
    async with ada.socket() as socket:
        stream = await socket.subscribe(PROGRESS, id=made["generations"][0]["id"])
        shown = await stream.rest()
    messages = [one["message"] for one in shown if one["stage"] == "GENERATING"]
    assert list(dict.fromkeys(messages)) == ["Generating your picture.", LOADING]
    waiting = [one["progress"] for one in shown if one["stage"] == "GENERATING"]
    assert len(set(waiting)) >= 3
    assert waiting == sorted(waiting)
    assert shown[-1]["status"] == "COMPLETED"
    assert len(fake.calls) == 3
    assert (await Generation.get(id=made["generations"][0]["id"])).provider_calls == 1
    assert (await images_of(ada))["remaining"] == 2


async def test_model_that_loads_longer_than_the_deadline_costs_nothing(
    settings: Settings, fake: ScriptedHuggingFace
) -> None:
    fake.script(scripted.loading(60.0))
    async with running_on_huggingface(settings, fake, generation_deadline_seconds=6.0) as flash:
        ada = await flash.api.sign_up()
        await buy(ada, plan="flash-lite")
        ended = await image(ada)
        assert (ended["status"], ended["errorCode"], ended["refunded"]) == ("FAILED", "PROVIDER_UNAVAILABLE", True)
        assert (await images_of(ada))["remaining"] == 3
        await assert_invariants(flash.services, all_ended=True)


async def test_calls_of_an_hour_are_limited_and_the_refused_image_costs_nothing(
    settings: Settings, fake: ScriptedHuggingFace
) -> None:
    """ "Rate limit exceeded": the deployment stops before Hugging Face does, and says so."""
    async with running_on_huggingface(settings, fake, huggingface_calls_per_hour=2) as flash:
        ada = await flash.api.sign_up()
        await buy(ada, plan="flash-lite")
        for _ in range(2):
            assert (await image(ada))["status"] == "COMPLETED"
        ended = await image(ada)
        assert (ended["status"], ended["errorCode"], ended["refunded"]) == ("FAILED", "RATE_LIMITED", True)
        assert "limit" in ended["errorMessage"]
        assert (await images_of(ada))["remaining"] == 1
        assert len(fake.calls) == 2
        await assert_invariants(flash.services, all_ended=True)


async def test_rate_limit_of_hugging_face_is_waited_for_or_reported(ada: Api, fake: ScriptedHuggingFace) -> None:
    fake.script(scripted.rate_limited("0.1"), scripted.image())
    assert (await image(ada))["status"] == "COMPLETED"
    fake.script(scripted.rate_limited("3000"))
    ended = await image(ada)
    assert (ended["status"], ended["errorCode"], ended["refunded"]) == ("FAILED", "RATE_LIMITED", True)
    assert (await images_of(ada))["remaining"] == 2


async def test_image_waits_while_the_token_is_invalid_and_costs_nothing_once_canceled(
    settings: Settings, fake: ScriptedHuggingFace
) -> None:
    other = TOKEN.replace("0", "9")
    async with running_on_huggingface(settings, fake, huggingface_api_key=other) as flash:
        ada = await flash.api.sign_up()
        await buy(ada, plan="flash-lite")
        (made,) = (await ada.create(prompt=SUNSET))["generations"]

        async def waits_again() -> Any:
            return fake.calls and (await ada.generation(made["id"]))["status"] == "PENDING"

        await until(waits_again)
        found = await ada.generation(made["id"])
        assert other not in json.dumps(found)
        await ada.one("mutation($id: ID!) { cancelGeneration(id: $id) { errors { code } } }", id=made["id"])
        assert (await images_of(ada))["remaining"] == 3


async def test_regenerated_image_is_another_one_and_favorites_are_kept(ada: Api, fake: ScriptedHuggingFace) -> None:
    first = await image(ada)
    again = await ada.one(REGENERATE, input={"id": first["id"]})
    assert again["errors"] == []
    await ada.wait_for_end(again["generations"][0]["id"])
    seeds = [call.body["parameters"]["seed"] for call in fake.calls]
    assert len(set(seeds)) == 2
    marked = await ada.one(
        "mutation($id: ID!) { setFavorite(id: $id, isFavorite: true) { generation { isFavorite } } }", id=first["id"]
    )
    assert marked["generation"]["isFavorite"]


async def test_larger_image_comes_from_a_larger_model(ada: Api, fake: ScriptedHuggingFace) -> None:
    models = await ada.one("{ models(media: IMAGE) { id qualities } }")
    larger = "stabilityai/stable-diffusion-xl-base-1.0"
    assert [each["id"] for each in models][:2] == [MODEL, larger]
    for model, side in ((MODEL, 512), (larger, 1024)):
        assert (await image(ada, model=model))["model"] == model
        sent = fake.calls[-1].body["parameters"]
        assert (fake.calls[-1].model, sent["width"], sent["height"]) == (model, side, side)
    refused = await ada.refused(QUOTA, input={"prompt": SUNSET, "model": "google/gemini-3-pro-image"})
    assert refused["code"] == "INVALID_INPUT"
    assert larger in refused["message"]


async def test_admin_sees_generations_users_images_per_pass_and_failures(
    flash: Running, ada: Api, fake: ScriptedHuggingFace
) -> None:
    for _ in range(2):
        await image(ada)
    fake.script(scripted.error(500))
    await image(ada)
    await advance(await Pass.get(user_id=ada.user["id"]), 4)
    admin = await make_admin(flash.api, role=Role.SUPER_ADMIN)
    since = (datetime.now().astimezone() - timedelta(hours=24)).isoformat()
    query = """query($since: DateTime) { admin { metrics(from: $since) {
      generations completed failed activeUsers byPlan { plan passesExpired averageImages }
    } } }"""
    found = (await admin.one(query, since=since))["metrics"]
    by_plan = {each["plan"]: each for each in found.pop("byPlan")}
    assert found == {"generations": 3, "completed": 2, "failed": 1, "activeUsers": 1}
    assert by_plan["flash-lite"] == {"plan": "flash-lite", "passesExpired": 1, "averageImages": 2.0}


async def test_image_takes_no_longer_than_its_model(ada: Api, fake: ScriptedHuggingFace) -> None:
    """The server adds little to the 3 to 5 seconds of the model."""
    fake.answering.clear()
    made = await ada.create(prompt=SUNSET)
    await fake.called.wait()
    fake.answering.set()
    started = asyncio.get_running_loop().time()
    assert (await ada.wait_for_end(made["generations"][0]["id"]))["status"] == "COMPLETED"
    assert asyncio.get_running_loop().time() - started < 3


@pytest.mark.parametrize("token", [None, "your-api-key-here", "hf_your_token_here"])
async def test_without_a_real_token_the_demo_provider_makes_an_image_in_two_seconds(
    settings: Settings, fake: ScriptedHuggingFace, token: str | None
) -> None:
    """Without a token, or with the placeholder of an example file, a drawn picture comes after two seconds."""
    default = Settings.model_fields["demo_seconds"].default
    changed = huggingface_settings(settings, fake, huggingface_api_key=token, demo_seconds=default)
    assert (changed.provider, default) == (Provider.DEMO, 2.0)
    async with running(changed) as flash:
        ada = await flash.api.sign_up()
        await buy(ada, plan="flash-lite")
        ended = await image(ada)
        row = await Generation.get(id=ended["id"])
        assert (ended["status"], ended["provider"]) == ("COMPLETED", "demo")
        assert row.completed_at is not None
        assert row.started_at is not None
        assert (row.completed_at - row.started_at).total_seconds() >= 2.0
    assert fake.calls == []
