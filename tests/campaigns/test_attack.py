"""Attacks with an account, a script and patience: they are refused, and others' requests stay correct and quick."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator

import pytest

from settings import ROOT
from tests.campaigns.attack_server import AttackedServer, Latencies, attacked_server
from tests.campaigns.attacker import ATTACKS

SHORT_SECONDS = 1.0  # of each attack in the default suite
LONG_SECONDS = 10.0  # with --budget 1
UNDISTURBED_SECONDS = 0.4  # before each attack
MAX_RATIO = 3.0  # of the bystander's median under attack to its undisturbed one
MAX_GROWTH_MIB = 100  # of the server's resident memory during one attack

pytestmark = [pytest.mark.timeout(600), pytest.mark.any_database]


@pytest.fixture(scope="module")
def seconds(pytestconfig: pytest.Config) -> float:
    budget = float(pytestconfig.getoption("--budget"))
    return LONG_SECONDS * budget if budget else SHORT_SECONDS


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[AttackedServer]:
    async with attacked_server(tmp_path_factory.mktemp("attacked")) as server:
        yield server


@pytest.fixture(scope="module")
def ratios() -> Iterator[dict[str, float]]:
    """The bystander's median under each attack divided by its undisturbed one; the worst is printed at the end."""
    ratios: dict[str, float] = {}
    yield ratios
    if ratios:
        worst = max(ratios, key=lambda name: ratios[name])
        print(f"\nworst ratio of another user's median: {ratios[worst]:.1f} ({worst})")  # noqa: T201 - the one figure


async def undisturbed(server: AttackedServer) -> float:
    """Return the bystander's median without an attack, in milliseconds, measured right before one."""
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(UNDISTURBED_SECONDS, stop.set)
    found = await server.measure(stop)
    assert found.failures == []
    return found.median


async def attack(server: AttackedServer, name: str, seconds: float, seed: int) -> tuple[dict[str, int], Latencies]:
    """Run one attack, and return its outcomes and the bystander's latencies meanwhile."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.campaigns.attacker", name, server.address, str(seconds), str(seed),
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    stop = asyncio.Event()
    measuring = asyncio.create_task(server.measure(stop))
    output, _ = await process.communicate()
    stop.set()
    assert process.returncode == 0
    return json.loads(output), await measuring


@pytest.mark.parametrize("name", ATTACKS)
async def test_attack_neither_breaks_nor_slows_other_users(
    server: AttackedServer,
    ratios: dict[str, float],
    name: str,
    seconds: float,
    seed: int,
    pytestconfig: pytest.Config,
) -> None:
    baseline, log_size, memory = await undisturbed(server), server.log.stat().st_size, server.resident_mib
    outcomes, latencies = await attack(server, name, seconds, seed)
    growth = server.resident_mib - memory
    ratio = ratios[name] = latencies.median / baseline
    print(  # noqa: T201 - the campaign's report
        f"  {name}: {ratio:.1f} times {baseline:.1f} ms, slowest {max(latencies.milliseconds):.0f} ms,"
        f" {growth:+} MiB, answers {outcomes}"
    )
    assert latencies.failures == []
    assert server.errors_since(log_size) == []
    assert outcomes
    assert growth < MAX_GROWTH_MIB
    if pytestconfig.getoption("--budget"):  # timings are not asserted in the default suite
        assert ratio <= MAX_RATIO
