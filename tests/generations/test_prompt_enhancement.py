"""Prompt enhancement: a text model enriches the user's words before the image is made, and never fails an image."""

import asyncio
import contextlib
import json
from typing import Any

import pytest

from models import Generation
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api, photo
from tests.support.fakes import openrouter_response as answer
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import status
from tests.support.fakes.raw_server import Response
from tests.support.integrity import assert_invariants, make_admin

RICH = "A red fox asleep in tall grass, in warm evening light, painted in oil with thick strokes."
TEXT_COST = 0.0002  # US dollars
RETRY = """
mutation($id: ID!) {
  adminRetryGeneration(id: $id, reason: "It failed for no reason of theirs.") { generation { id } }
}"""
FIELDS = "query($id: ID!) { viewer { generation(id: $id) { status prompt enhancedPrompt errorCode refunded } } }"
PROGRESS = "subscription($id: ID!) { generationProgress(id: $id) { stage enhancedPrompt } }"
OFFERED = "query($input: QuoteInput!) { quote(input: $input) { enhancesPrompt } }"


def text(words: str, **fields: Any) -> Response:
    """The answer of a text model."""
    return answer.message(content=words, cost=TEXT_COST, **fields)


async def ordered(api: Api, data: bytes | None = None, **input: Any) -> dict[str, Any]:
    """Order a picture with an enhanced prompt, and return the generation once it has ended."""
    made = await api.create(data, **{"prompt": "A fox", "enhancePrompt": True, **input})
    assert made["errors"] == []
    id = made["generations"][0]["id"]
    await api.wait_for_end(id)
    shown: dict[str, Any] = (await api.one(FIELDS, id=id))["generation"]
    return {"id": id, **shown}


async def prompts_of(id: str) -> tuple[str | None, str | None]:
    """Return the user's words and the enhanced ones, as stored."""
    row = await Generation.get(id=id)
    return row.prompt, row.enhanced_prompt


def image_prompt(openrouter: ScriptedOpenRouter) -> str:
    """Return the prompt of the last call for an image."""
    call = next(call for call in reversed(openrouter.calls) if "modalities" in call.body)
    prompt: str = call.body["messages"][-1]["content"][0]["text"]
    return prompt


async def test_enhanced_prompt_stands_in_the_template_and_both_are_shown(
    scripted: Running, openrouter: ScriptedOpenRouter
) -> None:
    openrouter.script_texts(text(RICH))
    ada = await scripted.api.sign_up()
    ended = await ordered(ada)
    assert (ended["status"], ended["prompt"], ended["enhancedPrompt"]) == ("COMPLETED", "A fox", RICH)
    assert f"“{RICH}”" in image_prompt(openrouter)
    assert "“A fox”" not in image_prompt(openrouter)
    assert "Make one picture of what a person describes" in image_prompt(openrouter)  # the template still wraps it
    [call] = openrouter.text_calls
    assert call.body["model"] == scripted.settings.openrouter_text_model
    assert json.loads(call.body["messages"][1]["content"]) == "A fox"
    row = await Generation.get(id=ended["id"])
    assert row.provider_cost == pytest.approx(answer.COST + TEXT_COST)
    assert row.provider_calls == 1
    assert await ada.credits() == 10_000 - 1  # the price is that of the image
    await assert_invariants(scripted.services, all_ended=True)


@pytest.mark.any_database
async def test_text_model_sees_the_users_words_alone(scripted: Running, openrouter: ScriptedOpenRouter) -> None:
    ada = await scripted.api.sign_up()
    await ordered(ada, photo(), prompt='With "a hat" and “a bow”', styleId=await ada.style("cute", "plushify"))
    [call] = openrouter.text_calls
    assert [message["role"] for message in call.body["messages"]] == ["system", "user"]
    assert json.loads(call.body["messages"][1]["content"]) == 'With "a hat" and “a bow”'
    assert "plush" not in json.dumps(call.body["messages"])
    assert "“A fox, painted with care.”" in image_prompt(openrouter)


@pytest.mark.any_database
async def test_prompt_is_not_enhanced_unless_asked_for(scripted: Running, openrouter: ScriptedOpenRouter) -> None:
    ada = await scripted.api.sign_up()
    ended = await ordered(ada, enhancePrompt=False)
    assert (ended["status"], ended["enhancedPrompt"], openrouter.text_calls) == ("COMPLETED", None, [])
    ended = await ordered(ada, photo(), prompt=None, styleId=await ada.style("cute", "plushify"))  # nothing to enhance
    assert (ended["status"], ended["enhancedPrompt"], openrouter.text_calls) == ("COMPLETED", None, [])


