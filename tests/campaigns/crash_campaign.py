"""The crash campaign: processes that die one after another under load, and what must be true afterwards."""

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
from tests.campaigns.crash_fork_client import Zygote, dies
from tests.campaigns.crash_load import CANCELS, Customer
from tests.campaigns.crash_plan import EMPTIED, NAP, RARE, UNNAMED, Step, Topology
from tests.campaigns.crash_server import LEASE, SWEEP, Order, tally
from tests.campaigns.fork_server import Life
from tests.support.client import Api
from tests.support.servers import RedisServer

NAMED_PATIENCE = 4.0  # seconds for a process to come to the place where it dies; sweeping starts after ORPHAN
RANDOM_LIFE = 1.4  # seconds that a process lives at most before it is killed at a random moment
AWAKE = 0.6  # seconds that one lives on after a nap, for what it may still do wrong
ACCOUNTS, DEVICES = 3, 2  # people, and how many devices each of them orders from at once


@dataclass(frozen=True)
class Site:
    """Where a campaign happens."""

    zygote: Zygote
    topology: Topology
    database: str
    folder: Path
    settings: dict[str, Any] = field(default_factory=dict)
    redis: RedisServer | None = None

    def order(self, role: str, **order: Any) -> Order:
        """A process that works here."""
        settings = {"public_url": self.zygote.address, **self.settings}
        return Order(self.database, str(self.folder), self.zygote.listener, role, settings, **order)

    async def fork(self, role: str, **order: Any) -> Life:
        """Start a process."""
        return await self.zygote.fork(self.order(role, **order))


