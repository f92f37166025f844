"""CachedValue: concurrent callers share one read, results are reused for their TTL, failures are not cached."""

import asyncio

from services.core.cached_value import CachedValue


class Source:
    """Counts how often it is read; returns once `open` is set."""

    def __init__(self) -> None:
        self.reads = 0
        self.broken = False
        self.open = asyncio.Event()

    async def read(self) -> int:
        self.reads += 1
        await self.open.wait()
        if self.broken:
            raise OSError("down")
        return self.reads


async def test_concurrent_callers_share_one_read() -> None:
    source = Source()
    cached = CachedValue(source.read, seconds=60)
    callers = [asyncio.create_task(cached.get()) for _ in range(20)]
    await asyncio.sleep(0)
    callers[0].cancel()  # the first caller is canceled
    source.open.set()
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(results[0]), *results[1:]] == [asyncio.CancelledError, *[1] * 19]
    assert (await cached.get(), source.reads) == (1, 1)


async def test_value_is_read_again_after_its_ttl_and_after_a_failure() -> None:
    source = Source()
    source.open.set()
    uncached = CachedValue(source.read, seconds=0)
    assert [await uncached.get(), await uncached.get()] == [1, 2]
    cached, source.broken = CachedValue(source.read, seconds=60), True
    failed = await asyncio.gather(*(cached.get() for _ in range(5)), return_exceptions=True)
    assert ([type(error) for error in failed], source.reads) == ([OSError] * 5, 3)
    source.broken = False
    assert (await cached.get(), await cached.get()) == (4, 4)
