"""Deliveries as their owners see them: lists, test events, and replays."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from models import WebhookDelivery, WebhookEndpoint, ids
from models.database.connection import database_time, rows
from models.database.model_row import columns, from_row
from models.enum import DeliveryState
from services.core.error import ConflictError, NotFoundError
from services.core.message import message
from services.core.pagination import Page, PageRequest, paginate
from services.core.rate_limit import RateLimits
from services.webhooks.own_endpoint import listed_endpoints, own_endpoints
from services.webhooks.payload import TEST, body_of

_ID = ("id",)


@dataclass(frozen=True)
class OwnEndpoint:
    """An endpoint of the deployment, its deliveries by state, and the newest that were given up."""

    row: WebhookEndpoint
    numbers: dict[str, int]
    dead: Sequence[WebhookDelivery]


class DeliveryLog:
    """Reads deliveries and requests new attempts. `give_up_seconds`: for how long each is attempted."""

    def __init__(self, rates: RateLimits, *, give_up_seconds: float) -> None:
        self._rates = rates
        self._give_up_seconds = give_up_seconds

    async def page(
        self, endpoint_id: str, request: PageRequest[str], state: DeliveryState | None
    ) -> Page[WebhookDelivery, str]:
        """Return a page of the deliveries to an endpoint, newest first."""
        query = WebhookDelivery.filter(endpoint_id=endpoint_id)
        if state is not None:
            query = query.filter(state=state)
        return await paginate(query, request, key="id", descending=True)

    async def by_ids(self, user_id: str, delivery_ids: list[str]) -> dict[str, WebhookDelivery]:
        """Return the given deliveries to endpoints of the account."""
        found = await WebhookDelivery.filter(id__in=delivery_ids, endpoint__user_id=user_id)
        return {row.id: row for row in found}

    async def all_by_ids(self, delivery_ids: list[str]) -> dict[str, WebhookDelivery]:
        """Return the given deliveries that exist, to any endpoint, for admins."""
        return {row.id: row for row in await WebhookDelivery.filter(id__in=delivery_ids)}

    async def send_test(self, endpoint: WebhookEndpoint) -> WebhookDelivery:
        """Let workers send a test event to an endpoint of an account.

        Raises:
            ConflictError: the endpoint is disabled.
            RateLimitedError: too many were requested.
        """
        _check_enabled(endpoint)
        await self._rates.hit_webhooks(str(endpoint.user_id))
        now = await database_time()
        row = WebhookDelivery(
            endpoint_id=endpoint.id,
            message_id=ids.new_id(ids.WEBHOOK_MESSAGE),
            type=TEST,
            body=body_of(TEST, now, {"endpointId": endpoint.id}),
            next_attempt_at=now,
            give_up_at=now + timedelta(seconds=self._give_up_seconds),
            created_at=now,
        )
        await row.save(force_create=True)
        return row

    async def replay(self, user_id: str, delivery_id: str) -> WebhookDelivery:
        """Let workers send a delivery of the account again, with the same id and body, as if it were new.

        Raises:
            NotFoundError: it does not exist, or belongs to another account.
            ConflictError: its endpoint is disabled.
            RateLimitedError: too many were requested.
        """
        found = await WebhookDelivery.get_or_none(id=delivery_id, endpoint__user_id=user_id).select_related("endpoint")
        if found is None:
            raise NotFoundError(field=_ID)
        _check_enabled(found.endpoint)
        await self._rates.hit_webhooks(user_id)
        replayed = await self._make_due([found.id])
        return replayed[0] if replayed else found  # just being sent

    async def own(self, dead: int = 20) -> list[OwnEndpoint]:
        """Return the deployment's endpoints, with at most `dead` deliveries of each that were given up."""
        found = []
        for row in await own_endpoints():
            counted = await rows(
                "SELECT state, COUNT(*) AS number FROM webhook_deliveries WHERE endpoint_id = $1 GROUP BY state", row.id
            )
            given_up = WebhookDelivery.filter(endpoint_id=row.id, state=DeliveryState.DEAD).order_by("-id").limit(dead)
            found.append(OwnEndpoint(row, {each["state"]: int(each["number"]) for each in counted}, await given_up))
        return found

    async def replay_own(self, delivery_id: str | None) -> Sequence[WebhookDelivery]:
        """Do the same with deliveries to the deployment's endpoints in use: with one, or with all that are DEAD."""
        query = WebhookDelivery.filter(endpoint_id__in=await listed_endpoints())
        query = query.filter(state=DeliveryState.DEAD) if delivery_id is None else query.filter(id=delivery_id)
        return await self._make_due([id for (id,) in await query.order_by("id").values_list("id")])

    async def _make_due(self, delivery_ids: Sequence[str]) -> list[WebhookDelivery]:
        """Make deliveries due now that are not just being sent, and return them."""
        found: list[WebhookDelivery] = []
        for id in delivery_ids:
            for row in await rows(
                "UPDATE webhook_deliveries SET state = 'WAITING', attempts = 0, fence = fence + 1, lease_until = NULL,"  # noqa: S608 - our columns
                " next_attempt_at = NOW(), give_up_at = LATER($2), delivered_at = NULL WHERE id = $1"
                " AND (lease_until IS NULL OR lease_until < NOW())"
                f" RETURNING {columns(WebhookDelivery, 'webhook_deliveries')}",
                id,
                float(self._give_up_seconds),
            ):
                found.append(from_row(WebhookDelivery, row))
        return found


def _check_enabled(endpoint: WebhookEndpoint) -> None:
    if endpoint.disabled_at is not None:
        raise ConflictError(message("This endpoint is disabled. Enable it first."), field=_ID)
