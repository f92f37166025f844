"""The doorbell of the workers: a message says "something waits" and nothing more.

Lost, late and repeated messages change nothing: the table says what waits and whose turn it is, and it is looked at
from time to time, too.
"""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Callable
from datetime import timedelta
from typing import Self

import structlog
from docket import CurrentExecution, Docket, Execution, Worker
from opentelemetry.context import Context
from redis.asyncio import Redis

log = structlog.get_logger(__name__)

_TASK = "process"
_RING_SECONDS = 1.0  # a doorbell that does not answer within this is broken, and the row will be found
_ORIGINS = 1000  # traces of orders that are remembered until somebody begins with them; others may have
_SLOTS = 64  # rings answered at once: an answer takes no time, and the crew limits the work


async def ping(url: str) -> None:
    """Return when the Redis at `url` answers; raise what its client raises."""
    async with Redis.from_url(url, socket_connect_timeout=2) as client:
        await client.ping()


class TaskQueue:
    """Docket, on Redis or in this process's memory (a name of its own, so that two queues never meet)."""

    def __init__(self, url: str | None) -> None:
        self.is_shared = url is not None  # with other processes
        self._docket = Docket(
            name="darkroom",
            url=url or f"memory://{secrets.token_hex(8)}",
            execution_ttl=timedelta(0),  # nobody asks docket how it went
        )
        self._docket.register(self._answer, names=[_TASK])
        self._heard: Callable[[], None] | None = None
        self._origins: OrderedDict[str, Context] = OrderedDict()

    async def __aenter__(self) -> Self:
        await self._docket.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._docket.__aexit__(None, None, None)

    async def ring(self, generation_id: str, fence: int) -> None:
        """Ask any worker to look at the table; an outage is only noted."""
        try:
            async with asyncio.timeout(_RING_SECONDS):
                # The fence is part of the key: a dead worker's message still counts as running.
                key = f"gen:{generation_id}:{fence}"
                await self._docket.add(_TASK, key=key)(generation_id)
        except Exception as error:  # noqa: BLE001 - whatever the backend throws, the row is safe and will be found
            log.warning("queue.ring_failed", generation=generation_id, error=repr(error))

    async def listen(self, heard: Callable[[], None]) -> None:
        """Call `heard` for every ring that reaches this process, until cancelled; outages of Redis are sat out."""
        self._heard = heard
        async with Worker(
            self._docket,
            concurrency=_SLOTS,
            minimum_check_interval=timedelta(milliseconds=5 if self.is_shared else 50),
            reconnection_delay=timedelta(seconds=1),
        ) as worker:
            await worker.run_forever()

    def origin(self, generation_id: str) -> Context | None:
        """The trace of the order that rang for a generation, once; None where it did not ring here."""
        return self._origins.pop(generation_id, None)

    async def _answer(self, generation_id: str, execution: Execution = CurrentExecution()) -> None:  # noqa: B008 - how docket is asked
        if self._heard is None:
            raise RuntimeError("a message reached a process that does not work")
        if execution.trace_context:  # docket carries it in the message
            self._origins[generation_id] = execution.trace_context
            if len(self._origins) > _ORIGINS:
                self._origins.popitem(last=False)
        self._heard()
