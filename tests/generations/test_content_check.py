"""The check of what users write: a rejected text is charged, stored and sent nowhere."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models import Collection, File, Generation, Style, ids
from setting_types import ModerationOutage, Switch
from settings import PROFILES, Settings
from tests.conftest import running
from tests.support.client import REGENERATE, Api, photo
from tests.support.custom_styles import CREATE_STYLE, UPDATE_STYLE, create, update
from tests.support.fakes import moderations
from tests.support.fakes import openrouter_response as answer
from tests.support.fakes.openrouter import KEY, ScriptedOpenRouter
from tests.support.fakes.openrouter_response import status
from tests.support.fakes.raw_server import Response
from tests.support.integrity import assert_invariants

TEXT_MODEL = "example/judge"
REFINE = """
mutation($id: ID!, $instruction: String!) {
  refineGeneration(input: {id: $id, instruction: $instruction}) { generations { id } errors { code field } }
}"""
DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds errors { code } } }"
Make = Callable[..., Settings]


@pytest.fixture
def make_settings(scripted_settings: Settings, openrouter: ScriptedOpenRouter, tmp_path: Path) -> Make:
    """A function that returns settings with a blocklist, a moderation model, or both."""

    def make(*blocklist: str, api: str | None = None, **changes: Any) -> Settings:
        if blocklist:
            studio = (PROFILES / "studio.toml").read_text(encoding="utf-8")
            (tmp_path / "shared").symlink_to(PROFILES / "shared")
            rules = f"[moderation]\nblocklist = {json.dumps(blocklist, ensure_ascii=False)}\n\n[limits]\n"
            (tmp_path / "strict.toml").write_text(studio.replace("[limits]\n", rules), encoding="utf-8")
            changes["profile"] = str(tmp_path / "strict")
        if api is not None:
            changes["moderation_model"] = TEXT_MODEL
        if api == "moderations":
            changes |= {"moderation_url": openrouter.base_url, "moderation_api_key": KEY}
        return scripted_settings.model_copy(update=changes)

    return make


async def refusal(api: Api, data: bytes | None = None, **input: Any) -> dict[str, Any]:
    """Order a picture that must be refused, and return the only error."""
    refused = await api.create(data, **input)
    assert refused["generations"] == []
    (error,) = refused["errors"]
    return dict(error)


async def assert_nothing_happened(api: Api, openrouter: ScriptedOpenRouter) -> None:
    assert await api.credits() == 10_000
    assert await Generation.all().count() == await File.all().count() == 0
    assert [call for call in openrouter.calls if call not in openrouter.text_calls] == []


async def test_blocked_words_are_rejected_before_anything_is_charged_or_stored(
    make_settings: Make, openrouter: ScriptedOpenRouter
) -> None:
    async with running(make_settings("bomb", "炸弹")) as server:
        ada = await server.api.sign_up()
        for prompt in ("A big BOMB", "一颗炸弹"):
            error = await refusal(ada, prompt=prompt)
            assert (error["code"], error["field"]) == ("CONTENT_REJECTED", ["prompt"])
        error = await refusal(ada, photo(), prompt="A bomb", styleId=await ada.style("cute", "plushify"))
        assert (error["code"], error["field"]) == ("CONTENT_REJECTED", ["prompt"])
        await assert_nothing_happened(ada, openrouter)
        made = await ada.create(prompt="A bombastic sunset")
        assert (await ada.wait_for_end(made["generations"][0]["id"]))["status"] == "COMPLETED"
        await assert_invariants(server.services, all_ended=True)


@pytest.mark.any_database
async def test_variables_styles_and_refinements_are_checked_too(
    make_settings: Make, openrouter: ScriptedOpenRouter
) -> None:
    async with running(make_settings("bomb")) as server:
        ada = await server.api.sign_up()
        castle = {"prompt": "A castle, {colour}", "variables": [{"name": "colour", "label": "Colour"}]}
        style = await create(ada, **castle)
        error = await refusal(ada, styleId=style["id"], variables={"colour": "like a bomb"})
        assert (error["code"], error["field"]) == ("CONTENT_REJECTED", ["variables", "colour"])
        for changes, field in (
            ({"prompt": "A bomb over {colour}"}, ["prompt"]),
            ({"title": "Bomb"}, ["title"]),
            ({"description": "no bomb"}, ["description"]),
            ({"variables": [{"name": "colour", "label": "Colour", "options": ["red", "bomb"]}]}, ["variables", "0"]),
        ):
            refused = await ada.refused(UPDATE_STYLE, id=style["id"], input=changes)
            assert (refused["code"], refused["field"]) == ("CONTENT_REJECTED", field)
            refused = await ada.refused(CREATE_STYLE, input={"title": "Rain", **castle, **changes})
            assert (refused["code"], refused["field"]) == ("CONTENT_REJECTED", field)
        assert (await Style.get(id=style["id"])).prompt == castle["prompt"]
        assert await Style.filter(owner_id=ada.user["id"]).count() == 1
        await assert_nothing_happened(ada, openrouter)
        await update(ada, style["id"], prompt="A castle under {colour}")
        made = await ada.create(styleId=style["id"], variables={"colour": "clouds"})
        done = await ada.wait_for_end(made["generations"][0]["id"])
        error = await ada.refused(REFINE, id=done["id"], instruction="Add a bomb")
        assert (error["code"], error["field"]) == ("CONTENT_REJECTED", ["instruction"])
        assert await ada.credits() == 10_000 - 1


@pytest.mark.any_database
async def test_what_was_written_before_is_checked_by_the_rules_of_today(make_settings: Make) -> None:
    lenient = make_settings()
    async with running(lenient) as server:
        ada = await server.api.sign_up()
        castle = {"prompt": "A castle of sugar, {colour}", "variables": [{"name": "colour", "label": "Colour"}]}
        style = await create(ada, **castle)
        made: dict[str, str] = {}
        for name, order in {
            "the prompt": {"prompt": "A bomb"},
            "a variable": {"styleId": style["id"], "variables": {"colour": "like a bomb"}},
            "the style of then": {"styleId": style["id"], "variables": {"colour": "red"}},
            "nothing": {"prompt": "A fox"},
        }.items():
            (created,) = (await ada.create(**order))["generations"]
            made[name] = (await ada.wait_for_end(created["id"]))["id"]
        refined = await ada.one(REFINE, id=made["the prompt"], instruction="Make it blue")
        made["the prompt of what was refined"] = refined["generations"][0]["id"]
        assert (await ada.wait_for_end(made["the prompt of what was refined"]))["status"] == "COMPLETED"
        varied = await ada.one(REGENERATE, input={"id": refined["generations"][0]["id"], "asVariation": True})
        made["the prompt before what was varied"] = varied["generations"][0]["id"]
        await ada.wait_for_end(made["the prompt before what was varied"])
        (created,) = (await ada.create(prompt="Another bomb"))["generations"]
        await ada.wait_for_end(created["id"])
        refined = await ada.one(REFINE, id=created["id"], instruction="Make it red")
        made["the prompt of what is deleted"] = refined["generations"][0]["id"]
        await ada.wait_for_end(made["the prompt of what is deleted"])
        assert (await ada.one(DELETE, ids=[created["id"]]))["errors"] == []
        await update(ada, style["id"], prompt="A castle, {colour}")
        balance = await ada.credits()
    async with running(make_settings("bomb", "sugar")) as server:
        ada = replace(server.api, token=ada.token, user=ada.user)
        fox = made.pop("nothing")
        for name, id in made.items():
            refusals = [
                await ada.refused(REGENERATE, input={"id": id}),
                await ada.refused(REGENERATE, input={"id": id, "asVariation": True}),
                await ada.refused(REFINE, id=id, instruction="Make it green"),
            ]
            assert [(each["code"], each["field"]) for each in refusals] == [("CONTENT_REJECTED", ["id"])] * 3, name
        assert await ada.credits() == balance
        again = await ada.one(REGENERATE, input={"id": fox})
        assert again["errors"] == []
        await Style.filter(id=style["id"]).update(prompt=castle["prompt"])  # as if it were written before the rules
        error = await refusal(ada, styleId=style["id"], variables={"colour": "red"})
        assert (error["code"], error["field"]) == ("CONTENT_REJECTED", ["styleId"])
        await ada.wait_for_end(again["generations"][0]["id"])
        await assert_invariants(server.services, all_ended=True)


async def test_model_is_asked_once_about_what_it_has_accepted(
    make_settings: Make, openrouter: ScriptedOpenRouter
) -> None:
    async with running(make_settings(api="text")) as server:
        ada = await server.api.sign_up()
        style = await create_unchecked(ada, openrouter, "text")
        openrouter.script_texts(*verdicts("text", [False, True], [False], [True]))
        order: dict[str, Any] = {"styleId": style, "variables": {"colour": "red"}, "prompt": "At night"}
        assert (await refusal(ada, **order))["field"] == ["variables", "colour"]
        (made,) = (await ada.create(prompt="At night"))["generations"]
        assert listed(openrouter.text_calls[-1].body) == ["At night"]
        await ada.wait_for_end(made["id"])
        asked = len(openrouter.text_calls)
        (again,) = (await ada.one(REGENERATE, input={"id": made["id"]}))["generations"]
        assert (await ada.wait_for_end(again["id"]))["status"] == "COMPLETED"
        assert len(openrouter.text_calls) == asked
        assert (await refusal(ada, **order))["field"] == ["variables", "colour"]
        assert listed(openrouter.text_calls[-1].body) == ["red"]


@pytest.mark.parametrize("api", ["text", "moderations"])
async def test_moderation_model_rejects_the_text_that_it_names(
    api: str, make_settings: Make, openrouter: ScriptedOpenRouter
) -> None:
    async with running(make_settings(api=api)) as server:
        ada = await server.api.sign_up()
        style = await create_unchecked(ada, openrouter, api)
        openrouter.script_texts(*verdicts(api, [False, True], [True, False], [False, False]))
        order: dict[str, Any] = {"styleId": style, "prompt": "At night", "variables": {"colour": "blood"}}
        assert (await refusal(ada, **order))["field"] == ["variables", "colour"]
        error = await refusal(ada, **order)
        assert (error["code"], error["field"]) == ("CONTENT_REJECTED", ["prompt"])
        await assert_nothing_happened(ada, openrouter)
        made = await ada.create(**order)
        assert (await ada.wait_for_end(made["generations"][0]["id"]))["status"] == "COMPLETED"
        call = openrouter.text_calls[-1]
        assert (call.path == moderations.PATH) == (api == "moderations")
        assert call.body["model"] == TEXT_MODEL
        assert call.headers["authorization"] == f"Bearer {KEY}"
        texts = call.body["input"] if api == "moderations" else listed(call.body)
        assert texts == ["At night", "blood"]


async def create_unchecked(ada: Api, openrouter: ScriptedOpenRouter, api: str) -> str:
    openrouter.script_texts(*verdicts(api, [False] * 3))
    castle = {"prompt": "A castle, {colour}", "variables": [{"name": "colour", "label": "Colour"}]}
    return str((await create(ada, **castle))["id"])


def listed(body: dict[str, Any]) -> Any:
    return json.loads(json.loads(body["messages"][-1]["content"]))


def verdicts(api: str, *verdicts: list[bool]) -> list[Response]:
    """The answers about as many texts as each has values."""
    if api == "moderations":
        return [moderations.judged(*flags) for flags in verdicts]
    rejected = [[at for at, flag in enumerate(flags) if flag] for flags in verdicts]
    return [answer.message(content=json.dumps({"rejected": positions})) for positions in rejected]


OUTAGES = {
    "401": status(401, "authentication"),
    "402": status(402, "payment_required"),
    "429": status(429, "rate_limit_exceeded"),
    "500": status(500, "server"),
    "an error in a 200": answer.error_in_200(502),
    "HTML": answer.html_200(),
    "nothing": answer.empty_200(),
    "prose": answer.message(content="I see no problem."),
    "a position that is none": answer.message(content='{"rejected": [7]}'),
    "too few results": moderations.judged(),
    "a result without a flag": answer.json_200({"results": [{"categories": {}}]}),
    "an endless body": answer.huge(),
    "a reset": answer.reset(),
}


@pytest.mark.any_database
@pytest.mark.parametrize("api", ["text", "moderations"])
async def test_outage_of_the_model_refuses_or_accepts_as_the_setting_says(
    api: str, make_settings: Make, openrouter: ScriptedOpenRouter
) -> None:
    async with running(make_settings(api=api)) as server:
        ada = await server.api.sign_up()
        for name, response in OUTAGES.items():
            openrouter.script_texts(response)
            calls = len(openrouter.text_calls)
            error = await refusal(ada, prompt="A fox")
            assert error["code"] == "UNAVAILABLE", name
            assert len(openrouter.text_calls) == calls + 1, name  # never repeated
        await assert_nothing_happened(ada, openrouter)
    async with running(make_settings(api=api, moderation_outage=ModerationOutage.OPEN)) as server:
        bob = await server.api.sign_up("bob@example.com")
        openrouter.script_texts(OUTAGES["500"])
        assert (await bob.create(prompt="A fox"))["errors"] == []


@pytest.mark.any_database
@pytest.mark.parametrize("api", ["text", "moderations"])
async def test_model_that_does_not_answer_refuses_or_accepts_as_the_setting_says(
    api: str, make_settings: Make, openrouter: ScriptedOpenRouter
) -> None:
    closed = make_settings(api=api, moderation_seconds=0.5)
    async with running(closed) as server:
        ada = await server.api.sign_up()
        openrouter.script_texts(answer.hang())
        assert (await refusal(ada, prompt="A fox"))["code"] == "UNAVAILABLE"
        await assert_nothing_happened(ada, openrouter)
    async with running(closed.model_copy(update={"moderation_outage": ModerationOutage.OPEN})) as server:
        bob = await server.api.sign_up("bob@example.com")
        openrouter.script_texts(answer.hang())
        assert (await bob.create(prompt="A fox"))["errors"] == []


@pytest.mark.any_database
@pytest.mark.parametrize(
    "response",
    [
        answer.refusal(),
        answer.message(content="", finish_reason="content_filter"),
        answer.moderation(),
        answer.message(content='```json\n{"rejected": [0]}\n```'),
    ],
    ids=["refusal", "content filter", "403", "fenced"],
)
async def test_text_model_that_refuses_to_judge_has_rejected(
    response: Response, make_settings: Make, openrouter: ScriptedOpenRouter
) -> None:
    async with running(make_settings(api="text")) as server:
        ada = await server.api.sign_up()
        openrouter.script_texts(response)
        assert (await refusal(ada, prompt="Something bad"))["code"] == "CONTENT_REJECTED"
        await assert_nothing_happened(ada, openrouter)


async def test_twenty_rejected_texts_stop_an_account_for_a_while(
    make_settings: Make, openrouter: ScriptedOpenRouter
) -> None:
    settings = make_settings("bomb", api="text", rate_limits=Switch.ON, rate_limit_generations_per_minute=0)
    async with running(settings, idle=True) as server:
        ada, bob = await server.api.sign_up(), await server.api.sign_up("bob@example.com")
        for _ in range(20):
            assert (await refusal(ada, prompt="A bomb"))["code"] == "CONTENT_REJECTED"
        assert openrouter.text_calls == []  # the blocklist alone has decided
        for image in (None, b"no picture"):  # which is not even decoded
            assert (await refusal(ada, image, prompt="A fox"))["code"] == "RATE_LIMITED"
        openrouter.script_texts(*verdicts("text", [False]))
        assert (await bob.create(prompt="A fox"))["errors"] == []


@pytest.mark.any_database
async def test_rate_limit_of_orders_is_applied_before_the_model_is_asked(
    make_settings: Make, openrouter: ScriptedOpenRouter
) -> None:
    settings = make_settings(api="text", rate_limits=Switch.ON, rate_limit_generations_per_minute=1)
    openrouter.script_texts(*verdicts("text", [False]))
    async with running(settings, idle=True) as server:
        ada = await server.api.sign_up()
        await ada.create(prompt="A fox")
        assert (await refusal(ada, prompt="A fox"))["code"] == "RATE_LIMITED"
        assert len(openrouter.text_calls) == 1


@pytest.mark.any_database
@pytest.mark.parametrize("reuses", [False, True])
async def test_model_is_not_asked_about_an_order_whose_photo_is_refused(
    make_settings: Make, openrouter: ScriptedOpenRouter, reuses: bool
) -> None:
    settings = make_settings(api="text", rate_limits=Switch.ON, rate_limit_generations_per_minute=1)
    openrouter.script_texts(*verdicts("text", [False]))
    async with running(settings, idle=True) as server:
        ada = await server.api.sign_up()
        style = await ada.style("cute", "plushify")
        await Collection.filter(slug="plushify").update(reuse_share=0.25)
        order: dict[str, Any] = {"prompt": "A fox", "styleId": style, "reuseResult": reuses}
        for _ in range(3):
            assert (await refusal(ada, uploadId=ids.new_id("upl"), **order))["code"] == "NOT_FOUND"
            assert (await refusal(ada, b"no picture", **order))["code"] == "INVALID_INPUT"
        assert openrouter.text_calls == []
        made = await ada.create(photo(), **order)
        assert [error["code"] for error in made["errors"]] == ["CONFLICT"] * reuses  # there is nothing to reuse
        assert len(openrouter.text_calls) == 1
        assert (await refusal(ada, photo(), **order))["code"] == "RATE_LIMITED"


@pytest.mark.any_database
async def test_orders_whose_texts_cannot_be_checked_count_towards_the_minute(
    make_settings: Make, openrouter: ScriptedOpenRouter
) -> None:
    settings = make_settings(api="text", rate_limits=Switch.ON, rate_limit_generations_per_minute=3)
    openrouter.script_texts(*verdicts("text", [False]))
    async with running(settings, idle=True) as server:
        ada = await server.api.sign_up()
        assert (await ada.create(prompt="A fox"))["errors"] == []
        openrouter.script_texts(OUTAGES["500"])
        codes = [(await refusal(ada, prompt="A crow"))["code"] for _ in range(4)]
        assert codes == ["UNAVAILABLE", "UNAVAILABLE", "RATE_LIMITED", "RATE_LIMITED"]
        assert len(openrouter.text_calls) == 3


@pytest.mark.any_database
async def test_enhanced_prompt_with_a_blocked_word_is_not_used(
    make_settings: Make, openrouter: ScriptedOpenRouter
) -> None:
    openrouter.script_texts(answer.message(content="A fox with a bomb, in oil."))
    async with running(make_settings("bomb")) as server:
        ada = await server.api.sign_up()
        made = await ada.create(prompt="A fox", enhancePrompt=True)
        ended = await ada.wait_for_end(made["generations"][0]["id"])
        assert ended["status"] == "COMPLETED"
        row = await Generation.get(id=ended["id"])
        assert not row.enhanced_prompt
        assert "“A fox”" in row.full_prompt


@pytest.mark.any_database
async def test_message_is_translated_and_repeats_no_text(make_settings: Make) -> None:
    async with running(make_settings("bomb"), idle=True) as server:
        ada = await server.api.sign_up()
        query = "mutation($input: CreateGenerationInput!) { createGeneration(input: $input) { errors { message } } }"
        answers = [
            (await ada.raw(query, input={"prompt": "A bomb"}, headers={"accept-language": language})).text
            for language in ("en", "zh-CN")
        ]
        assert "content rules" in answers[0]
        assert "内容规则" in json.dumps(json.loads(answers[1]), ensure_ascii=False)
        assert not any("bomb" in text for text in answers)
