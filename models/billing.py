"""Tables of billing: the ledger, packages, plans, passes and memberships."""

from typing import Any

from tortoise import fields
from tortoise.indexes import Index
from tortoise.models import Model

from models import ids
from models.accounts import User
from models.enum import MembershipStatus, Quality, TransactionStatus, TransactionType
from models.plan import Plan

GRANTED = "admin:"  # how the `subscription_id` of a plan that an admin granted begins


class SignupBonus(Model):
    """The mailbox for which an account got the sign-up bonus; kept when the account is deleted."""

    user_id = fields.CharField(max_length=ids.LENGTH, primary_key=True)
    # A hash of the address, from services.billing.mailbox_identity; null until the sweeper has computed it for a bonus
    # that an earlier release granted.
    identity = fields.CharField(max_length=64, null=True, unique=True)

    class Meta:
        table = "signup_bonuses"


class CreditTransaction(Model):
    """One line of the ledger; triggers refuse to change or delete it.

    `sequence` counts an account's lines without gaps, in the order of commits. `reference` names what the line
    belongs to (`deduct:gen_...`) and is unique, so that no line is written twice.
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
    amount = fields.BigIntField()  # negative for a debit
    balance = fields.BigIntField()  # after this line
    account_version = fields.BigIntField()  # the User.version of the same commit
    reference = fields.CharField(max_length=200, unique=True)
    # No foreign key: a line outlives its generation, and must not change when that is deleted.
    generation_id = fields.CharField(max_length=ids.LENGTH, null=True, db_index=True)
    price = fields.BigIntField(null=True)  # minor units: the price of a purchase or a month
    currency = fields.CharField(max_length=3, null=True)  # ISO 4217, lower case
    # Of a deduction: the API key that requested it; null: a session. No foreign key, as for `generation_id`.
    api_key_id = fields.CharField(max_length=ids.LENGTH, null=True)
    metadata: dict[str, Any] | None = fields.JSONField(null=True)
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "credit_transactions"
        unique_together = (("user", "sequence"),)
        indexes = (Index(fields=("user_id", "type", "sequence")),)


class CreditGrant(Model):
    """Credits that expire: what is left of those that one ledger line gave. What an account has beside never expires.

    Changed only in the transaction of a ledger line. An expired one is kept for a while, for refunds of what it paid.
    """

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True)  # of the ledger line
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="grants", on_delete=fields.RESTRICT
    )
    user_id: str
    type = fields.CharEnumField(TransactionType, "models/enum.py", max_length=16)  # of the line
    amount = fields.BigIntField()
    remaining = fields.BigIntField()
    expires_at = fields.DatetimeField()

    class Meta:
        table = "credit_grants"
        indexes = (Index(fields=("user_id", "expires_at")),)


class CreditRefill(Model):
    """The mailbox for which an account got the refill of a calendar month."""

    id = fields.BigIntField(primary_key=True, generated=True)
    user_id = fields.CharField(max_length=ids.LENGTH)
    identity = fields.CharField(max_length=64)  # a hash of the address, from services.billing.mailbox_identity
    month = fields.CharField(max_length=7)  # 2026-11, in UTC

    class Meta:
        table = "credit_refills"
        unique_together = (("identity", "month"),)


class Membership(Model):
    """One subscription to a monthly plan, in the state that the payment provider last reported."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.MEMBERSHIP))
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="memberships", on_delete=fields.RESTRICT
    )
    user_id: str
    plan: fields.ForeignKeyRelation[Plan] = fields.ForeignKeyField(
        "models.Plan", related_name="memberships", on_delete=fields.RESTRICT
    )
    plan_id: str
    subscription_id = fields.CharField(max_length=100, unique=True)  # the provider's, or GRANTED and an audit entry's
    status = fields.CharEnumField(MembershipStatus, "models/enum.py", max_length=16)
    started_at = fields.DatetimeField()
    renews_at = fields.DatetimeField(null=True)  # the end of the paid month
    ends_at = fields.DatetimeField(null=True)  # canceled, and running until then
    past_due_at = fields.DatetimeField(null=True)
    # The provider's time of the newest event applied to this row; older events change nothing.
    told_at = fields.DatetimeField()
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)

    @property
    def is_granted(self) -> bool:
        """Whether an admin granted it: no provider reports it, and a chore renews it."""
        return self.subscription_id.startswith(GRANTED)

    class Meta:
        table = "memberships"
        indexes = (("user_id", "status"),)


class Pass(Model):
    """A time-boxed purchase with hourly allowances. Its hours run from `started_at`; passes follow one another."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.PASS))
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="passes", on_delete=fields.RESTRICT
    )
    user_id: str
    plan: fields.ForeignKeyRelation[Plan] = fields.ForeignKeyField(
        "models.Plan", related_name="passes", on_delete=fields.RESTRICT
    )
    plan_id: str
    reference = fields.CharField(max_length=200, unique=True)  # of its order or admin action
    images_per_hour = fields.IntField()  # as on the day of purchase
    videos_per_hour = fields.IntField()
    quality: fields.Field[Quality | None] = fields.CharEnumField(  # type: ignore[assignment]  # null=True is untyped there
        Quality, "models/enum.py", max_length=8, null=True
    )  # the highest that it pays for; null: any
    collections: list[str] | None = fields.JSONField(null=True)  # slugs of those that it pays for; null: all
    images_used = fields.IntField(default=0)  # in all its hours
    videos_used = fields.IntField(default=0)
    started_at = fields.DatetimeField()
    expires_at = fields.DatetimeField()
    revoked_at = fields.DatetimeField(null=True)  # its order was refunded
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)

    class Meta:
        table = "passes"
        indexes = (("user_id", "expires_at"),)


class PassHour(Model):
    """The allowance used in one hour of a pass; hours are counted from 0."""

    id = fields.BigIntField(primary_key=True, generated=True)
    holder: fields.ForeignKeyRelation[Pass] = fields.ForeignKeyField(
        "models.Pass", related_name="hours", on_delete=fields.CASCADE
    )
    holder_id: str
    hour = fields.IntField()
    images = fields.IntField(default=0)
    videos = fields.IntField(default=0)

    class Meta:
        table = "pass_hours"
        unique_together = (("holder", "hour"),)
