"""REDIS_URL with sentinels: the bus and the rate limiter follow the master that the sentinels name."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from services.integrations.messaging.bus import GAP, Bus, Subscription
from services.integrations.rate_limiter import RateLimiter
from services.integrations.redis_client import ping, pool_of
from settings import SettingsError, load_settings
from tests.support.client import PATIENCE, until
from tests.support.sentinel import SentinelServers
from tests.support.server_process import HOST

PING_SECONDS = 5.0  # less than `main.py check` waits; a sentinel's share of the time is a second


@pytest.fixture
def servers() -> Iterator[SentinelServers]:
    with SentinelServers() as started:
        yield started


async def test_bus_and_rate_limiter_follow_the_master_after_a_failover(servers: SentinelServers) -> None:
    await ping(servers.url)
    limiter = RateLimiter(servers.url, retry_after=0.1)
    async with Bus.open(servers.url) as bus, bus.subscribe("changes") as subscription:
        await bus.publish("changes", {"number": 1})
        assert await subscription.get(PATIENCE) == {"number": 1}
        await bus.post("changes", {"number": 1}, "kept")
        assert await subscription.get(PATIENCE) == {"number": 1}
        assert list(await bus.kept("changes")) == [b"kept"]
        assert await limiter.hit("ada", 2, 60, cost=2) is None
        assert await limiter.hit("ada", 2, 60)

        servers.kill_master()

        assert await subscription.get(PATIENCE) is GAP  # messages may have been lost
        await until(lambda: _is_delivered(bus, subscription))
        await ping(servers.url)
    await limiter.aclose()


async def test_sentinel_that_does_not_answer_is_passed_over(servers: SentinelServers) -> None:
    with socket.create_server((HOST, 0)) as silent:
        url = servers.url.replace("//", f"//{HOST}:{silent.getsockname()[1]},")
        limiter = RateLimiter(url, retry_after=0.1)
        await limiter.check()
        await limiter.aclose()
        async with Bus.open(url) as bus, bus.subscribe("changes") as subscription:
            await until(lambda: _is_delivered(bus, subscription))
        async with asyncio.timeout(PING_SECONDS):
            await ping(url)


async def _is_delivered(bus: Bus, subscription: Subscription) -> bool:
    await bus.publish("changes", {"number": 2})
    return await subscription.get(0.5) == {"number": 2}


def test_address_of_sentinels_names_the_masters_user_password_and_database() -> None:
    pool = pool_of("rediss+sentinel://ada:p%40ss@one:26379,two:26380/main/3", socket_connect_timeout=1.0)
    assert pool.service_name == "main"  # type: ignore[attr-defined]  # of a sentinel's pool
    found = pool.connection_kwargs
    assert (found["username"], found["password"], found["db"]) == ("ada", "p@ss", 3)
    addresses = [sentinel.connection_pool.connection_kwargs for sentinel in pool.sentinel_manager.sentinels]  # type: ignore[attr-defined]
    assert [(one["host"], one["port"]) for one in addresses] == [("one", 26379), ("two", 26380)]


@pytest.mark.parametrize("url", ["redis+sentinel://one:1/main", "rediss+sentinel://a:b@one:1,two:2/main/1"])
def test_settings_accept_addresses_of_sentinels(url: str) -> None:
    assert load_settings(_env_file=None, redis_url=url).redis_url == url


@pytest.mark.parametrize("url", ["redis+sentinel://one:1", "redis+sentinel://one/main", "redis+sentinel://one:1,/main"])
def test_settings_refuse_incomplete_addresses_of_sentinels(url: str) -> None:
    with pytest.raises(SettingsError, match="redis\\+sentinel"):
        load_settings(_env_file=None, redis_url=url)
