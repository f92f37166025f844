"""Hourly jobs: every hour the first worker that claims the hour's row does the job."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

import structlog
from tortoise.exceptions import IntegrityError
from tortoise.expressions import F, Q

from models import JobRun
from models.database.connection import database_time
from models.enum import JobState

log = structlog.get_logger(__name__)

_POLL_SECONDS = 60.0  # between two checks whether a new hour has begun
_MAX_PROBLEM = 500  # characters


async def run_every_hour(
    job: str, run_when_due: Callable[[datetime], Awaitable[object]], *, at_once: bool = False
) -> None:
    """Call `run_when_due` about once a minute, until canceled; it claims the hour or does nothing.

    The time that it gets is the database's, so that a worker whose clock is wrong does not claim other hours.

    An error is logged and ends one call only. Any number of workers may do this at once. `at_once`: the first call
    does not wait; without it, a process that has just started does its more urgent work first.
    """
    is_due = at_once
    while True:
        if is_due:
            try:
                await run_when_due(await database_time())
            except Exception:
                log.warning("hourly_job.failed", job=job, exc_info=True)
        await asyncio.sleep(_POLL_SECONDS * random.uniform(0.5, 1.0))
        is_due = True


async def claim(job: str, now: datetime) -> JobRun | None:
    """Claim this hour's run of `job`; return None if a worker has claimed it already.

    Runs that a wrong clock has dated are removed: when their hour begins, it would count as done.
    """
    misdated = JobRun.filter(_is_misdated(await database_time()), job=job)
    if await misdated.exists():
        hint = "a worker's or the database's clock was wrong"
        log.error("hourly_job.future_runs", job=job, runs=await misdated.delete(), hint=hint)
    run = JobRun(job=job, hour=now.replace(minute=0, second=0, microsecond=0))
    if await JobRun.exists(job=job, hour=run.hour):
        return None
    try:
        await run.save(force_create=True)
    except IntegrityError:  # another worker claimed it first
        return None
    return run


async def complete(run: JobRun, result: dict[str, Any]) -> None:
    """Store the result of a run."""
    await JobRun.filter(id=run.id).update(state=JobState.COMPLETED, result=result, finished_at=await database_time())


async def fail(run: JobRun, error: Exception) -> None:
    """Store why a run failed."""
    await JobRun.filter(id=run.id).update(
        state=JobState.FAILED, problem=repr(error)[:_MAX_PROBLEM], finished_at=await database_time()
    )


async def last_completed(job: str) -> JobRun | None:
    """Return the newest completed run of `job`, or None; those that a wrong clock has dated are ignored."""
    completed = JobRun.filter(~_is_misdated(await database_time()), job=job, state=JobState.COMPLETED)
    return await completed.order_by("-hour").first()


def _is_misdated(now: datetime) -> Q:
    """Return the condition that a run's hour has not begun, or that it ended before its hour or has yet to end."""
    return Q(hour__gt=now) | Q(finished_at__lt=F("hour")) | Q(finished_at__gt=now)
