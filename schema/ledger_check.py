"""Whether balances, generations and files are as they should be, for admins."""

import strawberry

from schema.context import Info
from services.operations import ledger_check


@strawberry.type(
    description="Asked anew each time, and only what is selected; UNAVAILABLE where it takes too long beside the work. "
    "The audit of every hour and `main.py verify` look at much more."
)
class LedgerCheck:
    @strawberry.field(description="Accounts, those that are gone included.")
    async def users_checked(self, info: Info) -> int:
        return await info.context.services.ledger_check.users_checked()

    @strawberry.field(description=f"Accounts whose balance is not their ledger's sum; {ledger_check.MOST} at most.")
    async def mismatches(self, info: Info) -> list[strawberry.ID]:
        return [strawberry.ID(id) for id in await info.context.services.ledger_check.mismatches()]

    @strawberry.field(description="Generations that should have ended long ago.")
    async def stuck_generations(self, info: Info) -> int:
        return await info.context.services.ledger_check.stuck_generations()

    @strawberry.field(description="Stored objects that no row knows, and files that nothing shows.")
    async def orphan_files(self, info: Info) -> int:
        return await info.context.services.ledger_check.orphan_files()
