"""The statements of claims: the line of waiting generations, and on PostgreSQL whole transactions in one statement.

One claims the generations whose turn it is, for all free slots of a process together. Its cost depends on the number of
generations in progress and on the number to claim, not on how many are waiting. The others store and complete a result.
"""

import json
from collections.abc import Mapping
from typing import Any

from models import File, Generation
from models.database.batch import arrays
from models.database.connection import rows
from models.database.model_row import column_names, column_values, columns, insert_select, unnested
from models.enum import Quality
from services.core.crashpoint import in_flight
from services.core.lease import Lease, LeaseLostError
from services.integrations.providers.protocol import FinalImage
from services.operations.provider_pause import Claimable

_CANDIDATES = 8  # read together; when other workers have claimed all of them, the next are read

_COMPARED = 3  # numbers of generations in progress by which accounts are compared; accounts with more are equal
# Model, US dollars, request id, quality, and the path as JSON.
Outcome = tuple[str, float | None, str | None, str | None, str | None]

_OLDEST = 50  # waiting generations read in the order of the line, to find accounts with nothing in progress

_ACCOUNTS = 1000  # accounts read one by one if the oldest all belong to accounts with something in progress

# $1: worker, $2: seconds of the lease, $5: the provider. It is set here because it is in an index: the claim changes
# indexed columns in any case, and later writes then change none, so that they are heap-only updates.
_CLAIMED = (
    "status = 'PROCESSING', stage = 'VALIDATING', progress = 0.05, fence = generations.fence + 1,"
    " attempts = generations.attempts + 1, version = generations.version + 1, worker = $1, lease_until = LATER($2),"
    " provider = $5, started_at = COALESCE(generations.started_at, NOW()), updated_at = NOW()"
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
    UPDATE generations SET {_CLAIMED} FROM next JOIN bumped ON bumped.id = next.user_id
    WHERE generations.id = next.id AND generations.status = 'PENDING'
    RETURNING {{columns}}, next.number AS number, bumped.credits AS account_credits,
        bumped.version AS account_version, bumped.ledger_sequence AS account_sequence)
SELECT (SELECT COUNT(*) FROM next) AS found, claimed.* FROM (SELECT 1) AS one LEFT JOIN claimed ON TRUE
ORDER BY claimed.number"""  # noqa: S608 - constants


# While a provider is paused. $n: models that may be claimed, known models, media whose other models may be, and orders
# that may not. Each is an array; SQLite has JSON in its place.
_CLAIMABLE = (
    " AND (requested_model {in_open} OR media {in_media}"
    " AND (requested_model IS NULL OR NOT requested_model {in_known})) AND NOT id {in_held}"
)


def _condition(first: int, member: str) -> str:
    """Return what limits the claims during a pause. `first`: its first placeholder; `member`: SQL of one of a list."""
    names = ("in_open", "in_known", "in_media", "in_held")
    return _CLAIMABLE.format(**{name: member.format(first + index) for index, name in enumerate(names)})


def claim_sql(*, during_pause: bool = False) -> str:
    """Return the statement, in the dialect of `rows`. `during_pause`: with the four values of Claimable from $6 on."""
    statement = _CLAIM
    if during_pause:
        waiting = "WHERE status = 'PENDING'"  # wherever the line is read
        statement = statement.replace(waiting, waiting + _condition(6, "= ANY(${})"))
    return statement.format(columns=columns(Generation, "generations"))


# $1: id, $2: fence, $3: progress; the file's values follow. Nothing is inserted if the claim was lost.
_STORE = """
WITH moved AS (
    UPDATE generations SET stage = 'STORING', progress = $3, preview = NULL, version = version + 1, updated_at = NOW()
    WHERE {held} RETURNING {returning}),
