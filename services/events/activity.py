"""Activities: everything that happens in the deployment, as the bus carries it to the admins' live feed."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from models import AuditEntry, CreditTransaction, Generation, ids
from models.enum import TransactionType
from services.core.message import Message

CHANNEL = "activity"
ACTIVITIES = "told"  # the field of a message that holds its activities; processes of other releases read it, too


class ActivityKind(StrEnum):
    """The kind of an activity."""

    SIGN_UP = "SIGN_UP"
    GENERATION_CREATED = "GENERATION_CREATED"
    GENERATION_FINISHED = "GENERATION_FINISHED"  # with any final status
    TRANSACTION = "TRANSACTION"  # any line of the ledger
    PAYMENT = "PAYMENT"  # an order at the payment provider was paid or refunded
    ADMIN_ACT = "ADMIN_ACT"
    ALERT = "ALERT"  # needs an operator's attention


@dataclass(frozen=True)
class Activity:
    """An event in the deployment: ids and plain values, nothing secret. The reader's process renders the message."""

    kind: ActivityKind
    user_id: str | None = None  # the account; of an admin's action, the admin
    generation_id: str | None = None
    transaction_id: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    # Of this activity: a generation has one when it is created and another when it ends.
    id: str = field(default_factory=lambda: ids.new_id(ids.ACTIVITY))
    at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @classmethod
    def created(cls, user_id: str, generation_id: str) -> Self:
        """Return the activity of a generation that was created."""
        return cls(ActivityKind.GENERATION_CREATED, user_id, generation_id)

    @classmethod
    def finished(cls, generation: Generation) -> Self:
        """Return the activity of a generation that has ended."""
        values = {"status": generation.status, "code": generation.error_code}
        return cls(ActivityKind.GENERATION_FINISHED, generation.user_id, generation.id, values=values)

    @classmethod
    def ledger_line(cls, line: CreditTransaction) -> Self:
        """Return the activity of a ledger line that was written."""
        values = {"type": line.type, "amount": line.amount, "balance": line.balance}
        return cls(ActivityKind.TRANSACTION, line.user_id, line.generation_id, line.id, values)

    @classmethod
    def payment(cls, user_id: str, lines: Iterable[CreditTransaction], minor: int, currency: str | None) -> Self:
        """Return the activity of an order that was paid, or refunded if `minor` is negative, with its ledger line.

        `minor`: in minor units of `currency`, ISO 4217.
        """
        types = (TransactionType.REVERSAL,) if minor < 0 else (TransactionType.PURCHASE, TransactionType.SUBSCRIPTION)
        caused = next((line for line in lines if line.type in types), None)
        values = {"minor": minor, "currency": currency or ""}
        return cls(ActivityKind.PAYMENT, user_id, None, caused.id if caused else None, values)

    @classmethod
    def admin_action(cls, entry: AuditEntry) -> Self:
        """Return the activity of an admin's action."""
        target = entry.target
        generation_id = target if target is not None and ids.is_id(target, ids.GENERATION) else None
        return cls(ActivityKind.ADMIN_ACT, entry.actor_id, generation_id, values={"action": entry.action})

    @classmethod
    def alert(cls, text: Message) -> Self:
        """Return the activity of an alert, which needs an operator's attention."""
        return cls(ActivityKind.ALERT, values={"text": text.text, "values": dict(text.values)})
