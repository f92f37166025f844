"""Descriptions of ledger lines, for users."""

from models import CreditTransaction
from models.enum import TransactionType
from services.core.message import Message, message

_DESCRIPTIONS = {
    TransactionType.BONUS: message("Welcome bonus"),
    TransactionType.PURCHASE: message("Credits bought"),
    TransactionType.SUBSCRIPTION: message("Monthly credits"),
    TransactionType.DEDUCTION: message("Picture"),
    TransactionType.REFUND: message("Picture refunded"),
    TransactionType.ADMIN: message("Adjusted by support"),
    TransactionType.REVERSAL: message("Purchase reversed"),
}


def describe(line: CreditTransaction) -> Message:
    """Return a short description of a line."""
    if line.type is TransactionType.BONUS and (line.metadata or {}).get("reason") == "referral":
        return message("Referral bonus")
    return _DESCRIPTIONS[line.type]
