"""The crash campaign: kill processes one after another under load, then check that nothing was lost."""

import asyncio
import contextlib
import hashlib
import random
import signal
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from models import File, Generation, IdempotencyKey, User
from models.database.connection import rows
from services.integrations.storage.protocol import Storage
from services.operations.integrity_audit import IntegrityAudit
from tests.campaigns.crash_fork_client import CrashForkClient, kill_or_crash
from tests.campaigns.crash_load import CANCEL_RATE, Customer
from tests.campaigns.crash_plan import (
    BETWEEN_STATEMENTS,
    OTHER_FAULTS,
    POINT_SECONDS,
    RARE,
    REDIS_RESTART,
    SUSPENSION,
    WORKER,
    Step,
    Topology,
    seconds_to_reach,
)
from tests.campaigns.crash_server import LEASE, SWEEP, ProcessSpec, call_log, has_started, log_file
from tests.campaigns.crash_statements import MOST
from tests.campaigns.fork_server import ForkedProcess
from tests.support.client import Api
from tests.support.fakes.openrouter_videos import ScriptedVideos
from tests.support.servers import RedisServer

POINT_REQUESTS = 25  # answered since a process started, before which it is not given up: as many chances on any machine
PROGRESS = 25  # kills, after which a line is printed
LONGEST_WAIT = 60.0  # seconds, of each of these waits
EARLY_KILLS = 0.2  # the share of the kills at random moments that may come before a process has started
MAX_LIFETIME = 1.4  # seconds before a process that has started is killed at a random moment, at most
AFTER_RESUME = 0.6  # seconds that a resumed process keeps running, to expose writes without a valid claim
TAKEOVER_WAIT = 15.0  # seconds for another worker to take over the claim of a suspended one
DURING_LOAD = 3600.0  # seconds that a generation or an unused file may take while processes are killed
CUSTOMERS_WAIT = 300.0  # seconds for the customers to finish what they are doing
ACCOUNTS, DEVICES = 3, 2  # accounts, and clients of each that send requests at the same time

_MOVED = (
    "SELECT generation_id AS id FROM credit_transactions JOIN users ON users.id = user_id"
    " WHERE merged_into_id IS NOT NULL AND generation_id IS NOT NULL"
)


@dataclass(frozen=True)
class Deployment:
    """The deployment that a campaign runs against."""

    fork_client: CrashForkClient
    topology: Topology
    database: str
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    redis: RedisServer | None = None
    videos: ScriptedVideos | None = None

    def spec(self, role: str, **fields: Any) -> ProcessSpec:
        """Describe a process of this deployment."""
        settings = {"public_url": self.fork_client.address, **self.settings}
        return ProcessSpec(self.database, str(self.folder), self.fork_client.listener, role, settings, **fields)

    async def fork(self, role: str, **fields: Any) -> ForkedProcess:
        """Start a process."""
        return await self.fork_client.fork(self.spec(role, **fields))


