"""Benchmark: the execution of a gallery page by its plan, against the same by graphql-core, with rows read before.

Microseconds of CPU of this process for a page of 20 generations, whose rows are those of PostgreSQL's driver: the least
of several rounds in turns, since other processes only add. Links are signed for a local folder.
"""

import argparse
import asyncio
import tempfile
import time
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import graphql
import uvloop
from graphql import ExecutionResult
from strawberry.execution import optimized_is_awaitable

import models
from benchmarks.dataset import add_gallery
from benchmarks.measure import postgres
from benchmarks.pages import FLAT, REAL
from models import enum
from models.database.connection import open_database
from models.database.migrate import migrate
from models.database.postgres import MIGRATION_LIMITS
from models.generation_row import GENERATIONS
from schema.root import schema
from schema.runtime.access import Audience
from schema.runtime.compilation.plan import compile_query
from schema.runtime.compiled_execution import lazy_executor
from schema.runtime.context import Context
from schema.runtime.document import PreparedOperation
from services.core.pagination import Page, PageRequest
from services.gallery.gallery import GalleryService, GenerationFilter, GenerationKey, GenerationOrder
from services.integrations.storage.local import LocalStorage
from services.media.file import FileService, UploadLimits

ROUNDS = 25
SIZE = 20
VARIABLES = {"first": SIZE}
FLAT_COLUMNS = frozenset(
    {"id", "status", "stage", "progress", "prompt", "size", "quality", "cost", "is_favorite", "created_at"}
)
REAL_COLUMNS = FLAT_COLUMNS | {"style", "style.title", "result"}

AnyPage = Page[Any, Any]


async def pages() -> tuple[AnyPage, AnyPage]:
    """Return both pages of an account, as they are read."""
    with postgres() as url:
        await migrate(url)
        async with open_database(url, limits=MIGRATION_LIMITS):
            (owner,) = await add_gallery(1, 100)
            request: PageRequest[GenerationKey] = PageRequest(first=SIZE)
            read = partial(GalleryService().generations, owner, request, GenerationFilter(), GenerationOrder.NEWEST)
            return await read(FLAT_COLUMNS), await read(REAL_COLUMNS)


def plain_page() -> AnyPage:
    """Return a page without a database, of rows as SQLite's driver returns them."""
    values = {
        "status": "COMPLETED", "stage": "COMPLETED", "progress": 1.0, "prompt": "a cat", "size": "MEDIUM",
        "quality": "STANDARD", "cost": 3, "is_favorite": False, "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    found = [GENERATIONS.plain({"id": f"gen_{number}", **values}) for number in range(SIZE)]
    return Page(found, [row.id for row in found], True, False, _count)


async def _count() -> int:
    return SIZE


class Pages:
    """The services that a page asks, of which the gallery has its answer ready. `files`: sign links."""

    def __init__(self, page: AnyPage | None = None, files: FileService | None = None) -> None:
        self._page = page or plain_page()
        self.gallery = SimpleNamespace(lists=self)
        self.media = SimpleNamespace(files=files)

    async def generations(self, *_: Any) -> AnyPage:
        """Return the page."""
        return self._page


def local_files(folder: Path) -> FileService:
    """Return files whose links are signed for a local folder."""
    storage = LocalStorage(folder, address="http://127.0.0.1:8000", secret="s" * 32, link_seconds=3600)
    unused: Any = None
    return FileService(storage, unused, UploadLimits(1, frozenset()))


VIEWER = models.User(id="usr_1", email="a@example.com", locale="en", role=enum.Role.USER, credits=5)


def context(found: Any, *, compiles: bool) -> Context:
    """Return the context of a signed-in user."""
    made = Context(
        found, token=None, is_cookie=False, client="127.0.0.1", accept_language="en", is_socket=False,
        introspection=Audience.NONE, compiles_operations=compiles,
    )  # fmt: skip
    made.set_viewer(VIEWER)
    return made


class Compared:
    """One operation, executed in both ways."""

    def __init__(self, text: str, found: Any) -> None:
        self.prepared: PreparedOperation = schema.documents.prepare(text, None)
        self.plan = compile_query(schema, self.prepared.document)
        self.found = found

    async def by_plan(self) -> ExecutionResult:
        """Execute it as schema/runtime/pipeline.py does."""
        asked = context(self.found, compiles=True)
        executor = lazy_executor(schema, self.prepared, asked, VARIABLES)
        if executor is None:
            raise ValueError(VARIABLES)
        result = self.plan.execute(executor)
        return result if isinstance(result, ExecutionResult) else await result

    async def by_graphql_core(self) -> ExecutionResult:
        """Let graphql-core execute it."""
        found: Any = graphql.execute(
            schema._schema,
            self.prepared.document,
            variable_values=dict(VARIABLES),
            context_value=context(self.found, compiles=False),
            is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]  # its annotation lacks the TypeGuard
            executor_class=schema.execution_context_class,
            operation_extensions=None,
        )
        result: ExecutionResult = await found if asyncio.iscoroutine(found) else found
        return result


async def cpu(execute: Any, times: int) -> float:
    """Return the microseconds of CPU of one execution."""
    begun = time.process_time()
    for _ in range(times):
        await execute()
    return (time.process_time() - begun) / times * 1e6


def compile_cpu(compared: Compared, times: int) -> float:
    """Return the microseconds of CPU of compiling a document."""
    begun = time.process_time()
    for _ in range(times):
        compile_query(schema, compared.prepared.document)
    return (time.process_time() - begun) / times * 1e6


async def main(times: int, *, shows_source: bool) -> None:
    """Measure both documents."""
    flat, real = await pages()
    with tempfile.TemporaryDirectory() as folder:
        print(f"{'CPU, microseconds':44}{'compiled':>10}{'graphql-core':>14}{'ratio':>8}{'compiling':>12}")
        for name, text, page in (
            ("20 generations, 10 fields", FLAT, flat),
            ("and style, links, thumbnails", REAL, real),
        ):
            compared = Compared(text, Pages(page, local_files(Path(folder))))
            if shows_source:
                print(compared.plan.source)
            both = (compared.by_plan, compared.by_graphql_core)
            first, second = [await execute() for execute in both]
            if first != second or first.errors:
                raise RuntimeError(f"{first} is not {second}"[:1000])
            costs: tuple[list[float], list[float]] = ([], [])
            for _ in range(ROUNDS):
                for execute, found, share in zip(both, costs, (1, 8), strict=True):
                    found.append(await cpu(execute, max(1, times // share)))
            compiled, interpreted = (min(found) for found in costs)
            compiling = min(compile_cpu(compared, 4) for _ in range(5))
            print(f"{name:44}{compiled:10.0f}{interpreted:14.0f}{interpreted / compiled:8.1f}{compiling:12.0f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=200, help="executions of a plan in a round")
    parser.add_argument("--source", action="store_true", help="print the generated functions")
    options = parser.parse_args()
    uvloop.run(main(options.times, shows_source=options.source))
