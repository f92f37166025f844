"""Who owns a generation is decided by its row: whatever is told twice, late or never, and whoever dies or sleeps."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import pytest

from models import File, Generation, User
from models.database.connection import rows
from models.enum import ErrorCode, FileKind, GenerationStage
from services.core.lease import LeaseLostError
from services.generations.claim import Claim, expired_leases
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
LATE = Times(lease=0.02, heartbeat=60, deadline=60)  # of a worker whose heart does not beat


async def order(api: Api, line: tuple[str, str] = FREE) -> str:
    made = await api.create(photo(64, 48), styleId=await api.style(*line), prompt="A fox")
    assert made["errors"] == []
    return str(made["generations"][0]["id"])


async def row_of(id: str) -> dict[str, Any]:
    """Everything that the row says."""
    (row,) = await rows("SELECT * FROM generations WHERE id = $1", id)
    return row


async def until_lapsed(id: str) -> None:
    async def is_lapsed() -> bool:
        return id in await expired_leases(100)

    await until(is_lapsed)


async def died(id: str, *, called: bool) -> None:
    """A worker took it, perhaps called the provider, and was never heard of again."""
    claim = await Claim.take(id, "dead", 0, 4)
    assert claim is not None
    if called:
        await claim.record_call("openrouter")
    await until_lapsed(id)


@dataclass
class SlowStorage:
    """The storage, but who writes a result sleeps until the gate opens; the bytes are there by then."""

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

    async def get(self, key: str, *, max_bytes: int | None = None) -> bytes:
        return await self.inner.get(key, max_bytes=max_bytes)

    async def get_part(self, key: str, start: int, size: int) -> bytes:
        return await self.inner.get_part(key, start, size)

    async def delete(self, key: str) -> None:
        await self.inner.delete(key)

    async def link(self, key: str, content_type: str, *, download_as: str | None = None) -> Link:
        return await self.inner.link(key, content_type, download_as=download_as)

    async def upload_target(self, key: str, content_type: str, *, max_bytes: int, seconds: int) -> Target:
        return await self.inner.upload_target(key, content_type, max_bytes=max_bytes, seconds=seconds)

    async def keys(self) -> set[str]:
        return await self.inner.keys()

    async def check(self) -> None:
        await self.inner.check()


def another_worker(services: Services, times: Times, storage: Storage | None = None) -> GenerationWorker:
    """A worker on the same database, as in another process."""
    files = FileService(
        storage or services.integrations.storage, services.integrations.sanitizer, services.media.files.limits
    )
    return GenerationWorker(
        services.integrations.provider,
        files,
        services.integrations.sanitizer,
        services.events.publisher,
        times,
        services.operations.maintenance,
    )


# Messages


async def test_a_generation_told_to_many_workers_at_once_is_made_once(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    made = [await order(ada) for _ in range(3)]
    workers = [another_worker(idle_server.services, Times(60, 15, 10)) for _ in range(4)]
    await asyncio.gather(*(worker.process(id) for id in made for worker in workers))
    for id in made:
        row = await Generation.get(id=id)
        assert (str(row.status), row.attempts, row.fence, row.provider_calls) == ("COMPLETED", 1, 1, 1)
    assert len(openrouter.calls) == 3
    assert await ada.credits() == 10_000 - 3
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_a_message_that_comes_after_the_end_changes_nothing(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    openrouter.script(picture(), status(500))
    ids = [await order(ada) for _ in range(3)]
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


async def test_what_was_sold_when_the_server_died_is_found_by_the_next_one(scripted_settings: Settings) -> None:
    async with running(scripted_settings, idle=True) as dead:
        ada = await dead.api.sign_up()
        made = [await order(ada, line) for line in (FREE, HERO)]
    async with running(scripted_settings) as server:
        again = Api(server.api.http, server.api.address, ada.token, ada.user)
        ended = await again.wait_for_all(made)
        assert [(one["status"], one["attempts"]) for one in ended] == [("COMPLETED", 1)] * 2
        await assert_invariants(server.services, all_ended=True, all_swept=True)


async def test_a_lost_message_is_made_up_for_while_the_server_runs(scripted: Running) -> None:
    ada, services = await scripted.api.sign_up(), scripted.services
    async with another_process(services) as unheard:
        user = await User.get(id=ada.user["id"])
        sold = await unheard.create(user, GenerationRequest(prompt="A fox", count=3))
        ended = await ada.wait_for_all([row.id for row in sold])
    assert [(one["status"], one["attempts"]) for one in ended] == [("COMPLETED", 1)] * 3


async def test_messages_said_again_and_again_are_heard_once(scripted: Running, openrouter: ScriptedOpenRouter) -> None:
    ada = await scripted.api.sign_up()
    openrouter.answering.clear()
    id = await order(ada)
    for _ in range(6):
        await scripted.services.integrations.wake_ups.publish(id)
    await asyncio.wait_for(openrouter.called.wait(), PATIENCE)
    openrouter.answering.set()
    assert (await ada.wait_for_end(id))["status"] == "COMPLETED"
    await scripted.services.integrations.wake_ups.publish(id)
    assert len(openrouter.calls) == 1


# Leases


async def test_a_worker_that_died_before_the_call_is_replaced(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    for line in (FREE, HERO):
        id = await order(ada, line)
        await died(id, called=False)
        await idle_server.services.background.sweeper.sweep()
        waiting = await ada.generation(id)
        assert (waiting["status"], waiting["stage"], waiting["refunded"]) == ("PENDING", "QUEUED", False)
        await idle_server.services.generations.worker.process(id)
        ended = await ada.generation(id)
        assert (ended["status"], ended["attempts"]) == ("COMPLETED", 2)
    assert len(openrouter.calls) == 2
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_a_worker_that_died_after_the_call_failed_by_the_policy(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    for line, refunded in ((FREE, True), (HERO, False)):
        id = await order(ada, line)
        await died(id, called=True)
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


async def test_a_generation_that_kills_its_workers_ends_with_the_third(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    for line in (FREE, HERO):
        id = await order(ada, line)
        for attempt in (1, 2, 3):
            assert (await ada.generation(id))["status"] == "PENDING"
            await died(id, called=False)
            await idle_server.services.background.sweeper.sweep()
            assert (await ada.generation(id))["attempts"] == attempt
        ended = await ada.generation(id)
        assert (ended["status"], ended["errorCode"], ended["refunded"]) == ("FAILED", "UNAVAILABLE", True)
        assert await Claim.take(id, "fourth", 60, 4) is None
    assert await ada.credits() == 10_000
    await assert_invariants(idle_server.services, all_ended=True)


async def test_a_heartbeat_keeps_the_lease_of_a_slow_call(idle_server: Running, openrouter: ScriptedOpenRouter) -> None:
    ada = await idle_server.api.sign_up()
    id = await order(ada)
    openrouter.answering.clear()
    task = asyncio.create_task(another_worker(idle_server.services, Times(0.5, 0.1, PATIENCE)).process(id))
    await asyncio.wait_for(openrouter.called.wait(), PATIENCE)
    first = (await Generation.get(id=id)).lease_until
    assert first is not None

    async def would_have_lapsed_twice() -> bool:
        await idle_server.services.background.sweeper.sweep()
        now = (await Generation.get(id=id)).lease_until
        return now is None or (now - first).total_seconds() > 1.0

    await until(would_have_lapsed_twice)
    openrouter.answering.set()
    await asyncio.wait_for(task, PATIENCE)
    ended = await Generation.get(id=id)
    assert (str(ended.status), ended.attempts, ended.fence) == ("COMPLETED", 1, 1)
    assert len(openrouter.calls) == 1


# Zombies


@pytest.mark.parametrize(("line", "refunded"), [(FREE, True), (HERO, False)])
async def test_a_worker_that_slept_through_its_lease_in_a_call_changes_nothing(
    idle_server: Running, openrouter: ScriptedOpenRouter, line: tuple[str, str], refunded: bool
) -> None:
    ada = await idle_server.api.sign_up()
    id = await order(ada, line)
    openrouter.answering.clear()
    zombie = asyncio.create_task(another_worker(idle_server.services, LATE).process(id))
    await asyncio.wait_for(openrouter.called.wait(), PATIENCE)
    await until_lapsed(id)
    await idle_server.services.background.sweeper.sweep()
    ended = await row_of(id)
    assert (ended["status"], bool(ended["refunded"])) == ("FAILED", refunded)
    openrouter.answering.set()
    await asyncio.wait_for(zombie, PATIENCE)
    assert await row_of(id) == ended
    assert await File.filter(kind=FileKind.RESULT).count() == 0
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_a_worker_that_slept_while_storing_changes_nothing_and_its_file_is_swept(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id = await order(ada)
    storage = SlowStorage(idle_server.services.integrations.storage)
    zombie = asyncio.create_task(another_worker(idle_server.services, LATE, storage).process(id))
    await asyncio.wait_for(storage.written.wait(), PATIENCE)
    await until_lapsed(id)
    await idle_server.services.background.sweeper.sweep()
    ended = await row_of(id)
    assert (ended["status"], ended["result_id"]) == ("FAILED", None)
    assert any(key.startswith("generated/") for key in await stored_keys(idle_server.services))
    storage.gate.set()
    await asyncio.wait_for(zombie, PATIENCE)
    assert await row_of(id) == ended
    await idle_server.services.background.sweeper.sweep()
    assert await File.filter(kind=FileKind.RESULT).count() == 0
    assert not any(key.startswith("generated/") for key in await stored_keys(idle_server.services))
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_nothing_that_an_older_holder_writes_arrives(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id = await order(ada)
    zombie = await Claim.take(id, "zombie", 0, 4)
    assert zombie is not None
    await until_lapsed(id)
    await idle_server.services.background.sweeper.sweep()  # back in the queue
    holder = await Claim.take(id, "holder", 60, 4)
    assert holder is not None
    assert holder.lease.fence > zombie.lease.fence
    image = await idle_server.services.media.files.check_upload(photo(64, 48))
    stored = await idle_server.services.media.files.store(str(ada.user["id"]), FileKind.RESULT, image)
    before = await row_of(id)
    for write in (
        zombie.lease.renew(),
        zombie.advance(GenerationStage.STORING, 0.9),
        zombie.record_call("openrouter"),
        zombie.complete(stored.id, FinalImage(b"", "model", 1.0, "request")),
        zombie.fail(ErrorCode.GENERATION_FAILED, called=True),
        zombie.requeue(),
    ):
        with pytest.raises(LeaseLostError):
            await write
    assert await row_of(id) == before
    assert str((await File.get(id=stored.id)).state) == "PENDING"  # not made LIVE by the completion that was lost
    assert await ada.credits() == 10_000 - 1
    await holder.record_call("openrouter")
    await holder.complete(stored.id, FinalImage(b"", "model", None, None))
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)