FAILURES = {
    "429": status(429, "rate_limit_exceeded"),
    "401": status(401, "authentication"),
    "500": status(500, "server"),
    "402 in a 200": answer.error_in_200(402, "payment_required"),
    "a refusal": answer.refusal(),
    "HTML": answer.html_200(),
    "nothing": answer.empty_200(),
    "an empty text": text("  "),
    "a text that was cut off": text("A red fox", finish_reason="length"),
    "control characters": text("A fox\x00"),
    "a text that is too long": text("A fox. " * 1000),
    "an endless body": answer.huge(),
    "a truncated body": answer.truncated(),
    "a reset": answer.reset(),
    "no answer": answer.hang(),
}


async def test_failed_enhancement_is_skipped(scripted: Running, openrouter: ScriptedOpenRouter) -> None:
    ada = await scripted.api.sign_up()
    for name, response in FAILURES.items():
        openrouter.script_texts(response)
        calls = len(openrouter.text_calls)
        ended = await ordered(ada)
        assert (ended["status"], ended["enhancedPrompt"], ended["errorCode"]) == ("COMPLETED", None, None), name
        assert len(openrouter.text_calls) == calls + 1, name  # never repeated
        assert "“A fox”" in image_prompt(openrouter), name
    assert await ada.credits() == 10_000 - len(FAILURES)
    await assert_invariants(scripted.services, all_ended=True)


@pytest.mark.any_database
async def test_cost_of_an_enhancement_is_kept_when_the_image_fails(
    scripted: Running, openrouter: ScriptedOpenRouter
) -> None:
    openrouter.script_texts(text(RICH))
    openrouter.script(status(500, "server"))
    ada = await scripted.api.sign_up()
    ended = await ordered(ada)
    assert (ended["status"], ended["errorCode"], ended["refunded"]) == ("FAILED", "PROVIDER_UNAVAILABLE", True)
    assert ended["enhancedPrompt"] == RICH
    assert (await Generation.get(id=ended["id"])).provider_cost == pytest.approx(TEXT_COST)
    assert await ada.credits() == 10_000


@pytest.mark.parametrize("words", [[RICH], ["A fox. " * 1000, RICH]], ids=["usable", "usable at the second attempt"])
async def test_cost_of_an_enhancement_is_kept_when_the_order_returns_to_the_queue(
    idle_server: Running, openrouter: ScriptedOpenRouter, words: list[str]
) -> None:
    openrouter.script_texts(*map(text, words))
    openrouter.script(status(402, "payment_required"), answer.picture())
    openrouter.limit_remaining = 0.0
    ada, pauses = await idle_server.api.sign_up(), idle_server.services.operations.provider_pauses
    (made,) = (await ada.create(prompt="A fox", enhancePrompt=True))["generations"]
    worker = idle_server.services.generations.worker
    await worker.process(made["id"])
    assert (await Generation.get(id=made["id"])).status == "PENDING"
    openrouter.limit_remaining = 74.5
    await pauses.end(["openrouter"])
    await worker.process(made["id"])
    row = await Generation.get(id=made["id"])
    assert (row.status, row.enhanced_prompt, len(openrouter.text_calls)) == ("COMPLETED", RICH, len(words))
    assert row.provider_cost == pytest.approx(answer.COST + len(words) * TEXT_COST)
    await assert_invariants(idle_server.services, all_ended=True)


async def test_regeneration_uses_the_enhanced_prompt_again(scripted: Running, openrouter: ScriptedOpenRouter) -> None:
    openrouter.script_texts(text(RICH))
    ada = await scripted.api.sign_up()
    first = await ordered(ada)
    again = await ada.one("mutation($id: ID!) { regenerate(input: {id: $id}) { generations { id } } }", id=first["id"])
    id = again["generations"][0]["id"]
    await ada.wait_for_end(id)
    shown = (await ada.one(FIELDS, id=id))["generation"]
    assert (shown["prompt"], shown["enhancedPrompt"]) == ("A fox", RICH)
    assert f"“{RICH}”" in image_prompt(openrouter)
    refined = await ada.one(
        'mutation($id: ID!) { refineGeneration(input: {id: $id, instruction: "Now blue"}) { generations { id } } }',
        id=id,
    )
    id = refined["generations"][0]["id"]
    await ada.wait_for_end(id)
    row = await Generation.get(id=id)
    assert not row.enhance_prompt
    assert await prompts_of(id) == ("Now blue", None)
    assert f"“{RICH}”" in row.earlier_prompts[0]
    assert len(openrouter.text_calls) == 1


async def test_retry_by_an_admin_uses_the_enhanced_prompt_of_the_first_attempt(
    scripted: Running, openrouter: ScriptedOpenRouter
) -> None:
    openrouter.script_texts(text(RICH))
    openrouter.script(status(500, "server"), answer.picture())
    ada, admin = await scripted.api.sign_up(), await make_admin(scripted.api)
    failed = await ordered(ada)
    retried = await admin.one(RETRY, id=failed["id"])
    id = retried["generation"]["id"]
    await ada.wait_for_end(id)
    shown = (await ada.one(FIELDS, id=id))["generation"]
    assert (shown["status"], shown["enhancedPrompt"]) == ("COMPLETED", RICH)
    assert f"“{RICH}”" in image_prompt(openrouter)
    assert len(openrouter.text_calls) == 1
    assert (await Generation.get(id=id)).provider_cost == pytest.approx(answer.COST)
    await assert_invariants(scripted.services, all_ended=True)


