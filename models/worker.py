"""The worker processes that have reported."""

from tortoise import fields
from tortoise.models import Model


class Worker(Model):
    """One process that makes generations; it says so again and again while it lives."""

    name = fields.CharField(max_length=64, primary_key=True)
    concurrency = fields.IntField()  # generations at once
    seen_at = fields.DatetimeField()

    class Meta:
        table = "workers"
