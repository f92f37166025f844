"""The live-event bus, in memory and through a real Redis that is killed, restarted and made to hang."""

import asyncio
import gc
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from servers import RedisServer
from services.integrations.bus import GAP, Bus, Subscription
from services.integrations.redis_bus import RedisBackend

DEADLINE = 8.0  # seconds for what must happen; reconnecting takes 0.1 s, so a test only waits this long to fail


@pytest.fixture(scope="module")
def redis_server() -> Iterator[RedisServer]:
    server = RedisServer(own=True)  # killed below
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis(redis_server: RedisServer) -> RedisServer:
    redis_server.start()
    return redis_server


@pytest.fixture(params=["memory", "redis"])
async def bus(request: pytest.FixtureRequest) -> AsyncIterator[Bus]:
    server: RedisServer | None = request.getfixturevalue("redis") if request.param == "redis" else None
    async with Bus.open(server.url if server else None) as opened:
        yield opened


@pytest.fixture
async def redis_bus(redis: RedisServer) -> AsyncIterator[Bus]:
    async with Bus(RedisBackend(redis.url, keepalive=0.1)) as opened:
        yield opened


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not await condition():  # noqa: ASYNC110 - Redis sends no event for what we ask it
            await asyncio.sleep(0.005)


async def until_down(bus: Bus) -> None:
    async def is_down() -> bool:
        return not bus.is_connected

    await until(is_down)


async def numbers(subscription: Subscription, count: int) -> list[object]:
    """The `n` of the next messages; GAP stands for itself."""
    found: list[object] = []
    for _ in range(count):
        got = await subscription.get(DEADLINE)
        found.append(got["n"] if isinstance(got, dict) else got)
    return found


async def first_message(bus: Bus, subscription: Subscription, channel: str) -> object:
    """What comes after any GAPs when somebody goes on publishing."""
    async with asyncio.timeout(DEADLINE):
        while True:
            await bus.publish(channel, {"n": "back"})
            got = await subscription.get(0.2)
            if isinstance(got, dict):
                return got["n"]


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """The block leaves no task, and no queue, lock, event or subscription alive."""
    kinds = (asyncio.Queue, asyncio.Lock, asyncio.Event, Subscription)

    def census() -> Counter[str]:
        gc.collect()
        found = [type(thing) for thing in gc.get_objects()]  # isinstance would wake up lazily imported modules
        return Counter(kind.__name__ for kind in found if issubclass(kind, kinds))

    before, tasks = census(), len(asyncio.all_tasks())
    yield

    async def as_before() -> bool:  # the loop lets go of a finished task's things some steps later
        return not census() - before

    await until(as_before)
    assert len(asyncio.all_tasks()) == tasks


async def test_messages_arrive_in_the_order_they_were_published(bus: Bus) -> None:
    async with bus.subscribe("order") as subscription:
        for n in range(200):
            await bus.publish("order", {"n": n})
        assert await numbers(subscription, 200) == list(range(200))


async def test_a_burst_reaches_a_reader_that_keeps_up(bus: Bus) -> None:
    async with bus.subscribe("burst") as subscription:
        reading = asyncio.create_task(numbers(subscription, 1000))
        for n in range(1000):
            await bus.publish("burst", {"n": n})
        assert await reading == list(range(1000))


async def test_every_subscriber_of_a_channel_hears_every_message(bus: Bus) -> None:
    async with AsyncExitStack() as stack:
        subscriptions = [await stack.enter_async_context(bus.subscribe("all")) for _ in range(5)]
        for n in range(20):
            await bus.publish("all", {"n": n})
        for subscription in subscriptions:
            assert await numbers(subscription, 20) == list(range(20))


async def test_a_channel_hears_nothing_of_another(bus: Bus) -> None:
    async with bus.subscribe("mine") as mine, bus.subscribe("yours") as yours:
        await bus.publish("mine", {"n": 1})
        await bus.publish("yours", {"n": 2})
        assert await numbers(yours, 1) == [2]
        assert await numbers(mine, 1) == [1]


