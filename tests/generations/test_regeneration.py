"""The same again, and variations: words and pictures of then, at today's price, as one order that is paid for once."""

import asyncio
from typing import Any

import pytest

from models import Collection, File, Generation, Style
from models.database.connection import is_postgres, rows, run_tx
from services.events import account_change
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import REGENERATE, Api, photo, until
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import data_url, good_picture, picture, status
from tests.support.integrity import assert_invariants, count_rows, make_member

DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds } }"
PARENT = "query($id: ID!) { viewer { generation(id: $id) { parent { id status parent { id } } } } }"
# What "the same again" means, and what is the same in a variation.
INPUT = ("full_prompt", "variables", "size", "quality", "aspect_ratio", "requested_model", "original_id", "prompt")
KEPT = ("variables", "size", "quality", "aspect_ratio", "requested_model", "prompt", "style_id", "style_title")
HERO: dict[str, Any] = {
    "prompt": "In the rain",
    "variables": {"powers": "flight"},
    "size": "LARGE",
    "quality": "HD",
    "aspectRatio": "3:2",
    "model": "google/gemini-2.5-flash-image",
}


async def again(api: Api, id: str, **input: Any) -> list[Any]:
    """The generations that were made of `id`."""
    made = await api.one(REGENERATE, input={"id": id, **input})
    assert made["errors"] == [], made
    return list(made["generations"])


async def hero(api: Api) -> str:
    made = await api.create(photo(64, 48), styleId=await api.style("noir", "avenger"), **HERO)
    assert made["errors"] == [], made
    return str(made["generations"][0]["id"])


async def finished(server: Running, api: Api, **input: Any) -> str:
    """A COMPLETED generation, of words alone unless `input` says otherwise."""
    made = await api.create(**(input or {"prompt": "A fox"}))
    assert made["errors"] == [], made
    (generation,) = made["generations"]
    await server.services.generations.worker.process(generation["id"])
    assert (await api.generation(generation["id"]))["status"] == "COMPLETED"
    return str(generation["id"])


