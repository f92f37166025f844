"""The sweeper: removes orphaned files, recovers expired leases, and leaves what is in use alone."""

import asyncio

import pytest

from models import File
from models.database.connection import rows, run_tx
from models.enum import FileKind, FileState
from services.billing import ledger
from services.core.lease import LeaseLostError
from services.generations.claim import Claim
from services.generations.claim_statement import expired_leases
from services.integrations.providers.protocol import FinalImage
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import Api, photo, until
from tests.support.integrity import adjust_credits, assert_invariants, count_rows, stored_keys


async def make_orphan(server: Running, api: Api, age: float, kind: FileKind = FileKind.ORIGINAL) -> File:
    """Return a file that a process stored `age` seconds ago, before it was killed without using it."""
    image = await server.services.media.files.check_upload(photo(64, 48), account="usr_ada")
    file = await server.services.media.files.store(str(api.user["id"]), kind, image)
    await rows("UPDATE files SET updated_at = LATER($2) WHERE id = $1 RETURNING id", file.id, -age)
    return file


async def expire_all(count: int) -> None:
    await rows("UPDATE generations SET lease_until = LATER($1) WHERE status = 'PROCESSING' RETURNING id", -1.0)
    assert len(await expired_leases(100)) == count


async def test_old_orphaned_files_are_removed_with_their_bytes(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    (created,) = (await ada.create(photo(64, 48), prompt="A fox"))["generations"]
    (live,) = await File.all()
    await rows("UPDATE files SET updated_at = LATER($2) WHERE id = $1 RETURNING id", live.id, -100_000.0)
    limit = idle_server.settings.file_orphan_seconds
    young, old = await make_orphan(idle_server, ada, limit - 60), await make_orphan(idle_server, ada, limit + 60)
    await idle_server.services.background.sweeper.sweep()
    assert {file.id for file in await File.all()} == {live.id, young.id}
    assert await stored_keys(idle_server.services) == {
        key for file in (live, young) for key in (file.key, file.thumbnail_key)
    }
    assert old.key not in await stored_keys(idle_server.services)
    assert (await ada.http.get(created["original"]["url"])).status_code == 200
    await idle_server.services.generations.worker.process(created["id"])
    assert (await ada.generation(created["id"]))["status"] == "COMPLETED"


async def test_a_running_server_removes_orphaned_files(scripted_settings: Settings) -> None:
    async def only_two_files_exist() -> bool:
        return await File.all().count() == 2

    async with running(scripted_settings.model_copy(update={"file_orphan_seconds": 0.1})) as server:
        ada = await server.api.sign_up()
        (made,) = (await ada.create(photo(64, 48), prompt="A fox"))["generations"]
        await ada.wait_for_end(made["id"])
        await make_orphan(server, ada, 0)
        await until(only_two_files_exist)
        assert len(await stored_keys(server.services)) == 4
        await assert_invariants(server.services, all_ended=True, all_swept=True)


async def test_leftovers_of_interrupted_writes_and_removals_are_removed(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    folder = idle_server.settings.data_dir / "files"
    without_bytes = await make_orphan(idle_server, ada, 10_000)
    (folder / without_bytes.key).unlink()
    (folder / without_bytes.thumbnail_key).unlink()
    half_written = await make_orphan(idle_server, ada, 10_000)
    path = folder / half_written.key
    path.rename(path.with_name(f".{path.name}.0a1b2c3d"))
    half_removed = await make_orphan(idle_server, ada, 0)
    await File.filter(id=half_removed.id).update(state=FileState.DELETING)
    (folder / half_removed.thumbnail_key).unlink()
    await idle_server.services.background.sweeper.sweep()
    assert await File.all().count() == 0
    assert await stored_keys(idle_server.services) == set()


async def test_a_file_that_cannot_be_removed_is_retried_and_does_not_block_others(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    stubborn, other = await make_orphan(idle_server, ada, 10_000), await make_orphan(idle_server, ada, 9_000)
    path = idle_server.settings.data_dir / "files" / stubborn.key
    path.unlink()
    path.mkdir()  # cannot be removed as a file
    await idle_server.services.background.sweeper.sweep()
    remaining = await File.all()
    assert [(file.id, file.state) for file in remaining] == [(stubborn.id, FileState.DELETING)]
    assert other.key not in await stored_keys(idle_server.services)
    path.rmdir()
    await idle_server.services.background.sweeper.sweep()
    assert await File.all().count() == 0


async def test_a_generation_does_not_complete_with_a_result_that_was_swept(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    (made,) = (await ada.create(prompt="A fox"))["generations"]
    claim = await Claim.take(made["id"], "slow", 60, 4)
    assert claim is not None
    await claim.record_call("openrouter")
    result = await make_orphan(idle_server, ada, 10_000, FileKind.RESULT)
    await idle_server.services.background.sweeper.sweep()
    with pytest.raises(LeaseLostError):
        await claim.complete(result.id, FinalImage(b"", "model", None, None))
    assert (await ada.generation(made["id"]))["status"] == "PROCESSING"  # until its lease ends
    await assert_invariants(idle_server.services, all_swept=True)


async def test_concurrent_sweepers_settle_each_row_once(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    made = [(await ada.create(photo(64, 48), prompt="A fox"))["generations"][0]["id"] for _ in range(6)]
    for number, id in enumerate(made):
        claim = await Claim.take(id, "dead", 60, 99)
        assert claim is not None
        if number % 2:
            await claim.record_call("openrouter")
    for _ in range(4):
        await make_orphan(idle_server, ada, 10_000)
    await expire_all(len(made))
    await asyncio.gather(*(idle_server.services.background.sweeper.sweep() for _ in range(5)))
    ended = [await ada.generation(id) for id in made]
    assert [generation["status"] for generation in ended] == ["PENDING", "FAILED"] * 3
    assert [generation["refunded"] for generation in ended] == [False, True] * 3
    assert await ada.credits() == 10_000 - 3
    assert await count_rows() == {"generations": 6, "files": 6, "lines": 9}
    await assert_invariants(idle_server.services, all_swept=True)


async def test_a_row_that_cannot_be_settled_does_not_block_others(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    made = [(await ada.create(prompt="A fox"))["generations"][0]["id"] for _ in range(3)]
    for id in made:
        claim = await Claim.take(id, "dead", 60, 99)
        assert claim is not None
        await claim.record_call("openrouter")
    # The refund is in the ledger already, so that the database refuses the sweeper's.
    await run_tx(ledger.post, str(ada.user["id"]), ledger.refund(made[0], 1))
    await expire_all(len(made))
    await idle_server.services.background.sweeper.sweep()
    ended = [await ada.generation(id) for id in made]
    assert [generation["status"] for generation in ended] == ["PROCESSING", "FAILED", "FAILED"]
    assert await ada.credits() == 10_000
    await adjust_credits(str(ada.user["id"]), -1, "the duplicate refund")