@dataclass
class Campaign:
    """One database, one folder, and processes that die over them."""

    site: Site
    dice: random.Random
    storage: Storage
    mutant: str | None = None
    cancels: float = CANCELS
    customers: list[Customer] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)
    random_kills: int = 0
    naps: int = 0
    zombies: int = 0  # naps in which somebody else took the sleeper's work
    emptied: int = 0
    audits: int = 0
    findings: dict[str, set[str]] = field(default_factory=dict)  # broken promise -> what broke it
    _todo: deque[Step] = field(default_factory=deque)
    _spare: int = 0  # steps that may be tried once more
    _busy: int = 0  # processes that have something before them
    _sleeping: asyncio.Lock = field(default_factory=asyncio.Lock)  # one at a time: others must be awake to take over
    _forgetting: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def kills(self) -> int:
        return self.hits.total() + self.random_kills

    async def open(self, http: httpx.AsyncClient) -> None:
        """Sign people up at servers that live."""
        async with self._alive(self.site.topology.roles):
            visitor = Api(http, self.site.zygote.address)
            styles = [await visitor.style("cute", "plushify"), await visitor.style("noir", "avenger")]
            for number in range(ACCOUNTS):
                api = await visitor.sign_up(f"person-{number}@example.com")
                for _ in range(DEVICES):
                    self.customers.append(Customer(api, styles, random.Random(self.dice.random()), self.cancels))

    @contextlib.asynccontextmanager
    async def _alive(self, roles: Iterable[str]) -> AsyncIterator[None]:
        lives = [await self.site.fork(role, mutant=self.mutant) for role in roles]
        try:
            yield
        finally:
            for life in lives:
                await dies(life, within=0)

    async def _meet(self, role: str, fate: str) -> bool:
        """One process from its birth to its death, and whether it met what was planned."""
        if fate in UNNAMED:
            life = await self.site.fork(role, mutant=self.mutant)
            try:
                met = await self._befall(life, fate)
            finally:
                await dies(life, within=0)
            self.random_kills += 1
            return met
        often = len(self.site.topology.step(fate)) == 1 and not fate.startswith(RARE)
        skip = self.dice.randrange(3) if often else 0
        life = await self.site.fork(role, mutant=self.mutant, point=fate, skip=skip)
        if await dies(life, NAMED_PATIENCE):
            self.hits[fate] += 1
            return True
        self.random_kills += 1
        return False

    async def _befall(self, life: Life, fate: str) -> bool:
        if fate == NAP:
            async with self._sleeping:
                return await self._nap(life)
        await asyncio.sleep(self.dice.uniform(0, RANDOM_LIFE))
        if fate == EMPTIED and self.site.redis:
            async with self._forgetting:
                await asyncio.to_thread(self.site.redis.restart)
            self.emptied += 1
            await asyncio.sleep(self.dice.uniform(0, RANDOM_LIFE))
        return True

    async def _nap(self, life: Life) -> bool:
        """Stop a worker that holds a generation, for longer than its lease; false when it came to hold none."""

        async def held() -> list[Generation]:
            return await Generation.filter(status="PROCESSING", worker__contains=f":{life.pid}:")

        if not await self._until(held, NAMED_PATIENCE):
            return False
        life.send(signal.SIGSTOP)
        began = time.monotonic()
        mine = {row.id: row.fence for row in await held()}

        async def lost() -> list[Generation]:
            return [row for row in await Generation.filter(id__in=mine) if row.fence != mine[row.id]]

        taken = await self._until(lost, NAMED_PATIENCE) if mine else []
        await asyncio.sleep(LEASE + SWEEP - (time.monotonic() - began))
        life.send(signal.SIGCONT)
        self.naps += 1
        self.zombies += bool(taken)
        await asyncio.sleep(AWAKE)
        return True

    @staticmethod
    async def _until(look: Callable[[], Awaitable[list[Any]]], patience: float) -> list[Any]:
        """What is found first, or nothing when patience ends."""
        deadline = time.monotonic() + patience
        while True:
            if (found := await look()) or time.monotonic() > deadline:
                return found
            await asyncio.sleep(0.01)

    async def _lives(self, role: str) -> None:
        """One place in the topology: whoever dies there is replaced, until nobody has anything before them."""
        while True:
            step = next((step for step in self._todo if self.site.topology.takes(role, step)), None)
            if step is not None:
                self._todo.remove(step)
                self._busy += 1
                for fate in step:
                    met = await self._meet(role, fate)
                if not met and self._spare:  # what leads there was canceled, say: once more
                    self._todo.append(step)
                    self._spare -= 1
                self._busy -= 1
            elif self._busy:
                async with self._alive([role]):
                    await self._something(role)
            else:
                return

    async def _something(self, role: str) -> None:
        """Return when there is something to do for this role, or for nobody any more."""
        while True:
            if not self._busy or any(self.site.topology.takes(role, step) for step in self._todo):
                return
            await asyncio.sleep(0.02)

    async def run(self, steps: Sequence[Step], patience: float, spare: int = 0) -> None:
        """Kill by the plan while people order, then let everybody live until everything has ended, and look.

        `spare`: how many steps may be tried once more because nobody came to their place in time.
        """
        closing = asyncio.Event()
        self._todo, self._spare = deque(steps), spare
        shopping = [asyncio.create_task(customer.shop(closing)) for customer in self.customers]
        watching = asyncio.create_task(self._watch())
        dying = [asyncio.create_task(self._lives(role)) for role in self.site.topology.roles]
        try:
            await asyncio.gather(*dying)
            async with self._alive(self.site.topology.roles):
                closing.set()
                await asyncio.wait_for(asyncio.gather(*shopping), 60)
                await self._quiet(patience)
                await self._look()
        finally:
            tasks = (*shopping, watching, *dying)
            for task in tasks:
                task.cancel()
            for problem in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(problem, Exception):
                    raise problem

    async def _watch(self) -> None:
        """Audit while everything is in motion: each promise is one snapshot, and never broken in between."""
        while True:
            began = time.monotonic()
            await self._audit(stuck=60, unsettled=60)
            await asyncio.sleep(max(0.2, 2 * (time.monotonic() - began)))  # the longer it takes, the less often

    @staticmethod
    async def _quiet(patience: float) -> None:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            (busy,) = await rows(
                "SELECT (SELECT COUNT(*) FROM generations WHERE status IN ('PENDING', 'PROCESSING'))"
                " + (SELECT COUNT(*) FROM files WHERE state <> 'LIVE') + (SELECT COUNT(*) FROM uploads)"
                " + (SELECT COUNT(*) FROM data_exports) + (SELECT COUNT(*) FROM generations JOIN users"
                " ON users.id = user_id WHERE users.deleted_at IS NOT NULL AND generations.deleted_at IS NULL)"
                " AS left_over"
            )
            if busy["left_over"] == 0:
                return
            await asyncio.sleep(0.05)

    def _find(self, promise: str, offenders: Iterable[str]) -> None:
        if found := set(offenders):
            self.findings.setdefault(promise, set()).update(found)

    async def _audit(self, *, stuck: float, unsettled: float) -> None:
        audit = IntegrityAudit(self.storage.keys, stuck=stuck, unsettled=unsettled, sent_ahead=unsettled)
        for verdict in await audit.run():
            self._find(verdict.name, verdict.offenders)
        self.audits += 1

    async def _look(self) -> None:
        """Everything that must be true when nothing is under way any more."""
        await self._audit(stuck=0, unsettled=0)
        generations = {row.id: row for row in await Generation.all()}
        keys = {row.key: row.result_id for row in await IdempotencyKey.all()}
        gone = {user.id for user in await User.exclude(deleted_at=None)}  # whose keys are gone, too
        staying = {id: row for id, row in generations.items() if row.user_id not in gone}
        self._find("keys", self._strange_batches(staying, keys))
        self._find("gone", {id for customer in self.customers for id in customer.left} - gone)
        for customer in self.customers:
            self._find("told", customer.reversals)
            self._find("told", [id for id, status in customer.told.items() if generations[id].status != status])
            self._find("deleted", [id for id in customer.deleted if generations[id].deleted_at is None])
        calls = [line.split() for line in tally(self.site.folder).read_text().splitlines()]
        made = Counter(id for id, _ in calls)
        self._find("calls", [id for id in made if made[id] > generations[id].provider_calls])
        # Nobody begins again what somebody else may have been paid for.
        callers = Counter(id for id, _ in {(id, caller) for id, caller in calls})
        self._find("twice", [id for id in callers if callers[id] > 1])
        lines = await rows("SELECT generation_id FROM credit_transactions WHERE generation_id IS NOT NULL")
        self._find("lines", {row["generation_id"] for row in lines} - generations.keys())
        for file in await File.filter(state="LIVE"):
            data = await self.storage.get(file.key)
            if (hashlib.sha256(data).hexdigest(), len(data)) != (file.sha256, file.byte_size):
                self._find("bytes", [file.id])

    def _strange_batches(self, generations: dict[str, Generation], keys: dict[str, str | None]) -> Iterator[str]:
        """Orders that made something else than one batch of what was asked for, however often they were sent."""
        yield from {row.batch_id for row in generations.values()} - set(keys.values())  # rows that no order made
        for shopper, sale in ((customer, sale) for customer in self.customers for sale in customer.sales):
            batch = keys.get(sale.key)
            made = {id for id, row in generations.items() if row.batch_id == batch}
            # An answer is the whole batch, without what was deleted before it.
            strange = any(not made - shopper.deleted <= set(ids) <= made for ids in sale.answers)
            if batch is None or len(made) != sale.input["count"] or strange:
                yield sale.key

    async def story(self) -> str:
        """The campaign in figures."""
        ends = Counter(row["status"] for row in await rows("SELECT status FROM generations"))
        broken = ", ".join(f"{promise} ({len(found)})" for promise, found in sorted(self.findings.items()))
        again = sum(len(sale.answers) - 1 for customer in self.customers for sale in customer.sales)
        points = self.site.topology.points
        return (
            f"{self.kills} kills ({self.random_kills} at random moments, {self.hits.total()} at {len(self.hits)} of"
            f" {len(points)} named places, each {min(self.hits[point] for point in points)} times or more),"
            f" {self.naps} naps past a lease ({self.zombies} of them lost a generation), Redis emptied {self.emptied}"
            f" times, {sum(len(customer.sales) for customer in self.customers)} orders,"
            f" {again} sent again, {sum(len(customer.deleted) for customer in self.customers)} pictures deleted,"
            f" {sum(len(customer.left) for customer in self.customers)} accounts left,"
            f" {sum(customer.exports for customer in self.customers)} exports fetched,"
            f" {sum(customer.unanswered for customer in self.customers)} requests cut off,"
            f" {sum(customer.refused for customer in self.customers)} refused and repeated,"
            f" {ends.total()} generations ({', '.join(f'{count} {name}' for name, count in sorted(ends.items()))}),"
            f" {self.audits} audits, broken promises: {broken or 'none'}"
        )
