"""The faults of a night: each is made, lasts for some seconds, and is undone, while orders go on."""

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import asyncpg

from tests.campaigns.chaos_deployment import Deployment, Member
from tests.campaigns.chaos_proxy import DENIED, FULL, FaultyProxy
from tests.campaigns.chaos_server import loss_file, provider_fault

_READ_ONLY = "ALTER DATABASE chaos SET default_transaction_read_only = on"
_WRITABLE = "ALTER DATABASE chaos RESET default_transaction_read_only"
_RECONNECT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'darkroom%'"
FAILURE_RATE = 0.4  # of the requests to S3, while it fails partly


@dataclass(frozen=True)
class Night:
    """What the faults are made in. `lease`: seconds after which a worker that is frozen has lost what it ran."""

    deployment: Deployment
    store: FaultyProxy
    rng: random.Random
    lease: float


async def redis_is_away(night: Night) -> None:
    await night.deployment.run_in_thread(night.deployment.redis.kill)
    await asyncio.sleep(night.rng.uniform(2, 8))
    await night.deployment.run_in_thread(night.deployment.redis.start)


async def postgres_is_away(night: Night) -> None:
    await night.deployment.run_in_thread(night.deployment.postgres.kill)
    await asyncio.sleep(night.rng.uniform(0.8, 3))
    await night.deployment.run_in_thread(night.deployment.postgres.start)


async def postgres_takes_no_writes(night: Night) -> None:
    await _sql(night, _READ_ONLY, _RECONNECT)
    await asyncio.sleep(night.rng.uniform(2, 5))
    await _sql(night, _WRITABLE, _RECONNECT)


async def _sql(night: Night, *statements: str) -> None:
    options = {"default_transaction_read_only": "off"}
    connection = await asyncpg.connect(night.deployment.database, server_settings=options)
    for statement in statements:
        await connection.execute(statement)
    await connection.close()


async def store_fails_partly(night: Night) -> None:
    night.store.failure_rate = FAILURE_RATE
    await asyncio.sleep(night.rng.uniform(3, 8))
    night.store.failure_rate = 0.0


async def store_is_away(night: Night) -> None:
    await night.store.stop()
    await asyncio.sleep(night.rng.uniform(2, 6))
    await night.store.start()


async def store_is_full(night: Night) -> None:
    await _refuse_writes(night, FULL)


async def store_refuses_writes(night: Night) -> None:
    await _refuse_writes(night, DENIED)


async def _refuse_writes(night: Night, answer: bytes) -> None:
    night.store.refusal = answer
    night.store.refuses.add("PUT")
    await asyncio.sleep(night.rng.uniform(2, 6))
    night.store.refuses.clear()


async def provider_is_down(night: Night) -> None:
    await _break_provider(night, "down")


async def provider_is_slow(night: Night) -> None:
    await _break_provider(night, "slow")


async def provider_refuses_the_key(night: Night) -> None:
    await _break_provider(night, "key")


async def _break_provider(night: Night, fault: str) -> None:
    file = provider_fault(night.deployment.folder)
    file.write_text(fault)
    await asyncio.sleep(night.rng.uniform(3, 8))
    file.unlink()


async def messages_are_lost(night: Night) -> None:
    file = loss_file(night.deployment.folder)
    file.touch()
    await asyncio.sleep(night.rng.uniform(3, 8))
    file.unlink()


async def one_process_is_restarted(night: Night) -> None:
    member = night.rng.choice(night.deployment.members)
    code = await member.stop()
    assert code in (0, -signal.SIGTERM), f"{member.name} ended with {code}"
    await member.start()


async def one_process_is_killed(night: Night) -> None:
    member = night.rng.choice(night.deployment.members)
    assert member.process is not None
    member.process.send(signal.SIGKILL)
    await member.process.exit_code
    await asyncio.sleep(night.rng.uniform(0.5, 3))
    await member.start()


async def one_worker_is_frozen(night: Night) -> None:
    """Stop a worker for longer than its lease: another does its work, and what it writes afterwards counts nothing."""
    workers: list[Member] = [member for member in night.deployment.members if member.command == "worker"]
    member = night.rng.choice(workers)
    assert member.process is not None
    member.process.send(signal.SIGSTOP)
    await asyncio.sleep(1.5 * night.lease)
    member.process.send(signal.SIGCONT)


FAULTS: tuple[Callable[[Night], Awaitable[None]], ...] = (
    redis_is_away,
    postgres_is_away,
    postgres_takes_no_writes,
    store_fails_partly,
    store_is_away,
    store_is_full,
    store_refuses_writes,
    provider_is_down,
    provider_is_slow,
    provider_refuses_the_key,
    messages_are_lost,
    one_process_is_restarted,
    one_process_is_killed,
    one_worker_is_frozen,
)
