"""Regeneration and variations: the original input at the current price, charged once per idempotency key."""

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
from tests.support.fakes.openrouter_response import data_url, picture, status
from tests.support.integrity import assert_invariants, count_rows, make_member

DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds } }"
PARENT = "query($id: ID!) { viewer { generation(id: $id) { parent { id status parent { id } } } } }"
# What a regeneration copies, and what a variation copies.
INPUT = ("full_prompt", "variables", "size", "quality", "aspect_ratio", "requested_model", "original_id", "prompt")
KEPT = ("variables", "size", "quality", "aspect_ratio", "requested_model", "prompt", "style_id", "style_title")
HERO: dict[str, Any] = {
    "prompt": "In the rain",
    "variables": {"powers": "flight"},
    "size": "LARGE",
    "quality": "HD",
    "aspectRatio": "3:2",
    "model": "google/gemini-3.1-flash-image",
}


async def regenerate(api: Api, id: str, **input: Any) -> list[Any]:
    """Return the new generations from `id`."""
    created = await api.one(REGENERATE, input={"id": id, **input})
    assert created["errors"] == [], created
    return list(created["generations"])


async def submit_hero(api: Api) -> str:
    created = await api.create(photo(64, 48), styleId=await api.style("noir", "avenger"), **HERO)
    assert created["errors"] == [], created
    return str(created["generations"][0]["id"])


async def completed(server: Running, api: Api, **input: Any) -> str:
    """Create and complete a generation, from a prompt alone unless `input` is given."""
    created = await api.create(**(input or {"prompt": "A fox"}))
    assert created["errors"] == [], created
    (generation,) = created["generations"]
    await server.services.generations.worker.process(generation["id"])
    assert (await api.generation(generation["id"]))["status"] == "COMPLETED"
    return str(generation["id"])


