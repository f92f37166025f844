"""A kill between any two statements of a generation's life, whichever statements there are."""

import os
from typing import Any

from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.sqlite.client import SqliteClient, SqliteTransactionWrapper

MOST = 60  # boundaries that pass before the kill, at most: more than those of two generations
_TABLES = ("generations", "files", "credit_transactions")
_METHODS = ("execute_insert", "execute_many", "execute_query", "execute_query_dict")


def _is_of_a_generation(query: str) -> bool:
    return ("UPDATE" in query or "INSERT" in query) and any(table in query for table in _TABLES)


def crash_between_statements(skip: int) -> None:
    """Exit before or after a statement that writes generations, files or the ledger, after `skip` such boundaries."""
    remaining = skip

    def pass_boundary() -> None:
        nonlocal remaining
        if remaining == 0:
            os._exit(137)
        remaining -= 1

    def counted(execute: Any) -> Any:
        async def run(self: Any, query: str, *values: Any) -> Any:
            if not _is_of_a_generation(query):
                return await execute(self, query, *values)
            pass_boundary()
            found = await execute(self, query, *values)
            pass_boundary()
            return found

        return run

    for client in (AsyncpgDBClient, TransactionWrapper, SqliteClient, SqliteTransactionWrapper):
        for name in _METHODS:
            if execute := vars(client).get(name):
                setattr(client, name, counted(execute))
