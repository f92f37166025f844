"""Tables of products: credit packages, monthly plans and passes, as the profile describes them."""

from tortoise import fields
from tortoise.models import Model

from models import ids
from models.enum import PlanKind, Quality


class Plan(Model):
    """A monthly plan or a pass. A plan removed from the profile is kept for its members."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.PLAN))
    slug = fields.CharField(max_length=64, unique=True)
    title: dict[str, str] = fields.JSONField()  # locale -> text
    kind = fields.CharEnumField(PlanKind, "models/enum.py", max_length=16)
    price = fields.BigIntField(null=True)  # minor units; null: on request
    currency = fields.CharField(max_length=3, null=True)  # ISO 4217, lower case
    credits_per_month = fields.IntField(null=True)
    credits_expire_days = fields.IntField(null=True)  # null: never
    # The most unused credits that the next month keeps, the others then expire; null: all, until they expire.
    rollover = fields.IntField(null=True)
    duration_hours = fields.IntField(null=True)  # of a pass
    images_per_hour = fields.IntField(null=True)
    videos_per_hour = fields.IntField(null=True)
    quality: fields.Field[Quality | None] = fields.CharEnumField(  # type: ignore[assignment]  # null=True is untyped there
        Quality, "models/enum.py", max_length=8, null=True
    )  # the highest that a pass pays for; null: any
    collections: list[str] | None = fields.JSONField(null=True)  # slugs of those that a pass pays for; null: all
    priority = fields.BooleanField(default=False)
    unlimited = fields.BooleanField(default=False)
    api_access = fields.BooleanField(default=False)
    max_batch = fields.IntField()
    position = fields.IntField()  # order in lists
    is_active = fields.BooleanField(default=True)  # false: removed from the profile, kept for history
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)

    class Meta:
        table = "plans"


class CreditPackage(Model):
    """A number of credits at a price."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.CREDIT_PACKAGE))
    slug = fields.CharField(max_length=64, unique=True)
    credits = fields.IntField()
    credits_expire_days = fields.IntField(null=True)  # null: never
    price = fields.BigIntField()  # minor units
    currency = fields.CharField(max_length=3)  # ISO 4217, lower case
    position = fields.IntField()
    is_active = fields.BooleanField(default=True)
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)

    class Meta:
        table = "credit_packages"
