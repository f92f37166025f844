"""The ledger: one append-only line for every movement of credits."""

from typing import Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from models import ids
from models.enum import TransactionStatus, TransactionType
from models.user import User


class CreditTransaction(Model):
    """One line of the ledger; triggers refuse to change or delete it.

    `sequence` counts an account's lines without gaps, in the order of commits. `reference` says what the line
    belongs to (`deduct:gen_...`) and is unique, so that nothing is written twice.
    """

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.TRANSACTION))
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="transactions", on_delete=fields.RESTRICT
    )
    user_id: str
    sequence = fields.BigIntField()
    type = fields.CharEnumField(TransactionType, "models/enum.py", max_length=16)
    status = fields.CharEnumField(
        TransactionStatus, "models/enum.py", max_length=16, default=TransactionStatus.COMPLETED
    )
    amount = fields.BigIntField()  # negative when credits leave
    balance = fields.BigIntField()  # after this line
    account_version = fields.BigIntField()  # User.version that this line's commit made
    reference = fields.CharField(max_length=200, unique=True)
    # No foreign key: a line outlives the generation it speaks of, and must not be touched when that goes.
    generation_id = fields.CharField(max_length=ids.LENGTH, null=True, db_index=True)
    price = fields.BigIntField(null=True)  # minor units: what was paid for a purchase or a month
    currency = fields.CharField(max_length=3, null=True)  # ISO 4217, lower case
    metadata: dict[str, Any] | None = fields.JSONField(null=True)
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "credit_transactions"
        unique_together = (("user", "sequence"),)
        indexes = (Index(fields=("user_id", "type", "sequence")),)
