"""A worker process at work: its slots, what wakes them, and how they stop."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog

from services.events.payload import CANCELED_CHANNEL, WAITING_CHANNEL
from services.generations.claim import Claim
from services.generations.worker import GenerationWorker
from services.integrations.messaging.bus import Bus
from services.integrations.messaging.queue import TaskQueue
from services.operations.worker_registry import WorkerRegistry
from telemetry import crash
from telemetry.redaction import redact_in_errors
from telemetry.trace import span

log = structlog.get_logger(__name__)

_LAST_WORDS = 3.0  # seconds in which a generation that is cut off is put in order


class WorkerPool:
    """Makes generations, several at once: each slot takes the one whose turn it is, then the next, until none waits.

    A bell on the queue wakes a slot at once. It is heard by one worker only, and by a full one as likely as not; that
    one passes it on, over the bus, to all. Bells may be lost, with Redis or without it, so every `poll` seconds the
    table is looked at as well. `grace`: seconds that what is under way gets to finish when the process stops.
    """

    def __init__(self, queue: TaskQueue, bus: Bus, roster: WorkerRegistry, *, poll: float, grace: float) -> None:
        self._queue = queue
        self._bus = bus
        self._roster = roster
        self._poll = poll
        self._grace = grace
        self._bells = 0
        self._heard_when_full = asyncio.Event()
        self._stopping = False
        self._cut_off = False  # the grace is over
        self._slots: set[asyncio.Task[None]] = set()
        self._making: dict[str, asyncio.Task[None]] = {}  # by generation

    @contextlib.asynccontextmanager
    async def working(self, worker: GenerationWorker, concurrency: int) -> AsyncIterator[None]:
        """Work while the body runs; then take nothing more, and let what is under way finish or be handed back."""
        self._stopping = self._cut_off = False
        tasks = [
            asyncio.create_task(self._queue.listen(lambda: self._answer(worker, concurrency)), name="bell"),
            asyncio.create_task(self._pass_bells_on(), name="bells passed on"),
            asyncio.create_task(self._hear_of_bells_passed_on(worker, concurrency), name="bells passed here"),
            asyncio.create_task(self._look_from_time_to_time(worker, concurrency), name="poll"),
            asyncio.create_task(self._hear_of_cancels(), name="cancels"),
        ]
        for task in tasks:
            task.add_done_callback(_say_why)
        try:
            yield
        finally:
            self._stopping = True
            for task in tasks:
                task.cancel()
            await self._finish()
            with contextlib.suppress(Exception):
                await self._roster.retire(worker.name)
            await asyncio.wait(tasks, timeout=_LAST_WORDS)

    def _answer(self, worker: GenerationWorker, concurrency: int) -> None:
        if len(self._slots) >= concurrency:
            self._heard_when_full.set()
        self._wake(worker, concurrency)

    def _wake(self, worker: GenerationWorker, concurrency: int) -> None:
        # Slots that are busy look for more by themselves when they are done; one bell, one more slot.
        self._bells += 1
        if not self._stopping and len(self._slots) < concurrency:
            slot = asyncio.create_task(self._fill_a_slot(worker, concurrency))
            self._slots.add(slot)
            slot.add_done_callback(self._slots.discard)

    async def _fill_a_slot(self, worker: GenerationWorker, concurrency: int) -> None:
        while not self._stopping:
            heard = self._bells
            try:
                claim = await worker.take_next()
            except Exception:
                log.warning("crew.no_claim", exc_info=True)
                return
            if claim is None:
                if heard == self._bells:
                    return
                continue  # a bell while we looked: look again, for it may have meant us
            if self._cut_off:  # it came too late
                await worker.let_go(claim)
                return
            self._wake(worker, concurrency)  # where one waited, another may
            making = asyncio.create_task(self._make(worker, claim))
            self._making[claim.generation.id] = making
            try:
                await asyncio.wait([making])
            finally:
                self._making.pop(claim.generation.id, None)
            if making.cancelled():
                await self._queue.ring(claim.generation.id, claim.fence)  # it may wait again: for others, if we stop
            elif error := making.exception():
                log.error("crew.generation_crashed", generation=claim.generation.id, exc_info=error)
                crash.report(error, generation=claim.generation.id)

    async def _make(self, worker: GenerationWorker, claim: Claim) -> None:
        row = claim.generation
        structlog.contextvars.bind_contextvars(generation=row.id, user=row.user_id)
        redact_in_errors(row.prompt, row.full_prompt, row.variables, row.earlier_prompts)
        # The trace that the order began goes on here, if it was this process that heard the bell.
        origin = self._queue.origin(row.id)
        with span("generation", parent=origin, generation=row.id, user=row.user_id, attempt=row.attempts):
            await worker.make(claim)

    async def _look_from_time_to_time(self, worker: GenerationWorker, concurrency: int) -> None:
        while True:
            try:
                await self._roster.report(worker.name, concurrency)
            except Exception as error:  # noqa: BLE001 - a database that is away comes back
                log.warning("crew.not_reported", error=repr(error))
            self._wake(worker, concurrency)
            await asyncio.sleep(self._poll)

    async def _pass_bells_on(self) -> None:
        while True:
            await self._heard_when_full.wait()
            self._heard_when_full.clear()  # many bells at once are one message
            await self._bus.publish(WAITING_CHANNEL, {})

    async def _hear_of_bells_passed_on(self, worker: GenerationWorker, concurrency: int) -> None:
        async with self._bus.subscribe(WAITING_CHANNEL) as messages:
            while True:
                await messages.get()  # or a gap, in which there may have been one
                self._wake(worker, concurrency)

    async def _hear_of_cancels(self) -> None:
        async with self._bus.subscribe(CANCELED_CHANNEL) as messages:
            while True:
                message = await messages.get()
                # What is missed costs little: the worker finds its claim gone at its next write.
                if isinstance(message, dict) and (making := self._making.get(str(message.get("id")))):
                    making.cancel()

    async def _finish(self) -> None:
        if self._slots:
            log.info("crew.finishing", generations=len(self._making), grace=self._grace)
            await asyncio.wait(self._slots, timeout=self._grace)
        self._cut_off = True
        for making in self._making.values():
            making.cancel()  # which puts its generation in order
        if self._slots:
            await asyncio.wait(self._slots, timeout=_LAST_WORDS)


def _say_why(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        # Nothing is lost: the table is looked at, and claims are checked at every write. It is a bug all the same.
        log.error("crew.task_ended", task=task.get_name(), exc_info=error)
        crash.report(error, task=task.get_name())
