"""The worker pool: the slots of a worker process, what wakes them, and how they stop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial

import structlog

from services.events.payload import CANCELED_CHANNEL
from services.generations.claim import Claim
from services.generations.worker import GenerationWorker
from services.integrations.messaging.bus import Bus
from services.integrations.messaging.wake_up import WakeUps
from services.operations.worker_registry import WorkerRegistry
from telemetry import crash
from telemetry.redaction import redact_in_errors
from telemetry.trace import span

log = structlog.get_logger(__name__)

_RELEASE_SECONDS = 3.0  # in which a generation that is cut off is requeued or failed


class WorkerPool:
    """Runs generations, several at once: each slot claims the next in line, then another, until none is waiting.

    A wake-up starts a slot at once, in every pool that has a free one. Wake-ups may be lost, with Redis or without it,
    so the table is also polled every `poll` seconds. `grace`: seconds that running generations get to finish when the
    process stops.
    """

    def __init__(
        self, wake_ups: WakeUps, bus: Bus, worker_registry: WorkerRegistry, *, poll: float, grace: float
    ) -> None:
        self._wake_ups = wake_ups
        self._bus = bus
        self._worker_registry = worker_registry
        self._poll_seconds = poll
        self._grace = grace
        self._wake_count = 0
        self._claiming = 0  # slots that are reading the table right now
        self._stopping = False
        self._cut_off = False  # the grace is over
        self._slots: set[asyncio.Task[None]] = set()
        self._running: dict[str, asyncio.Task[None]] = {}  # by generation

    @contextlib.asynccontextmanager
    async def working(self, worker: GenerationWorker, concurrency: int) -> AsyncIterator[None]:
        """Work while the body runs; then claim nothing more, and let what is running finish or be released."""
        self._stopping = self._cut_off = False
        wake = partial(self._wake, worker, concurrency)
        tasks = [
            asyncio.create_task(self._wake_ups.listen(wake), name="wake-ups"),
            asyncio.create_task(self._poll(worker, concurrency), name="poll"),
            asyncio.create_task(self._listen_for_cancellations(), name="cancellations"),
        ]
        for task in tasks:
            task.add_done_callback(_report_crash)
        try:
            yield
        finally:
            self._stopping = True
            for task in tasks:
                task.cancel()
            await self._drain()
            with contextlib.suppress(Exception):
                await self._worker_registry.unregister(worker.name)
            await asyncio.wait(tasks, timeout=_RELEASE_SECONDS)

    def _wake(self, worker: GenerationWorker, concurrency: int) -> None:
        # One slot reads the table for all wake-ups, and reads it again if another arrives during the read. It
        # wakes the next slot when it has claimed something. Busy slots read the table by themselves when they are done.
        self._wake_count += 1
        if not self._stopping and not self._claiming and len(self._slots) < concurrency:
            self._claiming += 1
            slot = asyncio.create_task(self._run_slot(worker, concurrency))
            self._slots.add(slot)
            slot.add_done_callback(self._slots.discard)

    async def _run_slot(self, worker: GenerationWorker, concurrency: int) -> None:
        while (claim := await self._claim_next(worker)) is not None:
            self._wake(worker, concurrency)  # more generations may be waiting
            await self._run(worker, claim)
            self._claiming += 1

    async def _claim_next(self, worker: GenerationWorker) -> Claim | None:
        """Claim for a slot that is counted in `_claiming`; None ends the slot."""
        try:
            while not self._stopping:
                wake_count = self._wake_count
                claim = await worker.take_next()
                if claim is not None and self._cut_off:  # claimed too late
                    await worker.release(claim)
                    return None
                # A wake-up that arrived while the table was read may have meant a newer row.
                if claim is not None or wake_count == self._wake_count:
                    return claim
        except Exception:
            log.warning("worker_pool.claim_failed", exc_info=True)
        finally:
            self._claiming -= 1
        return None

    async def _run(self, worker: GenerationWorker, claim: Claim) -> None:
        generation_id = claim.generation.id
        running = asyncio.create_task(self._run_traced(worker, claim))
        self._running[generation_id] = running
        try:
            await asyncio.wait([running])
        finally:
            self._running.pop(generation_id, None)
        if running.cancelled():
            await self._wake_ups.publish(generation_id)  # it may be requeued: other processes run it if this one stops
        elif error := running.exception():
            log.error("worker_pool.generation_crashed", generation=generation_id, exc_info=error)
            crash.report(error, generation=generation_id)

    async def _run_traced(self, worker: GenerationWorker, claim: Claim) -> None:
        row = claim.generation
        structlog.contextvars.bind_contextvars(generation=row.id, user=row.user_id)
        redact_in_errors(row.prompt, row.full_prompt, row.variables, row.earlier_prompts)
        # Continues the trace of the request, if its wake-up was received in this process.
        parent = self._wake_ups.trace_of(row.id)
        with span("generation", parent=parent, generation=row.id, user=row.user_id, attempt=row.attempts):
            await worker.run(claim)

    async def _poll(self, worker: GenerationWorker, concurrency: int) -> None:
        while True:
            try:
                await self._worker_registry.heartbeat(worker.name, concurrency)
            except Exception as error:  # noqa: BLE001 - an outage of the database ends
                log.warning("worker_pool.report_failed", error=repr(error))
            self._wake(worker, concurrency)
            await asyncio.sleep(self._poll_seconds)

    async def _listen_for_cancellations(self) -> None:
        async with self._bus.subscribe(CANCELED_CHANNEL) as messages:
            while True:
                message = await messages.get()
                # A lost message costs little: the worker finds its claim lost at its next write.
                if isinstance(message, dict) and (running := self._running.get(str(message.get("id")))):
                    running.cancel()

    async def _drain(self) -> None:
        if self._slots:
            log.info("worker_pool.draining", generations=len(self._running), grace=self._grace)
            await asyncio.wait(self._slots, timeout=self._grace)
        self._cut_off = True
        for running in self._running.values():
            running.cancel()  # which releases its generation
        if self._slots:
            await asyncio.wait(self._slots, timeout=_RELEASE_SECONDS)


def _report_crash(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        # A bug, but nothing is lost: the table is polled, and claims are checked at every write.
        log.error("worker_pool.task_crashed", task=task.get_name(), exc_info=error)
        crash.report(error, task=task.get_name())
