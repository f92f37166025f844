"""The row decides which worker owns a generation, despite repeated, late and lost wake-ups and dead or slow workers."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import pytest

from models import File, Generation, User
from models.database.connection import rows
from models.enum import ErrorCode, FileKind, GenerationStage
from services.core.lease import LeaseLostError
from services.generations.claim import Claim
from services.generations.claim_statement import expired_leases
from services.generations.specification import GenerationRequest
from services.generations.worker import GenerationWorker, Times
from services.integrations.providers.protocol import FinalImage
from services.integrations.storage.protocol import Link, Storage, Target
from services.media.file import FileService
from services.services import Services
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import PATIENCE, Api, photo, until
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import picture, status
from tests.support.integrity import assert_invariants, stored_keys
from tests.support.second_process import another_process

FREE, HERO = ("free", "sandbox"), ("noir", "avenger")  # refunded ON_FAILURE, and BEFORE_PROVIDER only
SILENT = Times(lease=60, heartbeat=60, deadline=60)  # of a worker without heartbeats


async def submit(api: Api, line: tuple[str, str] = FREE) -> str:
    created = await api.create(photo(64, 48), styleId=await api.style(*line), prompt="A fox")
    assert created["errors"] == []
    return str(created["generations"][0]["id"])


async def row_of(id: str) -> dict[str, Any]:
    """Return all columns of the row."""
    (row,) = await rows("SELECT * FROM generations WHERE id = $1", id)
    return row


async def expire(id: str) -> None:
    """Let the lease be over, as after a minute without a heartbeat."""
    await rows("UPDATE generations SET lease_until = LATER($2) WHERE id = $1 RETURNING id", id, -1.0)
    assert id in await expired_leases(100)


async def abandon(id: str, *, called: bool) -> None:
    """Claim it for a worker that dies, after the provider call if `called`."""
    claim = await Claim.take(id, "dead", 60, 4)
    assert claim is not None
    if called:
        await claim.record_call("openrouter")
    await expire(id)


@dataclass
class SlowStorage:
    """The storage, except that writing a result blocks, after its bytes are written, until the gate opens."""

    inner: Storage
    written: asyncio.Event = field(default_factory=asyncio.Event)
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def origin(self) -> str | None:
        return self.inner.origin

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        await self.inner.put(key, data, content_type)
        if key.startswith("generated/"):
            self.written.set()
            await self.gate.wait()

    async def put_file(self, key: str, file: BinaryIO, content_type: str) -> None:
        await self.inner.put_file(key, file, content_type)

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes], content_type: str) -> None:
        await self.inner.put_stream(key, chunks, content_type)

    async def get(self, key: str, *, max_bytes: int | None = None) -> bytes:
        return await self.inner.get(key, max_bytes=max_bytes)

    async def get_part(self, key: str, start: int, size: int) -> bytes:
        return await self.inner.get_part(key, start, size)

    async def delete(self, key: str) -> None:
        await self.inner.delete(key)

    async def link(self, key: str, content_type: str, *, download_as: str | None = None) -> Link:
        return await self.inner.link(key, content_type, download_as=download_as)

    def sign(self, key: str, content_type: str, download_as: str | None = None) -> Link | None:
        return self.inner.sign(key, content_type, download_as)

    async def upload_target(self, key: str, content_type: str, *, byte_size: int, seconds: int) -> Target:
        return await self.inner.upload_target(key, content_type, byte_size=byte_size, seconds=seconds)

    async def keys(self) -> set[str]:
        return await self.inner.keys()

    async def check(self) -> None:
        await self.inner.check()


def another_worker(services: Services, times: Times, storage: Storage | None = None) -> GenerationWorker:
    """Return a worker on the same database, as in another process."""
    files = FileService(
        storage or services.integrations.storage, services.integrations.sanitizers.uploads, services.media.files.limits
    )
    return GenerationWorker(
        services.integrations.routes,
        files,
        services.integrations.sanitizers.results,
        services.events.publisher,
        times,
        services.operations.maintenance,
        services.operations.provider_pauses,
    )


# Wake-ups


async def test_generation_processed_by_many_workers_at_once_runs_once(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    created = [await submit(ada) for _ in range(3)]
    workers = [another_worker(idle_server.services, Times(60, 15, 10)) for _ in range(4)]
    await asyncio.gather(*(worker.process(id) for id in created for worker in workers))
    for id in created:
        row = await Generation.get(id=id)
        assert (str(row.status), row.attempts, row.fence, row.provider_calls) == ("COMPLETED", 1, 1, 1)
    assert len(openrouter.calls) == 3
    assert await ada.credits() == 10_000 - 3
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_processing_an_ended_generation_changes_nothing(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    openrouter.script(picture(), status(500))
    ids = [await submit(ada) for _ in range(3)]
    await idle_server.services.generations.worker.process(ids[0])
    await idle_server.services.generations.worker.process(ids[1])
    await idle_server.services.generations.requests.cancel(str(ada.user["id"]), ids[2])
    before = [await row_of(id) for id in ids]
    assert [row["status"] for row in before] == ["COMPLETED", "FAILED", "CANCELED"]
    for _ in range(2):
        await asyncio.gather(*(idle_server.services.generations.worker.process(id) for id in ids))
        await idle_server.services.background.sweeper.sweep()
    await idle_server.services.generations.worker.process("gen_00000000000000000000000000")
    assert [await row_of(id) for id in ids] == before
    assert len(openrouter.calls) == 2
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_next_server_runs_what_was_submitted_before_a_crash(scripted_settings: Settings) -> None:
    async with running(scripted_settings, idle=True) as crashed:
        ada = await crashed.api.sign_up()
        created = [await submit(ada, line) for line in (FREE, HERO)]
    async with running(scripted_settings) as server:
        again = Api(server.api.http, server.api.address, ada.token, ada.user)
        ended = await again.wait_for_all(created)
        assert [(one["status"], one["attempts"]) for one in ended] == [("COMPLETED", 1)] * 2
        await assert_invariants(server.services, all_ended=True, all_swept=True)


async def test_generation_is_claimed_by_polling_after_a_lost_wake_up(scripted: Running) -> None:
    ada, services = await scripted.api.sign_up(), scripted.services
    async with another_process(services) as other_process:
        user = await User.get(id=ada.user["id"])
        submitted = await other_process.create(user, GenerationRequest(prompt="A fox", count=3))
        ended = await ada.wait_for_all([row.id for row in submitted])
    assert [(one["status"], one["attempts"]) for one in ended] == [("COMPLETED", 1)] * 3


async def test_repeated_wake_ups_run_a_generation_once(scripted: Running, openrouter: ScriptedOpenRouter) -> None:
    ada = await scripted.api.sign_up()
    openrouter.answering.clear()
    id = await submit(ada)
    for _ in range(6):
        await scripted.services.integrations.wake_ups.publish(id)
    await asyncio.wait_for(openrouter.called.wait(), PATIENCE)
    openrouter.answering.set()
    assert (await ada.wait_for_end(id))["status"] == "COMPLETED"
    await scripted.services.integrations.wake_ups.publish(id)
    assert len(openrouter.calls) == 1


# Leases


async def test_generation_of_a_worker_that_died_before_the_call_is_run_again(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    for line in (FREE, HERO):
        id = await submit(ada, line)
        await abandon(id, called=False)
        await idle_server.services.background.sweeper.sweep()
        waiting = await ada.generation(id)
        assert (waiting["status"], waiting["stage"], waiting["refunded"]) == ("PENDING", "QUEUED", False)
        await idle_server.services.generations.worker.process(id)
        ended = await ada.generation(id)
        assert (ended["status"], ended["attempts"]) == ("COMPLETED", 2)
    assert len(openrouter.calls) == 2
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_generation_of_a_worker_that_died_after_the_call_fails_by_the_policy(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    for line, refunded in ((FREE, True), (HERO, False)):
        id = await submit(ada, line)
        await abandon(id, called=True)
        sweeps = (idle_server.services.background.sweeper.sweep() for _ in range(3))
        await asyncio.gather(*sweeps, idle_server.services.generations.worker.process(id))
        ended = await ada.generation(id)
        assert (ended["status"], ended["errorCode"], ended["refunded"]) == ("FAILED", "UNAVAILABLE", refunded)
        before = await row_of(id)
        await idle_server.services.generations.worker.process(id)
        await idle_server.services.background.sweeper.sweep()
        assert await row_of(id) == before
    assert openrouter.calls == []
    assert await ada.credits() == 10_000 - 10
    await assert_invariants(idle_server.services, all_ended=True)


async def test_generation_that_kills_its_workers_fails_after_the_third_attempt(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    for line in (FREE, HERO):
        id = await submit(ada, line)
        for attempt in (1, 2, 3):
            assert (await ada.generation(id))["status"] == "PENDING"
            await abandon(id, called=False)
            await idle_server.services.background.sweeper.sweep()
            assert (await ada.generation(id))["attempts"] == attempt
        ended = await ada.generation(id)
        assert (ended["status"], ended["errorCode"], ended["refunded"]) == ("FAILED", "UNAVAILABLE", True)
        assert await Claim.take(id, "fourth", 60, 4) is None
    assert await ada.credits() == 10_000
    await assert_invariants(idle_server.services, all_ended=True)


async def test_heartbeat_keeps_the_lease_during_a_slow_call(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    id = await submit(ada)
    openrouter.answering.clear()
    task = asyncio.create_task(another_worker(idle_server.services, Times(0.5, 0.1, PATIENCE)).process(id))
    await asyncio.wait_for(openrouter.called.wait(), PATIENCE)
    first = (await Generation.get(id=id)).lease_until
    assert first is not None

    async def outlived_two_leases() -> bool:
        await idle_server.services.background.sweeper.sweep()
        lease_until = (await Generation.get(id=id)).lease_until
        return lease_until is None or (lease_until - first).total_seconds() > 1.0

    await until(outlived_two_leases)
    openrouter.answering.set()
    await asyncio.wait_for(task, PATIENCE)
    ended = await Generation.get(id=id)
    assert (str(ended.status), ended.attempts, ended.fence) == ("COMPLETED", 1, 1)
    assert len(openrouter.calls) == 1


# Lost leases


@pytest.mark.parametrize(("line", "refunded"), [(FREE, True), (HERO, False)])
async def test_worker_that_lost_its_lease_during_the_call_changes_nothing(
    idle_server: Running, openrouter: ScriptedOpenRouter, line: tuple[str, str], refunded: bool
) -> None:
    ada = await idle_server.api.sign_up()
    id = await submit(ada, line)
    openrouter.answering.clear()
    stale = asyncio.create_task(another_worker(idle_server.services, SILENT).process(id))
    await asyncio.wait_for(openrouter.called.wait(), PATIENCE)
    await expire(id)
    await idle_server.services.background.sweeper.sweep()
    ended = await row_of(id)
    assert (ended["status"], bool(ended["refunded"])) == ("FAILED", refunded)
    openrouter.answering.set()
    await asyncio.wait_for(stale, PATIENCE)
    assert await row_of(id) == ended
    assert await File.filter(kind=FileKind.RESULT).count() == 0
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_worker_that_lost_its_lease_while_storing_changes_nothing_and_its_file_is_swept(
    idle_server: Running,
) -> None:
    ada = await idle_server.api.sign_up()
    id = await submit(ada)
    storage = SlowStorage(idle_server.services.integrations.storage)
    stale = asyncio.create_task(another_worker(idle_server.services, SILENT, storage).process(id))
    await asyncio.wait_for(storage.written.wait(), PATIENCE)
    await expire(id)
    await idle_server.services.background.sweeper.sweep()
    ended = await row_of(id)
    assert (ended["status"], ended["result_id"]) == ("FAILED", None)
    assert any(key.startswith("generated/") for key in await stored_keys(idle_server.services))
    storage.gate.set()
    await asyncio.wait_for(stale, PATIENCE)
    assert await row_of(id) == ended
    await idle_server.services.background.sweeper.sweep()
    assert await File.filter(kind=FileKind.RESULT).count() == 0
    assert not any(key.startswith("generated/") for key in await stored_keys(idle_server.services))
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_worker_whose_lease_has_expired_makes_no_call(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    ids = [await submit(ada), await submit(ada)]
    worker = another_worker(idle_server.services, SILENT)
    found = await worker.take(2)  # on PostgreSQL their calls are written together
    assert len(found.claims) == 2
    await expire(ids[0])  # it was frozen, and no other worker has noticed yet
    before = await row_of(ids[0])
    await asyncio.gather(*(worker.run(claim) for claim in found.claims))
    assert await row_of(ids[0]) == before
    assert ((await ada.generation(ids[1]))["status"], len(openrouter.calls)) == ("COMPLETED", 1)
    await idle_server.services.background.sweeper.sweep()
    await idle_server.services.generations.worker.process(ids[0])
    assert (await ada.generation(ids[0]))["status"] == "COMPLETED"
    assert len(openrouter.calls) == 2
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_recorded_call_renews_the_lease(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    worker = another_worker(idle_server.services, SILENT)
    ids = [await submit(ada), await submit(ada)]
    together, alone = (await worker.take(1)).claims[0], await Claim.take(ids[1], "alone", 60, 4)
    assert alone is not None
    for claim in (together, alone):
        id = claim.generation.id
        await rows("UPDATE generations SET lease_until = LATER($2) WHERE id = $1 RETURNING id", id, 10.0)
        await claim.record_call("openrouter")
        assert await rows("SELECT id FROM generations WHERE id = $1 AND lease_until > LATER($2)", id, 50.0)


async def test_every_write_with_an_older_fence_is_refused(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id = await submit(ada)
    stale = await Claim.take(id, "stale", 60, 4)
    assert stale is not None
    await expire(id)
    await idle_server.services.background.sweeper.sweep()  # requeued
    current = await Claim.take(id, "current", 60, 4)
    assert current is not None
    assert current.lease.fence > stale.lease.fence
    image = await idle_server.services.media.files.check_upload(photo(64, 48), account="usr_ada")
    stored = await idle_server.services.media.files.store(str(ada.user["id"]), FileKind.RESULT, image)
    before = await row_of(id)
    for write in (
        stale.lease.renew(),
        stale.advance(GenerationStage.STORING, 0.9),
        stale.record_call("openrouter"),
        stale.complete(stored.id, FinalImage(b"", "model", 1.0, "request")),
        stale.fail(ErrorCode.GENERATION_FAILED, called=True),
        stale.requeue(),
    ):
        with pytest.raises(LeaseLostError):
            await write
    assert await row_of(id) == before
    assert str((await File.get(id=stored.id)).state) == "PENDING"  # the refused completion did not mark it LIVE
    assert await ada.credits() == 10_000 - 1
    await current.record_call("openrouter")
    await current.complete(stored.id, FinalImage(b"", "model", None, None))
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)
