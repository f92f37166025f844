"""The hour's work: what one worker does every hour, whichever is first; a row that all of them see says who."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tortoise.exceptions import IntegrityError

from models import ExternalEvent
from models.enum import EventOutcome

KEPT = timedelta(days=30)  # how long runs are remembered
_LONGEST_PROBLEM = 500  # characters


async def claim(source: str, now: datetime, data: dict[str, Any]) -> ExternalEvent | None:
    """The row of this hour's run of `source`, for whoever wrote it; None where somebody has begun already."""
    hour = now.replace(minute=0, second=0, microsecond=0)
    run = ExternalEvent(source=source, event_id=hour.isoformat(), type=source, data=data, attempts=1)
    if await ExternalEvent.exists(source=source, event_id=run.event_id):
        return None
    try:
        await run.save(force_create=True)
    except IntegrityError:  # another worker was faster
        return None
    return run


async def complete(run: ExternalEvent, data: dict[str, Any]) -> None:
    """Write down that a run came to its end, and what it found; runs of long ago are forgotten."""
    now = datetime.now(UTC)
    await ExternalEvent.filter(id=run.id).update(outcome=EventOutcome.HANDLED, data=data, handled_at=now)
    await ExternalEvent.filter(source=run.source, received_at__lt=now - KEPT).delete()


async def fail(run: ExternalEvent, error: Exception) -> None:
    """Write down that a run broke."""
    await ExternalEvent.filter(id=run.id).update(
        outcome=EventOutcome.FAILED, problem=repr(error)[:_LONGEST_PROBLEM], handled_at=datetime.now(UTC)
    )
