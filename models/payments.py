"""Tables of payments: checkouts, purchases, and the payment provider's webhook events."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from models import ids
from models.accounts import User
from models.enum import EventOutcome, PurchaseStatus
from models.plan import CreditPackage, Plan


class Checkout(Model):
    """One checkout at the payment provider."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.CHECKOUT))
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="checkouts", on_delete=fields.RESTRICT
    )
    user_id: str
    slug = fields.CharField(max_length=64)  # of the package or plan
    provider_id = fields.CharField(max_length=100, null=True, unique=True)  # null: not created there yet
    url = fields.TextField(null=True)
    created_at = fields.DatetimeField(auto_now_add=True)
    expires_at = fields.DatetimeField(null=True)

    class Meta:
        table = "checkouts"
        indexes = (("user_id", "created_at"),)


class Purchase(Model):
    """One order at the payment provider, with what it granted and what was reversed."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.PURCHASE))
    order_id = fields.CharField(max_length=100, unique=True)  # the provider's
    # RESTRICT, as for the ledger: a payment outlives its account. Null: the buyer is unknown.
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="purchases", null=True, on_delete=fields.RESTRICT
    )
    user_id: str | None
    package: fields.ForeignKeyNullableRelation[CreditPackage] = fields.ForeignKeyField(
        "models.CreditPackage", related_name="purchases", null=True, on_delete=fields.RESTRICT
    )
    package_id: str | None
    plan: fields.ForeignKeyNullableRelation[Plan] = fields.ForeignKeyField(
        "models.Plan", related_name="purchases", null=True, on_delete=fields.RESTRICT
    )
    plan_id: str | None
    status = fields.CharEnumField(PurchaseStatus, "models/enum.py", max_length=16)
    is_paid = fields.BooleanField(default=False)  # false: only its refund has been reported so far
    credits = fields.IntField(default=0)  # granted for it
    reversed_credits = fields.IntField(default=0)  # reversed by refunds
    net_amount = fields.BigIntField(default=0)  # minor units, before tax
    refunded_amount = fields.BigIntField(default=0)
    currency = fields.CharField(max_length=3, null=True)
    data: dict[str, Any] = fields.JSONField()  # the order as last reported, without the customer
    ordered_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)

    class Meta:
        table = "purchases"
        indexes = (("user_id", "created_at"), ("status", "created_at"))


class ExternalEvent(Model):
    """One webhook delivery, stored once under the sender's id before it is handled."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.EXTERNAL_EVENT))
    source = fields.CharField(max_length=16)  # polar
    event_id = fields.CharField(max_length=200)
    type = fields.CharField(max_length=100)
    data: dict[str, Any] = fields.JSONField()  # the whole body; without the customer once it is settled
    outcome = fields.CharEnumField(EventOutcome, "models/enum.py", max_length=16, default=EventOutcome.RECEIVED)
    problem = fields.CharField(max_length=500, null=True)  # why it needs review or failed
    attempts = fields.IntField(default=0)
    received_at = fields.DatetimeField(auto_now_add=True)
    handled_at = fields.DatetimeField(null=True)

    class Meta:
        table = "external_events"
        unique_together = (("source", "event_id"),)
        indexes = (("outcome", "received_at"),)
