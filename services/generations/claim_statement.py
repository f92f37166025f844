"""The statement that claims generations on PostgreSQL: those whose turn it is, for all free slots of a process at once.

Its cost depends on the number of generations in progress and on the number to claim, not on how many are waiting.
"""

from typing import Any

from models import Generation
from models.database.connection import rows
from models.database.model_row import columns
from services.core.crashpoint import in_flight

_OLDEST = 200  # waiting generations read in the order of the line, to find accounts with nothing in progress

_ACCOUNTS = 1000  # accounts read one by one if the oldest all belong to accounts with something in progress

# What a worker's claim writes. $1: worker, $2: seconds of the lease.
CLAIMED = (
    "status = 'PROCESSING', stage = 'VALIDATING', progress = 0.05, fence = generations.fence + 1,"
    " attempts = generations.attempts + 1, version = generations.version + 1, worker = $1, lease_until = LATER($2),"
    " started_at = COALESCE(generations.started_at, NOW()), updated_at = NOW()"
)

# $3: how many generations of one account run at once, $4: how many are claimed at most.
#
# The order is that of claiming one after another: by priority, then accounts with fewer in progress first, then by age.
# So only the first of each account without any in progress (`idle`, `walk`) and accounts in progress (`busy`) matter.
# `walk` jumps from account to account in the index (user_id, priority, id), past the backlog of one account.
#
# An account that another transaction is changing is passed over, and so is one whose version has moved since its
# generations in progress were counted: every claim moves it. So the limit holds across processes, and no process waits.
_NEXT = f"""
busy AS MATERIALIZED (
    SELECT user_id, COUNT(*) AS running FROM generations WHERE status = 'PROCESSING' GROUP BY user_id),
oldest AS MATERIALIZED (
    SELECT user_id, priority, id FROM generations WHERE status = 'PENDING' ORDER BY priority DESC, id LIMIT {_OLDEST}),
idle AS MATERIALIZED (
    SELECT DISTINCT ON (user_id) user_id, priority, id FROM oldest WHERE user_id NOT IN (SELECT user_id FROM busy)
    ORDER BY user_id, priority DESC, id),
walk AS (
    (SELECT user_id, priority, id, 1 AS number FROM generations WHERE status = 'PENDING'
     AND (SELECT COUNT(*) FROM oldest) = {_OLDEST} AND (SELECT COUNT(*) FROM idle) < $4
     ORDER BY user_id, priority DESC, id LIMIT 1)
    UNION ALL
    SELECT first.user_id, first.priority, first.id, walk.number + 1 FROM walk CROSS JOIN LATERAL (
        SELECT user_id, priority, id FROM generations WHERE status = 'PENDING' AND user_id > walk.user_id
        ORDER BY user_id, priority DESC, id LIMIT 1) AS first
    WHERE walk.number < {_ACCOUNTS}),
accounts AS (
    (SELECT user_id, 0 AS running FROM (
        SELECT user_id, priority, id FROM idle
        UNION SELECT user_id, priority, id FROM walk WHERE user_id NOT IN (SELECT user_id FROM busy)) AS firsts
     ORDER BY priority DESC, id LIMIT $4)
    UNION ALL SELECT user_id, running FROM busy WHERE running < $3),
next AS MATERIALIZED (
    SELECT waiting.id, waiting.user_id, users.version AS seen,
        ROW_NUMBER() OVER (ORDER BY waiting.priority DESC, accounts.running + waiting.turn, waiting.id) AS number
    FROM accounts CROSS JOIN LATERAL (
        SELECT id, user_id, priority, ROW_NUMBER() OVER (ORDER BY priority DESC, id) AS turn FROM generations
        WHERE status = 'PENDING' AND user_id = accounts.user_id
        ORDER BY priority DESC, id LIMIT LEAST($3 - accounts.running, $4)) AS waiting
    JOIN users ON users.id = waiting.user_id ORDER BY number LIMIT $4)"""  # noqa: S608 - constants

_CLAIM = f"""
WITH RECURSIVE {_NEXT},
locked AS (
    SELECT users.id FROM users JOIN (SELECT DISTINCT user_id, seen FROM next) AS counted
    ON counted.user_id = users.id AND counted.seen = users.version FOR NO KEY UPDATE OF users SKIP LOCKED),
bumped AS (
    UPDATE users SET version = users.version + 1, updated_at = NOW() FROM locked WHERE users.id = locked.id
    RETURNING users.id, users.credits, users.version, users.ledger_sequence),
claimed AS (
    UPDATE generations SET {CLAIMED} FROM next JOIN bumped ON bumped.id = next.user_id
    WHERE generations.id = next.id AND generations.status = 'PENDING'
    RETURNING {{columns}}, next.number AS number, bumped.credits AS account_credits,
        bumped.version AS account_version, bumped.ledger_sequence AS account_sequence)
SELECT (SELECT COUNT(*) FROM next) AS found, claimed.* FROM (SELECT 1) AS one LEFT JOIN claimed ON TRUE
ORDER BY claimed.number"""  # noqa: S608 - constants


def claim_sql() -> str:
    """Return the statement, in the dialect of `rows`."""
    return _CLAIM.format(columns=columns(Generation, "generations"))


async def claim_rows(worker: str, lease_seconds: float, per_user: int, limit: int) -> tuple[list[dict[str, Any]], bool]:
    """Claim up to `limit` generations, each account's in one version of it, and return them in the order of the line.

    The second value: whether others were passed over because their accounts were just changing, so that claiming again
    soon is worth it.
    """
    statement = rows(claim_sql(), worker, float(lease_seconds), per_user, limit)
    found = await in_flight("claim.before_commit", statement)
    claimed = [row for row in found if row["id"] is not None]
    return claimed, len(claimed) < int(found[0]["found"])
