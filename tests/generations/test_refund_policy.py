"""Refund policies: a generation without a result is refunded in full or not at all, by its policy at submission."""

from pathlib import Path

import pytest

from models import Collection, File, Generation
from models.enum import RefundPolicy
from tests.conftest import Running
from tests.support.client import CREDITS, Api, photo
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import picture, status
from tests.support.integrity import assert_invariants

# One style of each collection: its cost, and whether a failed call is refunded.
CASES = (
    ("cute", "plushify", 1, True),
    ("noir", "avenger", 10, False),
    ("quiet-beach", "scenes", 5, True),
    ("free", "sandbox", 1, True),
)


async def submit(api: Api, slug: str, collection: str, **more: object) -> str:
    """Create one generation from a photo, and return its id."""
    created = await api.create(photo(64, 48), styleId=await api.style(slug, collection), prompt="A fox", **more)
    assert created["errors"] == []
    return str(created["generations"][0]["id"])


def files_of(server: Running) -> Path:
    return server.settings.data_dir / "files"


async def test_failed_call_is_refunded_by_the_policy_of_each_collection(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    openrouter.script(status(500))
    for slug, collection, cost, refunded in CASES:
        before = await ada.credits()
        id = await submit(ada, slug, collection)
        assert await ada.credits() == before - cost, collection
        await idle_server.services.generations.worker.process(id)
        ended = await ada.generation(id)
        assert (ended["status"], ended["cost"], ended["refunded"]) == ("FAILED", cost, refunded), collection
        assert await ada.credits() == before - (0 if refunded else cost), collection
        lines = [line for line in await ada.ledger() if line["generation"] and line["generation"]["id"] == id]
        expected = [("DEDUCTION", -cost), ("REFUND", cost)] if refunded else [("DEDUCTION", -cost)]
        assert [(line["type"], line["amount"]) for line in lines] == expected, collection
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_failure_before_the_call_is_refunded_in_every_collection(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    for slug, collection, _, _ in CASES:
        id = await submit(ada, slug, collection)
        original = (await Generation.get(id=id).select_related("original")).original
        assert original is not None
        (files_of(idle_server) / original.key).unlink()
        await idle_server.services.generations.worker.process(id)
        ended = await ada.generation(id)
        assert (ended["status"], ended["errorCode"], ended["refunded"]) == ("FAILED", "UNAVAILABLE", True), collection
    assert openrouter.calls == []
    assert await ada.credits() == 10_000


async def test_result_that_cannot_be_stored_is_refunded_by_the_policy(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    folder = files_of(idle_server) / "generated"
    folder.write_bytes(b"")  # a file where the folder of results should be: nothing can be written below it
    for slug, collection, _, refunded in CASES:
        id = await submit(ada, slug, collection)
        await idle_server.services.generations.worker.process(id)
        ended = await ada.generation(id)
        assert (ended["status"], ended["errorCode"]) == ("FAILED", "UNAVAILABLE"), collection
        assert (ended["refunded"], ended["result"]) == (refunded, None), collection
    assert len(openrouter.calls) == len(CASES)
    folder.unlink()
    await idle_server.services.background.sweeper.sweep()
    assert await File.filter(kind="RESULT").count() == 0
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_completed_generation_is_never_refunded(idle_server: Running, openrouter: ScriptedOpenRouter) -> None:
    ada = await idle_server.api.sign_up()
    openrouter.script(picture())
    for slug, collection, cost, _ in CASES:
        before = await ada.credits()
        id = await submit(ada, slug, collection)
        await idle_server.services.generations.worker.process(id)
        ended = await ada.generation(id)
        assert (ended["status"], ended["refunded"]) == ("COMPLETED", False), collection
        assert await ada.credits() == before - cost, collection
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


@pytest.mark.parametrize(
    ("at_submission", "later", "refunded"), [("ON_FAILURE", "NEVER", True), ("NEVER", "ON_FAILURE", False)]
)
async def test_refund_follows_the_policy_at_submission(
    idle_server: Running, openrouter: ScriptedOpenRouter, at_submission: str, later: str, refunded: bool
) -> None:
    ada = await idle_server.api.sign_up()
    openrouter.script(status(500))
    sandbox = Collection.filter(slug="sandbox")
    await sandbox.update(refund_policy=RefundPolicy(at_submission), base_cost=3)
    id = await submit(ada, "free", "sandbox")
    await sandbox.update(refund_policy=RefundPolicy(later), base_cost=7)
    await idle_server.services.generations.worker.process(id)
    assert (await ada.generation(id))["refunded"] is refunded
    assert await ada.credits() == (10_000 if refunded else 10_000 - 3)
    await assert_invariants(idle_server.services, all_ended=True)


async def test_refund_is_one_ledger_line_that_subscribers_receive(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    openrouter.script(status(500))
    async with ada.socket() as socket:
        credits = await socket.subscribe(CREDITS)
        assert (await credits.next())["credits"] == 10_000
        id = await submit(ada, "quiet-beach", "scenes", quality="ULTRA")
        await idle_server.services.generations.worker.process(id)
        seen = [await credits.next(), await credits.next()]
    events = [(one["credits"], one["transaction"]["type"], one["transaction"]["amount"]) for one in seen]
    assert events == [(9_980, "DEDUCTION", -20), (10_000, "REFUND", 20)]
    assert seen[0]["version"] < seen[1]["version"]
    assert [one["transaction"]["balance"] for one in seen] == [one["credits"] for one in seen]
