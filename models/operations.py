"""Tables of operations: maintenance and workers."""

from tortoise import fields
from tortoise.models import Model


class Maintenance(Model):
    """The one row, made by the migration."""

    id = fields.IntField(primary_key=True, generated=False, default=1)
    read_only = fields.BooleanField(default=False)
    providers_off: list[str] = fields.JSONField(default=list)  # their names, as `generations.provider` has them
    daily_spend_cap = fields.FloatField(null=True)  # US dollars paid to providers in one UTC day; null: no cap
    updated_at = fields.DatetimeField(auto_now=True)

    class Meta:
        table = "maintenance"


class Worker(Model):
    """One process that makes generations; it says so again and again while it lives."""

    name = fields.CharField(max_length=64, primary_key=True)
    concurrency = fields.IntField()  # generations at once
    seen_at = fields.DatetimeField()

    class Meta:
        table = "workers"
