"""REDIS_URL with a Redis Cluster: sharded channels, slots that move, failover, rate limits and ping."""

import asyncio
from collections.abc import Iterator
from functools import partial

import pytest
from redis.exceptions import RedisClusterException, RedisError

from services.integrations.messaging.bus import GAP, MISSED, Bus, Message, Subscription
from services.integrations.messaging.redis_cluster import ClusterBackend
from services.integrations.rate_limiter import RateLimiter
from services.integrations.redis_client import cluster_options, node_url, ping
from services.integrations.shared_documents import SharedDocuments
from settings import SettingsError, load_settings
from tests.support.bus_probe import DEADLINE, assert_no_leaks, received_numbers
from tests.support.client import until
from tests.support.redis_cluster import OLDER, SHARDED, RedisCluster
from tests.support.server_process import HOST, free_port


@pytest.fixture(params=[SHARDED, OLDER], scope="module")
def cluster(request: pytest.FixtureRequest) -> Iterator[RedisCluster]:
    """A cluster whose servers keep running."""
    with RedisCluster(request.param) as started:
        yield started


@pytest.fixture(params=[SHARDED, OLDER])
def own_cluster(request: pytest.FixtureRequest) -> Iterator[RedisCluster]:
    """A cluster that the test may break."""
    with RedisCluster(request.param) as started:
        yield started


async def _is_delivered(bus: Bus, channel: str, subscription: Subscription) -> bool:
    await bus.publish(channel, {"n": "back"})
    received = await subscription.get(0.3)
    return isinstance(received, dict)


async def test_message_of_another_process_is_received_as_soon_as_subscribe_returns(cluster: RedisCluster) -> None:
    async with Bus.open(cluster.url) as here, Bus.open(cluster.url) as there:
        for number in range(30):
            channel = cluster.channel_of(number % 3)
            async with here.subscribe(channel) as subscription:
                await there.publish(channel, {"n": number})
                await there.post(channel, {"n": -number})
                assert await received_numbers(subscription, 2) == [number, -number]


class Silent:
    """A listener that does nothing."""

    def receive(self, message: Message, text: str | bytes = MISSED) -> None:
        pass


async def test_channels_are_sharded_where_all_servers_offer_it(cluster: RedisCluster) -> None:
    backend = ClusterBackend(cluster.url)
    channels, listener = [cluster.channel_of(index) for index in range(3)], Silent()
    async with Bus(backend) as bus:
        assert bus.is_connected
        for channel in channels:
            await bus.listen(channel, listener)
        found = [cluster.run(index, "PUBSUB", "CHANNELS") for index in range(3)]
        if cluster.run(0, "INFO", "server").find(b"redis_version:6") > 0:
            assert not backend.is_sharded
            assert {name for names in found for name in names} == {channel.encode() for channel in channels}
            return
        assert backend.is_sharded
        assert found == [[], [], []]
        assert [cluster.run(index, "PUBSUB", "SHARDCHANNELS") for index in range(3)] == [
            [channel.encode()] for channel in channels
        ]
        for channel in channels:
            bus.unlisten(channel, listener)


async def test_closed_bus_leaves_neither_tasks_nor_subscriptions(cluster: RedisCluster) -> None:
    await ping(cluster.url)
    async with assert_no_leaks():
        async with Bus.open(cluster.url) as bus, bus.subscribe("close"):
            await bus.publish("close", {"n": 1})
        del bus


async def test_rate_limits_are_counted_for_all_processes(cluster: RedisCluster) -> None:
    one, two = RateLimiter(cluster.url), RateLimiter(cluster.url)
    for key in ("ada", "bob", "cid", "dan", "eve"):
        answers = await asyncio.gather(*(limiter.hit(key, 3, 60) for limiter in (one, two) for _ in range(4)))
        assert answers.count(None) == 3
        await two.reset(key, 3, 60)
        assert await one.hit(key, 3, 60, cost=3) is None
        await one.reset(key, 3, 60)
    await one.aclose()
    await two.aclose()


async def test_registered_documents_are_shared_and_bounded(cluster: RedisCluster) -> None:
    writer, reader = (SharedDocuments(cluster.url, most=2, max_bytes=1000) for _ in range(2))
    try:
        for text in ("{ a }", "{ b }", "{ c }"):
            await writer.keep(text, text)
        assert [await reader.find(text) for text in ("{ a }", "{ b }", "{ c }")] == [None, "{ b }", "{ c }"]
    finally:
        await writer.aclose()
        await reader.aclose()


