"""Reads of several callers by one statement: the same statement, asked for in the same step of the event loop.

Under load many requests arrive in each step. A statement costs the process and PostgreSQL as much as its rows, so
reading the pages of eight accounts at once takes half of the time of eight pages.
"""

import asyncio
import re
from collections.abc import Awaitable, Sequence
from contextvars import Context
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import Any, Generic, TypeVar

from tortoise.log import db_client_logger

from models.database.connection_pool import ConnectionPool

R = TypeVar("R")

GROUP_SIZE = 8  # different values of one statement, which on cold disks waits for the disk as often as all together
_PLACE = "group_place"  # the column with the place of a row's values
_place_of = itemgetter(_PLACE)

Values = tuple[object, ...]


class GroupedSelect(Generic[R]):
    """A SELECT with `$1` placeholders that reads few rows, whatever the values are.

    `types`: PostgreSQL's types of the values; `record`: asyncpg's class of the rows. One object for each text, because
    it is known by identity.
    """

    def __init__(self, sql: str, types: Sequence[str], record: type[Any]) -> None:
        self.sql = sql
        self.record = record
        self._types = types

    @cached_property
    def of_several(self) -> str:
        """The statement for several values, with one array for each placeholder.

        LATERAL runs the original for each of them in turn, so the rows of each stay in their order.
        """
        numbers = range(1, len(self._types) + 1)
        arrays = ", ".join(f"${number}::{sql_type}[]" for number, sql_type in zip(numbers, self._types, strict=True))
        names = ", ".join(f"value{number}" for number in numbers)
        original = re.sub(r"\$(\d+)", r"given.value\1", self.sql)
        return (
            f"SELECT found.*, given.{_PLACE} FROM unnest({arrays}) WITH ORDINALITY AS given({names}, {_PLACE})"  # noqa: S608 - our own text
            f" CROSS JOIN LATERAL ({original}) AS found"
        )


class _Group(Generic[R]):
    """The callers of one statement that has not begun."""

    __slots__ = ("places", "waiters")

    def __init__(self) -> None:
        self.places: dict[Values, int] = {}  # of the different values
        self.waiters: list[tuple[int, asyncio.Future[list[R]]]] = []  # each caller's place, and what it awaits


class ReadGroups:
    """The reads of one pool. A caller's read always begins after it was asked for.

    `size`: most different values of a statement; 1: each caller has a statement of its own.
    """

    def __init__(self, pool: ConnectionPool, size: int) -> None:
        self._pool = pool
        self._size = size
        self._open: dict[GroupedSelect[Any], _Group[Any]] = {}
        self._running: set[asyncio.Task[None]] = set()  # the event loop itself keeps no reference

    def fetch(self, select: GroupedSelect[R], values: Values) -> Awaitable[list[R]]:
        """Return the rows of one caller, outside any transaction; callers with the same values may get the same list.

        No coroutine: each that a caller waits in costs at every step.

        Raises:
            NoConnectionError, TimeoutError: as ConnectionPool.fetch, when awaited.
        """
        if self._size == 1:
            return self._fetch(select.sql, values, select)
        loop = asyncio.get_running_loop()
        group = self._open.get(select)
        if group is None:
            group = self._open[select] = _Group()
            # After this step, so that its other callers join. An empty context: the statement belongs to no caller's
            # trace or log lines.
            loop.call_soon(self._begin, select, group, context=Context())
        rows: asyncio.Future[list[R]] = loop.create_future()
        group.waiters.append((group.places.setdefault(values, len(group.places)), rows))
        if len(group.places) >= self._size:
            del self._open[select]
        return rows

    def _begin(self, select: GroupedSelect[R], group: _Group[R]) -> None:
        """Run the statement in a task, which no caller's cancellation ends."""
        if self._open.get(select) is group:
            del self._open[select]
        if all(rows.done() for _, rows in group.waiters):
            return  # every caller was canceled
        task = asyncio.get_running_loop().create_task(self._run(select, group))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, select: GroupedSelect[R], group: _Group[R]) -> None:
        try:
            found = await self._read(select, [*group.places])
        except BaseException as error:
            for _, rows in group.waiters:
                if not rows.done():
                    rows.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for place, rows in group.waiters:
            if not rows.done():  # else its caller was canceled
                rows.set_result(found[place])

    async def _read(self, select: GroupedSelect[R], values: list[Values]) -> list[list[R]]:
        """Return the rows of each element of `values`."""
        if len(values) == 1:
            return [await self._fetch(select.sql, values[0], select)]
        arrays = [list(column) for column in zip(*values, strict=True)]
        rows: list[list[R]] = [[] for _ in values]
        found: list[Any] = await self._fetch(select.of_several, arrays, select)
        for place, several in groupby(found, _place_of):
            rows[place - 1] += several
        return rows

    async def _fetch(self, sql: str, values: Sequence[object], select: GroupedSelect[R]) -> list[R]:
        db_client_logger.debug("%s: %s", sql, values)
        found: list[R] = await self._pool.fetch(sql, values, select.record)
        return found