@dataclass
class Campaign:
    """One deployment under load, whose processes are killed, and what the checks found."""

    deployment: Deployment
    rng: random.Random
    storage: Storage
    mutant: str | None = None
    cancel_rate: float = CANCEL_RATE
    customers: list[Customer] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)
    random_kills: int = 0
    suspensions: int = 0
    zombies: int = 0  # suspensions in which another worker took over the claim
    redis_restarts: int = 0
    repeated: Counter[Step] = field(default_factory=Counter)  # steps whose last fault did not occur at first
    missed: list[Step] = field(default_factory=list)  # steps given up, whose last fault did not occur
    audits: int = 0
    findings: dict[str, set[str]] = field(default_factory=dict)  # violated check -> ids of the offenders
    _steps: deque[Step] = field(default_factory=deque)
    _retries: int = 0  # how many steps may be repeated
    _busy: int = 0  # slots that are carrying out a step
    _recovering: int = 0  # those whose step continues with what the crash of a process left
    _suspending: asyncio.Lock = field(default_factory=asyncio.Lock)  # one at a time: others must be able to take over
    _restarting: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def kills(self) -> int:
        return self.hits.total() + self.random_kills

    async def open(self, http: httpx.AsyncClient) -> None:
        """Sign up the customers at running servers."""
        async with self._running(self.deployment.topology.roles):
            anonymous = Api(http, self.deployment.fork_client.address)
            styles = [await anonymous.style("cute", "plushify"), await anonymous.style("noir", "avenger")]
            # Once a server answers, which has migrated the database; for every later start.
            await rows("UPDATE collections SET reuse_share = 0.5, edited = TRUE RETURNING id")
            for number in range(ACCOUNTS):
                api = await anonymous.sign_up(f"customer-{number}@example.com")
                await api.verify_address()
                for _ in range(DEVICES):
                    self.customers.append(Customer(api, styles, random.Random(self.rng.random()), self.cancel_rate))

    @contextlib.asynccontextmanager
    async def _running(self, roles: Iterable[str]) -> AsyncIterator[None]:
        processes = [await self.deployment.fork(role, mutant=self.mutant) for role in roles]
        try:
            yield
        finally:
            for process in processes:
                await kill_or_crash(process, log_file(self.deployment.folder))

    async def _run_until_fault(self, role: str, fault: str) -> bool:
        """Run one process until the fault has killed it; return whether the fault occurred as planned."""
        if fault in OTHER_FAULTS:
            process = await self.deployment.fork(role, mutant=self.mutant)
            try:
                occurred = await self._inject(process, fault)
            finally:
                await kill_or_crash(process, log_file(self.deployment.folder))
            self.random_kills += 1
            return occurred
        is_frequent = len(self.deployment.topology.step(fault)) == 1 and not fault.startswith(RARE)
        skip = self.rng.randrange(3) if is_frequent else 0
        if fault == BETWEEN_STATEMENTS:
            skip = self.rng.randrange(MOST)
        process = await self.deployment.fork(role, mutant=self.mutant, point=fault, skip=skip)
        await self._wait_until_started(process)
        await self._wait_for(process.exit_code.done, early=seconds_to_reach(fault))
        if await kill_or_crash(process, log_file(self.deployment.folder)):
            self.hits[fault] += 1
            return True
        self.random_kills += 1
        return False

    async def _inject(self, process: ForkedProcess, fault: str) -> bool:
        if fault == SUSPENSION:
            async with self._suspending:
                return await self._suspend(process)
        if self.rng.random() > EARLY_KILLS:
            await self._wait_until_started(process)
        await asyncio.sleep(self.rng.uniform(0, MAX_LIFETIME))
        if fault == REDIS_RESTART and self.deployment.redis:
            async with self._restarting:
                await asyncio.to_thread(self.deployment.redis.restart)
            self.redis_restarts += 1
            await asyncio.sleep(self.rng.uniform(0, MAX_LIFETIME))
        return True

    async def _suspend(self, process: ForkedProcess) -> bool:
        """Suspend a worker that has a claim for longer than its lease; return False if it got no claim."""

        async def held() -> list[Generation]:
            return await Generation.filter(status="PROCESSING", worker__contains=f":{process.pid}:")

        await self._wait_until_started(process)
        if not await self._wait_for(held):
            return False
        process.send(signal.SIGSTOP)
        began = time.monotonic()
        claimed = {row.id: row.fence for row in await held()}

        async def lost() -> bool:
            return not any(row.fence == claimed.get(row.id) for row in await held())

        await self._wait_for(lost, TAKEOVER_WAIT)
        taken_over = [row for row in await Generation.filter(id__in=list(claimed)) if row.fence != claimed[row.id]]
        await asyncio.sleep(LEASE + SWEEP - (time.monotonic() - began))
        process.send(signal.SIGCONT)
        self.suspensions += 1
        self.zombies += bool(taken_over)
        await asyncio.sleep(AFTER_RESUME)
        return bool(taken_over)  # else its generation was canceled, or no other worker was running

    async def _wait_until_started(self, process: ForkedProcess) -> None:
        """Return when the process serves requests or works, or has exited."""
        deadline = time.monotonic() + LONGEST_WAIT
        while not process.exit_code.done() and not has_started(self.deployment.folder, process.pid):
            assert time.monotonic() < deadline, "a process does not start"
            await asyncio.sleep(0.02)

    async def _wait_for(
        self, condition: Callable[[], object], longest: float = LONGEST_WAIT, early: float = POINT_SECONDS
    ) -> bool:
        """Poll until the condition is true; return False after `longest` seconds, or `early` and enough answers."""
        began, enough = time.monotonic(), self._answered() + POINT_REQUESTS
        while True:
            found = condition()
            if await found if isinstance(found, Awaitable) else found:
                return True
            elapsed = time.monotonic() - began
            if elapsed > longest or (elapsed > early and self._answered() >= enough):
                return False
            await asyncio.sleep(0.01)

    def _answered(self) -> int:
        """Return how many requests for generations were answered."""
        return sum(len(sent.responses) for customer in self.customers for sent in customer.submissions)

    async def _run_slot(self, role: str) -> None:
        """Run one slot of the topology: replace each process that was killed, until no step is left."""
        while True:
            step = next((step for step in self._steps if self.deployment.topology.reaches(role, step)), None)
            if step is not None:
                self._steps.remove(step)
                await self._run_step(role, step)
            elif not self._busy:
                return
            elif self._is_disturbing(role):
                await asyncio.sleep(0.02)
            else:
                async with self._running([role]):
                    await self._wait_for_step(role)

    async def _run_step(self, role: str, step: Step) -> None:
        self._busy += 1
        self._recovering += len(step) > 1
        occurred, before = False, self.kills // PROGRESS
        for fault in step:
            occurred = await self._run_until_fault(role, fault)
        if not occurred:  # for example, the generation was canceled before
            if self._retries:
                self._steps.append(step)
                self._retries -= 1
                self.repeated[step] += 1
            else:
                self.missed.append(step)
        self._recovering -= len(step) > 1
        self._busy -= 1
        if self.kills // PROGRESS > before:
            print(f"  {self.kills} kills, {len(self._steps)} steps to go, repeated {self.repeated.most_common(1)}")  # noqa: T201 - as asked for by -s

    def _is_disturbing(self, role: str) -> bool:
        """Return whether an idle process of this role would recover what another one is to recover."""
        return role == WORKER and self._recovering > 0

    async def _wait_for_step(self, role: str) -> None:
        """Return when there is a step for this role, when it disturbs others, or when no step is left for any."""
        while True:
            if not self._busy or self._is_disturbing(role):
                return
            if any(self.deployment.topology.reaches(role, step) for step in self._steps):
                return
            await asyncio.sleep(0.02)

    async def run(self, steps: Sequence[Step], patience: float, retries: int = 0) -> None:
        """Kill processes as planned under load, then let all run until everything has ended, and check.

        `patience`: seconds for which nothing changes, after which what is under way never ends. `retries`: how many
        steps may be repeated because their crash point was not reached in time.
        """
        stopping = asyncio.Event()
        self._steps, self._retries = deque(steps), retries
        customers = [asyncio.create_task(customer.run(stopping)) for customer in self.customers]
        auditor = asyncio.create_task(self._audit_repeatedly())
        slots = [asyncio.create_task(self._run_slot(role)) for role in self.deployment.topology.roles]
        try:
            await asyncio.gather(*slots)
            async with self._running(self.deployment.topology.roles):
                stopping.set()
                await asyncio.wait_for(asyncio.gather(*customers), CUSTOMERS_WAIT)
                await self._wait_until_settled(patience)
                await self._check()
        finally:
            tasks = (*customers, auditor, *slots)
            for task in tasks:
                task.cancel()
            for problem in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(problem, Exception):
                    raise problem

    async def _audit_repeatedly(self) -> None:
        """Audit under load: each invariant is checked in one snapshot, so it must hold at any moment.

        What must have ended in time is checked at the end only: between kills, nothing ends on a busy machine.
        """
        while True:
            began = time.monotonic()
            await self._audit(stuck=DURING_LOAD, unsettled=DURING_LOAD)
            await asyncio.sleep(max(0.2, 2 * (time.monotonic() - began)))  # at most a third of the time

    @staticmethod
    async def _wait_until_settled(patience: float) -> None:
        """Return when nothing is under way, or when nothing has changed for `patience` seconds."""
        seen, changed = None, time.monotonic()
        while time.monotonic() < changed + patience:
            (busy,) = await rows(
                "SELECT (SELECT COUNT(*) FROM generations WHERE status IN ('PENDING', 'PROCESSING')) AS generations,"
                " (SELECT COUNT(*) FROM files WHERE state <> 'LIVE') AS files, (SELECT COUNT(*) FROM uploads) AS"
                " uploads, (SELECT COUNT(*) FROM data_exports) AS exports, (SELECT COUNT(*) FROM generations JOIN users"
                " ON users.id = user_id WHERE users.deleted_at IS NOT NULL AND generations.deleted_at IS NULL)"
                " AS not_deleted"
            )
            if not any(busy.values()):
                return
            if busy != seen:
                seen, changed = busy, time.monotonic()
            await asyncio.sleep(0.05)

    def _record(self, check: str, offenders: Iterable[str]) -> None:
        if found := set(offenders):
            self.findings.setdefault(check, set()).update(found)

    async def _audit(self, *, stuck: float, unsettled: float) -> None:
        audit = IntegrityAudit(
            self.storage.keys, generation_seconds=stuck, file_seconds=unsettled, upload_seconds=unsettled
        )
        for result in await audit.run():
            self._record(result.name, result.violations)
        self.audits += 1

    async def _check(self) -> None:
        """Check everything that must hold once nothing is under way."""
        await self._audit(stuck=0, unsettled=0)
        generations = {row.id: row for row in await Generation.all()}
        keys = {row.key: row.result_id for row in await IdempotencyKey.all()}
        deleted = {user.id for user in await User.exclude(deleted_at=None)}  # their keys are deleted, too
        moved = {row["id"] for row in await rows(_MOVED)}  # from a guest, whose keys are deleted as well
        remaining = {id: row for id, row in generations.items() if row.user_id not in deleted and id not in moved}
        self._record("idempotency", self._inconsistent_batches(remaining, keys))
        self._record("accounts", {id for customer in self.customers for id in customer.deleted_accounts} - deleted)
        merged = {user.id for user in await User.exclude(merged_into_id=None)}
        self._record("merges", {id for customer in self.customers for id in customer.merged_guests} - merged)
        for customer in self.customers:
            self._record("status", customer.reversals)
            wrong = [id for id, status in customer.final_statuses.items() if generations[id].status != status]
            self._record("status", wrong)
            self._record("deleted", [id for id in customer.deleted if generations[id].deleted_at is None])
        calls = [line.split() for line in call_log(self.deployment.folder).read_text().splitlines()]
        made = Counter(id for id, _ in calls)
        self._record("calls", [id for id in made if made[id] > generations[id].provider_calls])
        # A call that may have been paid for is never repeated by another process.
        callers = Counter(id for id, _ in {(id, caller) for id, caller in calls})
        self._record("repeated_calls", [id for id in callers if callers[id] > 1])
        # Counted by the provider itself: it has accepted one job for each video at most.
        accepted = Counter(self.deployment.videos.prompts if self.deployment.videos else [])
        self._record("resubmitted", [prompt for prompt, count in accepted.items() if count > 1])
        lines = await rows("SELECT generation_id FROM credit_transactions WHERE generation_id IS NOT NULL")
        self._record("ledger_lines", {row["generation_id"] for row in lines} - generations.keys())
        for file in await File.filter(state="LIVE"):
            data = await self.storage.get(file.key)
            if (hashlib.sha256(data).hexdigest(), len(data)) != (file.sha256, file.byte_size):
                self._record("file_content", [file.id])

    def _inconsistent_batches(self, generations: dict[str, Generation], keys: dict[str, str | None]) -> Iterator[str]:
        """Yield keys whose submissions did not result in exactly one batch, however often they were sent."""
        yield from {row.batch_id for row in generations.values()} - set(keys.values())  # batches without a key
        for customer, submission in ((each, sent) for each in self.customers for sent in each.submissions):
            batch = keys.get(submission.key)
            made = {id for id, row in generations.items() if row.batch_id == batch}
            # A response contains the whole batch, except generations deleted before it.
            wrong = any(not made - customer.deleted <= set(ids) <= made for ids in submission.responses)
            if batch is None or len(made) != submission.input["count"] or wrong:
                yield submission.key

    async def summary(self) -> str:
        """Summarize the campaign in one line."""
        found = Counter(row["status"] for row in await rows("SELECT status FROM generations"))
        statuses = ", ".join(f"{count} {status}" for status, count in sorted(found.items()))
        violated = ", ".join(f"{check} ({len(ids)})" for check, ids in sorted(self.findings.items()))
        replays = sum(len(each.responses) - 1 for customer in self.customers for each in customer.submissions)
        customers, points = self.customers, self.deployment.topology.points
        return (
            f"{self.kills} kills ({self.random_kills} at random moments, {self.hits.total()} at {len(self.hits)} of"
            f" {len(points)} crash points, each {min(self.hits[point] for point in points)} times or more;"
            f" {self.repeated.total()} steps repeated, {len(self.missed)} missed),"
            f" {self.suspensions} suspensions past a lease ({self.zombies} of them lost the claim),"
            f" {self.redis_restarts} restarts of Redis,"
            f" {sum(len(customer.submissions) for customer in customers)} requests, {replays} replayed,"
            f" {sum(len(customer.deleted) for customer in customers)} generations deleted,"
            f" {sum(len(customer.deleted_accounts) for customer in customers)} accounts deleted,"
            f" {sum(len(customer.merged_guests) for customer in customers)} guests merged,"
            f" {sum(customer.exports for customer in customers)} exports downloaded,"
            f" {sum(customer.unanswered for customer in customers)} requests without a response,"
            f" {sum(customer.refused for customer in customers)} refused and retried,"
            f" {found.total()} generations ({statuses}),"
            f" {self.audits} audits, violated: {violated or 'none'}"
        )
