"""Due jobs: videos whose job at the provider is to be asked about, or whose worker died while it did so."""

import functools

from models import Generation
from models.database.connection import dialect, rows
from models.database.model_row import columns
from services.generations.claim import MAX_JOB_ATTEMPTS, Claim, with_originals

# $1: worker, $2: seconds of the lease, $3: how many at most. A row that waits belongs to no worker; if it belongs to
# one, that worker died, which counts as an attempt.
_TAKE = f"""
UPDATE generations SET fence = fence + 1, version = version + 1, worker = $1, lease_until = LATER($2),
    attempts = attempts + CASE WHEN worker IS NULL OR attempts >= {MAX_JOB_ATTEMPTS} THEN 0 ELSE 1 END,
    updated_at = NOW()
WHERE status = 'PROCESSING' AND provider_job_id IS NOT NULL AND lease_until < NOW() AND id IN (
    SELECT id FROM generations WHERE status = 'PROCESSING' AND provider_job_id IS NOT NULL AND lease_until < NOW()
    ORDER BY lease_until LIMIT $3 {{lock}})
RETURNING {{columns}}"""  # noqa: S608 - constants

_WAKE = """
UPDATE generations SET lease_until = NOW() WHERE status = 'PROCESSING' AND provider = $1 AND provider_job_id = $2
AND worker IS NULL AND lease_until > NOW() RETURNING id"""


async def take_due(worker: str, lease_seconds: float, limit: int) -> list[Claim]:
    """Claim generations whose job is due, at most `limit`, the longest due first."""
    found = await rows(_take_sql(), worker, float(lease_seconds), limit)
    return [Claim(row, lease_seconds) for row in await with_originals(found)]


async def make_due(provider: str, job_id: str) -> bool:
    """Make a waiting job due now, and return whether there is one; one that a worker has taken is left to it."""
    return bool(await rows(_WAKE, provider, job_id))


def seconds_to_wait(row: Generation) -> float | None:
    """Return how long a job was left alone by the last write of its row; None if it does not wait."""
    if row.status.is_final or row.worker is not None or row.lease_until is None:
        return None
    return (row.lease_until - row.updated_at).total_seconds()


@functools.cache
def _sql(lock: str) -> str:
    return _TAKE.format(columns=columns(Generation, "generations"), lock=lock)


def _take_sql() -> str:
    return _sql("FOR UPDATE SKIP LOCKED" if dialect() == "postgres" else "")
