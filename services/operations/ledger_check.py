"""The ledger check of the admin API: whether balances, generations and files are consistent right now."""

from functools import partial

from models import User
from services.core.cached_value import CachedValue
from services.core.error import UnavailableError
from services.operations.integrity_audit import IntegrityAudit

MAX_MISMATCHES = 100  # accounts listed


class LedgerCheck:
    """Checks only the requested invariants; a check that times out is refused as unavailable.

    Concurrent callers share one check: each needs a connection of its own, of which a database has few.
    """

    def __init__(self, audit: IntegrityAudit) -> None:
        self._audit = audit
        self._checks = {name: CachedValue(partial(self._check, name), 0.0) for name in ("M1", "G2", "B1")}

    async def users_checked(self) -> int:
        """Count the accounts, including deleted ones, whose ledgers are kept."""
        return await User.all().count()

    async def mismatches(self) -> list[str]:
        """Return at most `MAX_MISMATCHES` accounts whose balance is not their ledger's sum. Raises UnavailableError."""
        return list((await self._violations("M1"))[:MAX_MISMATCHES])

    async def stuck_generations(self) -> int:
        """Count generations that should have ended long ago. Raises UnavailableError."""
        return len(await self._violations("G2"))

    async def orphan_files(self) -> int:
        """Count stored objects without a row, and files that nothing uses. Raises UnavailableError."""
        return len(await self._violations("B1"))

    async def _violations(self, name: str) -> tuple[str, ...]:
        return await self._checks[name].get()

    async def _check(self, name: str) -> tuple[str, ...]:
        result = await self._audit.check(name)
        if not result.is_complete:
            raise UnavailableError
        return result.violations