stored AS (INSERT INTO files {values} FROM moved)
SELECT * FROM moved"""

# $1: id, $2: fence, $3: account, $4: file, $5: model, $6: cost, $7: the provider's request id, $8: the quality, $9: the
# path.
#
# The account's row is locked first, then the file's, as everywhere. Only the update of the generation decides: if its
# fence has moved on, neither the file nor the account is changed. Locked rows are read again if they have changed since
# the statement began, and so is the generation.
_COMPLETE = """
WITH account AS MATERIALIZED (SELECT id AS account_id FROM users WHERE id = $3 FOR NO KEY UPDATE),
result AS MATERIALIZED (
    SELECT files.id AS file_id, account_id FROM account, files WHERE files.id = $4 AND files.state = 'PENDING'
    FOR NO KEY UPDATE OF files),
ended AS (
    UPDATE generations SET status = 'COMPLETED', stage = 'COMPLETED', progress = 1, preview = NULL, lease_until = NULL,
        completed_at = NOW(), result_id = file_id, model = $5, provider_cost = $6, provider_request_id = $7,
        delivered_quality = $8, provider_path = $9, version = version + 1, updated_at = NOW()
    FROM result WHERE {held} RETURNING {returning}, file_id, account_id),
live AS (UPDATE files SET state = 'LIVE', updated_at = NOW() FROM ended WHERE files.id = file_id),
bumped AS (
    UPDATE users SET version = users.version + 1, updated_at = NOW() FROM ended WHERE users.id = account_id
    RETURNING users.credits AS account_credits, users.version AS account_version,
        users.ledger_sequence AS account_sequence)
SELECT * FROM ended, bumped"""

# The same writes for several generations at once. $1: their ids, $2: their fences, $3: progress or account of each, $4:
# seconds of their leases.
#
# They wait for no lock: a row that another transaction has locked is left out, and so nothing can deadlock. What was
# locked is read again if it has changed since the statement began.
_HELD = """
item AS MATERIALIZED (
    SELECT * FROM unnest($1::varchar[], $2::bigint[], $3::float[], $4::float[]) AS item (id, fence, progress, seconds)),
held AS MATERIALIZED (
    SELECT item.* FROM item JOIN generations ON generations.id = item.id AND generations.fence = item.fence
    WHERE generations.status = 'PROCESSING' FOR NO KEY UPDATE OF generations SKIP LOCKED)"""

# $5: the provider. Not where the lease has expired, after which another worker may call it, too.
_CALL_TOGETHER = f"""
WITH {_HELD}
UPDATE generations SET stage = 'GENERATING', progress = held.progress, provider = $5,
    provider_calls = provider_calls + 1, provider_called_at = COALESCE(provider_called_at, NOW()),
    lease_until = NOW() + make_interval(secs => held.seconds), version = version + 1, updated_at = NOW()
FROM held WHERE generations.id = held.id AND generations.fence = held.fence AND generations.lease_until >= NOW()
RETURNING {{returning}}"""  # noqa: S608 - constants

# $5 and following: the files' generations, and their columns.
_STORE_TOGETHER = f"""
WITH {_HELD},
moved AS (
    UPDATE generations SET stage = 'STORING', progress = held.progress, preview = NULL, version = version + 1,
        updated_at = NOW()
    FROM held WHERE generations.id = held.id AND generations.fence = held.fence RETURNING {{returning}}),
stored AS (INSERT INTO files ({{names}}) SELECT {{values}} FROM moved JOIN {{files}} ON item.key = moved.id)
SELECT * FROM moved"""  # noqa: S608 - constants

# $4: files, $5: models, $6: costs, $7: the provider's request ids, $8: the delivered qualities, $9: the paths. Several
# of one account are one version of it.
_COMPLETE_TOGETHER = """
WITH item AS MATERIALIZED (
    SELECT * FROM unnest($1::varchar[], $2::bigint[], $3::varchar[], $4::varchar[], $5::varchar[], $6::float[],
        $7::varchar[], $8::varchar[], $9::jsonb[])
        AS item (id, fence, account_id, file_id, model, cost, request_id, quality, path)),
accounts AS MATERIALIZED (
    SELECT id AS account_id FROM users WHERE id = ANY($3) FOR NO KEY UPDATE SKIP LOCKED),
