"""What the first pages of an admin cost among everybody's rows, on PostgreSQL."""

import argparse
import asyncio
import time
from collections.abc import Awaitable, Callable

from benchmarks.metrics import ROUNDS, fill
from benchmarks.timing import median_ms, postgres
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
_ACTS = """
INSERT INTO audit_entries (id, action, detail, created_at)
SELECT 'aud_' || n, 'SET_ROLE', '{}', NOW() FROM generate_series(1, $1::int) AS n"""


def pages(generation: Generation, line: CreditTransaction) -> dict[str, Callable[[], Awaitable[object]]]:
    """Every list's first page, one in the middle, and filters that nothing or one old row matches."""
    directory, gallery, credits = UserLookup(), GalleryService(), LedgerService()

    def people(search: str | None = None) -> Callable[[], Awaitable[object]]:
        return lambda: directory.users(search, PageRequest(SIZE))

    def pictures(after: GenerationKey | None = None, **wanted: object) -> Callable[[], Awaitable[object]]:
        filter = GenerationFilter(**wanted)  # type: ignore[arg-type]  # as the keywords say
        return lambda: gallery.all_generations(PageRequest(SIZE, after), filter)

    def lines(after: str | None = None, *types: TransactionType) -> Callable[[], Awaitable[object]]:
        return lambda: credits.all_transactions(PageRequest(SIZE, after), TransactionFilter(types or None))

    return {
        "users": people(),
        "users, search: in every address": people("example"),
        "users, search: in one address": people("p1@"),
        "users, search: in none": people("nobody"),
        "generations": pictures(),
        "generations in the middle": pictures(generation.id),
        "generations, FAILED": pictures(status=(GenerationStatus.FAILED,)),
        "generations, PENDING: none": pictures(status=(GenerationStatus.PENDING,)),
        "generations, CANCELED: none": pictures(status=(GenerationStatus.CANCELED,)),
        "generations, a style: none": pictures(style_id=generation.id),
        "generations, a batch": pictures(batch_id=generation.batch_id),
        "transactions": lines(),
        "transactions in the middle": lines(line.id),
        "transactions, PURCHASE": lines(None, TransactionType.PURCHASE),
        "transactions, REVERSAL: none": lines(None, TransactionType.REVERSAL),
        "audit log": lambda: AuditLog().entries(PageRequest(SIZE)),
    }


async def measure(url: str, count: int) -> None:
    await migrate(url)
    async with open_database(url, limits=MIGRATION_LIMITS):
        begun = time.perf_counter()
        await rows("DROP INDEX ix_generations_words")  # no page here reads it, and every row fills it
        await fill(count)
        await rows(_ACTS, count)
        await rows("VACUUM ANALYZE")
        print(f"\n{count:,} generations, lines and acts in {time.perf_counter() - begun:.0f} s\n")
        print("| an admin's page of 20 | ms |\n| --- | ---: |")
        generation = (await Generation.all().order_by("id").offset(count // 2).limit(1))[0]
        line = (await CreditTransaction.all().order_by("id").offset(count // 2).limit(1))[0]
        for name, page in pages(generation, line).items():
            print(f"| {name} | {await median_ms(page, ROUNDS, 1):.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="generations, lines of the ledger and acts")
    count = parser.parse_args().rows
    with postgres() as url:
        asyncio.run(measure(url, count))


if __name__ == "__main__":
    main()
