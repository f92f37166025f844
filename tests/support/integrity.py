"""Invariants of a database and its files, and changes that the API does not offer."""

from models import CreditTransaction, File, Generation, User
from models.database.connection import run_tx
from models.enum import AdminAction, Role, TransactionType
from services.billing import ledger
from services.events import account_change, audit_log
from services.operations.integrity_audit import IntegrityAudit
from services.services import Services
from tests.support.client import Api

LONG = 3600.0  # seconds; nothing in a test is that old


async def assert_invariants(services: Services, *, all_ended: bool = False, all_swept: bool = False) -> None:
    """Assert that every invariant holds. `all_ended`, `all_swept`: no generation is unfinished, no file unsettled."""
    unsettled = 0.0 if all_swept else LONG
    audit = IntegrityAudit(
        services.integrations.storage.keys,
        generation_seconds=0.0 if all_ended else LONG,
        file_seconds=unsettled,
        upload_seconds=services.media.uploads.seconds + unsettled,
    )
    violated = {result.statement: result.violations for result in await audit.run() if result.violations}
    assert violated == {}, violated


async def stored_keys(services: Services) -> set[str]:
    """Return all keys of the storage."""
    return await services.integrations.storage.keys()


async def count_rows() -> dict[str, int]:
    """Count the rows that a generation request can create."""
    return {
        "generations": await Generation.all().count(),
        "files": await File.all().count(),
        "lines": await CreditTransaction.exclude(generation_id=None).count(),
    }


async def adjust_credits(user_id: str, amount: int, reason: str) -> account_change.AccountChange:
    """Grant or remove credits, as an admin would."""

    async def work() -> account_change.AccountChange:
        await account_change.lock_account(user_id)
        act = await audit_log.record(None, AdminAction.ADJUST_CREDITS, user_id, amount=amount, reason=reason)
        return await ledger.post(user_id, [ledger.LedgerLine(TransactionType.ADMIN, amount, f"admin:{act.id}")])

    return await run_tx(work)


async def make_member(user_id: str) -> None:
    await User.filter(id=user_id).update(is_member=True)


async def make_admin(api: Api, email: str = "admin@example.com", role: Role = Role.ADMIN) -> Api:
    """Create an account with an admin role and return its client."""
    admin = await api.sign_up(email)
    await User.filter(id=admin.user["id"]).update(role=role)
    return admin
