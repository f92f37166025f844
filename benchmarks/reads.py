"""Benchmark: the session look-up and a gallery page by fixed SQL, against the same by models, on PostgreSQL.

Microseconds of CPU of this process for each, in turns within one run, and of asyncpg alone with the same statement.
PostgreSQL's own CPU is not part of it.
"""

import argparse
import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import asyncpg
import uvloop
from tortoise.log import db_client_logger

import tests.support.factories as example
from benchmarks.measure import postgres
from models.database.connection import open_database, rows
from models.database.migrate import migrate
from models.database.read_groups import GROUP_SIZE
from services.accounts.secret_token import hash_token
from services.accounts.session import SessionService
from services.core.pagination import PageRequest
from services.gallery.gallery import GalleryService, GenerationKey, GenerationOrder
from services.integrations.device_token import DeviceTokens
from tests.support.factories import insert
from tests.support.model_reads import ModelGallery, user_of_session

ROUNDS = 9
TEN_FIELDS = frozenset(
    {"id", "status", "stage", "progress", "prompt", "cost", "is_favorite", "version", "created_at", "completed_at"}
)
PICTURES = TEN_FIELDS | {"style", "style.title", "result"}
TOKEN = "a" * 43

Read = Callable[[], Awaitable[object]]


async def fill() -> str:
    """Create an account with a session and 100 generations with style and result; return its id."""
    owner = (await insert("users", example.user()))["id"]
    series = (await insert("collections", example.collection()))["id"]
    style = (await insert("styles", example.style(series)))["id"]
    expires_at = datetime.now(UTC) + timedelta(days=1)
    await insert("sessions", example.session(owner, token_hash=hash_token(TOKEN), expires_at=expires_at))
    for _ in range(100):
        result = (await insert("files", example.file(owner, kind="RESULT")))["id"]
        done = {"status": "COMPLETED", "stage": "COMPLETED", "completed_at": example.NOW, "result_id": result}
        await insert("generations", example.generation(owner, style_id=style, **done))
    await rows("ANALYZE")
    return str(owner)


def reads(owner: str) -> dict[str, tuple[Read, Read]]:
    """Return each read by fixed SQL and by models."""
    sessions, gallery, models = SessionService(1, DeviceTokens("s" * 32)), GalleryService(), ModelGallery()
    first: PageRequest[GenerationKey] = PageRequest(first=20)
    newest = GenerationOrder.NEWEST

    def page(attributes: frozenset[str] | None) -> tuple[Read, Read]:
        return (
            lambda: gallery.generations(owner, first, None, newest, attributes),
            lambda: models.generations(owner, first, None, newest),
        )

    return {
        "session look-up": (lambda: sessions.user_of(TOKEN), lambda: user_of_session(TOKEN)),
        "20 generations, 10 fields": page(TEN_FIELDS),
        "20 generations, with style and result": page(PICTURES),
        "20 generations, everything": page(None),
    }


async def statement(read: Read) -> tuple[str, list[object]]:
    """Return the statement that a read runs, as Tortoise's logger gets it."""
    found: list[tuple[str, list[object]]] = []

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if isinstance(record.args, tuple):
                sql, values = record.args
                found.append((str(sql), list(values)))  # type: ignore[call-overload]  # whatever was logged

    handler, level = Handler(), db_client_logger.level
    db_client_logger.addHandler(handler)
    db_client_logger.setLevel(logging.DEBUG)
    db_client_logger.propagate = False
    try:
        await read()
    finally:
        db_client_logger.setLevel(level)
        db_client_logger.removeHandler(handler)
    (only,) = found
    return only


async def cpu(read: Read, times: int) -> float:
    """Return the microseconds of CPU of one read."""
    begun = time.process_time()
    for _ in range(times):
        await read()
    return (time.process_time() - begun) / times * 1e6


def by_all(read: Read) -> Read:
    """Return the read by as many callers at once as share a statement."""

    async def run() -> None:
        await asyncio.gather(*(read() for _ in range(GROUP_SIZE)))

    return run


async def main(times: int) -> None:
    """Fill a database and measure it."""
    with postgres() as url:
        await migrate(url)
        async with open_database(url):
            owner = await fill()
            names = f"{'driver alone':>14}{'fixed SQL':>12}{'models':>10}{'ratio':>8}"
            print(f"{'microseconds of CPU':40}{names}{f'{GROUP_SIZE} at once, each':>18}")
            driver = await asyncpg.connect(url)
            for name, (fixed, models) in reads(owner).items():
                await fixed()  # the first look-up of a session notes when it was seen
                sql, values = await statement(fixed)

                def alone(sql: str = sql, values: list[object] = values) -> Awaitable[object]:
                    return driver.fetch(sql, *values)

                costs: tuple[list[float], ...] = ([], [], [], [])
                for _ in range(ROUNDS):
                    for read, found in zip((alone, fixed, models, by_all(fixed)), costs, strict=True):
                        found.append(await cpu(read, times))
                floor, least, most, together = (min(found) for found in costs)  # other processes only add
                cells = f"{floor:14.0f}{least:12.0f}{most:10.0f}{most / least:8.1f}"
                print(f"{name:40}{cells}{together / GROUP_SIZE:18.0f}")
            await driver.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=200, help="reads of each kind in a round")
    uvloop.run(main(parser.parse_args().times))
