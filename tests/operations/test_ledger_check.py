"""The ledger check: concurrent callers share one read of the tables."""

import asyncio
from typing import Any

from services.operations.integrity_audit import IntegrityAudit
from services.operations.ledger_check import LedgerCheck


class Tables:
    """Counts the queries; returns once `open` is set."""

    def __init__(self) -> None:
        self.reads = 0
        self.open = asyncio.Event()

    async def read(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        self.reads += 1
        await self.open.wait()
        return [{"id": f"usr_{self.reads}"}]


async def nothing() -> set[str]:
    return set()


async def test_concurrent_checks_share_one_result_and_the_next_reads_again() -> None:
    tables = Tables()
    check = LedgerCheck(
        IntegrityAudit(nothing, generation_seconds=0.0, file_seconds=0.0, upload_seconds=0.0, query=tables.read)
    )
    checks = [asyncio.create_task(check.mismatches()) for _ in range(20)]
    await asyncio.sleep(0)
    tables.open.set()
    assert await asyncio.gather(*checks) == [["usr_1"]] * 20
    assert await check.mismatches() == ["usr_2"]