def words(row: Generation, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


# The same again


async def test_the_same_again_is_the_same_input_and_the_same_photo(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    id = await hero(ada)
    await idle_server.services.generations.worker.process(id)
    files = (await count_rows())["files"]
    made = await ada.one(REGENERATE, input={"id": id, "count": 3})
    assert made["errors"] == []
    assert [one["cost"] for one in made["generations"]] == [20] * 3
    assert [one["parent"] for one in made["generations"]] == [{"id": id}] * 3
    assert len({one["batchId"] for one in made["generations"]}) == 1
    assert made["viewer"]["credits"] == await ada.credits() == 10_000 - 20 * 4
    assert [line["amount"] for line in await ada.ledger()] == [10_000, -20, -20, -20, -20]
    assert (await count_rows())["files"] == files  # no copy of the photo
    source = await Generation.get(id=id)
    for one in made["generations"]:
        row = await Generation.get(id=one["id"])
        assert words(row, *INPUT, "style_id") == words(source, *INPUT, "style_id")
        await idle_server.services.generations.worker.process(one["id"])
        assert (await ada.generation(one["id"]))["status"] == "COMPLETED"
    assert [call.body for call in openrouter.calls] == [openrouter.calls[0].body] * 4
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_whatever_became_of_it_can_be_made_again(idle_server: Running, openrouter: ScriptedOpenRouter) -> None:
    ada = await idle_server.api.sign_up()
    failed, canceled, waiting = [await hero(ada) for _ in range(3)]
    openrouter.script(status(500), picture())
    await idle_server.services.generations.worker.process(failed)
    await idle_server.services.generations.requests.cancel(str(ada.user["id"]), canceled)
    for id, was in ((failed, "FAILED"), (canceled, "CANCELED"), (waiting, "PENDING")):
        before = await ada.generation(id)
        assert before["status"] == was
        (one,) = await again(ada, id)
        await idle_server.services.generations.worker.process(one["id"])
        assert (await ada.generation(one["id"]))["status"] == "COMPLETED"
        assert {**await ada.generation(id), "original": None} == {**before, "original": None}
    await assert_invariants(idle_server.services)


async def test_it_is_sold_on_todays_terms(idle_server: Running, openrouter: ScriptedOpenRouter) -> None:
    ada = await idle_server.api.sign_up()
    id = await hero(ada)
    await Style.filter(slug="noir").update(cost=7)
    await Collection.filter(slug="avenger").update(refund_policy="NEVER")
    (one,) = await again(ada, id)
    assert one["cost"] == 14
    openrouter.script(status(500))
    await idle_server.services.generations.worker.process(one["id"])
    ended = await ada.generation(one["id"])
    assert (ended["status"], ended["refunded"]) == ("FAILED", False)
    assert (await Generation.get(id=id)).refund_policy == "BEFORE_PROVIDER"
    await Style.filter(slug="noir").update(members_only=True)
    refused = await ada.refused(REGENERATE, input={"id": id})
    assert (refused["code"], refused["field"]) == ("MEMBERSHIP_REQUIRED", ["id"])
    await make_member(str(ada.user["id"]))
    (first,) = await again(ada, id)
    assert (await Generation.get(id=first["id"])).priority == 1
    await assert_invariants(idle_server.services)


async def test_what_is_no_longer_offered_cannot_be_made_again(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id = await hero(ada)
    style, collection = Style.filter(slug="noir"), Collection.filter(slug="avenger")
    before = await count_rows(), await ada.credits()
    for table, gone, here in (
        (style, {"is_active": False}, {"is_active": True}),
        (collection, {"is_active": False}, {"is_active": True}),
        (collection, {"qualities": {"STANDARD": 1.0}}, {"qualities": {"STANDARD": 1.0, "HD": 2.0}}),
        (Generation.filter(id=id), {"requested_model": "x/gone"}, {"requested_model": HERO["model"]}),
        (Generation.filter(id=id), {"style_id": None}, {"style_id": (await Generation.get(id=id)).style_id}),
    ):
        await table.update(**gone)
        refused = await ada.refused(REGENERATE, input={"id": id})
        assert (refused["code"], refused["field"]) == ("CONFLICT", ["id"]), gone
        assert "offered" in refused["message"]
        await table.update(**here)
    assert (await count_rows(), await ada.credits()) == before
    assert len(await again(ada, id)) == 1


@pytest.mark.any_database
async def test_a_count_outside_1_to_max_batch_is_refused(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id = await hero(ada)
    for count in (0, 5, -1):
        refused = await ada.refused(REGENERATE, input={"id": id, "count": count})
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["count"])
    assert (await count_rows())["generations"] == 1


async def test_credits_for_one_of_two_buy_none(scripted_settings: Settings) -> None:
    async with running(scripted_settings.model_copy(update={"signup_credits": 59}), idle=True) as server:
        ada = await server.api.sign_up()
        id = await hero(ada)
        refused = await ada.refused(REGENERATE, input={"id": id, "count": 2})
        assert (refused["code"], refused["required"], refused["balance"]) == ("INSUFFICIENT_CREDITS", 40, 39)
        # Twenty at once, of which one can be paid for, although every one of them saw enough.
        found = await asyncio.gather(*(ada.one(REGENERATE, input={"id": id}) for _ in range(20)))
        assert sorted(len(made["generations"]) for made in found) == [0] * 19 + [1]
        assert await ada.credits() == 19
        await assert_invariants(server.services)


async def test_a_strangers_generation_and_a_deleted_one_are_not_there(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    id = await finished(idle_server, ada)
    for variation in (False, True):
        refused = await eve.refused(REGENERATE, input={"id": id, "asVariation": variation})
        assert (refused["code"], refused["field"]) == ("NOT_FOUND", ["id"])
    await ada.ask(DELETE, ids=[id])
    assert await ada.refused(REGENERATE, input={"id": id}) == refused
    assert await eve.credits() == 10_000


@pytest.mark.parametrize("variation", [False, True], ids=["same", "variation"])
async def test_a_deletion_that_comes_in_between_is_seen_before_anything_is_paid(
    idle_server: Running, variation: bool
) -> None:
    ada = await idle_server.api.sign_up()
    id, user_id = await finished(idle_server, ada), str(ada.user["id"])
    taken = asyncio.Event()

    async def waited_for() -> bool:
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        return bool(await rows(waiting))

    async def delete() -> None:
        await account_change.bump_version(user_id)  # takes the account's row, so that the other may look, but not pay
        taken.set()
        if is_postgres(idle_server.settings.database):
            await until(waited_for)
        await idle_server.services.gallery.deletion.delete(user_id, [id])

    deletion = asyncio.create_task(run_tx(delete))
    await taken.wait()
    refused = await ada.refused(REGENERATE, input={"id": id, "asVariation": variation})
    await deletion
    assert (refused["code"], refused["field"]) == ("NOT_FOUND", ["id"])
    assert await ada.credits() == 10_000 - 1
    await assert_invariants(idle_server.services)


# Variations


async def test_a_variation_begins_with_the_result_and_asks_for_something_similar(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    id = await hero(ada)
    await idle_server.services.generations.worker.process(id)
    source = await Generation.get(id=id)
    (one,) = await again(ada, id, asVariation=True)
    row = await Generation.get(id=one["id"])
    assert (one["parent"], one["cost"]) == ({"id": id}, 20)
    assert words(row, *KEPT) == words(source, *KEPT)
    assert row.original_id == source.result_id
    await idle_server.services.generations.worker.process(one["id"])
    assert (await ada.generation(one["id"]))["status"] == "COMPLETED"
    [asked] = openrouter.calls[1].body["messages"]
    text, image = asked["content"]
    assert image["image_url"]["url"] == data_url(
        await idle_server.services.media.files.read(await File.get(id=row.original_id))
    )
    assert "but not the same" in text["text"]
    assert text["text"].endswith(source.full_prompt)
    # A variation of a variation is one of the same description; the request is not piled on itself.
    (next_one,) = await again(ada, one["id"], asVariation=True)
    further = await Generation.get(id=next_one["id"])
    assert (further.full_prompt, further.original_id) == (row.full_prompt, (await Generation.get(id=row.id)).result_id)
    # The same again of a variation is another variation of the same picture.
    (sibling,) = await again(ada, one["id"])
    assert words(await Generation.get(id=sibling["id"]), *INPUT) == words(row, *INPUT)
    await assert_invariants(idle_server.services)


@pytest.mark.any_database
async def test_a_style_that_takes_no_photo_can_be_varied(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    await Style.filter(slug="quiet-beach").update(reference_image="UNUSED")
    id = await finished(idle_server, ada, styleId=await ada.style("quiet-beach", "scenes"))
    (one,) = await again(ada, id, asVariation=True)
    await idle_server.services.generations.worker.process(one["id"])
    ended = await ada.generation(one["id"])
    assert (ended["status"], ended["cost"]) == ("COMPLETED", 5)
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


@pytest.mark.any_database
async def test_only_a_finished_picture_can_be_varied(idle_server: Running, openrouter: ScriptedOpenRouter) -> None:
    ada = await idle_server.api.sign_up()
    failed, canceled, waiting = [await hero(ada) for _ in range(3)]
    openrouter.script(status(500))
    await idle_server.services.generations.worker.process(failed)
    await idle_server.services.generations.requests.cancel(str(ada.user["id"]), canceled)
    before = await count_rows(), await ada.credits()
    for id in (failed, canceled, waiting):
        refused = await ada.refused(REGENERATE, input={"id": id, "asVariation": True})
        assert (refused["code"], refused["field"]) == ("CONFLICT", ["id"])
    assert (await count_rows(), await ada.credits()) == before


@pytest.mark.any_database
async def test_demo_variations_are_pictures_of_their_own(settings: Settings) -> None:
    async with running(settings, idle=True) as server:
        ada = await server.api.sign_up()
        id = await finished(server, ada)
        made = await again(ada, id, asVariation=True, count=2)
        for one in made:
            await server.services.generations.worker.process(one["id"])
        rows = await Generation.present().filter(id__in=[id, *(one["id"] for one in made)])
        assert len({row.result.sha256 for row in rows if row.result}) == 3


# What it was made from


async def test_what_was_made_lives_on_when_its_parent_is_deleted(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    id = await hero(ada)
    await idle_server.services.generations.worker.process(id)
    (same,), (varied,) = await again(ada, id), await again(ada, id, asVariation=True)
    (grandchild,) = await again(ada, same["id"])
    shown = await ada.one(PARENT, id=grandchild["id"])
    assert shown["generation"]["parent"] == {"id": same["id"], "status": "PENDING", "parent": {"id": id}}
    assert (await eve.one(PARENT, id=grandchild["id"]))["generation"] is None
    assert (await ada.one(DELETE, ids=[id]))["deletedIds"] == [id]
    await idle_server.services.background.sweeper.sweep()
    assert (await ada.one(PARENT, id=same["id"]))["generation"]["parent"] is None
    for one in (same, varied):
        await idle_server.services.generations.worker.process(one["id"])
        assert (await ada.generation(one["id"]))["status"] == "COMPLETED"
    assert openrouter.calls[1].body == openrouter.calls[0].body
    assert openrouter.calls[2].body["messages"][0]["content"][1]["image_url"]["url"] != data_url(good_picture())
    await assert_invariants(idle_server.services, all_swept=True)


# Once


async def test_a_repeated_request_is_one_order(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id, other = await hero(ada), await hero(ada)
    keyed: dict[str, Any] = {"id": id, "count": 2, "idempotencyKey": "once"}
    first = await again(ada, **keyed)
    rows, credits = await count_rows(), await ada.credits()
    assert await again(ada, **keyed, asVariation=False) == first
    assert (await count_rows(), await ada.credits()) == (rows, credits)
    for changed in ({"id": other}, {"count": 1}, {"asVariation": True}):
        refused = await ada.refused(REGENERATE, input={**keyed, **changed})
        assert (refused["code"], refused["field"]) == ("CONFLICT", ["idempotencyKey"])
    made = await ada.create(prompt="A fox", idempotencyKey="once")  # another operation's keys are others
    assert len(made["generations"]) == 1


@pytest.mark.parametrize("variation", [False, True], ids=["same", "variation"])
async def test_one_key_twenty_times_at_once_is_one_order(idle_server: Running, variation: bool) -> None:
    ada = await idle_server.api.sign_up()
    id = await finished(idle_server, ada)
    keyed = {"asVariation": variation, "count": 2, "idempotencyKey": "key"}
    found = await asyncio.gather(*(again(ada, id, **keyed) for _ in range(20)))
    assert found == [found[0]] * 20
    assert await ada.credits() == 10_000 - 3
    assert (await count_rows())["generations"] == 3
    await assert_invariants(idle_server.services)


async def test_a_key_of_what_was_deleted_since_sells_nothing_again(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id = await finished(idle_server, ada)
    first, second = await again(ada, id, count=2, idempotencyKey="key")
    await ada.ask(DELETE, ids=[first["id"], id])
    left = await again(ada, id, count=2, idempotencyKey="key")
    assert [one["id"] for one in left] == [second["id"]]
    await ada.ask(DELETE, ids=[second["id"]])
    credits = await ada.credits()
    assert await again(ada, id, count=2, idempotencyKey="key") == []
    assert await ada.credits() == credits
