"""The check that an admin asks for: whether balances, generations and files are as they should be, right now."""

from functools import partial

from models import User
from services.core.cached_value import CachedValue
from services.core.error import UnavailableError
from services.operations.integrity_audit import IntegrityAudit

MAX_MISMATCHES = 100  # accounts that are named


class LedgerCheck:
    """Asks the audit, and only for what is wanted; what takes it too long is not known, and so refused.

    Whoever asks while an answer is being found waits for the same: each holds a connection of its own, of which a
    database has few.
    """

    def __init__(self, audit: IntegrityAudit) -> None:
        self._audit = audit
        self._found = {name: CachedValue(partial(self._ask, name), 0.0) for name in ("M1", "G2", "B1")}

    async def users_checked(self) -> int:
        """How many accounts there are, those that are gone included: their ledgers stay."""
        return await User.all().count()

    async def mismatches(self) -> list[str]:
        """Accounts whose balance is not the sum of their ledger, `MAX_MISMATCHES` at most. Raises UnavailableError."""
        return list((await self._offenders("M1"))[:MAX_MISMATCHES])

    async def stuck_generations(self) -> int:
        """Generations that should have ended long ago. Raises UnavailableError."""
        return len(await self._offenders("G2"))

    async def orphan_files(self) -> int:
        """Stored objects that no row knows, and files that nothing shows. Raises UnavailableError."""
        return len(await self._offenders("B1"))

    async def _offenders(self, promise: str) -> tuple[str, ...]:
        return await self._found[promise].get()

    async def _ask(self, promise: str) -> tuple[str, ...]:
        verdict = await self._audit.check(promise)
        if not verdict.is_known:
            raise UnavailableError
        return verdict.violations
