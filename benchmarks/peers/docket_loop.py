"""The life of a generation by docket: accepted in one transaction, dispatched by docket, completed in another.

It runs in an environment of its own, which has asyncpg and docket and nothing of Darkroom (benchmarks/docket_peer.py).
Its first line of input is a task as JSON, with the statements to run on Darkroom's tables. As with Darkroom, a worker
works until its input ends, and a producer requests as many generations as each further line says.
"""

import asyncio
import itertools
import json
import secrets
import sys
import time
from datetime import timedelta
from typing import Any

import asyncpg
from docket import Docket, Worker
from redis.asyncio import Redis

PROGRESS = 5
REQUESTS = 16


class Loop:
    """The connections, and the steps of a generation."""

    def __init__(self, task: dict[str, Any]) -> None:
        self.task = task
        self.pool: asyncpg.Pool[Any]
        self.redis: Redis

    async def accept(self, docket: Docket, user: str) -> None:
        """Spend a credit, write the row and the ledger line, then dispatch."""
        sql, id = self.task["sql"], "gen_" + secrets.token_hex(13)
        async with self.pool.acquire() as connection, connection.transaction():
            account: Any = await connection.fetchrow(sql["spend"], user)
            await connection.execute(sql["insert"], id, user)
            values = (account["ledger_sequence"], account["credits"], account["version"], f"deduct:{id}", id)
            await connection.execute(sql["line"], "txn_" + secrets.token_hex(13), user, *values)
        await docket.add(process)(id, user)

    async def process(self, id: str, user: str) -> None:
        """Claim, publish progress, and complete."""
        sql, file = self.task["sql"], "fil_" + secrets.token_hex(13)
        await self.pool.execute(sql["claim"], id)
        for number in range(PROGRESS):
            await self.redis.publish(f"generation:{id}", json.dumps({"id": id, "progress": number / PROGRESS}))
        async with self.pool.acquire() as connection, connection.transaction():
            await connection.execute(sql["bump"], user)
            await connection.execute(sql["file"], file, user)
            await connection.execute(sql["complete"], id, file)
        await self.redis.publish(f"generation:{id}", json.dumps({"id": id, "status": "COMPLETED"}))


loop: Loop


async def process(id: str, user: str) -> None:
    """Process one generation; docket calls it."""
    await loop.process(id, user)


async def produce(docket: Docket, count: int) -> float:
    """Request generations of the accounts in turn, and return the seconds that it took."""
    users = itertools.islice(itertools.cycle(loop.task["users"]), count)

    async def request() -> None:
        for user in users:
            await loop.accept(docket, user)

    started = time.perf_counter()
    await asyncio.gather(*(request() for _ in range(REQUESTS)))
    return time.perf_counter() - started


async def run() -> None:
    global loop
    loop = Loop(json.loads(await asyncio.to_thread(sys.stdin.readline)))
    task = loop.task
    loop.redis = Redis.from_url(task["redis_url"])
    async with (
        asyncpg.create_pool(task["database_url"], min_size=10, max_size=10) as loop.pool,
        Docket(name="bench", url=task["redis_url"]) as docket,
    ):
        docket.register(process)
        if task["role"] == "worker":
            options = {"concurrency": task["concurrency"], "minimum_check_interval": timedelta(milliseconds=10)}
            async with Worker(docket, **options) as worker:
                working = asyncio.create_task(worker.run_forever())
                print("{}", flush=True)
                await asyncio.to_thread(sys.stdin.read)
                working.cancel()
            return
        print("{}", flush=True)
        while line := await asyncio.to_thread(sys.stdin.readline):
            print(json.dumps({"seconds": await produce(docket, int(line))}), flush=True)


if __name__ == "__main__":
    asyncio.run(run())
