"""The webhook endpoints of the deployment: WEBHOOK_URLS, which are sent the events of all accounts.

Processes may have different lists, while a change is rolled out or where a shell has none: each notes which URLs it
lists, and sends to these only. No events are kept for what no process has listed for a while; later it is removed.
"""

from collections.abc import Sequence

import structlog

from models import WebhookEndpoint, ids
from models.database.connection import placeholders, rows
from models.enum import DisabledReason

log = structlog.get_logger(__name__)

_LISTED_SECONDS = 60.0  # after which a process says again what it lists
UNLISTED_SECONDS = 3600.0  # after which an endpoint that no process lists is kept no events for
REMOVED_SECONDS = 24 * 3600.0  # later, and when none of its deliveries is left, its row is removed


async def synchronize(urls: Sequence[str], credits_low: int) -> None:
    """Note that this process lists these URLs; any number of processes may do so at once.

    Endpoints that it does not list stay as they are: another process may.
    """
    if not urls:
        return
    fresh = await rows(
        "SELECT url FROM webhook_endpoints WHERE user_id IS NULL AND disabled_at IS NULL AND credits_low = $1"  # noqa: S608 - placeholders
        f" AND updated_at > LATER($2) AND url IN ({placeholders(urls, first=3)})",
        credits_low,
        -_LISTED_SECONDS,
        *urls,
    )
    for url in set(urls) - {row["url"] for row in fresh}:
        (written,) = await rows(
            "INSERT INTO webhook_endpoints (id, url, credits_low, salt, secret_hash, created_at, updated_at)"
            " VALUES ($1, $2, $3, '', '', NOW(), NOW()) ON CONFLICT (url) WHERE user_id IS NULL"
            " DO UPDATE SET credits_low = excluded.credits_low, updated_at = excluded.updated_at, disabled_at = NULL,"
            " disabled_reason = NULL RETURNING id, CASE WHEN created_at = updated_at THEN 1 ELSE 0 END AS is_new",
            ids.new_id(ids.WEBHOOK_ENDPOINT),
            url,
            credits_low,
        )
        if int(written["is_new"]):
            log.info("webhooks.endpoint_added", endpoint=written["id"])


async def end_unlisted() -> None:
    """Disable endpoints that no process lists any more, and remove those for which nothing is left to be seen.

    What waits for one is sent if a process lists it again before it is given up.
    """
    disabled = await rows(
        "UPDATE webhook_endpoints SET disabled_at = NOW(), disabled_reason = $1, failing_since = NULL"
        " WHERE user_id IS NULL AND disabled_at IS NULL AND updated_at < LATER($2) RETURNING id",
        DisabledReason.OWNER.value,
        -UNLISTED_SECONDS,
    )
    removed = await rows(
        "DELETE FROM webhook_endpoints WHERE user_id IS NULL AND disabled_at < LATER($1) AND NOT EXISTS"
        " (SELECT 1 FROM webhook_deliveries d WHERE d.endpoint_id = webhook_endpoints.id) RETURNING id",
        -REMOVED_SECONDS,
    )
    if disabled or removed:
        log.info("webhooks.unlisted", disabled=[row["id"] for row in disabled], removed=[row["id"] for row in removed])


async def listed_endpoints() -> list[str]:
    """Return the ids of those that a process has listed lately, which are sent to."""
    found = await rows(
        "SELECT id FROM webhook_endpoints WHERE user_id IS NULL AND disabled_at IS NULL AND updated_at > LATER($1)",
        -3 * _LISTED_SECONDS,
    )
    return [row["id"] for row in found]


async def own_endpoints() -> Sequence[WebhookEndpoint]:
    """Return the endpoints of the deployment, in the order of their URLs."""
    return await WebhookEndpoint.filter(user_id=None).order_by("url")
