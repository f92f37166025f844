"""The worker pool: the slots of a worker process, what wakes them, and how they stop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

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
_TOGETHER = 0.005  # seconds between two claims, so that slots and wake-ups that come together are served together
_LONGEST_PAUSE = 0.1  # seconds between two claims while others lock all accounts whose turn it is


class WorkerPool:
    """Runs generations, several at once: one task claims the next in line for all free slots together.

    A wake-up or a slot that is free again makes it claim at once, in every pool that has a free slot. Wake-ups may be
    lost, with Redis or without it, so the table is also polled every `poll` seconds. `grace`: seconds that running
    generations get to finish when the process stops.
    """

    def __init__(
        self, wake_ups: WakeUps, bus: Bus, worker_registry: WorkerRegistry, *, poll: float, grace: float
    ) -> None:
        self._wake_ups = wake_ups
        self._bus = bus
        self._worker_registry = worker_registry
        self._poll_seconds = poll
        self._grace = grace
        self._wanted = asyncio.Event()  # something may be waiting that this pool has a slot for
        self._stopping = False
        self._cut_off = False  # the grace is over
        self._slots: set[asyncio.Task[None]] = set()
        self._running: dict[str, asyncio.Task[None]] = {}  # by generation

    @contextlib.asynccontextmanager
    async def working(self, worker: GenerationWorker, concurrency: int) -> AsyncIterator[None]:
        """Work while the body runs; then claim nothing more, and let what is running finish or be released."""
        self._stopping = self._cut_off = False
        claiming = asyncio.create_task(self._claim_repeatedly(worker, concurrency), name="claims")
        tasks = [
            asyncio.create_task(self._wake_ups.listen(self._wanted.set), name="wake-ups"),
            asyncio.create_task(self._poll(worker, concurrency), name="poll"),
            asyncio.create_task(self._listen_for_cancellations(), name="cancellations"),
        ]
        for task in (claiming, *tasks):
            task.add_done_callback(_report_crash)
        try:
            yield
        finally:
            self._stopping = True
            for task in tasks:
                task.cancel()
            await self._drain(claiming)
            with contextlib.suppress(Exception):
                await self._worker_registry.unregister(worker.name)
            await asyncio.wait(tasks, timeout=_RELEASE_SECONDS)

    async def _claim_repeatedly(self, worker: GenerationWorker, concurrency: int) -> None:
        """Fill the free slots whenever something may be waiting; a wake-up during a claim causes another one."""
        pause = _TOGETHER
        while not self._stopping:
            await self._wanted.wait()
            self._wanted.clear()
            free = concurrency - len(self._slots)
            if free > 0 and not self._stopping:
                is_blocked = await self._claim(worker, free)
                pause = min(2 * pause, _LONGEST_PAUSE) if is_blocked else _TOGETHER
                await asyncio.sleep(pause)

    async def _claim(self, worker: GenerationWorker, free: int) -> bool:
        """Claim and start; return whether all that could be claimed is locked by others."""
        try:
            found = await worker.take(free)
        except Exception:
            log.warning("worker_pool.claim_failed", exc_info=True)
            return False  # until the next poll
        if found.contended:
            self._wanted.set()
        for claim in found.claims:
            if self._cut_off:  # claimed too late
                await worker.release(claim)
                continue
            slot = asyncio.create_task(self._run(worker, claim))
            self._slots.add(slot)
            slot.add_done_callback(self._free_slot)
        return found.contended and not found.claims

    def _free_slot(self, slot: asyncio.Task[None]) -> None:
        self._slots.discard(slot)
        self._wanted.set()

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
            self._wanted.set()
            await asyncio.sleep(self._poll_seconds)

    async def _listen_for_cancellations(self) -> None:
        async with self._bus.subscribe(CANCELED_CHANNEL) as messages:
            while True:
                message = await messages.get()
                # A lost message costs little: the worker finds its claim lost at its next write.
                if isinstance(message, dict) and (running := self._running.get(str(message.get("id")))):
                    running.cancel()

    async def _drain(self, claiming: asyncio.Task[None]) -> None:
        self._wanted.set()  # it stops; what it is claiming just now runs as well
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._grace
        if self._slots:
            log.info("worker_pool.draining", generations=len(self._running), grace=self._grace)
        await asyncio.wait([claiming], timeout=self._grace)
        if self._slots:
            await asyncio.wait(self._slots, timeout=max(ends - loop.time(), 0))
        self._cut_off = True
        for running in self._running.values():
            running.cancel()  # which releases its generation
        if remaining := {task for task in (claiming, *self._slots) if not task.done()}:
            await asyncio.wait(remaining, timeout=_RELEASE_SECONDS)
        claiming.cancel()


def _report_crash(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        # A bug, but nothing is lost: the table is polled, and claims are checked at every write.
        log.error("worker_pool.task_crashed", task=task.get_name(), exc_info=error)
        crash.report(error, task=task.get_name())
