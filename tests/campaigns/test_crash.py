"""kill -9 of the server at any step, then a restart: every generation ends, the ledger adds up, no file is orphaned."""

import random
import secrets
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from campaigns.crash_campaign import ALL_POINTS, Campaign, Zygote, plan
from campaigns.crash_mutants import MUTANTS
from models.database import is_postgres, open_database, rows

PATIENCE = 20.0  # seconds until everything that was under way has ended; it takes about two
MUTANT_PATIENCE = 4.0  # seconds; what has not ended by then never will
MUTANT_ROUNDS, MUTANT_KILLS = 5, 4  # a mutant that survives this many deaths has escaped


@pytest.fixture(scope="module")
async def zygote() -> AsyncIterator[Zygote]:
    async with Zygote().running() as zygote:
        yield zygote


@pytest.fixture
def dice(request: pytest.FixtureRequest) -> random.Random:
    """Seeded by --seed, so that a campaign can be repeated; pytest shows the seed when it fails."""
    seed = request.config.getoption("--seed")
    seed = secrets.randbelow(10**6) if seed is None else seed
    print(f"\n{request.node.name}: --seed {seed}")  # noqa: T201 - part of the campaign's report
    return random.Random(f"{seed} {request.node.name}")


@pytest.mark.timeout(1800)
async def test_nothing_is_lost_however_often_the_server_dies(
    database: str, zygote: Zygote, tmp_path: Path, dice: random.Random, pytestconfig: pytest.Config
) -> None:
    kills = pytestconfig.getoption("--kills")
    started = time.monotonic()
    campaign = Campaign(zygote, database, tmp_path, dice)
    async with open_database(database), httpx.AsyncClient(base_url=zygote.address, timeout=30) as http:
        await campaign.open(http)
        await campaign.run(plan(dice, kills), PATIENCE)
        print(f"{time.monotonic() - started:.1f} s: {await campaign.story()}")  # noqa: T201 - the campaign's report
    assert campaign.findings == {}
    assert campaign.kills >= kills
    if kills >= 3 * len(ALL_POINTS):
        assert set(campaign.hits) == set(ALL_POINTS)


@pytest.mark.mutants
@pytest.mark.parametrize("mutant", MUTANTS)
async def test_the_campaign_finds_a_mistake_in_the_path_of_the_money(
    database: str, zygote: Zygote, tmp_path: Path, dice: random.Random, mutant: str
) -> None:
    campaign = Campaign(zygote, database, tmp_path, dice, mutant, MUTANTS[mutant].cancels)
    points, expected = MUTANTS[mutant].points, MUTANTS[mutant].breaks
    async with open_database(database), httpx.AsyncClient(base_url=zygote.address, timeout=30) as http:
        if MUTANTS[mutant].unguarded:
            table = " ON generations" if is_postgres(database) else ""
            await rows("DROP TRIGGER tr_generations_final" + table)
        await campaign.open(http)
        for _ in range(MUTANT_ROUNDS):
            await campaign.run([*points, *points, None, None][:MUTANT_KILLS], MUTANT_PATIENCE)
            if expected & campaign.findings.keys():
                break
        print(await campaign.story())  # noqa: T201 - the campaign's report
    assert expected & campaign.findings.keys()
