"""The webhook endpoints of the deployment: WEBHOOK_URLS, which are sent the events of all accounts."""

from collections.abc import Sequence

import structlog

from models import WebhookEndpoint, ids
from models.database.connection import placeholders, rows, run_tx

log = structlog.get_logger(__name__)


async def synchronize(urls: Sequence[str], credits_low: int) -> None:
    """Make the table's rows those of the settings; any number of processes may do so at once.

    What waits for a URL that is no longer listed is deleted with its row.
    """

    async def work() -> tuple[list[str], list[str]]:
        listed = f" AND url NOT IN ({placeholders(urls)})" if urls else ""
        removed = await rows(
            f"DELETE FROM webhook_endpoints WHERE user_id IS NULL{listed} RETURNING id",  # noqa: S608 - placeholders
            *urls,
        )
        added = []
        for url in urls:
            added += await rows(
                "INSERT INTO webhook_endpoints (id, url, credits_low, salt, secret_hash, created_at, updated_at)"
                " VALUES ($1, $2, $3, '', '', NOW(), NOW()) ON CONFLICT (url) WHERE user_id IS NULL"
                " DO UPDATE SET credits_low = excluded.credits_low"
                " WHERE webhook_endpoints.credits_low <> excluded.credits_low RETURNING id",
                ids.new_id(ids.WEBHOOK_ENDPOINT),
                url,
                credits_low,
            )
        return [row["id"] for row in removed], [row["id"] for row in added]

    removed, added = await run_tx(work)
    if removed or added:
        log.info("webhooks.synchronized", removed=removed, written=added)


async def own_endpoints() -> Sequence[WebhookEndpoint]:
    """Return the endpoints of the deployment, in the order of their URLs."""
    return await WebhookEndpoint.filter(user_id=None).order_by("url")
