"""Adjustments: credits that an admin gives or takes, with the reason that the account's owner reads beside the line."""

from dataclasses import dataclass

from tortoise.exceptions import IntegrityError

from models import AuditEntry, CreditTransaction, User
from models.database.connection import run_tx
from models.enum import AdminAction, TransactionType
from services.billing import ledger
from services.billing.ledger import LedgerLine
from services.core import idempotency
from services.core.error import InvalidInputError
from services.core.idempotency import UsedKeyError
from services.core.message import message
from services.core.text import clean_reason
from services.events import account_change, audit_log
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher

OPERATION = "adminAdjustCredits"
MOST = 1_000_000  # credits of one line, as the ledger's table has it
FURTHEST = 1_000_000_000  # credits from zero that a balance may be moved to: clients read 32 bits


@dataclass(frozen=True)
class AdjustmentRequest:
    """`amount`: credits, negative to take them away, below zero if need be."""

    user_id: str
    amount: int
    reason: str
    idempotency_key: str | None = None


@dataclass(frozen=True)
class Adjustment:
    """The account as it is now, and the line."""

    user: User
    line: CreditTransaction


class AdminAdjustmentService:
    """Moves balances by an admin's word alone."""

    def __init__(self, events: EventPublisher) -> None:
        self._events = events

    async def adjust(self, admin: User, request: AdjustmentRequest) -> Adjustment:
        """Write one ADMIN line with its reason, and tell the account at once.

        The same key of the same admin with the same input returns the line that it wrote the first time.

        Raises:
            InvalidInputError: of the amount, the reason or the key.
            NotFoundError: there is no such account, or it is gone.
            ConflictError: the key came with another input before.
        """
        if not 1 <= abs(request.amount) <= MOST:
            text = message("Give or take 1 to {limit} credits at a time.", limit=MOST)
            raise InvalidInputError(text, field=("amount",))
        reason = clean_reason(request.reason)
        try:
            line, done = await run_tx(self._adjust, admin.id, request, reason, idempotency.fingerprint(request))
        except (IntegrityError, UsedKeyError):  # at the same moment, for another account
            raise idempotency.key_conflict() from None
        if done is not None:
            await self._events.acted(*done)
        return Adjustment(await User.get(id=request.user_id), line)

    @staticmethod
    async def _adjust(
        admin_id: str, request: AdjustmentRequest, reason: str, fingerprint: str
    ) -> tuple[CreditTransaction, tuple[AccountChange, AuditEntry] | None]:
        user_id, key = request.user_id, request.idempotency_key
        await account_change.lock_account(user_id, field=("userId",))
        known = await idempotency.find_result(admin_id, OPERATION, key, fingerprint) if key is not None else None
        if known is not None:
            return await CreditTransaction.get(id=known), None
        act = await audit_log.record(
            admin_id, AdminAction.ADJUST_CREDITS, user_id, amount=request.amount, reason=reason
        )
        # Named after the act: an admin's key is theirs alone, and without one there is nothing else to name it after.
        line = LedgerLine(TransactionType.ADMIN, request.amount, f"admin:{act.id}", metadata={"reason": reason})
        account = await ledger.post(user_id, [line])
        if abs(account.credits) > FURTHEST:
            text = message("A balance stays within {limit} credits of zero.", limit=FURTHEST)
            raise InvalidInputError(text, field=("amount",))
        (written,) = account.lines
        if key is not None:
            await idempotency.store_result(admin_id, OPERATION, key, fingerprint, written.id)
        return written, (account, act)
