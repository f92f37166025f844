"""Refunds by admins, regardless of the refund policy: the cost is returned to its funding source."""

from dataclasses import replace

from models import AuditEntry, CreditTransaction, Generation, User
from models.database.connection import rows, run_tx
from models.enum import AdminAction, PaidBy, TransactionType
from services.billing import ledger, passes
from services.core.error import ConflictError
from services.core.message import message
from services.core.text import clean_reason
from services.events import account_change, audit_log
from services.events.account_change import AccountChange, ChangeKind
from services.events.publisher import EventPublisher
from services.generations.generation import owner_of


class AdminRefundService:
    """Refunds a generation once."""

    def __init__(self, events: EventPublisher) -> None:
        self._events = events

    async def refund(self, admin: User, generation_id: str, reason: str) -> Generation | None:
        """Return the credits of an ended generation, or the allowance to the hour of the pass that paid for it.

        Any final status can be refunded, and deleted generations too, for which None is returned.

        Raises:
            InvalidInputError: the reason is invalid.
            NotFoundError: it does not exist, or its owner was deleted.
            ConflictError: it is in progress, was refunded before, nothing was paid for it, or a guest paid for it that
                was merged into its owner since.
        """
        clean = clean_reason(reason)
        await self._events.admin_action(
            *await run_tx(_refund, admin.id, await owner_of(generation_id), generation_id, clean)
        )
        return await Generation.present().get_or_none(id=generation_id)


async def _refund(admin_id: str, user_id: str, generation_id: str, reason: str) -> tuple[AccountChange, AuditEntry]:
    account = await account_change.bump_version(user_id, field=("id",))
    # Ending, refunding or deleting a generation locks the account's row as well, so this row cannot change now.
    row = await Generation.get(id=generation_id)
    _check(row)
    await _check_charged(row)
    await rows(
        "UPDATE generations SET refunded = (1 = 1), version = version + 1, updated_at = NOW() WHERE id = $1"
        " RETURNING id",
        row.id,
    )
    if row.paid_by is PaidBy.PASS and row.pass_id is not None and row.pass_hour is not None:
        await passes.give_back(row.pass_id, row.pass_hour, row.media, 1)
        account = account.with_entitlements()
    else:
        # The reason distinguishes this line from refunds by policy.
        lines = [
            replace(line, metadata={"reason": reason}) for line in ledger.refund(row.id, row.cost - row.size_refund)
        ]
        account = await ledger.post(user_id, lines, version_bumped=True)
    entry = await audit_log.record(
        admin_id,
        AdminAction.REFUND_GENERATION,
        row.id,
        user=user_id,
        paidBy=row.paid_by.value,
        credits=row.cost - row.size_refund,
        reason=reason,
    )
    return account.with_generations(ChangeKind.UPDATED, [row.id] if row.deleted_at is None else []), entry


def _check(row: Generation) -> None:
    field = ("id",)
    if not row.status.is_final:
        raise ConflictError(message("This generation is still in progress. Cancel it first."), field)
    if row.refunded:
        raise ConflictError(message("This generation has already been refunded."), field)
    if row.paid_by is PaidBy.PLAN or (row.paid_by is PaidBy.CREDITS and not row.cost):
        raise ConflictError(message("Nothing was paid for this generation, so it cannot be refunded."), field)


async def _check_charged(row: Generation) -> None:
    """Check that the owner paid. The credits of a merged guest may have been its bonus, which must not be moved."""
    charged = CreditTransaction.filter(generation_id=row.id, type=TransactionType.DEDUCTION)
    if await charged.exclude(user_id=row.user_id).exists():
        text = message(
            "A guest paid for this generation before it was merged into the account. Adjust the account's credits"
            " instead."
        )
        raise ConflictError(text, ("id",))
