"""A bounded load on a deployment of your own: an app's operations at a given rate, and a table of what they took.

Exit codes: 0 nothing failed, 1 the server cannot be used, 2 invalid arguments, 4 operations failed, 130 interrupted.
"""

import argparse
import asyncio
import ipaddress
import random
import socket
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tools.load_client import (  # noqa: E402 - the path comes first
    REQUEST_SECONDS,
    LimitedError,
    LoadUser,
    OperationFailedError,
    RefusedError,
    Timings,
    draw_photo,
    new_user,
)

MOST_SECONDS, MOST_RATE, MOST_CONCURRENCY, MOST_USERS, MOST_ORDERS = 3600, 500, 200, 200, 10_000
# How often each operation is chosen: an app reads more than it writes.
SHARES = {"sign in": 1, "page": 10, "quote": 4, "order": 3, "favorite": 2, "delete": 1}
NAMES = ("sign up", *SHARES, "picture")


@dataclass(frozen=True)
class Plan:
    """The bounds of a load. `rate`: operations begun in a second; `orders`: pictures ordered at most."""

    address: str
    seconds: float
    rate: float
    concurrency: int
    users: int
    orders: int
    email: str | None
    password: str  # of that account
    seed: int


class Load:
    """The operations of several users, at a rate that does not wait for the answers while slots are free."""

    def __init__(self, plan: Plan, http: httpx.AsyncClient) -> None:
        self._plan = plan
        self._http = http
        self._rng = random.Random(plan.seed)
        self.timings = {name: Timings() for name in NAMES}
        self.users: list[LoadUser] = []
        self._styles: list[str] = []
        self._ordered = 0
        self.seconds = 0.0  # that the load has lasted

    async def prepare(self) -> None:
        """Sign in or up. Raises OperationFailedError, RefusedError or LimitedError if no account can be used."""
        plan = self._plan
        if plan.email is not None:
            user = LoadUser(self._http, plan.address, plan.email, plan.password)
            await user.sign_in()
            self.users = [user]
        else:
            for _ in range(plan.users):
                user = new_user(self._http, plan.address)
                with self.timings["sign up"].timed():
                    await user.sign_up()
                    self.users.append(user)
            if not self.users:
                made = self.timings["sign up"]
                raise LimitedError if made.limited else OperationFailedError(*made.failures)
        self._styles = await self.users[0].styles()
        if not self._styles:
            raise OperationFailedError("no style takes a photo")

    async def run(self) -> None:
        """Begin operations until the time is over, then let those that run come to their end."""
        plan, loop = self._plan, asyncio.get_running_loop()
        slots, running = asyncio.Semaphore(plan.concurrency), set[asyncio.Task[None]]()
        began = loop.time()
        number = 0
        while (due := began + number / plan.rate) < began + plan.seconds:
            await asyncio.sleep(max(due - loop.time(), 0))
            await slots.acquire()
            if loop.time() >= began + plan.seconds:
                break
            number += 1
            task = asyncio.create_task(self._operate())
            running.add(task)
            task.add_done_callback(running.discard)
            task.add_done_callback(lambda _: slots.release())
        if running:
            await asyncio.wait(running)
        self.seconds = loop.time() - began

    async def _operate(self) -> None:
        user = self._rng.choice(self.users)
        (name,) = self._rng.choices(list(SHARES), list(SHARES.values()))
        if name in ("favorite", "delete") and not user.pictures:
            name = "page"
        if name == "order":
            if self._ordered < self._plan.orders:
                self._ordered += 1
                await self._order(user)
                return
            name = "page"
        with self.timings[name].timed():
            await self._work(name, user)()

    def _work(self, name: str, user: LoadUser) -> Callable[[], Awaitable[None]]:
        if name == "favorite":
            picture = self._rng.choice(user.pictures)
            return lambda: user.mark_favorite(picture)
        if name == "delete":
            picture = user.pictures.pop(self._rng.randrange(len(user.pictures)))
            return lambda: user.delete(picture)
        style = self._rng.choice(self._styles)
        return {"sign in": user.sign_in, "quote": lambda: user.quote(style)}.get(name, user.read_page)

    async def _order(self, user: LoadUser) -> None:
        id = ""
        photo = await asyncio.to_thread(draw_photo, random.Random(self._rng.getrandbits(64)))
        with self.timings["order"].timed():
            id = await user.order(self._rng.choice(self._styles), photo)
        if id:
            with self.timings["picture"].timed():
                await user.follow(id)

    async def clean_up(self) -> int:
        """Delete the accounts that were made for the load, and return the number of those that are left."""
        left = 0
        for user in self.users:
            try:
                if user.can_be_deleted:
                    await user.delete_account()
            except (LimitedError, RefusedError, OperationFailedError):
                left += 1
        return left


