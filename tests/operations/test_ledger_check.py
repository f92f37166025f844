"""The check of the books that admins ask for: however many ask at once, the tables are read once."""

import asyncio
from typing import Any

from services.operations.integrity_audit import IntegrityAudit
from services.operations.ledger_check import LedgerCheck


class Tables:
    """Counts how often they are read; answers when it is told to."""

    def __init__(self) -> None:
        self.reads = 0
        self.open = asyncio.Event()

    async def read(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        self.reads += 1
        await self.open.wait()
        return [{"id": f"usr_{self.reads}"}]


async def nothing() -> set[str]:
    return set()


async def test_those_who_ask_at_once_share_one_answer_and_the_next_asks_anew() -> None:
    tables = Tables()
    check = LedgerCheck(
        IntegrityAudit(nothing, generation_seconds=0.0, file_seconds=0.0, upload_seconds=0.0, query=tables.read)
    )
    asking = [asyncio.create_task(check.mismatches()) for _ in range(20)]
    await asyncio.sleep(0)
    tables.open.set()
    assert await asyncio.gather(*asking) == [["usr_1"]] * 20
    assert await check.mismatches() == ["usr_2"]
