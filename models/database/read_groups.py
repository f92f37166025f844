"""Reads of several callers by one statement: the same statement, asked for in the same step of the event loop.

Under load many requests arrive in each step. A statement costs the process and PostgreSQL as much as its rows, so
reading the pages of eight accounts at once takes half of the time of eight pages.
"""

import asyncio
import re
from collections.abc import Sequence
from contextvars import Context
from functools import cached_property
from typing import Any, Generic, TypeVar

from tortoise.log import db_client_logger

from models.database.connection_pool import ConnectionPool

R = TypeVar("R")

GROUP_SIZE = 8  # callers of one statement: a page on cold disks waits for the disk as often as all of them
_CALLER = "group_caller"  # the column with the caller's number


class GroupedSelect(Generic[R]):
    """A SELECT with `$1` placeholders that reads only a few rows by an index, whatever the values are.

    `types`: PostgreSQL's types of the values; `record`: asyncpg's class of the rows. One object for each text, because
    it is known by identity.
    """

    def __init__(self, sql: str, types: Sequence[str], record: type[Any]) -> None:
        self.sql = sql
        self.record = record
        self._types = types

    @cached_property
    def of_several(self) -> str:
        """The statement of several callers, with one array for each placeholder.

        LATERAL runs the original for each caller in turn, so the rows of each stay in their order.
        """
        numbers = range(1, len(self._types) + 1)
        given = ", ".join(f"${number}::{sql_type}[]" for number, sql_type in zip(numbers, self._types, strict=True))
        names = ", ".join(f"value{number}" for number in numbers)
        original = re.sub(r"\$(\d+)", r"callers.value\1", self.sql)
        return (
            f"SELECT found.*, callers.{_CALLER} FROM unnest({given}) WITH ORDINALITY AS callers({names}, {_CALLER})"  # noqa: S608 - our own text
            f" CROSS JOIN LATERAL ({original}) AS found"
        )


class _Group(Generic[R]):
    """The callers of one statement that has not begun."""

    __slots__ = ("values", "waiters")

    def __init__(self, values: Sequence[object]) -> None:
        self.values = [values]  # of each caller
        self.waiters: list[asyncio.Future[list[R]]] = []  # of each but the first


class ReadGroups:
    """The reads of one pool. A caller's read always begins after it was asked for.

    `size`: most callers of a statement; 1: each has a statement of its own.
    """

    def __init__(self, pool: ConnectionPool, size: int) -> None:
        self._pool = pool
        self._size = size
        self._open: dict[GroupedSelect[Any], _Group[Any]] = {}
        self._running: set[asyncio.Task[None]] = set()  # the event loop itself keeps no reference

    async def fetch(self, select: GroupedSelect[R], values: Sequence[object]) -> list[R]:
        """Return the rows of one caller, outside any transaction. Raises as ConnectionPool.fetch."""
        if self._size == 1:
            return await self._fetch(select.sql, values, select)
        group = self._open.get(select)
        if group is not None:
            return await self._join(select, group, values)
        group = self._open[select] = _Group(values)
        try:
            await asyncio.sleep(0)  # the others of this step join; the first begins the statement
        except BaseException:
            if group.waiters:  # they are served all the same
                self._begin(select, group).cancel()
            raise
        finally:
            if self._open.get(select) is group:
                del self._open[select]
        if not group.waiters:
            return await self._fetch(select.sql, values, select)
        return await self._begin(select, group)

    async def _join(self, select: GroupedSelect[R], group: _Group[R], values: Sequence[object]) -> list[R]:
        waiter: asyncio.Future[list[R]] = asyncio.get_running_loop().create_future()
        group.values.append(values)
        group.waiters.append(waiter)
        if len(group.values) >= self._size:
            del self._open[select]
        return await waiter

    def _begin(self, select: GroupedSelect[R], group: _Group[R]) -> "asyncio.Future[list[R]]":
        """Run the statement in a task, which no caller's cancellation ends; return what the first caller awaits."""
        loop = asyncio.get_running_loop()
        first: asyncio.Future[list[R]] = loop.create_future()
        # An empty context: the statement belongs to no caller's trace or log lines.
        task = loop.create_task(self._run(select, group.values, [first, *group.waiters]), context=Context())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return first

    async def _run(
        self, select: GroupedSelect[R], values: list[Sequence[object]], waiters: list["asyncio.Future[list[R]]"]
    ) -> None:
        try:
            arrays = [list(column) for column in zip(*values, strict=True)]
            found: list[Any] = await self._fetch(select.of_several, arrays, select)
        except BaseException as error:
            for waiter in waiters:
                if not waiter.done():
                    waiter.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        rows: list[list[R]] = [[] for _ in waiters]
        for row in found:
            rows[row[_CALLER] - 1].append(row)
        for waiter, own in zip(waiters, rows, strict=True):
            if not waiter.done():  # else its caller was canceled
                waiter.set_result(own)

    async def _fetch(self, sql: str, values: Sequence[object], select: GroupedSelect[R]) -> list[R]:
        db_client_logger.debug("%s: %s", sql, values)
        found: list[R] = await self._pool.fetch(sql, values, select.record)
        return found
