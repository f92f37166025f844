"""What an operator has switched off for the whole deployment: one row, which every process reads."""

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
