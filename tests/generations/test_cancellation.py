"""Cancellation: refunded only before the provider call, and one final status in every race."""

import asyncio
import random

from models import File, Generation
from models.database.connection import rows
from models.enum import ErrorCode, FileKind
from services.core.error import ConflictError
from services.core.lease import LeaseLostError
from services.generations.claim import Claim
from services.integrations.providers.protocol import FinalImage
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import CANCEL, PATIENCE, PROGRESS, Api, photo
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import hang, picture
from tests.support.integrity import assert_invariants, stored_keys

FINAL = ("COMPLETED", "FAILED", "CANCELED")


async def submit(api: Api, slug: str = "free", collection: str = "sandbox") -> str:
    created = await api.create(photo(64, 48), styleId=await api.style(slug, collection), prompt="A fox")
    assert created["errors"] == []
    return str(created["generations"][0]["id"])


async def test_cancel_of_a_waiting_generation_is_refunded_by_every_policy(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    for slug, collection in (("free", "sandbox"), ("noir", "avenger")):
        id = await submit(ada, slug, collection)
        canceled = await ada.one(CANCEL, id=id)
        assert canceled["errors"] == []
        generation = canceled["generation"]
        assert (generation["status"], generation["stage"], generation["refunded"]) == ("CANCELED", "CANCELED", True)
        assert generation["completedAt"] is not None
        await idle_server.services.generations.worker.process(id)  # its wake-up arrives all the same
        assert await ada.generation(id) == generation
    assert openrouter.calls == []
    assert await ada.credits() == 10_000
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_cancel_refunds_only_before_the_provider_was_called(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    for called in (False, True):
        for slug, collection, cost in (("free", "sandbox", 1), ("noir", "avenger", 10)):
            before = await ada.credits()
            id = await submit(ada, slug, collection)
            claim = await Claim.take(id, "worker", 60, 4)
            assert claim is not None
            if called:
                await claim.record_call("openrouter")
            canceled = (await ada.one(CANCEL, id=id))["generation"]
            assert (canceled["status"], canceled["refunded"]) == ("CANCELED", not called)
            assert await ada.credits() == before - (cost if called else 0)
    await assert_invariants(idle_server.services, all_ended=True)


async def test_result_that_arrives_after_the_cancel_is_discarded(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    id = await submit(ada)
    openrouter.answering.clear()
    work = asyncio.create_task(idle_server.services.generations.worker.process(id))
    await asyncio.wait_for(openrouter.called.wait(), PATIENCE)
    canceled = (await ada.one(CANCEL, id=id))["generation"]
    assert (canceled["status"], canceled["refunded"]) == ("CANCELED", False)
    openrouter.answering.set()
    await asyncio.wait_for(work, PATIENCE)
    assert await ada.generation(id) == canceled
    await idle_server.services.background.sweeper.sweep()
    assert await File.filter(kind=FileKind.RESULT).count() == 0
    assert {key.split("/")[0] for key in await stored_keys(idle_server.services)} == {"originals"}
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_result_stored_before_the_cancel_is_swept_with_its_bytes(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id = await submit(ada)
    claim = await Claim.take(id, "worker", 60, 4)
    assert claim is not None
    await claim.record_call("openrouter")
    image = await idle_server.services.media.files.check_upload(photo(64, 48), account="usr_ada")
    stored = await idle_server.services.media.files.store(str(ada.user["id"]), FileKind.RESULT, image)
    assert stored.key in await stored_keys(idle_server.services)
    assert (await ada.one(CANCEL, id=id))["errors"] == []
    try:
        await claim.complete(stored.id, FinalImage(b"", "model", None, None))
    except LeaseLostError:
        await idle_server.services.media.files.discard(stored.id)
    await idle_server.services.background.sweeper.sweep()
    assert await File.filter(id=stored.id).count() == 0
    assert not {stored.key, stored.thumbnail_key} & await stored_keys(idle_server.services)
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_cancel_makes_the_worker_disconnect_from_the_provider(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter
) -> None:
    openrouter.script(hang())
    settings = scripted_settings.model_copy(
        update={"generation_lease_seconds": 0.4, "generation_deadline_seconds": PATIENCE}
    )
    async with running(settings) as server:
        ada = await server.api.sign_up()
        id = await submit(ada)
        async with ada.socket() as socket:
            progress = await socket.subscribe(PROGRESS, id=id)
            await progress.until(stage="GENERATING")
            await asyncio.wait_for(openrouter.called.wait(), PATIENCE)
            assert (await ada.one(CANCEL, id=id))["errors"] == []
            assert (await progress.rest())[-1]["status"] == "CANCELED"
        await asyncio.wait_for(openrouter.client_disconnected.wait(), PATIENCE)  # long before the deadline
        await assert_invariants(server.services, all_ended=True)


async def test_ended_generation_cannot_be_canceled_and_canceling_twice_is_idempotent(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    done, canceled = await submit(ada), await submit(ada)
    await idle_server.services.generations.worker.process(done)
    ended = await ada.generation(done)
    assert ended["status"] == "COMPLETED"
    refused = await ada.one(CANCEL, id=done)
    assert refused["generation"] is None
    assert [(error["code"], error["field"]) for error in refused["errors"]] == [("CONFLICT", ["id"])]
    assert await ada.generation(done) == ended
    first = await ada.one(CANCEL, id=canceled)
    assert first == await ada.one(CANCEL, id=canceled)
    concurrent = await asyncio.gather(*(ada.one(CANCEL, id=canceled) for _ in range(5)))
    assert concurrent == [first] * 5
    assert await ada.credits() == 10_000 - 1
    await assert_invariants(idle_server.services, all_ended=True)


async def test_canceling_another_users_generation_looks_like_a_missing_one(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    id = await submit(ada)
    foreign = await eve.refused(CANCEL, id=id)
    missing = await eve.refused(CANCEL, id=id[:-4] + "0000")
    invalid = await eve.refused(CANCEL, id="gen_1' OR 1=1")
    assert foreign == missing == invalid
    assert foreign["code"] == "NOT_FOUND"
    assert (await ada.generation(id))["status"] == "PENDING"


async def test_concurrent_cancel_complete_fail_and_sweep_leave_one_status_and_a_correct_ledger(
    idle_server: Running,
) -> None:
    """Sixty races, each started in another order: the statuses differ, the ledger is always correct."""
    ada = await idle_server.api.sign_up()
    services, rng = idle_server.services, random.Random(4)
    styles = [await ada.style("noir", "avenger"), await ada.style("free", "sandbox")]
    image = await services.media.files.check_upload(photo(64, 48), account="usr_ada")
    statuses = set()
    for number in range(60):
        (created,) = (await ada.create(photo(64, 48), styleId=styles[number % 2], prompt="A fox"))["generations"]
        id = created["id"]
        claim = await Claim.take(id, "worker", 60, 4)
        assert claim is not None
        called = number % 4 != 0
        if called:
            await claim.record_call("openrouter")
        if number % 3 == 0:  # every third lease has expired
            await rows("UPDATE generations SET lease_until = LATER($2) WHERE id = $1 RETURNING id", id, -1.0)
        stored = await services.media.files.store(str(ada.user["id"]), FileKind.RESULT, image)
        racers = [
            services.generations.requests.cancel(str(ada.user["id"]), id),
            claim.complete(stored.id, FinalImage(b"", "model", None, None)) if called else claim.requeue(),
            services.background.sweeper.sweep(),
            claim.fail(ErrorCode.GENERATION_FAILED, called=called),
        ]
        rng.shuffle(racers)
        results = await asyncio.gather(*racers, return_exceptions=True)
        assert {type(error) for error in results if isinstance(error, BaseException)} <= {LeaseLostError, ConflictError}
        statuses.add(str((await Generation.get(id=id)).status))
        await services.media.files.discard(stored.id)  # as a worker does that lost its claim
    assert statuses >= {"COMPLETED", "FAILED", "CANCELED"}
    await services.background.sweeper.sweep()
    await assert_invariants(services, all_ended=True, all_swept=True)


async def test_cancel_at_any_stage_of_a_running_worker_leaves_one_final_status(
    scripted: Running, openrouter: ScriptedOpenRouter
) -> None:
    openrouter.script(picture())
    ada = await scripted.api.sign_up()
    style = await ada.style("noir", "avenger")
    stages = ("QUEUED", "VALIDATING", "GENERATING", "STORING")

    async def race(number: int) -> str:
        (created,) = (await ada.create(photo(64, 48), styleId=style))["generations"]
        async with ada.socket() as socket:
            progress = await socket.subscribe(PROGRESS, id=created["id"])
            seen = [await progress.next()]
            while seen[-1]["stage"] not in (*stages[number % 4 :], *FINAL):
                seen.append(await progress.next())
            response = await ada.one(CANCEL, id=created["id"])
            end = [*seen, *await progress.rest()][-1]
        assert end["status"] in FINAL
        assert (response["generation"] is not None) == (end["status"] == "CANCELED")
        assert await ada.generation(created["id"]) == end
        return str(end["status"])

    found = [end for _ in range(3) for end in await asyncio.gather(*(race(number) for number in range(8)))]
    assert "CANCELED" in found
    await assert_invariants(scripted.services, all_ended=True)
