"""Writes of several generations in one statement: what it leaves, what it leaves out, and what is published."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from models import File, Generation, User
from models.database.connection import open_database, rows, run_tx
from models.enum import GenerationStatus
from services.core.lease import LeaseLostError
from services.events import account_change
from services.generations.claim import Batches, Claim
from services.generations.queue.next_claims import take_next
from tests.generations.test_life_statements import FINAL, result_of
from tests.generations.test_queue_order import account
from tests.support.client import until

pytestmark = pytest.mark.postgres_only  # SQLite has one writer at a time


@pytest.fixture
async def claims(database: str) -> AsyncIterator[list[Claim]]:
    """Claims of two accounts, two of each, that write together."""
    async with open_database(database):
        for _ in range(2):
            await account(running=0, waiting=2)
        claims = (await take_next("worker", 60, 4, 8, "openrouter", Batches("openrouter"))).claims
        assert len(claims) == 4
        yield claims


async def stored(claims: list[Claim]) -> list[File]:
    files = [result_of(claim) for claim in claims]
    await asyncio.gather(*(claim.record_call("openrouter") for claim in claims))
    await asyncio.gather(*(claim.store_row(file, 0.95) for claim, file in zip(claims, files, strict=True)))
    return files


async def complete(claims: list[Claim], files: list[File]) -> list[Generation | BaseException]:
    ends = (claim.complete(file.id, FINAL) for claim, file in zip(claims, files, strict=True))
    return await asyncio.gather(*ends, return_exceptions=True)


async def test_steps_of_one_moment_are_one_statement_each(
    claims: list[Claim], caplog: pytest.LogCaptureFixture
) -> None:
    before = {user.id: user.version for user in await User.all()}
    with caplog.at_level(logging.DEBUG, logger="tortoise.db_client"):
        ended = await complete(claims, await stored(claims))
    statements = [record for record in caplog.records if isinstance(record.args, tuple) and record.args]
    assert len(statements) == 3
    for claim, end in zip(claims, ended, strict=True):
        row = await Generation.get(id=claim.generation.id)
        assert isinstance(end, Generation)
        assert {name: getattr(end, name) for name in row._meta.fields_db_projection} == {
            name: getattr(row, name) for name in row._meta.fields_db_projection
        }
        assert (row.provider_calls, row.model, row.provider_cost) == (1, "model", 0.25)
    # Two generations of an account are one version of it, which is published once, with both.
    published = [claim.account for claim in claims if claim.account is not None]
    changed = {change.user_id: change for change in published}
    assert len(published) == len(changed) == 2
    for user in await User.filter(id__in=list(changed)):
        assert changed[user.id].version == user.version == before[user.id] + 1
        of_account = {claim.generation.id for claim in claims if claim.generation.user_id == user.id}
        assert {each.generation_id for each in changed[user.id].generations} == of_account
    assert await File.filter(state="LIVE").count() == 4


async def test_lost_claim_and_swept_file_leave_the_others_completed(claims: list[Claim]) -> None:
    files = await stored(claims)
    lost, swept, *others = claims
    await rows("UPDATE generations SET fence = fence + 1 WHERE id = $1 RETURNING id", lost.generation.id)
    await rows("UPDATE files SET state = 'DELETING' WHERE id = $1 RETURNING id", files[1].id)
    ended = await complete(claims, files)
    assert [type(end) for end in ended] == [LeaseLostError, LeaseLostError, Generation, Generation]
    for claim in (lost, swept):
        assert (await Generation.get(id=claim.generation.id)).status is GenerationStatus.PROCESSING
    for claim in others:
        assert (await Generation.get(id=claim.generation.id)).status is GenerationStatus.COMPLETED
    assert {file.state.value for file in await File.filter(id__in=[file.id for file in files])} == {
        "PENDING",
        "DELETING",
        "LIVE",
    }


async def test_locked_account_delays_only_its_own_generations(claims: list[Claim]) -> None:
    files = await stored(claims)
    locked = claims[0].generation.user_id
    changed, may_end = asyncio.Event(), asyncio.Event()

    async def change() -> None:
        await account_change.bump_version(locked)
        changed.set()
        await may_end.wait()

    changing = asyncio.create_task(run_tx(change))
    await changed.wait()
    ending = [asyncio.create_task(claim.complete(file.id, FINAL)) for claim, file in zip(claims, files, strict=True)]
    free = [end for end, claim in zip(ending, claims, strict=True) if claim.generation.user_id != locked]
    await asyncio.wait(free)

    async def are_waiting() -> bool:
        return bool(await rows("SELECT 1 AS waiting FROM pg_locks WHERE NOT granted"))

    await until(are_waiting)
    assert [end.done() for end in ending].count(True) == len(free) == 2
    may_end.set()
    await changing
    assert {end.status for end in await asyncio.gather(*ending)} == {GenerationStatus.COMPLETED}
