"""Batches: several generations in one request, charged together or not at all, then independent."""

import asyncio

from models import Generation
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import CREATE, photo
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import picture, status
from tests.support.integrity import assert_invariants, count_rows


async def test_batch_stores_one_photo_and_a_ledger_line_for_each_generation(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    style = await ada.style("quiet-beach", "scenes")
    assert (await ada.one("{ viewer { maxBatch } }"))["maxBatch"] == 4
    for count in (1, 2, 3, 4):
        before = await count_rows()
        created = await ada.create(photo(64, 48), styleId=style, count=count)
        assert created["errors"] == []
        generations = created["generations"]
        assert len({generation["id"] for generation in generations}) == count
        assert len({generation["batchId"] for generation in generations}) == 1
        assert [generation["cost"] for generation in generations] == [5] * count
        after = await count_rows()
        assert {name: after[name] - before[name] for name in after} == {
            "generations": count,
            "files": 1,
            "lines": count,
        }
        lines = (await ada.ledger())[-count:]
        assert [line["amount"] for line in lines] == [-5] * count
        assert [line["generation"]["id"] for line in lines] == [generation["id"] for generation in generations]
        assert lines[-1]["balance"] == created["viewer"]["credits"]
    assert await ada.credits() == 10_000 - 5 * 10
    await assert_invariants(idle_server.services)


async def test_count_outside_1_to_max_batch_is_refused(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    for count in (0, 5, -1, 2**31 - 1, -(2**31)):
        refused = await ada.refused(CREATE, input={"prompt": "A fox", "count": count})
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["count"]), count
    for invalid in (2**31, 2**63, 1.5, "2", True):
        refused = await ada.refused(CREATE, input={"prompt": "A fox", "count": invalid})
        assert refused["code"] == "INVALID_INPUT", invalid
    assert await count_rows() == {"generations": 0, "files": 0, "lines": 0}
    assert len((await ada.create(prompt="A fox", count=None))["generations"]) == 1


async def test_batch_is_refused_whole_when_credits_cover_only_part_of_it(scripted_settings: Settings) -> None:
    async with running(scripted_settings.model_copy(update={"signup_credits": 39}), idle=True) as server:
        ada = await server.api.sign_up()
        noir = await ada.style("noir", "avenger")
        refused = await ada.refused(CREATE, {"input.image": photo()}, input={"styleId": noir, "count": 4})
        assert (refused["code"], refused["required"], refused["balance"]) == ("INSUFFICIENT_CREDITS", 40, 39)
        assert await count_rows() == {"generations": 0, "files": 0, "lines": 0}
        created = await ada.create(photo(), styleId=noir, count=3)
        assert (len(created["generations"]), created["viewer"]["credits"]) == (3, 9)


async def test_concurrent_batches_never_overspend(scripted_settings: Settings) -> None:
    async with running(scripted_settings.model_copy(update={"signup_credits": 10}), idle=True) as server:
        ada = await server.api.sign_up()
        found = await asyncio.gather(*(ada.create(photo(64, 48), prompt="A fox", count=3) for _ in range(8)))
        accepted = [created for created in found if created["generations"]]
        assert sorted(len(created["generations"]) for created in found) == [0] * 5 + [3] * 3
        assert all(
            created["errors"][0]["code"] == "INSUFFICIENT_CREDITS" for created in found if created not in accepted
        )
        assert await ada.credits() == 1
        await server.services.background.sweeper.sweep()  # removes the photos of the refused batches
        assert (await count_rows())["files"] == 3
        await assert_invariants(server.services, all_swept=True)


async def test_only_the_failed_generations_of_a_batch_are_refunded(
    scripted: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await scripted.api.sign_up()
    openrouter.script(picture(), status(500), picture(), status(400))
    created = await ada.create(photo(64, 48), styleId=await ada.style("quiet-beach", "scenes"), count=4)
    ended = await ada.wait_for_all([generation["id"] for generation in created["generations"]])
    assert sorted(one["status"] for one in ended) == ["COMPLETED", "COMPLETED", "FAILED", "FAILED"]
    assert all(one["refunded"] == (one["status"] == "FAILED") for one in ended)
    assert await ada.credits() == 10_000 - 10
    refunds = [line for line in await ada.ledger() if line["type"] == "REFUND"]
    assert {line["generation"]["id"] for line in refunds} == {one["id"] for one in ended if one["refunded"]}
    originals = {row.original_id for row in await Generation.all()}
    assert len(originals) == 1
    await assert_invariants(scripted.services, all_ended=True, all_swept=True)