def fields_of(row: Generation, *names: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


# Regeneration


async def test_regeneration_uses_the_same_input_and_the_same_photo(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    id = await submit_hero(ada)
    await idle_server.services.generations.worker.process(id)
    files = (await count_rows())["files"]
    created = await ada.one(REGENERATE, input={"id": id, "count": 3})
    assert created["errors"] == []
    assert [one["cost"] for one in created["generations"]] == [20] * 3
    assert [one["parent"] for one in created["generations"]] == [{"id": id}] * 3
    assert len({one["batchId"] for one in created["generations"]}) == 1
    assert created["viewer"]["credits"] == await ada.credits() == 10_000 - 10 - 20 * 3  # the first came as STANDARD
    assert [line["amount"] for line in await ada.ledger()] == [10_000, -20, 10, -20, -20, -20]
    assert (await count_rows())["files"] == files  # no copy of the photo
    source = await Generation.get(id=id)
    for one in created["generations"]:
        row = await Generation.get(id=one["id"])
        assert fields_of(row, *INPUT, "style_id") == fields_of(source, *INPUT, "style_id")
        await idle_server.services.generations.worker.process(one["id"])
        assert (await ada.generation(one["id"]))["status"] == "COMPLETED"
    assert [call.body for call in openrouter.calls] == [openrouter.calls[0].body] * 4
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_generation_of_any_status_can_be_regenerated(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    failed, canceled, waiting = [await submit_hero(ada) for _ in range(3)]
    openrouter.script(status(500), picture())
    await idle_server.services.generations.worker.process(failed)
    await idle_server.services.generations.requests.cancel(str(ada.user["id"]), canceled)
    for id, status_before in ((failed, "FAILED"), (canceled, "CANCELED"), (waiting, "PENDING")):
        before = await ada.generation(id)
        assert before["status"] == status_before
        (one,) = await regenerate(ada, id)
        await idle_server.services.generations.worker.process(one["id"])
        assert (await ada.generation(one["id"]))["status"] == "COMPLETED"
        assert {**await ada.generation(id), "original": None} == {**before, "original": None}
    await assert_invariants(idle_server.services)


async def test_regeneration_uses_current_price_policy_and_priority(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    id = await submit_hero(ada)
    await Style.filter(slug="noir").update(cost=7)
    await Collection.filter(slug="avenger").update(refund_policy="NEVER")
    (one,) = await regenerate(ada, id)
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
    (first,) = await regenerate(ada, id)
    assert (await Generation.get(id=first["id"])).priority == 1
    await assert_invariants(idle_server.services)


async def test_regeneration_is_refused_for_what_is_no_longer_offered(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id = await submit_hero(ada)
    style, collection = Style.filter(slug="noir"), Collection.filter(slug="avenger")
    before = await count_rows(), await ada.credits()
    for table, removed, restored in (
        (style, {"is_active": False}, {"is_active": True}),
        (collection, {"is_active": False}, {"is_active": True}),
        (collection, {"qualities": {"STANDARD": 1.0}}, {"qualities": {"STANDARD": 1.0, "HD": 2.0}}),
        (Generation.filter(id=id), {"requested_model": "x/gone"}, {"requested_model": HERO["model"]}),
        (Generation.filter(id=id), {"style_id": None}, {"style_id": (await Generation.get(id=id)).style_id}),
    ):
        await table.update(**removed)
        refused = await ada.refused(REGENERATE, input={"id": id})
        assert (refused["code"], refused["field"]) == ("CONFLICT", ["id"]), removed
        assert "offered" in refused["message"]
        await table.update(**restored)
    assert (await count_rows(), await ada.credits()) == before
    assert len(await regenerate(ada, id)) == 1


@pytest.mark.any_database
async def test_regeneration_count_outside_1_to_max_batch_is_refused(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id = await submit_hero(ada)
    for count in (0, 5, -1):
        refused = await ada.refused(REGENERATE, input={"id": id, "count": count})
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["count"])
    assert (await count_rows())["generations"] == 1


async def test_regeneration_is_refused_whole_when_credits_cover_only_part_of_it(scripted_settings: Settings) -> None:
    async with running(scripted_settings.model_copy(update={"signup_credits": 59}), idle=True) as server:
        ada = await server.api.sign_up()
        id = await submit_hero(ada)
        refused = await ada.refused(REGENERATE, input={"id": id, "count": 2})
        assert (refused["code"], refused["required"], refused["balance"]) == ("INSUFFICIENT_CREDITS", 40, 39)
        # Twenty concurrent requests with credits for one, although each of them read a sufficient balance.
        found = await asyncio.gather(*(ada.one(REGENERATE, input={"id": id}) for _ in range(20)))
        assert sorted(len(created["generations"]) for created in found) == [0] * 19 + [1]
        assert await ada.credits() == 19
        await assert_invariants(server.services)


async def test_regenerating_another_users_or_a_deleted_generation_is_not_found(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    id = await completed(idle_server, ada)
    for variation in (False, True):
        refused = await eve.refused(REGENERATE, input={"id": id, "asVariation": variation})
        assert (refused["code"], refused["field"]) == ("NOT_FOUND", ["id"])
    await ada.execute(DELETE, ids=[id])
    assert await ada.refused(REGENERATE, input={"id": id}) == refused
    assert await eve.credits() == 10_000


@pytest.mark.parametrize("variation", [False, True], ids=["same", "variation"])
async def test_deletion_between_check_and_submission_refuses_without_a_charge(
    idle_server: Running, variation: bool
) -> None:
    ada = await idle_server.api.sign_up()
    id, user_id = await completed(idle_server, ada), str(ada.user["id"])
    locked = asyncio.Event()

    async def is_waited_for() -> bool:
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        return bool(await rows(waiting))

    async def delete() -> None:
        await account_change.bump_version(user_id)  # locks the account's row: the request can read, but not charge
        locked.set()
        if is_postgres(idle_server.settings.database):
            await until(is_waited_for)
        await idle_server.services.gallery.deletion.delete(user_id, [id])

    deletion = asyncio.create_task(run_tx(delete))
    await locked.wait()
    refused = await ada.refused(REGENERATE, input={"id": id, "asVariation": variation})
    await deletion
    assert (refused["code"], refused["field"]) == ("NOT_FOUND", ["id"])
    assert await ada.credits() == 10_000 - 1
    await assert_invariants(idle_server.services)


# Variations


async def test_variation_sends_the_result_and_requests_a_similar_image(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    id = await submit_hero(ada)
    await idle_server.services.generations.worker.process(id)
    source = await Generation.get(id=id)
    (one,) = await regenerate(ada, id, asVariation=True)
    row = await Generation.get(id=one["id"])
    assert (one["parent"], one["cost"]) == ({"id": id}, 20)
    assert fields_of(row, *KEPT) == fields_of(source, *KEPT)
    assert row.original_id == source.result_id
    await idle_server.services.generations.worker.process(one["id"])
    assert (await ada.generation(one["id"]))["status"] == "COMPLETED"
    [sent] = openrouter.calls[1].body["messages"]
    text, image = sent["content"]
    assert image["image_url"]["url"] == data_url(
        await idle_server.services.media.files.read(await File.get(id=row.original_id))
    )
    assert "but not the same" in text["text"]
    assert text["text"].endswith(source.full_prompt)
    # A variation of a variation has the same description; the request for a variation is not nested.
    (next_one,) = await regenerate(ada, one["id"], asVariation=True)
    further = await Generation.get(id=next_one["id"])
    assert (further.full_prompt, further.original_id) == (row.full_prompt, (await Generation.get(id=row.id)).result_id)
    # Regenerating a variation is another variation of the same image.
    (sibling,) = await regenerate(ada, one["id"])
    assert fields_of(await Generation.get(id=sibling["id"]), *INPUT) == fields_of(row, *INPUT)
    await assert_invariants(idle_server.services)


@pytest.mark.any_database
async def test_generation_of_a_style_without_a_photo_can_be_varied(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    await Style.filter(slug="quiet-beach").update(reference_image="UNUSED")
    id = await completed(idle_server, ada, styleId=await ada.style("quiet-beach", "scenes"))
    (one,) = await regenerate(ada, id, asVariation=True)
    await idle_server.services.generations.worker.process(one["id"])
    ended = await ada.generation(one["id"])
    assert (ended["status"], ended["cost"]) == ("COMPLETED", 5)
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


@pytest.mark.any_database
async def test_only_a_completed_generation_can_be_varied(idle_server: Running, openrouter: ScriptedOpenRouter) -> None:
    ada = await idle_server.api.sign_up()
    failed, canceled, waiting = [await submit_hero(ada) for _ in range(3)]
    openrouter.script(status(500))
    await idle_server.services.generations.worker.process(failed)
    await idle_server.services.generations.requests.cancel(str(ada.user["id"]), canceled)
    before = await count_rows(), await ada.credits()
    for id in (failed, canceled, waiting):
        refused = await ada.refused(REGENERATE, input={"id": id, "asVariation": True})
        assert (refused["code"], refused["field"]) == ("CONFLICT", ["id"])
    assert (await count_rows(), await ada.credits()) == before


@pytest.mark.any_database
async def test_demo_variations_are_different_images(settings: Settings) -> None:
    async with running(settings, idle=True) as server:
        ada = await server.api.sign_up()
        id = await completed(server, ada)
        created = await regenerate(ada, id, asVariation=True, count=2)
        for one in created:
            await server.services.generations.worker.process(one["id"])
        rows = await Generation.present().filter(id__in=[id, *(one["id"] for one in created)])
        assert len({row.result.sha256 for row in rows if row.result}) == 3


# Parents


async def test_regenerations_survive_the_deletion_of_their_parent(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    id = await submit_hero(ada)
    await idle_server.services.generations.worker.process(id)
    (same,), (varied,) = await regenerate(ada, id), await regenerate(ada, id, asVariation=True)
    (grandchild,) = await regenerate(ada, same["id"])
    shown = await ada.one(PARENT, id=grandchild["id"])
    assert shown["generation"]["parent"] == {"id": same["id"], "status": "PENDING", "parent": {"id": id}}
    assert (await eve.one(PARENT, id=grandchild["id"]))["generation"] is None
    result = await File.get(id=(await Generation.get(id=id)).result_id)
    varied_picture = await idle_server.services.media.files.read(result)
    assert (await ada.one(DELETE, ids=[id]))["deletedIds"] == [id]
    await idle_server.services.background.sweeper.sweep()
    assert (await ada.one(PARENT, id=same["id"]))["generation"]["parent"] is None
    for one in (same, varied):
        await idle_server.services.generations.worker.process(one["id"])
        assert (await ada.generation(one["id"]))["status"] == "COMPLETED"
    assert openrouter.calls[1].body == openrouter.calls[0].body
    assert openrouter.calls[2].body["messages"][0]["content"][1]["image_url"]["url"] == data_url(varied_picture)
    await assert_invariants(idle_server.services, all_swept=True)


# Idempotency


async def test_repeated_regeneration_with_one_key_is_one_request(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id, other = await submit_hero(ada), await submit_hero(ada)
    keyed: dict[str, Any] = {"id": id, "count": 2, "idempotencyKey": "once"}
    first = await regenerate(ada, **keyed)
    rows, credits = await count_rows(), await ada.credits()
    assert await regenerate(ada, **keyed, asVariation=False) == first
    assert (await count_rows(), await ada.credits()) == (rows, credits)
    for changed in ({"id": other}, {"count": 1}, {"asVariation": True}):
        refused = await ada.refused(REGENERATE, input={**keyed, **changed})
        assert (refused["code"], refused["field"]) == ("CONFLICT", ["idempotencyKey"])
    created = await ada.create(prompt="A fox", idempotencyKey="once")  # keys are separate for each operation
    assert len(created["generations"]) == 1


@pytest.mark.parametrize("variation", [False, True], ids=["same", "variation"])
async def test_twenty_concurrent_regenerations_with_one_key_are_one_request(
    idle_server: Running, variation: bool
) -> None:
    ada = await idle_server.api.sign_up()
    id = await completed(idle_server, ada)
    keyed = {"asVariation": variation, "count": 2, "idempotencyKey": "key"}
    found = await asyncio.gather(*(regenerate(ada, id, **keyed) for _ in range(20)))
    assert found == [found[0]] * 20
    assert await ada.credits() == 10_000 - 3
    assert (await count_rows())["generations"] == 3
    await assert_invariants(idle_server.services)


async def test_idempotent_replay_of_deleted_generations_submits_nothing(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id = await completed(idle_server, ada)
    first, second = await regenerate(ada, id, count=2, idempotencyKey="key")
    await ada.execute(DELETE, ids=[first["id"], id])
    left = await regenerate(ada, id, count=2, idempotencyKey="key")
    assert [one["id"] for one in left] == [second["id"]]
    await ada.execute(DELETE, ids=[second["id"]])
    credits = await ada.credits()
    assert await regenerate(ada, id, count=2, idempotencyKey="key") == []
    assert await ada.credits() == credits
