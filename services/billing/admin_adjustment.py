"""Adjustments: credits that an admin adds or removes, with a reason that the user sees in the ledger."""

from dataclasses import dataclass
from functools import partial

from models import AuditEntry, CreditTransaction, User
from models.database.connection import run_tx
from models.enum import AdminAction, TransactionType
from services.billing import ledger
from services.billing.ledger import LedgerLine
from services.core import idempotency
from services.core.error import InvalidInputError, NotFoundError
from services.core.idempotency import IdempotencyTicket
from services.core.message import message
from services.core.problems import Problems
from services.core.text import clean_reason
from services.events import account_change, audit_log
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher

OPERATION = "adminAdjustCredits"
MAX_AMOUNT = 1_000_000  # credits of one line, the limit of the ledger's table
MAX_BALANCE = 1_000_000_000  # credits above or below zero that an adjustment may lead to: clients read 32 bits


@dataclass(frozen=True)
class AdjustmentRequest:
    """`amount`: credits, negative to remove them; the balance may fall below zero."""

    user_id: str
    amount: int
    reason: str
    idempotency_key: str | None = None


@dataclass(frozen=True)
class Adjustment:
    """The current account, and the ledger line."""

    user: User
    line: CreditTransaction


class AdminAdjustmentService:
    """Changes balances on an admin's decision alone."""

    def __init__(self, events: EventPublisher) -> None:
        self._events = events

    async def adjust(self, admin: User, request: AdjustmentRequest) -> Adjustment:
        """Write one ADMIN line with its reason, and publish the change.

        The same key of the same admin with the same input returns the line of the first request.

        Raises:
            InvalidInputError: the amount, the reason or the key is invalid.
            NotFoundError: there is no such account, or it was deleted.
            ConflictError: the key was used with another input.
        """
        problems, reason = Problems(), ""
        if not 1 <= abs(request.amount) <= MAX_AMOUNT:
            text = message("Adjust by 1 to {limit} credits at a time.", limit=MAX_AMOUNT)
            problems.add([InvalidInputError(text, field=("amount",))])
        with problems:
            reason = clean_reason(request.reason)
        problems.check()
        ticket = IdempotencyTicket.of(OPERATION, request)
        line = await idempotency.run_once(
            admin.id,
            ticket,
            partial(_replay, request.user_id),
            partial(self._adjust, admin.id, request, reason, ticket),
        )
        return Adjustment(await User.get(id=request.user_id), line)

    async def _adjust(
        self, admin_id: str, request: AdjustmentRequest, reason: str, ticket: IdempotencyTicket
    ) -> CreditTransaction:
        line, account, entry = await run_tx(_write, admin_id, request, reason, ticket)
        await self._events.admin_action(account, entry)
        return line


async def _replay(user_id: str, line_id: str) -> CreditTransaction:
    if not await User.exists(id=user_id, deleted_at=None):
        raise NotFoundError(("userId",))
    return await CreditTransaction.get(id=line_id)


async def _write(
    admin_id: str, request: AdjustmentRequest, reason: str, ticket: IdempotencyTicket
) -> tuple[CreditTransaction, AccountChange, AuditEntry]:
    user_id = request.user_id
    await account_change.lock_account(user_id, field=("userId",))
    entry = await audit_log.record(admin_id, AdminAction.ADJUST_CREDITS, user_id, amount=request.amount, reason=reason)
    # The reference is the audit entry's id: an idempotency key is unique per admin only, and optional.
    line = LedgerLine(TransactionType.ADMIN, request.amount, f"admin:{entry.id}", metadata={"reason": reason})
    account = await ledger.post(user_id, [line])
    if abs(account.credits) > MAX_BALANCE:
        text = message("The balance must stay within {limit} credits of zero.", limit=MAX_BALANCE)
        raise InvalidInputError(text, field=("amount",))
    (written,) = account.lines
    await idempotency.store_result(admin_id, ticket, written.id)
    return written, account, entry