async def test_subscribers_share_no_object_with_each_other_or_the_publisher(bus: Bus) -> None:
    payload: dict[str, object] = {"tags": ["a"]}
    async with bus.subscribe("copy") as one, bus.subscribe("copy") as two:
        await bus.publish("copy", payload)
        payload["tags"] = []
        first = await one.get(DEADLINE)
        assert first == {"tags": ["a"]}
        assert isinstance(first, dict)
        first["tags"] = None
        assert await two.get(DEADLINE) == {"tags": ["a"]}


async def test_twenty_first_subscribers_at_once_all_hear(bus: Bus) -> None:
    ready = asyncio.Barrier(21)

    async def listen() -> list[object]:
        async with bus.subscribe("race") as subscription:
            await ready.wait()
            return await numbers(subscription, 1)

    async with asyncio.TaskGroup() as group:
        listeners = [group.create_task(listen()) for _ in range(20)]
        await ready.wait()
        await bus.publish("race", {"n": 7})
    assert [listener.result() for listener in listeners] == [[7]] * 20


async def test_a_message_published_as_soon_as_subscribe_returns_is_heard(bus: Bus) -> None:
    for n in range(30):
        async with bus.subscribe(f"fresh:{n}") as subscription:
            await bus.publish(f"fresh:{n}", {"n": n})
            assert await numbers(subscription, 1) == [n]


async def test_a_message_of_another_process_is_heard_as_soon_as_subscribe_returns(redis: RedisServer) -> None:
    async with Bus.open(redis.url) as here, Bus.open(redis.url) as there:
        for n in range(30):
            async with here.subscribe("across") as subscription:
                await there.publish("across", {"n": n})
                assert await numbers(subscription, 1) == [n]


async def test_silence_is_none(bus: Bus) -> None:
    async with bus.subscribe("quiet") as subscription:
        started = time.monotonic()
        assert await subscription.get(0.05) is None
        assert time.monotonic() - started >= 0.045
        assert await subscription.get(0) is None


async def test_a_message_that_waits_is_had_without_waiting(bus: Bus) -> None:
    async with bus.subscribe("waiting") as subscription, bus.subscribe("waiting") as other:
        await bus.publish("waiting", {"n": 1})
        assert await numbers(other, 1) == [1]
        assert await subscription.get(0) == {"n": 1}


async def test_a_cancelled_get_loses_nothing(bus: Bus) -> None:
    async with bus.subscribe("cancel") as subscription:
        heard: list[object] = []
        for n in range(50):
            getting = asyncio.create_task(subscription.get())
            await bus.publish("cancel", {"n": n})
            getting.cancel()
            await asyncio.wait([getting])
            if not getting.cancelled():
                heard.append(getting.result())
        heard += [{"n": n} for n in await numbers(subscription, 50 - len(heard))]
        assert heard == [{"n": n} for n in range(50)]


async def test_an_overflowing_queue_becomes_one_gap(redis: RedisServer) -> None:
    for backend in (None, RedisBackend(redis.url)):
        async with Bus(backend, maxsize=4) as bus, bus.subscribe("slow") as slow, bus.subscribe("slow") as quick:
            for n in range(5):
                await bus.publish("slow", {"n": n})
                assert await numbers(quick, 1) == [n]
            await bus.publish("slow", {"n": 5})
            assert await numbers(quick, 1) == [5]
            assert await numbers(slow, 2) == [GAP, 5]
            assert await slow.get(0) is None


async def test_a_message_that_is_no_json_object_is_a_gap(redis_bus: Bus, redis: RedisServer) -> None:
    async with Redis.from_url(redis.url) as stranger, redis_bus.subscribe("strange") as subscription:
        for strange in (b"", b"[1]", b"{", b"\xff\xfe"):
            await stranger.publish("strange", strange)
            assert await subscription.get(DEADLINE) is GAP
        await redis_bus.publish("strange", {"n": 1})
        assert await numbers(subscription, 1) == [1]


async def test_a_payload_that_json_cannot_hold_is_a_bug_and_raises(bus: Bus) -> None:
    with pytest.raises(TypeError):
        await bus.publish("bug", {"n": object()})


