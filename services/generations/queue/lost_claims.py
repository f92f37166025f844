"""Claims whose answer was lost: the database has committed them, and the worker does not know which they are."""

from collections.abc import Collection

from models import Generation
from models.database.connection import dialect, placeholders, rows
from models.database.model_row import columns
from services.generations.claim import Batches, Claim, with_originals

# $1: worker, $2: seconds of the lease, $3: how many at most; then the ids of those that it knows. No provider was
# called, or its job goes on, so that it is safe to begin. The fence moves as with every claim.
_TAKE_UP = """
UPDATE generations SET fence = fence + 1, version = version + 1, lease_until = LATER($2), updated_at = NOW()
WHERE status = 'PROCESSING' AND worker = $1 AND id IN (
    SELECT id FROM generations WHERE status = 'PROCESSING' AND worker = $1
    AND (provider_called_at IS NULL OR provider_job_id IS NOT NULL) AND id NOT IN ({known}) LIMIT $3 {lock})
RETURNING {columns}"""


async def take_lost(
    worker: str, lease_seconds: float, limit: int, known: Collection[str], batches: Batches | None = None
) -> list[Claim]:
    """Take up generations that are this worker's by their rows, at most `limit`, without those that it knows of.

    The worker's name is of one process, so nothing else works on them.
    """
    statement = _TAKE_UP.format(
        columns=columns(Generation, "generations"),
        known=placeholders(known, first=4) or "''",
        lock="FOR UPDATE SKIP LOCKED" if dialect() == "postgres" else "",
    )
    found = await rows(statement, worker, float(lease_seconds), limit, *known)
    return [Claim(row, lease_seconds, batches=batches) for row in await with_originals(found)]