def table_of(load: Load) -> Table:
    """Return the table: for each operation throughput, latencies in milliseconds, and what did not succeed."""
    table = Table(box=None, pad_edge=False)
    table.add_column("operation")
    for column in ("ok", "per s", "p50 ms", "p95 ms", "p99 ms", "limited", "refused", "failed"):
        table.add_column(column, justify="right")
    table.add_column("failed with")
    for name, timings in load.timings.items():
        seconds = sorted(timings.seconds)
        if not (seconds or timings.limited or timings.refused or timings.failures):
            continue
        latencies = [f"{1000 * quantile(seconds, share):.0f}" if seconds else "-" for share in (0.5, 0.95, 0.99)]
        codes = ", ".join(f"{code} {count}" for code, count in timings.failures.most_common(3))
        per_second = f"{len(seconds) / load.seconds:.1f}" if load.seconds else "-"
        counts = (timings.limited, timings.refused, timings.failures.total())
        table.add_row(name, str(len(seconds)), per_second, *latencies, *map(str, counts), codes)
    return table


def quantile(ordered: list[float], share: float) -> float:
    """Return the value that this share of the ordered values does not exceed (the nearest rank)."""
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]


def is_own(host: str) -> bool:
    """Return whether all addresses of a host are of this machine or of a private network."""
    try:
        found = {entry[4][0] for entry in socket.getaddrinfo(host, None)}
    except OSError:
        return False
    addresses = [ipaddress.ip_address(str(address).partition("%")[0]) for address in found]
    return bool(addresses) and all(address.is_loopback or address.is_private for address in addresses)


def _bounded(kind: type[int] | type[float], most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = kind(text)
        if not 0 < value <= most:
            raise argparse.ArgumentTypeError(f"must be above 0, and at most {most}")
        return value

    return parse


def parse_plan(arguments: list[str] | None = None) -> Plan:
    """Return the plan of the command line; exit with 2 where it is invalid, or the host is of others."""
    parser = argparse.ArgumentParser(prog="load", description=__doc__.partition("\n")[0])
    parser.add_argument("--address", default="http://127.0.0.1:8000", help="of the server (default: %(default)s)")
    parser.add_argument("--seconds", type=_bounded(float, MOST_SECONDS), default=30.0, help="(default: 30)")
    parser.add_argument("--rate", type=_bounded(float, MOST_RATE), default=10.0, help="operations a second (10)")
    parser.add_argument("--concurrency", type=_bounded(int, MOST_CONCURRENCY), default=20, help="at once (20)")
    parser.add_argument("--users", type=_bounded(int, MOST_USERS), default=5, help="accounts that sign up (5)")
    parser.add_argument("--orders", type=_bounded(int, MOST_ORDERS), default=100, help="pictures at most (100)")
    parser.add_argument("--email", help="use this account instead")
    parser.add_argument("--password-file", type=Path, help="of that account: its password in one line")
    parser.add_argument("--seed", type=int, default=None, help="of the choices (default: random, and printed)")
    parser.add_argument("--confirm", metavar="HOST", help="the host again, if it is not this machine or a private one")
    given = parser.parse_args(arguments)
    parts = urlsplit(given.address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        parser.error(f"{given.address} is no address of a server")
    if given.confirm != parts.hostname and not is_own(parts.hostname):
        parser.error(f"{parts.hostname} is neither this machine nor in a private network; --confirm {parts.hostname}")
    if (given.email is None) != (given.password_file is None):
        parser.error("--email and --password-file belong together")
    try:
        password = given.password_file.read_text(encoding="utf-8").strip() if given.password_file else ""
    except OSError as error:
        parser.error(str(error))
    return Plan(
        given.address.rstrip("/"),
        given.seconds,
        given.rate,
        int(given.concurrency),
        int(given.users),
        int(given.orders),
        given.email,
        password,
        random.randrange(2**32) if given.seed is None else given.seed,
    )


async def run(plan: Plan, console: Console) -> int:
    """Run the load and print its table; return the exit code."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=plan.concurrency)
    async with httpx.AsyncClient(timeout=REQUEST_SECONDS, limits=limits, trust_env=False) as http:
        load = Load(plan, http)
        try:
            await load.prepare()
        except LimitedError:
            console.print(f"{plan.address} limits sign-ups or sign-ins; try later, or with --email.")
            return 1
        except (OperationFailedError, RefusedError) as error:
            console.print(f"{plan.address} cannot be used: {error}")
            return 1
        started = time.strftime("%H:%M:%S")
        console.print(
            f"{plan.address}: {plan.rate:g} operations/s for {plan.seconds:g} s, at most {plan.concurrency} at once,"
            f" {len(load.users)} accounts, at most {plan.orders} pictures; seed {plan.seed}; began at {started}"
        )
        try:
            await load.run()
        finally:
            console.print(table_of(load))
            if left := await load.clean_up():
                console.print(f"{left} accounts could not be deleted.")
    return 4 if any(timings.failures for timings in load.timings.values()) else 0


def main() -> int:
    """Run the command line."""
    plan = parse_plan()
    try:
        return asyncio.run(run(plan, Console(width=130, highlight=False, markup=False)))
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
