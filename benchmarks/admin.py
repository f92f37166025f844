"""Benchmark: admin list pages over the rows of all accounts, on PostgreSQL."""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable

from benchmarks.measure import median_ms, postgres
from benchmarks.metrics import ROUNDS, fill
from models import CreditTransaction, Generation
from models.database.connection import open_database, rows
from models.database.migrate import migrate
from models.database.postgres import MIGRATION_LIMITS
from models.enum import GenerationStatus, TransactionType
from services.accounts.user_lookup import UserLookup
from services.billing.ledger import LedgerService, TransactionFilter
from services.core.pagination import PageRequest
from services.events.audit_log import AuditLog
from services.gallery.gallery import GalleryService, GenerationFilter, GenerationKey

SIZE = 20
_AUDIT_ENTRIES = """
INSERT INTO audit_entries (id, action, detail, created_at)
SELECT 'aud_' || n, 'SET_ROLE', '{}', NOW() FROM generate_series(1, $1::int) AS n"""


def pages(generation: Generation, line: CreditTransaction) -> dict[str, Callable[[], Awaitable[object]]]:
    """Return queries per list: the first page, one in the middle, and filters that match nothing or one old row."""
    lookup, gallery, ledger = UserLookup(), GalleryService(), LedgerService()

    def users(search: str | None = None) -> Callable[[], Awaitable[object]]:
        return lambda: lookup.users(search, PageRequest(SIZE))

    def generations(after: GenerationKey | None = None, **filters: object) -> Callable[[], Awaitable[object]]:
        filter = GenerationFilter(**filters)  # type: ignore[arg-type]  # the callers below pass valid fields
        return lambda: gallery.all_generations(PageRequest(SIZE, after), filter)

    def lines(after: str | None = None, *types: TransactionType) -> Callable[[], Awaitable[object]]:
        return lambda: ledger.all_transactions(PageRequest(SIZE, after), TransactionFilter(types or None))

    return {
        "users": users(),
        "users, search: in every address": users("example"),
        "users, search: in one address": users("p1@"),
        "users, search: in none": users("unknown"),
        "generations": generations(),
        "generations in the middle": generations(generation.id),
        "generations, FAILED": generations(status=(GenerationStatus.FAILED,)),
        "generations, PENDING: none": generations(status=(GenerationStatus.PENDING,)),
        "generations, CANCELED: none": generations(status=(GenerationStatus.CANCELED,)),
        "generations, a style: none": generations(style_id=generation.id),
        "generations, a batch": generations(batch_id=generation.batch_id),
        "transactions": lines(),
        "transactions in the middle": lines(line.id),
        "transactions, PURCHASE": lines(None, TransactionType.PURCHASE),
        "transactions, REVERSAL: none": lines(None, TransactionType.REVERSAL),
        "audit log": lambda: AuditLog().entries(PageRequest(SIZE)),
    }


async def measure(url: str, count: int) -> None:
    await migrate(url)
    async with open_database(url, limits=MIGRATION_LIMITS):
        started = time.perf_counter()
        await rows("DROP INDEX ix_generations_words")  # unused by these pages, and slow to fill
        await fill(count)
        await rows(_AUDIT_ENTRIES, count)
        await rows("VACUUM ANALYZE")
        print(f"\n{count:,} generations, ledger lines and audit entries in {time.perf_counter() - started:.0f} s\n")
        print("| admin page of 20 | ms |\n| --- | ---: |")
        generation = (await Generation.all().order_by("id").offset(count // 2).limit(1))[0]
        line = (await CreditTransaction.all().order_by("id").offset(count // 2).limit(1))[0]
        for name, page in pages(generation, line).items():
            print(f"| {name} | {await median_ms(page, ROUNDS, 1):.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="generations, ledger lines and audit entries")
    count = parser.parse_args().rows
    with postgres() as url:
        asyncio.run(measure(url, count))


if __name__ == "__main__":
    main()