async def test_a_redis_that_comes_back_empty_means_gap_and_then_messages(redis_bus: Bus, redis: RedisServer) -> None:
    async with redis_bus.subscribe("outage") as one, redis_bus.subscribe("outage") as two:
        await redis_bus.publish("outage", {"n": 1})
        assert await numbers(one, 1) == await numbers(two, 1) == [1]
        redis.restart()
        assert await one.get(DEADLINE) is GAP
        assert await two.get(DEADLINE) is GAP
        await redis_bus.publish("outage", {"n": 2})
        assert await numbers(one, 1) == await numbers(two, 1) == [2]


async def test_five_restarts_in_a_row_are_survived(redis_bus: Bus, redis: RedisServer) -> None:
    async with redis_bus.subscribe("storm") as subscription:
        for n in range(5):
            redis.restart()
            assert await subscription.get(DEADLINE) is GAP
            await redis_bus.publish("storm", {"n": n})
            assert await numbers(subscription, 1) == [n]


async def test_subscribing_while_redis_is_down_gives_a_gap_now_and_another_later(
    redis_bus: Bus, redis: RedisServer
) -> None:
    async with redis_bus.subscribe("old"):
        redis.kill()
        await until_down(redis_bus)
        started = time.monotonic()
        async with redis_bus.subscribe("old") as one, redis_bus.subscribe("new") as two:
            assert time.monotonic() - started < 0.5
            for subscription in (one, two):
                assert await subscription.get(0) is GAP
            redis.start()
            for subscription, channel in ((one, "old"), (two, "new")):
                assert await subscription.get(DEADLINE) is GAP
                await redis_bus.publish(channel, {"n": 1})
                assert await numbers(subscription, 1) == [1]


async def test_a_subscription_that_redis_does_not_acknowledge_begins_with_a_gap(redis: RedisServer) -> None:
    async with Bus.open(redis.url) as bus:
        redis.pause()
        try:
            started = time.monotonic()
            async with bus.subscribe("unheard") as subscription:
                assert time.monotonic() - started < 1.5
                assert await subscription.get(0) is GAP
                redis.resume()
                assert await subscription.get(DEADLINE) is GAP  # it works only now
                await bus.publish("unheard", {"n": 1})
                assert await numbers(subscription, 1) == [1]
        finally:
            redis.resume()


async def test_publishing_while_redis_is_down_raises_nothing_and_does_not_wait(
    redis_bus: Bus, redis: RedisServer
) -> None:
    redis.kill()
    with capture_logs() as logs:
        started = time.monotonic()
        await redis_bus.publish("down", {"n": 0})
        assert time.monotonic() - started < 1.5
        await until_down(redis_bus)
        started = time.monotonic()
        for n in range(100):
            await redis_bus.publish("down", {"n": n})
        assert time.monotonic() - started < 0.5
    failures = [entry for entry in logs if entry["event"] == "bus.publish_failed"]
    assert len(failures) == 101
    assert all(entry["channel"] == "down" and entry["log_level"] == "warning" for entry in failures)


async def test_a_bus_opens_while_redis_is_down_and_works_when_it_comes(redis: RedisServer) -> None:
    redis.kill()
    async with Bus.open(redis.url) as bus, bus.subscribe("early") as subscription:
        assert not bus.is_connected
        assert await subscription.get(0) is GAP
        redis.start()
        assert await first_message(bus, subscription, "early") == "back"
        assert bus.is_connected


async def test_publishing_to_a_redis_that_hangs_costs_a_second_once(redis: RedisServer) -> None:
    async with Bus.open(redis.url) as bus, bus.subscribe("hang") as subscription:

        async def publish(delay: float) -> float:
            await asyncio.sleep(delay)
            started = time.monotonic()
            await bus.publish("hang", {"n": 0})
            return time.monotonic() - started

        redis.pause()
        try:
            assert max(await asyncio.gather(publish(0), publish(0), publish(0.5))) < 1.3
            assert max(await asyncio.gather(*(publish(0) for _ in range(10)))) < 0.5
        finally:
            redis.resume()
        assert await first_message(bus, subscription, "hang") is not None
        assert bus.is_connected


