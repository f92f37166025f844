"""How soon a webhook of Polar is answered, by a server of its own on PostgreSQL and Redis, against an empty POST."""

import argparse
import asyncio
import contextlib
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import httpx

from tests.support.client import Api
from tests.support.fakes.polar_wire import event, order, sign
from tests.support.server_process import free_port
from tests.support.servers import PostgresServer, RedisServer

SECRET = "whsec_benchmark_0123456789abcdef"  # noqa: S105 - of a server that lives as long as this
DOOR = "/webhooks/polar"
PACKAGE = "credits-50"  # the id of its product, too, where the till is a page of the server's own
BUYERS = 20
AT_ONCE = 8
WARM_UP = 20
CREDITS = 50  # that it brings
PATIENCE = 60  # seconds for the server to migrate and start

Delivery = tuple[bytes, dict[str, str]]


def delivery(user_id: str) -> Delivery:
    """A new order of this account's, paid and signed."""
    body = event("order.paid", order(user_id, PACKAGE))
    return body, sign(SECRET, body)


async def answered(http: httpx.AsyncClient, told: Delivery | None, status: int) -> float:
    """Milliseconds until one POST is answered; `told` None: it is empty, and refused before anything is looked up."""
    body, headers = told or (b"", {})
    begun = time.perf_counter()
    answer = await http.post(DOOR, content=body, headers=headers)
    taken = (time.perf_counter() - begun) * 1000
    if answer.status_code != status:
        raise RuntimeError(f"{answer.status_code} instead of {status}: {answer.text}")
    return taken


async def all_answered(http: httpx.AsyncClient, told: Iterable[Delivery | None], status: int, at_once: int) -> None:
    """Send these, `at_once` at a time, and print a line of the table."""
    line, taken = iter(told), list[float]()

    async def send() -> None:
        for one in line:
            taken.append(await answered(http, one, status))

    begun = time.perf_counter()
    await asyncio.gather(*(send() for _ in range(at_once)))
    per_second = len(taken) / (time.perf_counter() - begun)
    hundredths = statistics.quantiles(taken, n=100)
    print(f" {hundredths[49]:.1f} | {hundredths[98]:.1f} | {max(taken):.1f} | {per_second:.0f} |", flush=True)


async def measure(address: str, count: int) -> None:
    async with httpx.AsyncClient(base_url=address, timeout=30) as http:
        api = Api(http, address)
        buyers = [await api.sign_up(f"buyer-{number}@example.com") for number in range(BUYERS)]
        before = await buyers[0].credits()  # of the sign-up
        fresh = [delivery(buyers[number % BUYERS].user["id"]) for number in range(2 * count + WARM_UP)]
        for told in fresh[:WARM_UP]:
            await answered(http, told, 202)
        one_by_one, together = fresh[WARM_UP : WARM_UP + count], fresh[WARM_UP + count :]
        print(f"\n{count} deliveries in each line\n")
        print("| POST to the webhook | p50 ms | p99 ms | slowest ms | a second |\n| --- | ---: | ---: | ---: | ---: |")
        for name, sent, status, at_once in (
            ("empty, refused", [None] * count, 401, 1),
            ("a new order", one_by_one, 202, 1),
            ("the same order again", one_by_one, 202, 1),
            (f"empty, refused, {AT_ONCE} at once", [None] * count, 401, AT_ONCE),
            (f"a new order, {AT_ONCE} at once", together, 202, AT_ONCE),
        ):
            print(f"| {name} |", end="")
            await all_answered(http, sent, status, at_once)
        granted = sum([await buyer.credits() for buyer in buyers]) - BUYERS * before
        if granted != CREDITS * len(fresh):
            raise RuntimeError(f"{len(fresh)} orders brought {granted} credits")


@contextlib.asynccontextmanager
async def serving(database: str, redis: str, folder: Path) -> AsyncIterator[str]:
    """A server process as anybody starts one; its address, once it answers."""
    port = free_port()
    settings = {
        "PORT": str(port),
        "DATABASE_URL": database,
        "REDIS_URL": redis,
        "DATA_DIR": str(folder),
        "POLAR_WEBHOOK_SECRET": SECRET,
        "RATE_LIMITS": "off",
        "LOG_LEVEL": "error",
    }
    process = subprocess.Popen(  # noqa: ASYNC220 - it is started once
        [sys.executable, "main.py", "serve"], env=settings
    )
    address = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(PATIENCE), httpx.AsyncClient() as http:
            while True:
                with contextlib.suppress(httpx.TransportError):
                    if (await http.get(f"{address}/health/ready")).is_success:
                        break
                if process.poll() is not None:
                    raise RuntimeError(f"the server ended with {process.returncode}")
                await asyncio.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait()


async def run(database: str, redis: str, count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with serving(database, redis, Path(folder)) as address:
            await measure(address, count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deliveries", type=int, default=500, help="in each line of the table")
    count = parser.parse_args().deliveries
    database, redis = PostgresServer(), RedisServer()
    database.start()
    database.create_database("darkroom_webhooks")
    redis.start()
    try:
        asyncio.run(run(database.url("darkroom_webhooks"), redis.url, count))
    finally:
        redis.stop()
        database.drop_database("darkroom_webhooks")
        database.stop()


if __name__ == "__main__":
    main()
