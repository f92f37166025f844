"""Attacks with an account, a script and patience: they are refused, and other users are served as before."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest

from settings import ROOT
from tests.campaigns.attack_server import AttackedServer, Latencies, attacked_server
from tests.campaigns.attacker import ATTACKS

SHORT_SECONDS = 0.3  # of each attack in the default suite
LONG_SECONDS = 10.0  # with --budget 1
UNDISTURBED_SECONDS = 1.0  # measured before each attack
MAX_RATIO = 3.0  # of the bystander's median under attack to its undisturbed one
MAX_GROWTH_MIB = 150  # of the server's resident memory during one attack

_STAYS_OPEN = {"open", "408", "503", "closed"}  # until the server's time limit, unless the client has too many
_FLOODED = {"open", "reset", "closed 4429", "503"}  # within the budget of a socket, or closed
# What may be answered; anything else is a defect.
EXPECTED = {
    "password_guesses": {"INVALID_INPUT", "RATE_LIMITED"},
    "password_reset_mails": {"data", "RATE_LIMITED"},
    "orders_canceled_at_once": {"data", "RATE_LIMITED", "QUOTA_EXCEEDED"},
    "endless_heads": {"431", "open"},
    "endless_urls": {"414", "open"},
    "countless_headers": {"431", "open"},
    "endless_bodies": {"413", "open"},
    "tiny_chunks": {"400", "413", "open"},
    "endless_chunk_extensions": {"431", "open"},
    "half_sent_heads": _STAYS_OPEN,
    "half_sent_bodies": _STAYS_OPEN,
    "half_sent_uploads": {"200", "open"},  # the answer is UNAUTHENTICATED
    "half_sent_uploads_of_an_account": {"429", *_STAYS_OPEN},
    "long_handshakes": {"431", "open"},
    "silent_connections": _STAYS_OPEN,
    "quadratic_field_merging": {"TOO_COMPLEX", "INVALID_INPUT"},
    # UNAUTHENTICATED: a mutation of admins, whose variables are not too deep
    "hostile_document_shapes": {
        "TOO_COMPLEX",
        "INVALID_INPUT",
        "NOT_FOUND",
        "UNAUTHENTICATED",
        "data",
        "RATE_LIMITED",
    },
    "aliased_statements": {"TOO_COMPLEX"},
    "largest_accepted_documents": {"TOO_COMPLEX", "data", "RATE_LIMITED"},
    "aliased_pages": {"TOO_COMPLEX", "data", "RATE_LIMITED"},
    "lists_within_lists": {"TOO_COMPLEX", "RATE_LIMITED"},
    "long_operation_names": {"INVALID_INPUT"},
    "pictures_of_many_scans": {"INVALID_INPUT", "RATE_LIMITED"},
    "damaged_pictures": {"INVALID_INPUT", "RATE_LIMITED"},
    "large_photos": {"data", "RATE_LIMITED"},
    "ping_messages": _FLOODED,
    "unread_ping_messages": _FLOODED,
    "unread_protocol_pings": _FLOODED,
    "slow_protocol_pings": _FLOODED,
    "empty_fragments": {"closed 1009", "open", "reset"},
    "large_messages": _FLOODED,
    "subscribe_messages": _FLOODED,
    "operations_on_many_sockets": _FLOODED,
    "many_sockets": _FLOODED,
}

pytestmark = [pytest.mark.timeout(600), pytest.mark.any_database]


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
    """Return the bystander's median without an attack, in milliseconds."""
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(UNDISTURBED_SECONDS, stop.set)
    found = await server.measure(stop)
    assert found.failures == []
    return found.median


async def attack(
    server: AttackedServer, names: Sequence[str], seconds: float, seed: int
) -> tuple[dict[str, dict[str, int]], Latencies]:
    """Run attacks one after another; return the outcomes of each, and the bystander's latencies meanwhile."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.campaigns.attacker", server.address, str(seconds), str(seed), *names,
        cwd=ROOT, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    stop = asyncio.Event()
    measuring = asyncio.create_task(server.measure(stop))
    output, _ = await process.communicate()
    stop.set()
    assert process.returncode == 0
    return dict(json.loads(line) for line in output.splitlines()), await measuring


def unexpected(outcomes: dict[str, dict[str, int]]) -> dict[str, set[str]]:
    """Return the answers to each attack that are none of the expected ones."""
    found = {name: counts.keys() - EXPECTED[name] for name, counts in outcomes.items()}
    return {name: codes for name, codes in found.items() if codes}


async def test_every_attack_is_refused_and_other_users_are_served(server: AttackedServer, seed: int) -> None:
    log_size = server.log.stat().st_size
    outcomes, latencies = await attack(server, list(ATTACKS), SHORT_SECONDS, seed)
    assert outcomes.keys() == ATTACKS.keys() == EXPECTED.keys()
    assert all(outcomes.values()), outcomes
    assert unexpected(outcomes) == {}
    assert latencies.failures == []
    assert server.errors_since(log_size) == []


@pytest.mark.attack
@pytest.mark.parametrize("name", ATTACKS)
async def test_attack_does_not_slow_other_users(
    server: AttackedServer, ratios: dict[str, float], name: str, seed: int, pytestconfig: pytest.Config
) -> None:
    seconds = LONG_SECONDS * (float(pytestconfig.getoption("--budget")) or 1)
    baseline, log_size, memory = await undisturbed(server), server.log.stat().st_size, server.resident_mib
    outcomes, latencies = await attack(server, [name], seconds, seed)
    growth = server.resident_mib - memory
    ratio = ratios[name] = latencies.median / baseline
    print(  # noqa: T201 - the campaign's report
        f"  {name}: {ratio:.1f} times {baseline:.1f} ms, slowest {max(latencies.milliseconds):.0f} ms,"
        f" {growth:+} MiB, answers {outcomes[name]}"
    )
    assert latencies.failures == []
    assert unexpected(outcomes) == {}
    assert server.errors_since(log_size) == []
    assert growth < MAX_GROWTH_MIB
    assert ratio <= MAX_RATIO