result AS MATERIALIZED (
    SELECT item.* FROM item JOIN accounts USING (account_id) JOIN files ON files.id = item.file_id
    WHERE files.state = 'PENDING' FOR NO KEY UPDATE OF files SKIP LOCKED),
held AS MATERIALIZED (
    SELECT result.* FROM result JOIN generations ON generations.id = result.id AND generations.fence = result.fence
    WHERE generations.status = 'PROCESSING' FOR NO KEY UPDATE OF generations SKIP LOCKED),
ended AS (
    UPDATE generations SET status = 'COMPLETED', stage = 'COMPLETED', progress = 1, preview = NULL, lease_until = NULL,
        completed_at = NOW(), result_id = file_id, model = held.model, provider_cost = held.cost,
        provider_request_id = held.request_id, delivered_quality = held.quality, provider_path = held.path,
        version = version + 1, updated_at = NOW()
    FROM held WHERE generations.id = held.id AND generations.fence = held.fence
    RETURNING {returning}, file_id, account_id),
live AS (UPDATE files SET state = 'LIVE', updated_at = NOW() FROM ended WHERE files.id = file_id),
bumped AS (
    UPDATE users SET version = users.version + 1, updated_at = NOW()
    FROM (SELECT DISTINCT account_id FROM ended) AS changed WHERE users.id = account_id
    RETURNING users.id AS bumped_id, users.credits AS account_credits, users.version AS account_version,
        users.ledger_sequence AS account_sequence)
SELECT * FROM ended JOIN bumped ON bumped_id = account_id"""


async def claim_rows(
    worker: str,
    lease_seconds: float,
    per_user: int,
    limit: int,
    provider: str | None,
    only: Claimable | None = None,
) -> tuple[list[dict[str, Any]], bool]:
    """Claim up to `limit` generations, each account's in one version of it, and return them in the order of the line.

    The second value: whether others were passed over because their accounts were just changing, so that claiming again
    soon is worth it. `only`: what may be claimed; None: everything.
    """
    lists = () if only is None else (only.open_models, only.known_models, only.open_media, only.held)
    sql = claim_sql(during_pause=only is not None)
    statement = rows(sql, worker, float(lease_seconds), per_user, limit, provider, *lists)
    found = await in_flight("claim.before_commit", statement)
    claimed = [row for row in found if row["id"] is not None]
    return claimed, len(claimed) < int(found[0]["found"])


async def calls_together(
    items: Mapping[str, tuple[Lease, float]], provider: str, returning: str
) -> dict[str, dict[str, Any]]:
    """Record the call of the provider for several generations, by id, and return the columns `returning` of each."""
    statement = _CALL_TOGETHER.format(returning=f"generations.id, {returning}")
    found = await rows(statement, *_held(items), provider)
    return {row["id"]: row for row in found}


async def store_together(items: Mapping[str, tuple[Lease, float, File]], returning: str) -> dict[str, dict[str, Any]]:
    """Move several generations to STORING, by id, write their files' rows, and return the columns `returning`."""
    statement = _STORE_TOGETHER.format(
        returning=f"generations.id, {returning}",
        names=column_names(File),
        values=columns(File, "item"),
        files=unnested(File, 5),
    )
    files = arrays([[id, *column_values(file)] for id, (_, _, file) in items.items()])
    found = await rows(statement, *_held(items), *files)
    return {row["id"]: row for row in found}


def _held(items: Mapping[str, tuple[Any, ...]]) -> list[list[object]]:
    held = ((id, lease, progress) for id, (lease, progress, *_) in items.items())
    return arrays([(id, lease.fence, float(progress), float(lease.seconds)) for id, lease, progress in held])


async def complete_together(items: Mapping[str, tuple[Lease, str, str, Outcome]]) -> dict[str, dict[str, Any]]:
    """Complete several generations: lease, account, file and outcome, by id; return generation and account of each.

    `account_generations` of a row: the ids of all that were completed in this version of the account; an empty list in
    all rows of the account but one, so that the version is published once.
    """
    values = [(id, lease.fence, user_id, file_id, *outcome) for id, (lease, user_id, file_id, outcome) in items.items()]
    statement = rows(_COMPLETE_TOGETHER.format(returning=columns(Generation, "generations")), *arrays(values))
    found = {row["id"]: row for row in await in_flight("completion.before_commit", statement)}
    by_account: dict[str, list[str]] = {}
    for id, row in found.items():
        by_account.setdefault(row["account_id"], []).append(id)
    for row in found.values():
        row["account_generations"] = by_account.pop(row["account_id"], [])
    return found


