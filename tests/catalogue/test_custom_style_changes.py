"""Changes of custom styles: updates, deletion, limits, idempotency and invalid texts."""

import asyncio
import json
from typing import Any

from models import Generation, Style
from models.enum import ReferenceImage
from services.catalogue.custom_style import MAX_PER_ACCOUNT
from setting_types import Switch
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import CREATE, Api, photo
from tests.support.custom_styles import (
    CASTLE,
    COLOUR,
    CREATE_STYLE,
    DELETE_STYLE,
    NODE,
    QUOTE,
    RAIN,
    UPDATE_STYLE,
    create,
    delete,
    titles,
    update,
)
from tests.support.integrity import assert_invariants


async def test_update_keeps_omitted_fields_and_clears_null_fields(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    made = await create(ada, **CASTLE)
    id = made["id"]
    assert await update(ada, id) == made
    renamed = await update(ada, id, title=" Keep ", referenceImage="REQUIRED")
    assert renamed == {**made, "title": "Keep", "referenceImage": "REQUIRED"}
    assert await titles(ada, own=True, search="keep 城堡") == ["Keep"]
    cleared = await update(ada, id, description=None, category="", variables=None, prompt="A castle.")
    changed: dict[str, Any] = {
        "description": None,
        "category": None,
        "variables": [],
        "prompt": "A castle.",
        "usesSize": False,
    }
    assert cleared == {**renamed, **changed}
    assert await titles(ada, own=True, category="奇幻") == []

    async def localized_titles() -> list[str]:
        found = [await ada.raw(NODE, headers={"accept-language": each}, id=id) for each in ("en", "zh-CN")]
        return [one.json()["data"]["node"]["title"] for one in found]

    assert await localized_titles() == ["Keep", "城堡"]
    in_chinese = {"accept-language": "zh-CN"}
    assert (await ada.raw(UPDATE_STYLE, headers=in_chinese, id=id, input={"title": "要塞"})).json()["data"]
    assert await localized_titles() == ["Keep", "要塞"]
    await update(ada, id, translations=[{"locale": "zh", "description": "堡"}])
    assert await localized_titles() == ["Keep", "Keep"]
    await update(ada, id, translations=None)
    assert (await ada.raw(NODE, headers=in_chinese, id=id)).json()["data"]["node"]["description"] is None
    without_title = (await ada.raw(UPDATE_STYLE, headers=in_chinese, id=id, input={"translations": []})).json()["data"]
    error = without_title["updateStyle"]["errors"][0]
    assert error["field"] == ["title"], "the style would have no title in any language"
    for input in ({"title": None}, {"title": " "}, {"prompt": None}, {"prompt": ""}, {"referenceImage": None}):
        refused = await ada.refused(UPDATE_STYLE, id=id, input=input)
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", [*input]), input
    # Template and variables are validated together, whichever of the two has changed.
    refused = await ada.refused(UPDATE_STYLE, id=id, input={"variables": [COLOUR]})
    assert refused["field"] == ["prompt"]
    assert (await ada.one(NODE, id=id))["prompt"] == "A castle."


async def test_concurrent_updates_are_serialized_and_the_last_one_wins(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id = (await create(ada))["id"]
    for _ in range(5):
        drafts = [
            {"title": f"T{n}", "prompt": f"P {{v{n}}}", "variables": [{"name": f"v{n}", "label": "L"}]}
            for n in range(6)
        ]
        await asyncio.gather(*(update(ada, id, **draft) for draft in drafts))
        current = await ada.one(NODE, id=id)
        number = current["title"].removeprefix("T")
        assert (current["prompt"], current["variables"][0]["name"]) == (f"P {{v{number}}}", f"v{number}")
    for n in range(8):
        texts = {"title": f"T{n}", "description": f"D{n}", "category": f"C{n}"}
        await asyncio.gather(*(update(ada, id, **{name: text}) for name, text in texts.items()))
        current = await ada.one(NODE, id=id)
        assert {name: current[name] for name in texts} == texts  # no update reverted another
    responses = await asyncio.gather(
        *(ada.one(UPDATE_STYLE, id=id, input={"title": "X"}) for _ in range(3)), ada.one(DELETE_STYLE, id=id)
    )
    for response in responses[:3]:
        assert [error["code"] for error in response["errors"]] in ([], ["NOT_FOUND"])
    assert responses[3]["deletedIds"] == [id]
    assert await ada.one(NODE, id=id) is None


# History


async def test_update_and_deletion_leave_existing_generations_unchanged(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    version = (await ada.one("{ viewer { version } }"))["version"]
    made = await create(ada, title="Rain", prompt="Rain on {roof}.", variables=[{"name": "roof", "label": "Roof"}])
    (generation,) = (await ada.create(styleId=made["id"], variables={"roof": "tin"}))["generations"]
    query = """
    query($id: ID!) { node(id: $id) { ... on Generation { style { id title } styleTitle variables cost version } } }"""
    before, text = await ada.one(query, id=generation["id"]), (await Generation.get(id=generation["id"])).full_prompt
    assert before["style"] == {"id": made["id"], "title": "Rain"}
    await ada.one(QUOTE, input={"styleId": made["id"]})
    await update(ada, made["id"], title="Snow", prompt="Snow.", variables=[])
    after = await ada.one(query, id=generation["id"])
    assert after == {**before, "style": {"id": made["id"], "title": "Snow"}}
    (later,) = (await ada.create(styleId=made["id"]))["generations"]
    assert (later["styleTitle"], later["cost"]) == ("Snow", 1)
    # The prompt at the time of submission, not of the quote.
    assert "Snow." in (await Generation.get(id=later["id"])).full_prompt
    version += 2  # the two submissions; an account shows no styles
    await delete(ada, made["id"])
    assert (await ada.one("{ viewer { version } }"))["version"] == version
    assert await ada.one(query, id=generation["id"]) == {**before, "style": None}
    assert (await Generation.get(id=generation["id"])).full_prompt == text
    assert await titles(ada, own=True) == []
    gallery = "query($search: String) { viewer { generations(filter: {styleId: $search}) { nodes { id } } } }"
    found = (await ada.one(gallery.replace("String", "ID"), search=made["id"]))["generations"]["nodes"]
    assert {node["id"] for node in found} == {generation["id"], later["id"]}
    for operation, variables in (
        (CREATE, {"input": {"styleId": made["id"]}}),
        (QUOTE, {"input": {"styleId": made["id"]}}),
        (UPDATE_STYLE, {"id": made["id"], "input": {"title": "Back"}}),
        (DELETE_STYLE, {"id": made["id"]}),
    ):
        assert (await ada.refused(operation, None, **variables))["code"] == "NOT_FOUND"
    await idle_server.services.generations.worker.process(generation["id"])
    assert (await ada.generation(generation["id"]))["status"] == "COMPLETED"
    row = await Style.get(id=made["id"])  # the user's texts are removed
    assert (row.title, row.description, row.prompt, row.variables, row.search_text) == ({}, {}, "", [], "")
    await assert_invariants(idle_server.services)


# Limit and idempotency


async def test_custom_styles_of_an_account_are_limited(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    first = await Style.get(id=(await create(ada))["id"]).select_related("collection")
    blank = {"title": {}, "description": {}, "search_text": "", "prompt": "", "variables": [], "position": 0}
    more = [
        Style(
            slug=f"s{n}",
            collection=first.collection,
            owner_id=ada.user["id"],
            reference_image=ReferenceImage.OPTIONAL,
            **blank,
        )
        for n in range(MAX_PER_ACCOUNT - 2)
    ]
    await Style.bulk_create(more)
    responses = await asyncio.gather(*(ada.one(CREATE_STYLE, input=RAIN) for _ in range(5)))
    refused = [response["errors"][0] for response in responses if response["errors"]]
    assert len(refused) == 4
    assert {error["code"] for error in refused} == {"CONFLICT"}
    assert (await create(eve))["title"] == "Rain"
    await delete(ada, first.id)
    await create(ada)
    assert await Style.filter(owner_id=ada.user["id"], is_active=True).count() == MAX_PER_ACCOUNT


async def test_idempotent_replay_creates_one_style(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    made = await asyncio.gather(*(create(ada, **CASTLE, idempotencyKey="once") for _ in range(6)))
    assert {style["id"] for style in made} == {made[0]["id"]}
    assert len(await titles(ada, own=True)) == 1
    assert (await create(eve, **CASTLE, idempotencyKey="once"))["id"] != made[0]["id"]
    others: list[dict[str, Any]] = [
        {"title": "Other"},
        {"category": None},
        {"variables": [COLOUR]},
        {"translations": []},
    ]
    for other in others:
        refused = await ada.refused(CREATE_STYLE, input={**CASTLE, **other, "idempotencyKey": "once"})
        assert (refused["code"], refused["field"]) == ("CONFLICT", ["idempotencyKey"]), other
    for key in ("", "x" * 129, "a\x00"):
        refused = await ada.refused(CREATE_STYLE, input={**RAIN, "idempotencyKey": key})
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["idempotencyKey"])
    await delete(ada, made[0]["id"])
    refused = await ada.refused(CREATE_STYLE, input={**CASTLE, "idempotencyKey": "once"})
    assert (refused["code"], refused["field"]) == ("NOT_FOUND", ["idempotencyKey"])
    assert await titles(ada, own=True) == []


# Invalid input


async def test_invalid_texts_are_refused_with_their_field(ada: Api) -> None:
    def one(**more: Any) -> dict[str, Any]:
        return {"prompt": "{v}", "variables": [{"name": "v", "label": "L", **more}]}

    for input, field in (
        ({"title": ""}, ["title"]),
        ({"title": "x" * 101}, ["title"]),
        ({"title": "a\x00"}, ["title"]),
        ({"title": "\u202egnp.exe"}, ["title"]),
        ({"title": "two\nlines"}, ["title"]),
        ({"description": "x" * 501}, ["description"]),
        ({"description": "\x1b[31m"}, ["description"]),
        ({"category": "x" * 51}, ["category"]),
        ({"category": "two\nlines"}, ["category"]),
        ({"prompt": " \n"}, ["prompt"]),
        ({"prompt": "x" * 2001}, ["prompt"]),
        ({"prompt": "nul\x00"}, ["prompt"]),
        ({"prompt": "{" * 2000}, None),
        ({"prompt": "{" * 1999}, ["prompt"]),
        ({"prompt": "{{{size}}}" * 100 + "}"}, ["prompt"]),
        ({"prompt": "{a{b}}"}, ["prompt"]),
        ({"prompt": "{" + "x" * 1900 + "}"}, ["prompt"]),
        ({"prompt": "{unknown}"}, ["prompt"]),
        ({"variables": [COLOUR]}, ["prompt"]),
        (one(name="Upper"), ["variables", "0", "name"]),
        (one(name="size"), ["variables", "0", "name"]),
        ({"prompt": "{v}", "variables": [{"name": "v", "label": "L"}] * 2}, ["variables", "1", "name"]),
        (one(label=""), ["variables", "0", "label"]),
        (one(label="x" * 101), ["variables", "0", "label"]),
        (one(label="\u2066"), ["variables", "0", "label"]),
        (one(maxLength=0), ["variables", "0", "maxLength"]),
        (one(maxLength=201), ["variables", "0", "maxLength"]),
        (one(maxLength=-(2**31)), ["variables", "0", "maxLength"]),
        (one(options=["a", "A"]), ["variables", "0", "options"]),
        (one(options=[""]), ["variables", "0", "options"]),
        (one(options=["a\x00"]), ["variables", "0", "options"]),
        (one(options=["x"] * 51), ["variables", "0", "options"]),
        (one(options=["a"], default="b"), ["variables", "0", "default"]),
        (one(default="x" * 61), ["variables", "0", "default"]),
        ({"variables": [{"name": "v", "label": ""}] * 2000}, ["variables"]),
        (one(options=["a"] * 5000), ["variables", "0", "options"]),
        ({"translations": [{"locale": "fr"}]}, ["translations", "0", "locale"]),
        ({"translations": [{"locale": "x" * 9000}]}, ["translations", "0", "locale"]),
        ({"translations": [{"locale": "en"}]}, ["translations", "0", "locale"]),
        ({"translations": [{"locale": "zh"}, {"locale": "zh-CN"}]}, ["translations", "1", "locale"]),
        ({"translations": [{"locale": "zh", "title": "\x00"}]}, ["translations", "0", "title"]),
        ({"translations": [{"locale": "zh", "title": "x" * 101}]}, ["translations", "0", "title"]),
    ):
        if field is None:
            await create(ada, **input)
            continue
        refused = await ada.refused(CREATE_STYLE, input={**RAIN, **input})
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", field), str(input)[:80]
        assert len(refused["message"]) < 300
    assert await titles(ada, own=True) == ["Rain"]


async def test_texts_that_databases_reject_cause_no_internal_error(ada: Api) -> None:
    id = (await create(ada))["id"]
    operations: list[Any] = [
        lambda text: (CREATE_STYLE, {"input": {**RAIN, "title": text}}),
        lambda text: (CREATE_STYLE, {"input": {**RAIN, "prompt": text}}),
        lambda text: (CREATE_STYLE, {"input": {**RAIN, "collection": text}}),
        lambda text: (CREATE_STYLE, {"input": {**RAIN, "idempotencyKey": text}}),
        lambda text: (CREATE_STYLE, {"input": {**RAIN, "description": text, "idempotencyKey": "k" + str(len(text))}}),
        lambda text: (UPDATE_STYLE, {"id": text, "input": {}}),
        lambda text: (
            UPDATE_STYLE,
            {"id": id, "input": {"prompt": "{v}", "variables": [{"name": "v", "label": text}]}},
        ),
        lambda text: (UPDATE_STYLE, {"id": id, "input": {"translations": [{"locale": text}]}}),
        lambda text: (DELETE_STYLE, {"id": text}),
    ]
    for operation in operations:
        for text in ("a\x00b", "\ud800", "%_\\' OR 1=1 --", "x" * 90_000, "{" * 1000):
            query, variables = operation(text)
            body = json.dumps({"query": query, "variables": variables})
            headers = ada.headers(**{"content-type": "application/json"})
            response = (await ada.http.post("/graphql", content=body, headers=headers)).text
            assert "INTERNAL" not in response, (query, text[:20], response)
            assert "UNAVAILABLE" not in response, (query, text[:20], response)
    # Multipart requests may be as large as a photo, and so may a text in them.
    large = await ada.raw(CREATE_STYLE, {"input.nothing": photo()}, input={**RAIN, "title": "x" * 1_000_000})
    assert "Rain" not in large.text
    assert "INTERNAL" not in large.text


async def test_styles_that_are_created_and_deleted_in_a_loop_are_limited(settings: Settings) -> None:
    changes = {"rate_limits": Switch.ON, "redis_url": None}
    async with running(settings.model_copy(update=changes), idle=True) as server:
        ada = await server.api.sign_up()
        for number in range(60):
            style = await create(ada, title=f"Rain {number}", prompt="Rain")
            assert (await ada.one(DELETE_STYLE, id=style["id"]))["errors"] == []
        assert (await ada.refused(CREATE_STYLE, input=RAIN))["code"] == "RATE_LIMITED"
