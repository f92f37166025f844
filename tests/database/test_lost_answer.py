"""A claim that is committed although its answer is lost is taken up by its worker, long before its lease ends."""

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from composition import running_worker
from models import Generation
from models.database.connection import rows
from models.enum import GenerationStatus
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import PATIENCE, Api, until
from tests.support.cut_proxy import CutProxy
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.integrity import assert_invariants

pytestmark = pytest.mark.postgres_only

LEASE = 600.0  # seconds: far longer than the test waits


@dataclass
class CutDatabase:
    """A server whose connections to PostgreSQL go through a proxy."""

    server: Running
    proxy: CutProxy

    def lose_next_claim(self) -> None:
        """Cut the connection when PostgreSQL has committed a claim and answers."""
        name = self.server.services.generations.worker.name.encode()
        # The first two values of the statement, in the wire format: the worker's name, and its lease as a float8.
        claim = struct.pack("!i", len(name)) + name + struct.pack("!id", 8, LEASE)
        self.proxy.lose(claim, b"gen_")


@pytest.fixture
async def cut_database(scripted_settings: Settings) -> AsyncIterator[CutDatabase]:
    async with contextlib.AsyncExitStack() as stack:
        proxy = await stack.enter_async_context(CutProxy.open(scripted_settings.database))
        place = urlsplit(proxy.address).netloc
        there = urlsplit(scripted_settings.database)
        url = there._replace(netloc=f"{there.netloc.rpartition('@')[0]}@{place}").geturl()
        changes = {"database_url": url, "generation_lease_seconds": LEASE, "generation_sweep_seconds": 30.0}
        server = await stack.enter_async_context(running(scripted_settings.model_copy(update=changes), idle=True))
        yield CutDatabase(server, proxy)


async def order(client: Api, count: int) -> list[str]:
    return [each["id"] for each in (await client.create(prompt="A red boat", count=count))["generations"]]


async def test_claim_whose_answer_was_lost_is_made_by_its_worker_at_once(
    cut_database: CutDatabase, openrouter: ScriptedOpenRouter
) -> None:
    server = cut_database.server
    ada = await server.api.sign_up()
    ids = await order(ada, 3)
    cut_database.lose_next_claim()
    async with running_worker(server.services, 4):
        await asyncio.wait_for(cut_database.proxy.has_lost.wait(), PATIENCE)
        ended = await ada.wait_for_all(ids)
    assert [(one["status"], one["attempts"]) for one in ended] == [("COMPLETED", 1)] * 3
    assert len(openrouter.calls) == 3
    assert {row.fence for row in await Generation.filter(id__in=ids)} == {2}  # the lost claim, and its own
    assert await ada.credits() == 10_000 - sum(one["cost"] for one in ended)
    await assert_invariants(server.services, all_ended=True, all_swept=True)


async def test_claim_whose_answer_was_lost_during_a_stop_is_handed_back(
    cut_database: CutDatabase, openrouter: ScriptedOpenRouter
) -> None:
    server = cut_database.server
    ada = await server.api.sign_up()
    (id,) = await order(ada, 1)
    cut_database.lose_next_claim()
    async with running_worker(server.services, 1):
        await asyncio.wait_for(cut_database.proxy.has_lost.wait(), PATIENCE)
    row = await Generation.get(id=id)
    assert (row.status, row.attempts, openrouter.calls) == (GenerationStatus.PENDING, 0, [])


async def test_claims_of_others_and_calls_under_way_are_left_alone(
    cut_database: CutDatabase, openrouter: ScriptedOpenRouter
) -> None:
    server = cut_database.server
    ada = await server.api.sign_up()
    worker = server.services.generations.worker
    known, called, elsewhere, lost = await order(ada, 4)
    claims = {claim.generation.id: claim for claim in (await worker.take(4)).claims}
    await claims[called].record_call("openrouter")  # a provider may work on it
    await rows("UPDATE generations SET worker = 'another' WHERE id = $1 RETURNING id", elsewhere)
    found = await worker.take_lost(4, [known])
    assert [claim.generation.id for claim in found] == [lost]
    await worker.run(found[0])
    assert (await ada.generation(lost))["status"] == "COMPLETED"
    assert await worker.take_lost(4, [known]) == []

    async def is_made_once() -> bool:
        return len(openrouter.calls) == 1

    await until(is_made_once)
