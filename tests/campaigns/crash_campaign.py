"""The crash campaign: servers that die one after another under load, and what must be true afterwards."""

import asyncio
import contextlib
import hashlib
import json
import os
import random
import signal
import socket
import sys
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx

from campaigns.crash_load import CANCELS, Customer
from campaigns.crash_server import HALF_WRITTEN, Order, tally
from client import Api
from models import File, Generation, IdempotencyKey
from models.database import rows
from services.audit import Audit
from services.crashpoint import POINTS
from services.integrations.local_storage import LocalStorage

ALL_POINTS: tuple[str, ...] = (*POINTS, HALF_WRITTEN)
# What must have been left lying for a place to be reached at all: where to die before.
LEFT_BY: dict[str | None, tuple[str, ...]] = {
    "sweeper.taken_over": ("worker.claimed",),
    "hand_back.before_commit": ("worker.claimed",),
    "sweeper.settled": ("worker.before_call",),
    "sweeper.files_marked": ("file.row_written",),
    "file.thumbnail_removed": ("worker.stored",),
    "file.bytes_removed": ("file.bytes_written",),
}
NAMED_PATIENCE = 4.0  # seconds for a server to come to the place where it dies; sweeping starts after ORPHAN
RANDOM_LIFE = 1.4  # seconds that a server lives at most before it is killed at a random moment
ACCOUNTS, DEVICES = 3, 2  # people, and how many devices each of them orders from at once


