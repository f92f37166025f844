"""The worker pool: the slots of a worker process, what wakes them, and how they stop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog

from models.database.connection import is_outage
from models.enum import GenerationStage
from services.events.payload import CANCELED_CHANNEL, JOBS_CHANNEL
from services.generations.claim import Claim
from services.generations.queue.next_claims import Claims
from services.generations.videos.due_jobs import seconds_to_wait
from services.generations.worker import GenerationWorker
from services.integrations.messaging.bus import Bus
from services.integrations.messaging.wake_up import WakeUps
from services.operations.worker_registry import WorkerRegistry
from telemetry import crash, log_fields
from telemetry.redaction import redact_in_errors
from telemetry.trace import span

log = structlog.get_logger(__name__)

_RELEASE_SECONDS = 3.0  # in which a generation that is cut off is requeued or failed
_STORE_SECONDS = 3.0  # after the grace, for results that are being stored: their provider has been paid
_TOGETHER = 0.005  # seconds between two claims, so that slots and wake-ups that come together are served together
_DOUBT_SECONDS = 10.0  # in which a claim whose answer was lost is committed or not: a statement may take 5 s
_DOUBT_PAUSE = 1.0  # seconds between two looks for such a claim
_LONGEST_PAUSE = 0.1  # seconds between two claims while others lock all accounts whose turn it is


@dataclass(eq=False)
class _Running:
    """A generation in its slot. `has_begun`: its worker will release it when it is canceled."""

    claim: Claim
    has_begun: bool = False
    task: asyncio.Task[None] = field(init=False)


class WorkerPool:
    """Runs generations, several at once: one task claims the next in line for all free slots together.

    A wake-up or a slot that is free again makes it claim at once, in every pool that has a free slot. Wake-ups may be
    lost, with Redis or without it, so the table is also polled every `poll` seconds. `grace`: seconds that generations
    whose provider was called get to finish when the process stops; the others are handed back at once.
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
        self._jobs_wanted = False  # a video's job may be due
        self._stopping = False
        # The generation of each; one can have two slots while that of before is being freed, and run in both.
        self._slots: dict[asyncio.Task[None], str] = {}
        self._running: set[_Running] = set()
        self._doubtful_until: float | None = None  # the loop's time until which a claim may turn out to have been made

    @contextlib.asynccontextmanager
    async def working(self, worker: GenerationWorker, concurrency: int) -> AsyncIterator[None]:
        """Work while the body runs; then claim nothing more, hand back what was not called, and let the rest finish."""
        self._stopping = False
        claiming = asyncio.create_task(self._claim_repeatedly(worker, concurrency), name="claims")
        tasks = [
            asyncio.create_task(self._wake_ups.listen(self._wanted.set), name="wake-ups"),
            asyncio.create_task(self._poll(worker, concurrency), name="poll"),
            asyncio.create_task(self._listen_for_cancellations(), name="cancellations"),
            asyncio.create_task(self._listen_for_jobs(), name="jobs"),
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
        with contextlib.suppress(Exception):  # what remains is recovered when its lease ends
            await self._take_up_lost(worker, concurrency)  # which hands it back

    async def _claim(self, worker: GenerationWorker, free: int) -> bool:
        """Claim and start; return whether all that could be claimed is locked by others."""
        try:
            free -= await self._take_up_lost(worker, free)
            free -= await self._claim_due_jobs(worker, free) if free > 0 else 0
            found = await worker.take(free) if free > 0 else Claims()
        except Exception:
            log.warning("worker_pool.claim_failed", exc_info=True)
            self._doubtful_until = asyncio.get_running_loop().time() + _DOUBT_SECONDS
            self._look_soon()
            return False
        if found.contended:
            self._wanted.set()
        await self._start(worker, found.claims)
        return found.contended and not found.claims

    async def _take_up_lost(self, worker: GenerationWorker, free: int) -> int:
        """Start what was claimed by a statement whose answer was lost, instead of leaving it until its lease ends."""
        if self._doubtful_until is None:
            return 0
        is_certain = asyncio.get_running_loop().time() >= self._doubtful_until
        lost = await worker.take_lost(free, self._slots.values())
        if lost:
            log.warning("worker_pool.claims_found", generations=[claim.generation.id for claim in lost])
        if is_certain and len(lost) < free:
            self._doubtful_until = None
        else:
            self._look_soon()
        await self._start(worker, lost)
        return len(lost)

    def _look_soon(self) -> None:
        asyncio.get_running_loop().call_later(_DOUBT_PAUSE, self._wanted.set)

    async def _claim_due_jobs(self, worker: GenerationWorker, free: int) -> int:
        """Claim and start videos whose job is due, before anything new; without a sign of one, make no statement."""
        if not self._jobs_wanted:
            return 0
        self._jobs_wanted = False
        due = await worker.take_due_jobs(free)
        if len(due) == free:
            self._jobs_wanted = True  # there may be more
        await self._start(worker, due)
        return len(due)

    async def _start(self, worker: GenerationWorker, claims: Sequence[Claim]) -> None:
        for claim in claims:
            if self._stopping:  # claimed too late
                await worker.release(claim)
                await self._wake_ups.publish(claim.generation.id)
                continue
            slot = asyncio.create_task(self._run(worker, claim))
            self._slots[slot] = claim.generation.id
            slot.add_done_callback(self._free_slot)

    def _look_for_jobs(self) -> None:
        self._jobs_wanted = True
        self._wanted.set()

    def _free_slot(self, slot: asyncio.Task[None]) -> None:
        self._slots.pop(slot, None)
        self._wanted.set()

    async def _run(self, worker: GenerationWorker, claim: Claim) -> None:
        generation_id = claim.generation.id
        this = _Running(claim)
        this.task = running = asyncio.create_task(self._run_traced(worker, this))
        self._running.add(this)
        try:
            await asyncio.wait([running])
        finally:
            self._running.discard(this)
        if running.cancelled():
            if not this.has_begun:
                await worker.release(claim)
            await self._wake_ups.publish(generation_id)  # it may be requeued: other processes run it if this one stops
        elif is_outage(error := running.exception()):
            # Its lease expires, and the sweeper recovers it once the database is back.
            log.warning("worker_pool.generation_interrupted", generation=generation_id, error=error)
        elif error is not None:
            log.error("worker_pool.generation_crashed", generation=generation_id, exc_info=error)
            crash.report(error, generation=generation_id)
        elif (pause := seconds_to_wait(claim.generation)) is not None:
            asyncio.get_running_loop().call_later(pause, self._look_for_jobs)

    async def _run_traced(self, worker: GenerationWorker, this: _Running) -> None:
        row = this.claim.generation
        this.has_begun = True
        log_fields.add(generation=row.id, user=row.user_id)
        redact_in_errors(row.prompt, row.full_prompt, row.variables, row.earlier_prompts)
        # Continues the trace of the request, if its wake-up was received in this process.
        parent = self._wake_ups.trace_of(row.id)
        with span("generation", parent=parent, generation=row.id, user=row.user_id, attempt=row.attempts):
            await worker.run(this.claim)

    async def _poll(self, worker: GenerationWorker, concurrency: int) -> None:
        while True:
            try:
                await self._worker_registry.heartbeat(worker.name, concurrency)
            except Exception as error:  # noqa: BLE001 - an outage of the database ends
                log.warning("worker_pool.report_failed", error=error)
            self._look_for_jobs()
            await asyncio.sleep(self._poll_seconds)

    async def _listen_for_cancellations(self) -> None:
        async with self._bus.subscribe(CANCELED_CHANNEL) as messages:
            while True:
                message = await messages.get()
                # A lost message costs little: the worker finds its claim lost at its next write.
                if isinstance(message, dict):
                    self._cancel(partial(_is_of, message.get("id")))

    async def _listen_for_jobs(self) -> None:
        async with self._bus.subscribe(JOBS_CHANNEL) as messages:
            while True:
                await messages.get()
                self._look_for_jobs()

    async def _drain(self, claiming: asyncio.Task[None]) -> None:
        """Hand back what no provider works on, give the rest its grace, and then release it."""
        self._wanted.set()  # it stops, and hands back what it is claiming just now
        loop = asyncio.get_running_loop()
        ends = loop.time() + self._grace
        handed_back = self._cancel(lambda claim: claim.may_hand_back)
        if self._slots:
            finishing = len(self._running) - handed_back
            log.info("worker_pool.draining", generations=finishing, handed_back=handed_back, grace=self._grace)
        await asyncio.wait([claiming], timeout=self._grace)
        if self._slots:
            await asyncio.wait(self._slots, timeout=max(ends - loop.time(), 0))
        self._cancel(lambda claim: claim.generation.stage is not GenerationStage.STORING)
        for seconds in (_STORE_SECONDS, _RELEASE_SECONDS):
            if remaining := {task for task in (claiming, *self._slots) if not task.done()}:
                await asyncio.wait(remaining, timeout=seconds)
            self._cancel(lambda _: True)
        claiming.cancel()

    def _cancel(self, is_meant: Callable[[Claim], bool]) -> int:
        """Cancel the generations that are meant, once, which releases them; return their number."""
        meant = [running for running in self._running if is_meant(running.claim)]
        canceled = [running for running in meant if not running.task.cancelling()]
        for running in canceled:
            running.task.cancel()
        return len(canceled)


def _is_of(generation_id: object, claim: Claim) -> bool:
    return claim.generation.id == generation_id


def _report_crash(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        # A bug, but nothing is lost: the table is polled, and claims are checked at every write.
        log.error("worker_pool.task_crashed", task=task.get_name(), exc_info=error)
        crash.report(error, task=task.get_name())
