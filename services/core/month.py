"""Calendar months (UTC), by which refills and the budgets of API keys go."""

from datetime import UTC, datetime


def month_of(moment: datetime) -> datetime:
    """Return the beginning of the month."""
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def next_month(start: datetime) -> datetime:
    """Return the beginning of the month after the one that begins at `start`."""
    return start.replace(year=start.year + start.month // 12, month=start.month % 12 + 1)
