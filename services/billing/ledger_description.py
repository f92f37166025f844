"""Descriptions of ledger lines, for users."""

from models import CreditTransaction
from models.enum import TransactionType
from services.billing.ledger import SMALLER
from services.core.message import Message, message

_DESCRIPTIONS = {
    TransactionType.BONUS: message("Welcome bonus"),
    TransactionType.PURCHASE: message("Credits bought"),
    TransactionType.SUBSCRIPTION: message("Monthly credits"),
    TransactionType.DEDUCTION: message("Generation"),
    TransactionType.REFUND: message("Generation refunded"),
    TransactionType.ADMIN: message("Adjusted by support"),
    TransactionType.REVERSAL: message("Purchase reversed"),
    TransactionType.TRANSFER: message("Credits of a guest account"),
    TransactionType.EXPIRY: message("Credits expired"),
    TransactionType.ROLLOVER: message("Unused credits of last month"),
}


def describe(line: CreditTransaction) -> Message:
    """Return a short description of a line."""
    reason = (line.metadata or {}).get("reason")
    if line.type is TransactionType.BONUS and reason == "referral":
        return message("Referral bonus")
    if line.type is TransactionType.BONUS and reason == "refill":
        return message("Free credits of the month")
    if line.type is TransactionType.REFUND and reason == SMALLER and "delivered" in (line.metadata or {}):
        return message("Refunded in part: the result is smaller than ordered")
    return _DESCRIPTIONS[line.type]