async def store_row(lease: Lease, file: File, progress: float, returning: str) -> dict[str, Any]:
    """Move the generation to STORING, write the file's row, and return the generation's columns `returning`.

    Raises:
        LeaseLostError: nothing was changed.
    """
    statement = _STORE.format(held=lease.condition, returning=returning, values=insert_select(File, 4))
    found = await rows(statement, lease.row_id, lease.fence, progress, *column_values(file))
    if not found:
        raise LeaseLostError
    return found[0]


async def complete_row(lease: Lease, user_id: str, file_id: str, outcome: Outcome) -> dict[str, Any]:
    """Complete the generation, make its file LIVE and move the account by one version; return generation and account.

    Raises:
        LeaseLostError: nothing was changed.
    """
    statement = rows(
        _COMPLETE.format(held=lease.condition, returning=columns(Generation, "generations")),
        lease.row_id,
        lease.fence,
        user_id,
        file_id,
        *outcome,
    )
    found = await in_flight("completion.before_commit", statement)
    if not found:
        raise LeaseLostError
    return found[0]


def outcome(final: FinalImage, delivered: Quality | None, path: str | None) -> Outcome:
    """Return what is stored of the provider's answer: model, cost, request id, quality, and the path that led to it."""
    request_id = final.request_id[:200] if final.request_id else None
    return final.model[:100], final.cost, request_id, delivered.value if delivered else None, path


async def next_in_line(per_user: int, only: Claimable | None = None) -> list[str]:
    """Return the ids of the next few in line, without those of accounts that are at their limit.

    The order: by priority, then accounts with fewer generations in progress first, so that accounts take turns, then by
    age. `only`: what may be claimed; None: everything.
    """
    found = await rows(
        "SELECT DISTINCT running FROM (SELECT COUNT(*) AS running FROM generations WHERE status = 'PROCESSING'"
        " GROUP BY user_id) AS accounts WHERE running < $1 ORDER BY running LIMIT $2",
        per_user,
        _COMPARED,
    )
    # For each of these numbers, the first in line of accounts with fewer in progress: read from the index, without
    # sorting. The first of all is among them.
    lists: tuple[str, ...] = ()
    condition = ""
    if only is not None:
        lists = tuple(map(json.dumps, (only.open_models, only.known_models, only.open_media, only.held)))
        condition = _condition(1, "IN (SELECT value FROM json_each(${}))")
    parts = (
        f"SELECT * FROM (SELECT id, priority, {limit} AS fewer_than FROM generations WHERE status = 'PENDING'"  # noqa: S608 - numbers only
        f"{condition} AND user_id NOT IN (SELECT user_id FROM generations WHERE status = 'PROCESSING' GROUP BY user_id"
        f" HAVING COUNT(*) >= {limit}) ORDER BY priority DESC, id LIMIT {_CANDIDATES}) AS part_{limit}"
        for limit in (*(int(row["running"]) for row in found), per_user)
    )
    best: dict[str, tuple[int, int, str]] = {}
    for row in await rows(" UNION ALL ".join(parts), *lists):
        rank = (-int(row["priority"]), int(row["fewer_than"]), row["id"])
        best[row["id"]] = min(rank, best.get(row["id"], rank))
    return sorted(best, key=best.__getitem__)[:_CANDIDATES]


async def expired_leases(limit: int) -> list[str]:
    """Return the ids of generations without a job whose lease has expired, the longest expired first."""
    found = await rows(
        "SELECT id FROM generations WHERE status = 'PROCESSING' AND lease_until < NOW() AND provider_job_id IS NULL"
        " ORDER BY lease_until LIMIT $1",
        limit,
    )
    return [row["id"] for row in found]
