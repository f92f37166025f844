"""The hour's work: what one worker does every hour, whichever is first; a row that all of them see says who."""

from datetime import datetime
from typing import Any

from tortoise.exceptions import IntegrityError

from models import ExternalEvent


async def begin(source: str, now: datetime, data: dict[str, Any]) -> ExternalEvent | None:
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
