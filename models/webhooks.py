"""Tables of outbound webhooks: endpoints, the outbox of events, and deliveries with their attempts."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from models import ids
from models.accounts import User
from models.enum import DeliveryState, DisabledReason

MAX_URL = 2048  # characters


class WebhookEndpoint(Model):
    """A URL that events are sent to: those of one account, or those of all accounts if the settings name it."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.WEBHOOK_ENDPOINT))
    # Null: one of WEBHOOK_URLS.
    user: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="webhook_endpoints", null=True, on_delete=fields.CASCADE
    )
    user_id: str | None
    url = fields.CharField(max_length=MAX_URL)
    description = fields.CharField(max_length=100, null=True)
    events: list[str] | None = fields.JSONField(null=True)  # the types that are sent; null: all, also of later releases
    credits_low = fields.BigIntField()  # the balance below which `credits.low` is sent
    # The secret is derived from it and SECRET_KEY, as an API key. Empty: the secret is a setting.
    salt = fields.CharField(max_length=64)  # hex
    secret_hash = fields.CharField(max_length=64)  # SHA-256, hex: whether SECRET_KEY still gives the same secret
    # The secret before the last rotation, which signs as well until then.
    previous_salt = fields.CharField(max_length=64, null=True)
    previous_until = fields.DatetimeField(null=True)
    failing_since = fields.DatetimeField(null=True)  # the first failed attempt since the last delivery, while any waits
    disabled_at = fields.DatetimeField(null=True)  # nothing is sent, and no events are kept for it
    disabled_reason: fields.Field[DisabledReason | None] = fields.CharEnumField(  # type: ignore[assignment]  # null=True is untyped there
        DisabledReason, "models/enum.py", max_length=16, null=True
    )
    notified_at = fields.DatetimeField(null=True)  # when its owner was mailed that it is disabled
    claimed_at = fields.DatetimeField(null=True)  # when deliveries to it were last claimed
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)  # of one of WEBHOOK_URLS: when a process last listed it

    class Meta:
        table = "webhook_endpoints"


class WebhookEvent(Model):
    """An event that was written by a trigger, in the transaction that caused it, and waits to become deliveries."""

    id = fields.BigIntField(primary_key=True, generated=True)
    type = fields.CharField(max_length=32)
    user_id = fields.CharField(max_length=ids.LENGTH)
    subject_id = fields.CharField(max_length=ids.LENGTH)  # of the generation, purchase or account
    balance = fields.BigIntField(null=True)  # of credits.low: credits after the change
    balance_before = fields.BigIntField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "webhook_events"


class WebhookDelivery(Model):
    """One event for one endpoint. It is sent at least once, always with the same `message_id` and body."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.WEBHOOK_DELIVERY))
    endpoint: fields.ForeignKeyRelation[WebhookEndpoint] = fields.ForeignKeyField(
        "models.WebhookEndpoint", related_name="deliveries", on_delete=fields.CASCADE
    )
    endpoint_id: str
    message_id = fields.CharField(max_length=ids.LENGTH)  # the header webhook-id, the same for every endpoint
    type = fields.CharField(max_length=32)
    body = fields.TextField()  # JSON, as it is signed
    state = fields.CharEnumField(DeliveryState, "models/enum.py", max_length=16, default=DeliveryState.WAITING)
    fence = fields.IntField(default=0)  # counts the claims
    lease_until = fields.DatetimeField(null=True)  # of the worker that sends it
    attempts = fields.IntField(default=0)  # since it was created or last replayed
    attempt_log: list[dict[str, Any]] = fields.JSONField(default=list)  # the newest ones, oldest first
    next_attempt_at = fields.DatetimeField()
    give_up_at = fields.DatetimeField()  # after the attempt at this time or later it is DEAD
    delivered_at = fields.DatetimeField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "webhook_deliveries"
        indexes = (("endpoint_id", "id"), ("state", "created_at"))
