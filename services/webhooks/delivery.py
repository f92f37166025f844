"""Claims of deliveries, and what their attempts change: every write checks the fence of its claim."""

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import orjson

from models import WebhookDelivery, WebhookEndpoint
from models.database.connection import placeholders, rows, run_tx
from models.database.model_row import columns, from_row
from models.enum import AttemptFailure, DisabledReason
from services.core.lease import Lease, LeaseLostError

LEASE_SECONDS = 60.0  # of one attempt, which takes some seconds at most
MAX_LOG = 20  # attempts that are kept of a delivery
_FACTOR = 3  # between two pauses
_LONGEST_PAUSE = 4 * 3600.0  # seconds
_JITTER = 0.2  # of a pause, so that what failed together does not come again together
# After its dispatch, by which a delivery was attempted once, also if the process of its first claim died.
_FIRST_SECONDS = 2 * LEASE_SECONDS
_HELD = "id = $1 AND fence = $2 AND state = 'WAITING'"


@dataclass(frozen=True)
class Attempt:
    """One attempt. `status`: of the answer; `failure`: why it is none that counts; `excerpt`: of the answer's body."""

    at: str  # ISO 8601
    milliseconds: int
    status: int | None = None
    failure: AttemptFailure | None = None
    excerpt: str = ""


@dataclass(frozen=True)
class Claim:
    """One delivery that this process sends, until its lease expires."""

    delivery: WebhookDelivery
    endpoint: WebhookEndpoint

    @property
    def lease(self) -> Lease:
        return Lease("webhook_deliveries", _HELD, self.delivery.id, self.delivery.fence, LEASE_SECONDS)

    def log_with(self, attempt: Attempt) -> str:
        """Return the JSON of the attempts that are kept, with this one."""
        return orjson.dumps([*self.delivery.attempt_log, asdict(attempt)][-MAX_LOG:]).decode()


async def work_to_do() -> tuple[bool, bool]:
    """Return whether any event waits in the outbox, and whether any delivery is due."""
    # One statement, because every worker asks once a second. The least time is read from the index.
    (found,) = await rows(
        "SELECT CASE WHEN EXISTS (SELECT 1 FROM webhook_events) THEN 1 ELSE 0 END AS events,"
        " CASE WHEN (SELECT MIN(next_attempt_at) FROM webhook_deliveries WHERE state = 'WAITING') <= NOW()"
        " THEN 1 ELSE 0 END AS due"
    )
    return bool(found["events"]), bool(found["due"])


async def due_endpoints(limit: int, own_urls: Sequence[str]) -> list[dict[str, Any]]:
    """Return id, `user_id` and `failing_since` of endpoints with due deliveries: working ones first, in turns.

    `own_urls`: of the deployment that are included; those of other processes' settings are not.
    """
    own = f" OR e.url IN ({placeholders(own_urls, first=2)})" if own_urls else ""
    return await rows(
        f"SELECT e.id, e.user_id, e.failing_since FROM webhook_endpoints e WHERE (e.user_id IS NOT NULL{own})"  # noqa: S608 - placeholders
        " AND e.disabled_at IS NULL"
        " AND (SELECT MIN(next_attempt_at) FROM webhook_deliveries WHERE endpoint_id = e.id AND state = 'WAITING')"
        " <= NOW() ORDER BY CASE WHEN e.failing_since IS NULL THEN 0 ELSE 1 END,"
        " COALESCE(e.claimed_at, e.created_at) LIMIT $1",
        limit,
        *own_urls,
    )


async def claim(endpoint_id: str, limit: int, at_once: int) -> list[Claim]:
    """Claim up to `limit` due deliveries to an endpoint, of which `at_once` are sent at the same time in all processes.

    The endpoint's row is locked first, so that processes claim one after another, and see each other's claims.
    """

    async def work() -> list[Claim]:
        found = await rows(
            "UPDATE webhook_endpoints SET claimed_at = NOW() WHERE id = $1 AND disabled_at IS NULL"  # noqa: S608 - our columns
            f" RETURNING {columns(WebhookEndpoint, 'webhook_endpoints')}",
            endpoint_id,
        )
        if not found:
            return []
        sending = await rows(
            "SELECT COUNT(*) AS number FROM webhook_deliveries WHERE endpoint_id = $1 AND lease_until > NOW()",
            endpoint_id,
        )
        free = min(limit, at_once - int(sending[0]["number"]))
        if free <= 0:
            return []
        endpoint = from_row(WebhookEndpoint, found[0])
        claimed = await rows(
            "UPDATE webhook_deliveries SET fence = fence + 1, attempts = attempts + 1, lease_until = LATER($2),"  # noqa: S608 - our columns
            " next_attempt_at = LATER($2) WHERE id IN (SELECT id FROM webhook_deliveries WHERE endpoint_id = $1"
            " AND state = 'WAITING' AND next_attempt_at <= (SELECT NOW()) ORDER BY next_attempt_at LIMIT $3)"
            f" RETURNING {columns(WebhookDelivery, 'webhook_deliveries')}",
            endpoint_id,
            LEASE_SECONDS,
            free,
        )
        return [Claim(from_row(WebhookDelivery, row), endpoint) for row in claimed]

    return await run_tx(work)