class Zygote:
    """The process out of which all servers are forked, and the socket that they share."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.address = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._process: asyncio.subprocess.Process | None = None

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator["Zygote"]:
        program = Path(__file__).with_name("crash_server.py")
        roots = os.pathsep.join(str(program.parents[number]) for number in (1, 2))
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(program),
            str(os.getpid()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": roots},
            pass_fds=[self._listener.fileno()],
            start_new_session=True,  # Ctrl-C is for the tests, and these end with them
        )
        try:
            yield self
        finally:
            self._process.kill()
            await self._process.wait()
            self._listener.close()

    async def fork(self, database: str, folder: Path, **order: Any) -> "Server":
        """Start a server; the one before it must be dead."""
        assert self._process is not None
        assert self._process.stdin is not None
        whole = Order(database, str(folder), self._listener.fileno(), **order)
        self._process.stdin.write(json.dumps(asdict(whole)).encode() + b"\n")
        return Server(int(await self._answer()), asyncio.create_task(self._answer()))

    async def _answer(self) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        assert line, "the mother of all servers has died"
        return line


@dataclass
class Server:
    """One life of the server."""

    pid: int
    death: asyncio.Task[bytes]  # of its exit code

    async def died_by_itself(self, within: float) -> bool:
        """Whether it reached the place where it was to die; killed in any case."""
        await asyncio.wait([self.death], timeout=within)
        if not self.death.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
        code = int(await self.death)
        assert code in (137, -signal.SIGKILL), f"a server ended with {code} and nobody had killed it"
        return code == 137


@dataclass
class Campaign:
    """One database, one folder, and servers that die over them."""

    zygote: Zygote
    database: str
    folder: Path
    dice: random.Random
    mutant: str | None = None
    cancels: float = CANCELS
    customers: list[Customer] = field(default_factory=list)
    hits: Counter[str] = field(default_factory=Counter)
    random_kills: int = 0
    audits: int = 0
    findings: dict[str, set[str]] = field(default_factory=dict)  # broken promise -> what broke it

    @property
    def kills(self) -> int:
        return self.hits.total() + self.random_kills

    async def open(self, http: httpx.AsyncClient) -> None:
        """Sign people up at a server that lives."""
        async with self._alive():
            visitor = Api(http, self.zygote.address)
            styles = [await visitor.style("cute", "plushify"), await visitor.style("noir", "avenger")]
            for number in range(ACCOUNTS):
                api = await visitor.sign_up(f"person-{number}@example.com")
                for _ in range(DEVICES):
                    self.customers.append(Customer(api, styles, random.Random(self.dice.random()), self.cancels))

    @contextlib.asynccontextmanager
    async def _alive(self) -> AsyncIterator[None]:
        server = await self.zygote.fork(self.database, self.folder, mutant=self.mutant)
        try:
            yield
        finally:
            await server.died_by_itself(within=0)

    async def kill(self, point: str | None) -> bool:
        """One server from its birth to its death, and whether it died where it was meant to (None: anywhere)."""
        skip = 0 if point in LEFT_BY else self.dice.randrange(3)
        server = await self.zygote.fork(self.database, self.folder, mutant=self.mutant, point=point, skip=skip)
        within = self.dice.uniform(0, RANDOM_LIFE) if point is None else NAMED_PATIENCE
        if await server.died_by_itself(within):
            self.hits[str(point)] += 1
            return True
        self.random_kills += 1
        return point is None

    async def run(self, plan: Sequence[str | None], patience: float) -> None:
        """Kill by the plan while people order, then let one server live until everything has ended, and look."""
        closing = asyncio.Event()
        shopping = [asyncio.create_task(customer.shop(closing)) for customer in self.customers]
        watching = asyncio.create_task(self._watch())
        try:
            waiting, spare = deque(plan), len(plan) // 5
            while waiting:
                point = waiting.popleft()
                if not await self.kill(point) and point and spare:  # what leads there was canceled, say: once more
                    waiting.extend([*LEFT_BY.get(point, ()), point])
                    spare -= 1
            async with self._alive():
                closing.set()
                await asyncio.wait_for(asyncio.gather(*shopping), 60)
                await self._quiet(patience)
                await self._look()
        finally:
            for task in (*shopping, watching):
                task.cancel()
            for problem in await asyncio.gather(*shopping, watching, return_exceptions=True):
                if isinstance(problem, Exception):
                    raise problem

    async def _watch(self) -> None:
        """Audit while everything is in motion: each promise is one snapshot, and never broken in between."""
        while True:
            await self._audit(stuck=60, unsettled=60)
            await asyncio.sleep(0.2)

    @staticmethod
    async def _quiet(patience: float) -> None:
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            (busy,) = await rows(
                "SELECT (SELECT COUNT(*) FROM generations WHERE status IN ('PENDING', 'PROCESSING'))"
                " + (SELECT COUNT(*) FROM files WHERE state <> 'LIVE') AS left_over"
            )
            if busy["left_over"] == 0:
                return
            await asyncio.sleep(0.05)

    def _find(self, promise: str, offenders: Iterable[str]) -> None:
        if found := set(offenders):
            self.findings.setdefault(promise, set()).update(found)

    async def _audit(self, *, stuck: float, unsettled: float) -> None:
        for verdict in await Audit(self._storage().keys, stuck=stuck, unsettled=unsettled).run():
            self._find(verdict.name, verdict.offenders)
        self.audits += 1

    def _storage(self) -> LocalStorage:
        return LocalStorage(self.folder / "files", address="", secret="unused", link_seconds=60)

    async def _look(self) -> None:
        """Everything that must be true when nothing is under way any more."""
        await self._audit(stuck=0, unsettled=0)
        generations = {row.id: row for row in await Generation.all()}
        keys = {row.key: row.batch_id for row in await IdempotencyKey.all()}
        self._find("keys", self._strange_batches(generations, keys))
        for customer in self.customers:
            self._find("told", customer.reversals)
            self._find("told", [id for id, status in customer.told.items() if generations[id].status != status])
        calls = Counter(tally(self.folder).read_text().split())
        self._find("calls", [id for id, made in calls.items() if made > generations[id].provider_calls])
        lines = await rows("SELECT generation_id FROM credit_transactions WHERE generation_id IS NOT NULL")
        self._find("lines", {row["generation_id"] for row in lines} - generations.keys())
        for file in await File.filter(state="LIVE"):
            data = (self.folder / "files" / file.key).read_bytes()
            if (hashlib.sha256(data).hexdigest(), len(data)) != (file.sha256, file.byte_size):
                self._find("bytes", [file.id])

    def _strange_batches(self, generations: dict[str, Generation], keys: dict[str, str]) -> Iterator[str]:
        """Orders that made something else than one batch of what was asked for, however often they were sent."""
        yield from {row.batch_id for row in generations.values()} - set(keys.values())  # rows that no order made
        for sale in (sale for customer in self.customers for sale in customer.sales):
            batch = keys.get(sale.key)
            made = sorted(id for id, row in generations.items() if row.batch_id == batch)
            if batch is None or len(made) != sale.input["count"] or any(sorted(ids) != made for ids in sale.answers):
                yield sale.key

    async def story(self) -> str:
        """The campaign in figures."""
        ends = Counter(row["status"] for row in await rows("SELECT status FROM generations"))
        broken = ", ".join(f"{promise} ({len(found)})" for promise, found in sorted(self.findings.items()))
        again = sum(len(sale.answers) - 1 for customer in self.customers for sale in customer.sales)
        return (
            f"{self.kills} kills ({self.random_kills} at random moments, {self.hits.total()} at {len(self.hits)} of"
            f" {len(ALL_POINTS)} named places), {sum(len(customer.sales) for customer in self.customers)} orders,"
            f" {again} sent again, {sum(customer.unanswered for customer in self.customers)} requests cut off,"
            f" {sum(customer.refused for customer in self.customers)} refused and repeated,"
            f" {ends.total()} generations ({', '.join(f'{count} {name}' for name, count in sorted(ends.items()))}),"
            f" {self.audits} audits, broken promises: {broken or 'none'}"
        )


def plan(dice: random.Random, kills: int) -> list[str | None]:
    """Two thirds of the deaths at named places, each right after what it needs; None: at a random moment."""
    steps: list[list[str | None]] = [[*LEFT_BY.get(point, ()), point] for point in ALL_POINTS]
    wanted = kills * 2 // 3
    named: list[list[str | None]] = []
    while (missing := wanted - sum(len(step) for step in named)) > 0:
        named += [step for step in dice.sample(steps, len(steps)) if len(step) <= missing][: max(missing // 2, 1)]
    steps = named + [[None]] * (kills - wanted)
    dice.shuffle(steps)
    return [point for step in steps for point in step]
