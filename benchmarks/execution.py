"""Benchmark: the execution of a gallery page by its plan, against the same by graphql-core, without a database.

Microseconds of CPU of this process for a page of 20 generations, in turns within one run, and of compiling its
document.
"""

import argparse
import asyncio
import time
from datetime import UTC, datetime
from statistics import median
from types import SimpleNamespace
from typing import Any

import uvloop
from graphql import DocumentNode, ExecutionResult, execute, parse
from strawberry.execution import optimized_is_awaitable

import models
from benchmarks.pages import FLAT, REAL
from models import enum
from models.generation_row import GENERATIONS
from schema.root import schema
from schema.runtime.access import Audience
from schema.runtime.compilation.plan import compile_query
from schema.runtime.compilation.plans import Plans
from schema.runtime.context import Context
from services.core.pagination import Page

ROUNDS = 7
SIZE = 20
VARIABLES = {"first": SIZE}


def rows() -> list[Any]:
    """Return the rows of a page."""
    file = {
        "result.id": "fil_1", "result.owner_id": "usr_1", "result.kind": enum.FileKind.RESULT, "result.byte_size": 9,
        "result.content_type": "image/png", "result.width": 1024, "result.height": 1024, "result.placeholder": None,
        "result.thumbnail_widths": [320],
    }  # fmt: skip
    style = {"style.id": "sty_1", "style.title": {"en": "Cute"}, "style.is_active": True}
    done = {
        "status": enum.GenerationStatus.COMPLETED, "stage": enum.GenerationStage.COMPLETED, "progress": 1.0,
        "prompt": "a cat", "size": enum.Size.MEDIUM, "quality": enum.Quality.STANDARD, "cost": 3, "is_favorite": False,
        "created_at": datetime(2026, 1, 1, tzinfo=UTC), "style_slug": "cute", "user_id": "usr_1",
    }  # fmt: skip
    return [GENERATIONS.plain({"id": f"gen_{number}", **done, **file, **style}) for number in range(SIZE)]


class Pages:
    """The services that a page asks, with their answers ready."""

    def __init__(self) -> None:
        page: Page[Any, Any] = Page(rows(), [f"gen_{number}" for number in range(SIZE)], True, False, self._count)
        self.gallery = SimpleNamespace(lists=SimpleNamespace(generations=self._async(page)))
        link = SimpleNamespace(url="https://images.example/1", expires_at=0)
        self.media = SimpleNamespace(files=SimpleNamespace(link=self._async(link), thumbnail_link=self._async(link)))

    async def _count(self) -> int:
        return SIZE

    @staticmethod
    def _async(found: Any) -> Any:
        async def answer(*_: Any) -> Any:
            return found

        return answer


def context(*, compiles: bool) -> Context:
    """Return the context of a signed-in user."""
    services: Any = Pages()
    made = Context(
        services, token=None, is_cookie=False, client="127.0.0.1", accept_language="en", is_socket=False,
        introspection=Audience.NONE, compiles_operations=compiles,
    )  # fmt: skip
    made.set_viewer(models.User(id="usr_1", email="a@example.com", locale="en", role=enum.Role.USER, credits=5))
    return made


async def run(document: DocumentNode, asked: Context) -> ExecutionResult:
    """Execute a page as the pipeline does."""
    found: Any = execute(
        schema._schema,
        document,
        variable_values=dict(VARIABLES),
        context_value=asked,
        is_awaitable=optimized_is_awaitable,  # type: ignore[arg-type]  # its annotation lacks the TypeGuard
        executor_class=schema.execution_context_class,
        operation_extensions=None,
    )
    result: ExecutionResult = await found if asyncio.iscoroutine(found) else found
    return result


async def cpu(document: DocumentNode, asked: Context, times: int) -> float:
    """Return the microseconds of CPU of one execution."""
    begun = time.process_time()
    for _ in range(times):
        await run(document, asked)
    return (time.process_time() - begun) / times * 1e6


def compile_cpu(document: DocumentNode, times: int) -> float:
    """Return the microseconds of CPU of compiling a document."""
    begun = time.process_time()
    for _ in range(times):
        compile_query(schema, document)
    return (time.process_time() - begun) / times * 1e6


async def main(times: int) -> None:
    """Measure both documents."""
    schema.plans = Plans(schema, uses=1)
    print(f"{'CPU, microseconds':44}{'compiled':>10}{'graphql-core':>14}{'ratio':>8}{'compiling':>12}")
    for name, text in (("20 generations, 10 fields", FLAT), ("and style, links, thumbnails", REAL)):
        document = parse(text)
        node: Any = document.definitions[0]
        schema.plans.use(document, node, VARIABLES)
        schema.plans.compile(document, node, VARIABLES)
        both = [context(compiles=True), context(compiles=False)]
        first, second = [await run(document, one) for one in both]
        if first != second or first.errors:
            raise RuntimeError(f"{first} is not {second}")
        costs: tuple[list[float], list[float]] = ([], [])
        for _ in range(ROUNDS):
            for one, found in zip(both, costs, strict=True):
                found.append(await cpu(document, one, times))
        compiled, interpreted = (median(found) for found in costs)
        compiling = compile_cpu(document, 20)
        print(f"{name:44}{compiled:10.0f}{interpreted:14.0f}{interpreted / compiled:8.1f}{compiling:12.0f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=200, help="executions of each kind in a round")
    uvloop.run(main(parser.parse_args().times))