async def record_delivered(claim: Claim, attempt: Attempt) -> None:
    """Mark a delivery DELIVERED. Raises LeaseLostError."""
    changes = "state = 'DELIVERED', delivered_at = NOW(), lease_until = NULL, attempt_log = $3"

    async def work() -> None:
        if claim.endpoint.failing_since is not None:
            await rows(
                "UPDATE webhook_endpoints SET failing_since = NULL WHERE id = $1 RETURNING id", claim.endpoint.id
            )
        await claim.lease.update(changes, claim.log_with(attempt))

    await run_tx(work)


async def record_failed(
    claim: Claim,
    attempt: Attempt,
    pause: float,
    *,
    give_up_seconds: float,
    reason: DisabledReason | None = None,
) -> DisabledReason | None:
    """Record a failed attempt; the next one is after `pause` seconds, unless it is time to give up.

    An endpoint of an account is disabled for `reason`, or if every attempt has failed for `give_up_seconds`: at the
    latest with the last attempt of the first delivery. Those of the deployment never are. Returns why it was disabled.
    Raises LeaseLostError.
    """

    async def work() -> DisabledReason | None:
        disabled = await _fail_endpoint(claim, reason, give_up_seconds)
        await claim.lease.update(
            "state = CASE WHEN give_up_at <= NOW() THEN 'DEAD' ELSE 'WAITING' END, lease_until = NULL,"
            " next_attempt_at = CASE WHEN give_up_at < LATER($3) THEN give_up_at ELSE LATER($3) END, attempt_log = $4",
            pause,
            claim.log_with(attempt),
        )
        if disabled is not None:
            await end_waiting(claim.endpoint.id)
        return disabled

    return await run_tx(work)


async def _fail_endpoint(claim: Claim, reason: DisabledReason | None, give_up_seconds: float) -> DisabledReason | None:
    endpoint = claim.endpoint
    # A delivery's time begins with its dispatch, and that of its endpoint with the end of an attempt, a little later.
    first_seconds = min(_FIRST_SECONDS, give_up_seconds / 2)
    found = await rows(
        "UPDATE webhook_endpoints SET failing_since = COALESCE(failing_since, NOW()) WHERE id = $1"
        " RETURNING CASE WHEN failing_since <= LATER($2) OR (failing_since <= LATER($3)"
        " AND EXISTS (SELECT 1 FROM webhook_deliveries WHERE id = $4 AND give_up_at <= NOW()))"
        " THEN 1 ELSE 0 END AS is_over",
        endpoint.id,
        -give_up_seconds,
        first_seconds - give_up_seconds,
        claim.delivery.id,
    )
    if not found:
        raise LeaseLostError
    if reason is None and int(found[0]["is_over"]):
        reason = DisabledReason.FAILING
    if reason is None or endpoint.user_id is None:
        return None
    await rows(
        "UPDATE webhook_endpoints SET disabled_at = NOW(), disabled_reason = $2, notified_at = NULL, updated_at = NOW()"
        " WHERE id = $1 AND disabled_at IS NULL RETURNING id",
        endpoint.id,
        reason.value,
    )
    return reason


async def end_waiting(endpoint_id: str) -> None:
    """Give up what waits for an endpoint that is disabled, inside the transaction that disables it."""
    await rows(
        "UPDATE webhook_deliveries SET state = 'DEAD', lease_until = NULL WHERE endpoint_id = $1 AND state = 'WAITING'"
        " RETURNING id",
        endpoint_id,
    )


async def end_overdue(limit: int = 500) -> int:
    """Give up deliveries whose time is over without a last attempt, because too many others waited."""
    found = await rows(
        "UPDATE webhook_deliveries SET state = 'DEAD', lease_until = NULL WHERE id IN"
        " (SELECT id FROM webhook_deliveries WHERE state = 'WAITING' AND give_up_at < LATER($1)"
        " AND (lease_until IS NULL OR lease_until < NOW()) LIMIT $2) RETURNING id",
        -LEASE_SECONDS,
        limit,
    )
    return len(found)


async def end_failures() -> int:
    """Let endpoints of accounts for which nothing waits fail no longer: the next event has all its attempts again."""
    found = await rows(
        "UPDATE webhook_endpoints SET failing_since = NULL WHERE failing_since IS NOT NULL AND user_id IS NOT NULL"
        " AND disabled_at IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM webhook_deliveries d WHERE d.endpoint_id = webhook_endpoints.id AND d.state = 'WAITING')"
        " RETURNING id"
    )
    return len(found)


def pause_after(attempts: int, first: float, retry_after: float | None = None) -> float:
    """Return the seconds before the next attempt: three times as many each time, with jitter, four hours at most.

    `first`: seconds after the first attempt. `retry_after`: what the endpoint asks for, if that is longer.
    """
    pause: float = min(first * _FACTOR ** min(attempts - 1, 20), _LONGEST_PAUSE)
    pause *= 1 + random.uniform(-_JITTER, _JITTER)
    return max(pause, min(retry_after or 0.0, _LONGEST_PAUSE))
