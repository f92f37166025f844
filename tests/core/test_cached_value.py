"""What many ask for at once is read once, told again for a while, and never remembered of a failure."""

import asyncio

from services.core.cached_value import CachedValue


class Figure:
    """Counts how often it is read; answers when it is told to."""

    def __init__(self) -> None:
        self.reads = 0
        self.broken = False
        self.open = asyncio.Event()

    async def read(self) -> int:
        self.reads += 1
        await self.open.wait()
        if self.broken:
            raise OSError("away")
        return self.reads


async def test_what_many_ask_for_at_once_is_read_once() -> None:
    figure = Figure()
    remembered = CachedValue(figure.read, seconds=60)
    asking = [asyncio.create_task(remembered.get()) for _ in range(20)]
    await asyncio.sleep(0)
    asking[0].cancel()  # the one who came first goes away
    figure.open.set()
    answers = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(answers[0]), *answers[1:]] == [asyncio.CancelledError, *[1] * 19]
    assert (await remembered.get(), figure.reads) == (1, 1)


async def test_it_is_read_again_after_its_time_and_after_a_failure() -> None:
    figure = Figure()
    figure.open.set()
    fleeting = CachedValue(figure.read, seconds=0)
    assert [await fleeting.get(), await fleeting.get()] == [1, 2]
    lasting, figure.broken = CachedValue(figure.read, seconds=60), True
    failed = await asyncio.gather(*(lasting.get() for _ in range(5)), return_exceptions=True)
    assert ([type(error) for error in failed], figure.reads) == ([OSError] * 5, 3)
    figure.broken = False
    assert (await lasting.get(), await lasting.get()) == (4, 4)
