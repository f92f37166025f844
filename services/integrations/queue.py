"""The doorbell of the workers: a message says "look at this generation" and nothing more.

Lost, late and repeated messages change nothing: the row decides who works, and the sweeper finds what nobody rang for.
"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Self

import structlog
from docket import Docket, Worker
from redis.asyncio import Redis

log = structlog.get_logger(__name__)

_TASK = "process"
_RING_SECONDS = 1.0  # a doorbell that does not answer within this is broken, and the sweeper will find the row
_SLOTS_IN_MEMORY = 64  # docket's memory backend polls slowly once all its slots are busy; `work` limits the work


async def ping(url: str) -> None:
    """Return when the Redis at `url` answers; raise what its client raises."""
    async with Redis.from_url(url, socket_connect_timeout=2) as client:
        await client.ping()


class TaskQueue:
    """Docket, on Redis or in this process's memory (a name of its own, so that two queues never meet)."""

    def __init__(self, url: str | None, *, lease_seconds: float) -> None:
        self._in_memory = url is None
        self._lease = timedelta(seconds=max(lease_seconds, 1.0))
        self._docket = Docket(
            name="darkroom",
            url=url or f"memory://{secrets.token_hex(8)}",
            execution_ttl=timedelta(0),  # nobody asks docket how it went
        )
        self._docket.register(self._answer, names=[_TASK])
        self._process: Callable[[str], Awaitable[None]] | None = None
        self._slots = asyncio.Semaphore(1)
        self._stopping = False

    async def __aenter__(self) -> Self:
        await self._docket.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._docket.__aexit__(None, None, None)

    async def ring(self, generation_id: str, fence: int, *, again: bool = False) -> None:
        """Ask any worker to look at a generation; an outage is only noted.

        `again`: the first message may have been lost where docket still counts it as known, so this one has a key of
        its own. A message too many changes nothing.
        """
        try:
            async with asyncio.timeout(_RING_SECONDS):
                # The fence is part of the key: a dead worker's message still counts as running.
                key = f"gen:{generation_id}:{fence}" + (f":{secrets.token_hex(4)}" if again else "")
                await self._docket.add(_TASK, key=key)(generation_id)
        except Exception as error:  # noqa: BLE001 - whatever the backend throws, the row is safe and will be swept
            log.warning("queue.ring_failed", generation=generation_id, error=repr(error))

    async def work(self, process: Callable[[str], Awaitable[None]], concurrency: int) -> None:
        """Answer the bell, `concurrency` generations at once, until cancelled; then finish what is running."""
        self._process = process
        self._slots = asyncio.Semaphore(concurrency)
        async with Worker(
            self._docket,
            concurrency=_SLOTS_IN_MEMORY if self._in_memory else concurrency,
            minimum_check_interval=timedelta(milliseconds=50 if self._in_memory else 5),
            redelivery_timeout=self._lease,
        ) as worker:
            running = asyncio.create_task(worker.run_forever())
            try:
                await asyncio.shield(running)
            except asyncio.CancelledError:
                self._stopping = True  # before docket hands out the rest of what it has taken
                running.cancel()
                await asyncio.wait([running])
                raise

    async def _answer(self, generation_id: str) -> None:
        async with self._slots:
            if self._stopping:
                return  # the row waits on for whoever works next
            if self._process is None:
                raise RuntimeError("a message reached a process that does not work")
            await self._process(generation_id)
