"""The statements of a generation's life: how many there are, what they return, and what a lost claim may not change."""

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest

from models import File, Generation, User
from models.database.connection import open_database, rows, run_tx
from models.enum import FileKind, GenerationStage, GenerationStatus
from services.core.lease import LeaseLostError
from services.events import account_change
from services.generations.calls.expected_cost import NOTHING_EXPECTED
from services.generations.cancellation import cancel
from services.generations.claim import Batches, Claim
from services.generations.queue.next_claims import take_next
from services.integrations.providers.protocol import FinalImage
from services.media.file import mark_live
from tests.conftest import Running
from tests.generations.test_queue_order import account
from tests.support.client import until

FINAL = FinalImage(b"", "model", 0.25, "request")


@pytest.fixture(params=["alone", "together"])
async def claim(database: str, request: pytest.FixtureRequest) -> AsyncIterator[Claim]:
    """A claimed generation, whose writes are statements of their own, or such as are made for several at once."""
    async with open_database(database):
        await account(running=0, waiting=1)
        batches = Batches("openrouter") if request.param == "together" else None
        (claim,) = (await take_next("worker", 60, 4, 1, "openrouter", batches)).claims
        yield claim


def result_of(claim: Claim) -> File:
    return File(
        owner_id=claim.generation.user_id,
        kind=FileKind.RESULT,
        content_type="image/png",
        byte_size=2,
        width=3,
        height=4,
        sha256="0" * 64,
        thumbnail_widths=[320],
        placeholder="data:",
    )


def values(row: Generation | File, *left_out: str) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row._meta.fields_db_projection if name not in left_out}


async def versions(claim: Claim) -> tuple[int, int]:
    generation = await Generation.get(id=claim.generation.id)
    return generation.version, (await User.get(id=generation.user_id)).version


async def test_each_write_leaves_the_claim_with_the_row_that_it_wrote(claim: Claim) -> None:
    file = result_of(claim)
    steps = (
        claim.record_call("openrouter"),
        claim.advance(GenerationStage.GENERATING, 0.5, "data:image/webp;base64,"),
        claim.store_row(file, 0.95),
        claim.complete(file.id, FINAL),
    )
    for step in steps:
        await step
        stored = await Generation.get(id=claim.generation.id)
        assert values(claim.generation, "lease_until") == values(stored, "lease_until")
    assert values(await File.get(id=file.id), "state", "updated_at") == values(file, "state", "updated_at")
    assert claim.account is not None
    owner = await User.get(id=stored.user_id)
    assert (claim.account.version, claim.account.credits) == (owner.version, owner.credits)
    assert (stored.status, stored.result_id, stored.provider_cost) == (GenerationStatus.COMPLETED, file.id, 0.25)


async def test_lost_claim_changes_neither_file_nor_account(claim: Claim) -> None:
    file = result_of(claim)
    await claim.store_row(file, 0.95)
    await rows("UPDATE generations SET fence = fence + 1 WHERE id = $1 RETURNING id", claim.generation.id)
    before = await versions(claim)
    with pytest.raises(LeaseLostError):
        await claim.complete(file.id, FINAL)
    with pytest.raises(LeaseLostError):
        await claim.store_row(other := result_of(claim), 0.95)
    assert await versions(claim) == before
    assert (await File.get(id=file.id)).state == "PENDING"
    assert not await File.exists(id=other.id)


async def test_generation_is_not_completed_with_a_file_that_was_swept(claim: Claim) -> None:
    file = result_of(claim)
    await claim.store_row(file, 0.95)
    await rows("UPDATE files SET state = 'DELETING' WHERE id = $1 RETURNING id", file.id)
    before = await versions(claim)
    with pytest.raises(LeaseLostError):
        await claim.complete(file.id, FINAL)
    assert await versions(claim) == before


@pytest.mark.postgres_only  # SQLite has one writer at a time
@pytest.mark.parametrize("rival", ["canceled", "swept", "renamed"])
async def test_completion_that_waits_for_the_account_reads_again_what_changed(claim: Claim, rival: str) -> None:
    file = result_of(claim)
    await claim.store_row(file, 0.95)
    owner, changed, may_end = claim.generation.user_id, asyncio.Event(), asyncio.Event()

    async def change() -> None:
        account = await account_change.bump_version(owner)
        if rival == "canceled":
            await cancel(account, [claim.generation.id], NOTHING_EXPECTED)
        elif rival == "swept":
            await rows("UPDATE files SET state = 'DELETING' WHERE id = $1 RETURNING id", file.id)
        changed.set()
        await may_end.wait()

    changing = asyncio.create_task(run_tx(change))
    await changed.wait()
    completing = asyncio.create_task(claim.complete(file.id, FINAL))

    async def is_waiting() -> bool:
        return bool(await rows("SELECT 1 AS waiting FROM pg_locks WHERE NOT granted"))

    await until(is_waiting)
    may_end.set()
    await changing
    if rival == "renamed":
        assert (await completing).status is GenerationStatus.COMPLETED
    else:
        with pytest.raises(LeaseLostError):
            await completing
    (_, version) = await versions(claim)
    assert version == (3 if rival == "renamed" else 2)  # the claim, the rival, and the completion
    assert await mark_live(file.id) is (rival == "canceled")


@pytest.mark.postgres_only  # as heap-only updates are
async def test_no_index_holds_a_column_that_changes_while_a_generation_runs(database: str) -> None:
    moving = {"stage", "progress", "preview", "version", "updated_at", "lease_until", "provider_calls"}
    async with open_database(database):
        found = await rows(
            "SELECT DISTINCT a.attname::text AS name FROM pg_index i JOIN pg_depend d ON d.objid = i.indexrelid"
            " AND d.classid = 'pg_class'::regclass AND d.refobjid = i.indrelid JOIN pg_attribute a"
            " ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid WHERE i.indrelid = 'generations'::regclass"
        )
    indexed = {row["name"] for row in found}
    assert {"status", "user_id"} <= indexed
    assert indexed.isdisjoint({*moving, "provider_called_at", "worker", "fence", "attempts"})


@pytest.mark.postgres_only  # SQLite writes in transactions of several statements
async def test_life_after_the_claim_is_three_statements(idle_server: Running, caplog: pytest.LogCaptureFixture) -> None:
    ada = await idle_server.api.sign_up()
    await ada.create(prompt="A red boat")
    worker = idle_server.services.generations.worker
    taken = await worker.take_next()
    assert taken is not None
    caplog.clear()
    with caplog.at_level(logging.DEBUG, logger="tortoise.db_client"):
        await worker.run(taken)
    statements = [str(record.args[0]) for record in caplog.records if isinstance(record.args, tuple) and record.args]
    assert not [sql for sql in statements if sql.startswith("SELECT")]
    # Progress is written twice a second besides.
    written = [sql for sql in statements if not sql.startswith("UPDATE generations SET stage = $3")]
    assert len(written) == 3, written