async def test_a_redis_that_hangs_is_noticed_by_listening_alone(redis_bus: Bus, redis: RedisServer) -> None:
    async with redis_bus.subscribe("still") as subscription:
        redis.pause()
        try:
            await until_down(redis_bus)
            started = time.monotonic()
            await redis_bus.publish("still", {"n": 0})
            async with redis_bus.subscribe("new") as new:
                assert await new.get(0) is GAP
            assert time.monotonic() - started < 0.5
        finally:
            redis.resume()
        assert await subscription.get(DEADLINE) is GAP
        assert await first_message(redis_bus, subscription, "still") == "back"


async def test_cancelled_publishers_and_subscribers_harm_nobody(bus: Bus) -> None:
    async def come_and_go(n: int) -> None:
        async with bus.subscribe(f"crowd:{n % 7}") as subscription:
            await bus.publish(f"crowd:{n % 7}", {"n": n})
            await subscription.get(DEADLINE)

    await bus.publish("calm", {"n": 0})  # opens the connection for publishing
    async with bus.subscribe("calm") as calm, nothing_left():
        for round_ in range(100):
            crowd = [asyncio.create_task(come_and_go(n)) for n in range(10)]
            for _ in range(round_ % 12):  # cancelled at a different step each time
                await asyncio.sleep(0)
            for task in crowd:
                task.cancel()
            await asyncio.wait(crowd)
        await bus.publish("calm", {"n": 1})
        assert await numbers(calm, 1) == [1]
        del crowd, task  # a task keeps its frame


async def test_a_thousand_subscriptions_leave_nothing_behind(bus: Bus) -> None:
    async def once(n: int) -> None:
        async with bus.subscribe(f"churn:{n % 50}") as subscription:
            await bus.publish(f"churn:{n % 50}", {"n": n})
            assert isinstance(await subscription.get(DEADLINE), dict)

    await once(0)  # opens the connection for publishing
    async with nothing_left():
        for start in range(0, 1000, 20):
            await asyncio.gather(*(once(n) for n in range(start, start + 20)))


async def test_redis_forgets_a_channel_with_its_last_subscriber(redis_bus: Bus, redis: RedisServer) -> None:
    async with Redis.from_url(redis.url, decode_responses=True) as observer:

        async def no_channel() -> bool:
            return not await observer.pubsub_channels()

        for _ in range(3):
            async with redis_bus.subscribe("forget") as one:
                async with redis_bus.subscribe("forget"):
                    pass
                await redis_bus.publish("forget", {"n": 1})
                assert await numbers(one, 1) == [1]
                assert await observer.pubsub_channels() == ["forget"]
            await until(no_channel)


async def test_one_connection_listens_to_all_channels(redis_bus: Bus, redis: RedisServer) -> None:
    async with Redis.from_url(redis.url, decode_responses=True) as observer, AsyncExitStack() as stack:
        for n in range(50):
            await stack.enter_async_context(redis_bus.subscribe(f"many:{n}"))
        await asyncio.gather(*(redis_bus.publish(f"many:{n}", {"n": n}) for n in range(50)))
        listening = await observer.client_list(_type="pubsub")
        assert len(listening) == 1
        assert int(listening[0]["sub"]) == 50
        assert len(await observer.client_list(_type="normal")) == 2  # the publisher, and this observer


async def test_a_closed_bus_has_ended_its_tasks(redis: RedisServer) -> None:
    before = asyncio.all_tasks()
    for url in (None, redis.url):
        async with Bus.open(url) as bus:
            assert asyncio.all_tasks() > before
        assert asyncio.all_tasks() == before, bus


async def test_a_bus_closes_at_once_while_redis_dies(redis: RedisServer) -> None:
    for steps in range(40):  # a cancellation and an error meet at one of them
        redis.start()
        async with asyncio.timeout(DEADLINE):
            async with Bus.open(redis.url) as bus, bus.subscribe("end"):
                redis.kill()
                for _ in range(steps % 14):
                    await asyncio.sleep(0)


async def test_a_closed_bus_leaves_neither_objects_nor_connections(redis: RedisServer) -> None:
    async with Redis.from_url(redis.url) as observer:
        await observer.ping()

        async def alone() -> bool:
            return len(await observer.client_list()) == 1

        async with nothing_left():
            async with Bus.open(redis.url) as bus, bus.subscribe("close"):
                await bus.publish("close", {"n": 1})
            del bus
        await until(alone)