@pytest.mark.any_database
async def test_worker_that_died_before_the_call_leaves_no_enhanced_prompt(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    (made,) = (await ada.create(prompt="A fox", enhancePrompt=True))["generations"]
    worker = idle_server.services.generations.worker
    openrouter.script_texts(answer.hang())
    first = asyncio.create_task(worker.process(made["id"]))
    await asyncio.wait_for(openrouter.called.wait(), 5)
    first.cancel()  # what is canceled before its call is released, and claimed again
    with contextlib.suppress(asyncio.CancelledError):
        await first
    assert await prompts_of(made["id"]) == ("A fox", None)
    openrouter.script_texts(text(RICH))
    await worker.process(made["id"])
    assert await prompts_of(made["id"]) == ("A fox", RICH)
    assert len(openrouter.text_calls) == 2
    await assert_invariants(idle_server.services, all_ended=True)


@pytest.mark.any_database
async def test_progress_shows_the_enhanced_prompt_as_soon_as_it_is_stored(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    (made,) = (await ada.create(prompt="A fox", enhancePrompt=True))["generations"]
    openrouter.script_texts(text(RICH))
    async with ada.socket() as socket:
        stream = await socket.subscribe(PROGRESS, id=made["id"])
        assert await stream.next() == {"stage": "QUEUED", "enhancedPrompt": None}
        await idle_server.services.generations.worker.process(made["id"])
        events = [(event["stage"], event["enhancedPrompt"]) for event in await stream.rest()]
    assert {shown for stage, shown in events if stage not in ("QUEUED", "VALIDATING")} == {RICH}, events
    assert "GENERATING" in dict(events)


@pytest.mark.any_database
async def test_deleted_generation_keeps_no_enhanced_prompt(scripted: Running) -> None:
    ada = await scripted.api.sign_up()
    ended = await ordered(ada)
    await ada.one("mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds } }", ids=[ended["id"]])
    assert await prompts_of(ended["id"]) == (None, None)
    await assert_invariants(scripted.services, all_ended=True)


@pytest.mark.any_database
async def test_product_that_does_not_offer_it_refuses_it_before_anything_is_charged(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    async with running(scripted_settings.model_copy(update={"profile": "avenger"})) as server:
        ada = await server.api.sign_up()
        refused = await ada.create(
            photo(), prompt="A cape", styleId=await ada.style("noir", "avenger"), enhancePrompt=True
        )
        [error] = refused["errors"]
        assert (error["code"], error["field"]) == ("INVALID_INPUT", ["enhancePrompt"])
        assert (await ada.credits(), openrouter.calls) == (10_000, [])
        assert not (await ada.one(OFFERED, input={"styleId": await ada.style("noir", "avenger")}))["enhancesPrompt"]


@pytest.mark.any_database
async def test_quote_says_whether_it_is_offered(scripted: Running) -> None:
    for media in ("IMAGE", "VIDEO"):
        assert (await scripted.api.one(OFFERED, input={"media": media}))["enhancesPrompt"], media


@pytest.mark.any_database
async def test_demo_adds_the_same_phrases_without_a_key(server: Running) -> None:
    ada = await server.api.sign_up()
    first, second = await ordered(ada), await ordered(ada)
    assert first["enhancedPrompt"].startswith("A fox, ")
    assert first["enhancedPrompt"] == second["enhancedPrompt"]
    chinese = (await ordered(ada, prompt="一只狐狸"))["enhancedPrompt"]
    assert chinese.startswith("一只狐狸，")
    assert chinese.endswith("。")


@pytest.mark.any_database
async def test_enhanced_prompt_of_an_order_that_returns_to_the_queue_is_kept_with_its_cost(
    scripted_settings: Settings,
) -> None:
    async with running(scripted_settings, idle=True) as server:
        ada = await server.api.sign_up()
        (created,) = (await ada.create(prompt="A fox", enhancePrompt=True))["generations"]
        claim = await server.services.generations.worker.take_next()
        assert claim is not None
        claim.enhance(RICH, f"Paint “{RICH}”", TEXT_COST)
        await claim.requeue(counts=False)
        row = await Generation.get(id=created["id"])
        assert (row.status, row.enhanced_prompt, row.full_prompt) == ("PENDING", RICH, f"Paint “{RICH}”")
        assert row.provider_cost == pytest.approx(TEXT_COST)
        await assert_invariants(server.services)
