"""Benchmark: response times of the Polar webhook compared with an empty POST, on PostgreSQL and Redis."""

import argparse
import asyncio
import statistics
import time
from collections.abc import Iterable

import httpx

from benchmarks.measure import backends, darkroom
from tests.support.client import Api
from tests.support.fakes.polar_wire import event, order, sign

SECRET = "whsec_benchmark_0123456789abcdef"  # noqa: S105 - of a temporary server
ENDPOINT = "/webhooks/polar"
PACKAGE = "credits-50"  # also its product id: the development checkout uses slugs
CUSTOMERS = 20
CONCURRENCY = 8
WARM_UP = 20
CREDITS = 50  # of the package

Delivery = tuple[bytes, dict[str, str]]


def delivery(user_id: str) -> Delivery:
    """Return the signed event of a new paid order of this account."""
    body = event("order.paid", order(user_id, PACKAGE))
    return body, sign(SECRET, body)


async def post(http: httpx.AsyncClient, delivery: Delivery | None, status: int) -> float:
    """Return the response time of one POST in milliseconds; `delivery` None: an empty one, refused by its signature."""
    body, headers = delivery or (b"", {})
    started = time.perf_counter()
    response = await http.post(ENDPOINT, content=body, headers=headers)
    duration = (time.perf_counter() - started) * 1000
    if response.status_code != status:
        raise RuntimeError(f"{response.status_code} instead of {status}: {response.text}")
    return duration


async def post_all(
    http: httpx.AsyncClient, deliveries: Iterable[Delivery | None], status: int, concurrency: int
) -> None:
    """Send the deliveries, `concurrency` at a time, and print a row of the table."""
    queue, durations = iter(deliveries), list[float]()

    async def send() -> None:
        for next_delivery in queue:
            durations.append(await post(http, next_delivery, status))

    started = time.perf_counter()
    await asyncio.gather(*(send() for _ in range(concurrency)))
    per_second = len(durations) / (time.perf_counter() - started)
    percentiles = statistics.quantiles(durations, n=100)
    print(f" {percentiles[49]:.1f} | {percentiles[98]:.1f} | {max(durations):.1f} | {per_second:.0f} |", flush=True)


async def measure(address: str, count: int) -> None:
    async with httpx.AsyncClient(base_url=address, timeout=30) as http:
        api = Api(http, address)
        customers = [await api.sign_up(f"customer-{number}@example.com") for number in range(CUSTOMERS)]
        before = await customers[0].credits()  # the sign-up bonus
        fresh = [delivery(customers[number % CUSTOMERS].user["id"]) for number in range(2 * count + WARM_UP)]
        for warm_up in fresh[:WARM_UP]:
            await post(http, warm_up, 202)
        sequential, concurrent = fresh[WARM_UP : WARM_UP + count], fresh[WARM_UP + count :]
        print(f"\n{count} deliveries per row\n")
        print("| POST to the webhook | p50 ms | p99 ms | max ms | per second |\n| --- | ---: | ---: | ---: | ---: |")
        for name, deliveries, status, concurrency in (
            ("empty, refused", [None] * count, 401, 1),
            ("a new order", sequential, 202, 1),
            ("the same order again", sequential, 202, 1),
            (f"empty, refused, {CONCURRENCY} concurrent", [None] * count, 401, CONCURRENCY),
            (f"a new order, {CONCURRENCY} concurrent", concurrent, 202, CONCURRENCY),
        ):
            print(f"| {name} |", end="")
            await post_all(http, deliveries, status, concurrency)
        granted = sum([await customer.credits() for customer in customers]) - CUSTOMERS * before
        if granted != CREDITS * len(fresh):
            raise RuntimeError(f"{len(fresh)} orders granted {granted} credits")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--deliveries", type=int, default=500, help="per row of the table")
    count = parser.parse_args().deliveries
    with backends() as found, darkroom(found, settings={"polar_webhook_secret": SECRET}) as server:
        asyncio.run(measure(server.address, count))


if __name__ == "__main__":
    main()