async def test_messages_are_kept_on_the_server_of_their_channel(own_cluster: RedisCluster) -> None:
    is_sharded = own_cluster.wheel == SHARDED
    async with Bus.open(own_cluster.url) as here, Bus.open(own_cluster.url) as there:
        channels = [own_cluster.channel_of(index) for index in range(3)]
        for channel in channels:
            async with there.subscribe(channel) as subscription:
                for number in (1, 2):
                    await here.post(channel, {"n": number}, str(number))
                assert await received_numbers(subscription, 2) == [1, 2]
            # Where channels are not sharded, their lists might be on other servers: nothing is kept.
            assert list(await there.kept(channel)) == ([b"1", b"2"] if is_sharded else [])
        if not is_sharded:
            return
        async with there.subscribe(channels[0]) as subscription:
            own_cluster.begin_move(channels[0], 0, 1)
            for number in (3, 4):  # the list has gone ahead to the other server
                await here.post(channels[0], {"n": number}, str(number))
            assert await received_numbers(subscription, 2) == [3, 4]
            own_cluster.move(channels[0], 0, 1)
            await until(partial(_is_delivered, here, channels[0], subscription))
        assert here.is_connected


async def test_failover_causes_a_gap_and_then_messages_without_restarting_anything(own_cluster: RedisCluster) -> None:
    limiter = RateLimiter(own_cluster.url, retry_after=0.1)
    channels = [own_cluster.channel_of(index) for index in (0, 1)]
    async with (
        Bus.open(own_cluster.url) as bus,
        bus.subscribe(channels[0]) as lost,
        bus.subscribe(channels[1]) as kept,
    ):
        for channel, subscription in zip(channels, (lost, kept), strict=True):
            await bus.publish(channel, {"n": 1})
            assert await received_numbers(subscription, 1) == [1]
        assert await limiter.hit("ada", 2, 60) is None

        own_cluster.kill(0)

        if own_cluster.wheel == SHARDED:
            assert await lost.get(DEADLINE) is GAP
            assert await kept.get(0) is None, "a server that fails concerns only its own channels"
        for channel, subscription in zip(channels, (lost, kept), strict=True):
            await until(partial(_is_delivered, bus, channel, subscription))
        await until(lambda: _responds(own_cluster.url))
        assert bus.is_connected
        await until(lambda: _counts(limiter))
    await limiter.aclose()


async def _responds(url: str) -> bool:
    try:
        await ping(url)
    except (RedisError, OSError):
        return False  # the cluster is still without one of its primaries
    return True


async def _counts(limiter: RateLimiter) -> bool:
    await limiter.hit("bob", 1, 60)
    return await limiter.hit("bob", 1, 60) is not None


async def test_moved_slot_causes_a_gap_and_loses_no_later_message(cluster: RedisCluster) -> None:
    moving, staying = cluster.channel_of(0), cluster.channel_of(1)
    async with (
        Bus.open(cluster.url) as here,
        Bus.open(cluster.url) as there,
        here.subscribe(moving) as subscription,
        here.subscribe(staying) as other,
    ):
        for number, (source, target) in enumerate([(0, 1), (1, 0)]):
            cluster.move(moving, source, target)

            if cluster.wheel == SHARDED:
                assert await subscription.get(DEADLINE) is GAP
            await there.publish(moving, {"n": number})  # by the layout from before, which its server corrects
            await there.publish(staying, {"n": -number})
            assert await received_numbers(subscription, 1) == [number]
            assert await received_numbers(other, 1) == [-number]
            assert here.is_connected
            assert there.is_connected


async def test_bus_opens_while_no_server_runs_and_subscribers_receive_a_gap() -> None:
    url = f"redis+cluster://{HOST}:{free_port()}"
    async with Bus.open(url) as bus, bus.subscribe("early") as subscription:
        assert not bus.is_connected
        assert await subscription.get(0) is GAP
        await bus.publish("early", {"n": 1})  # is logged, and neither raises nor waits
    with pytest.raises(RedisClusterException):
        await ping(url)


def test_address_of_a_cluster_names_user_password_options_and_all_servers() -> None:
    url = "rediss+cluster://ada:p%40ss@one:7000,[::1]:7001?ssl_ca_certs=/etc/ca.pem"
    options = cluster_options(url)
    assert (options["username"], options["password"], options["ssl"]) == ("ada", "p@ss", True)
    assert options["ssl_ca_certs"] == "/etc/ca.pem"
    assert [(node.host, node.port) for node in options["startup_nodes"]] == [("one", 7000), ("::1", 7001)]
    assert node_url(url, ("two", 7002)) == "rediss://ada:p%40ss@two:7002/0?ssl_ca_certs=/etc/ca.pem"
    assert node_url("redis+cluster://one:1", ("::1", 2)) == "redis://[::1]:2/0"


@pytest.mark.parametrize(
    "url", ["redis+cluster://one:1", "rediss+cluster://a:b@one:1,two:2", "redis+cluster://one:1/?socket_keepalive=yes"]
)
def test_settings_accept_addresses_of_a_cluster(url: str) -> None:
    assert load_settings(_env_file=None, redis_url=url).redis_url == url


@pytest.mark.parametrize("url", ["redis+cluster://one", "redis+cluster://one:1,", "redis+cluster://one:1,two:2/3"])
def test_settings_refuse_incomplete_addresses_of_a_cluster(url: str) -> None:
    with pytest.raises(SettingsError, match="redis\\+cluster"):
        load_settings(_env_file=None, redis_url=url)
