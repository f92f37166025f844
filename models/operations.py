"""Tables of operations: maintenance, workers and the runs of hourly jobs."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from models.enum import JobState


class Maintenance(Model):
    """The maintenance switches: a single row, inserted by a migration."""

    id = fields.IntField(primary_key=True, generated=False, default=1)
    read_only = fields.BooleanField(default=False)
    providers_off: list[str] = fields.JSONField(default=list)  # their names, as `generations.provider` has them
    daily_spend_cap = fields.FloatField(null=True)  # US dollars paid to providers in one UTC day; null: no cap
    updated_at = fields.DatetimeField(auto_now=True)

    class Meta:
        table = "maintenance"


class Worker(Model):
    """One worker process, which updates its row with a heartbeat while it is alive."""

    name = fields.CharField(max_length=64, primary_key=True)
    concurrency = fields.IntField()  # generations at once
    seen_at = fields.DatetimeField()
    started_at = fields.DatetimeField(null=True)  # when the first heartbeat came; null: of a release before
    clock = fields.DatetimeField(null=True)  # the worker's own, at `seen_at` by the database's

    class Meta:
        table = "workers"


class ProviderPause(Model):
    """A provider that is not called, because it refuses the key or the account."""

    provider = fields.CharField(max_length=32, primary_key=True)
    cause = fields.CharField(max_length=16)  # a FailureCause: key or credit
    began_at = fields.DatetimeField()
    asks_at = fields.DatetimeField()  # when it is next asked about the key, by one of the workers
    questions = fields.IntField()  # that were asked so far

    class Meta:
        table = "provider_pauses"


class JobRun(Model):
    """One hour's run of an hourly job. The unique key lets one worker claim it."""

    id = fields.BigIntField(primary_key=True, generated=True)
    job = fields.CharField(max_length=32)  # its name: `reconciliation`, `self-check`
    hour = fields.DatetimeField()  # its beginning, UTC
    state = fields.CharEnumField(JobState, "models/enum.py", max_length=16, default=JobState.RUNNING)
    result: dict[str, Any] | None = fields.JSONField(null=True)  # what a completed run found
    problem = fields.CharField(max_length=500, null=True)  # why it failed
    started_at = fields.DatetimeField(auto_now_add=True)
    finished_at = fields.DatetimeField(null=True)

    class Meta:
        table = "job_runs"
        unique_together = (("job", "hour"),)
