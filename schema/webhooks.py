"""GraphQL types of outbound webhooks: endpoints, deliveries and their attempts."""

from contextlib import suppress
from datetime import datetime
from typing import Any

import strawberry

import models
from models import enum, ids
from schema.runtime.connection import UncountedConnection, page_request
from schema.runtime.context import Info
from schema.runtime.enum import WebhookDeliveryState, WebhookDisabledReason, WebhookEventType, WebhookFailure
from schema.runtime.input import changed
from schema.runtime.node import Node
from schema.runtime.payload import Payload
from schema.runtime.user_error import UserError
from services.core.unset import UNSET
from services.webhooks.endpoint import EndpointChange

_EVENTS = "The events that are sent; null: all, also those that later releases add."
_THRESHOLD = "CREDITS_LOW is sent when the balance falls below this number of credits."


@strawberry.type(description="One attempt to deliver an event.")
class WebhookAttempt:
    at: datetime
    duration_ms: int
    status: int | None = strawberry.field(description="The HTTP status of the response; null: there was none.")
    failure: WebhookFailure | None = strawberry.field(description="Null: it was delivered.")
    response: str = strawberry.field(description="The beginning of the response's body, as one line.")

    @classmethod
    def of(cls, entry: dict[str, Any]) -> "WebhookAttempt":
        failure = entry["failure"]
        return cls(
            at=datetime.fromisoformat(entry["at"]),
            duration_ms=entry["milliseconds"],
            status=entry["status"],
            failure=enum.AttemptFailure(failure) if failure else None,
            response=entry["excerpt"],
        )


@strawberry.type(description="One event for one endpoint. It is sent at least once, and in any order.")
class WebhookDelivery(Node):
    message_id: str = strawberry.field(
        description="The header `webhook-id`, the same in every attempt: receivers ignore one that they know."
    )
    type: str = strawberry.field(description="Such as `generation.completed`; `webhook.test` for a test event.")
    payload: str = strawberry.field(description="The body, as it is signed.")
    state: WebhookDeliveryState
    attempts: list[WebhookAttempt] = strawberry.field(description="The newest 20, oldest first.")
    next_attempt_at: datetime | None = strawberry.field(description="Null: there is none.")
    delivered_at: datetime | None
    created_at: datetime = strawberry.field(description="The time of the event.")

    @classmethod
    def of(cls, row: models.WebhookDelivery) -> "WebhookDelivery":
        return cls(
            id=strawberry.ID(row.id),
            message_id=row.message_id,
            type=row.type,
            payload=row.body,
            state=row.state,
            attempts=[WebhookAttempt.of(entry) for entry in row.attempt_log],
            next_attempt_at=row.next_attempt_at if row.state is enum.DeliveryState.WAITING else None,
            delivered_at=row.delivered_at,
            created_at=row.created_at,
        )


@strawberry.type(description="A URL that the account's events are sent to, as Standard Webhooks has it.")
class WebhookEndpoint(Node):
    url: str
    description: str | None
    events: list[WebhookEventType] | None = strawberry.field(description=_EVENTS)
    credits_low_below: int = strawberry.field(description=_THRESHOLD)
    is_enabled: bool
    disabled_reason: WebhookDisabledReason | None
    disabled_at: datetime | None
    failing_since: datetime | None = strawberry.field(
        description="The first failed attempt since the last delivery; null: there is none, or nothing waits."
    )
    previous_secret_until: datetime | None = strawberry.field(
        description="Until when the secret before the last rotation signs as well; null: it does not."
    )
    created_at: datetime

    @strawberry.field(description="What was sent or waits to be sent, newest first; kept for a number of days.")
    async def deliveries(
        self,
        info: Info,
        first: int | None = None,
        after: str | None = None,
        last: int | None = None,
        before: str | None = None,
        state: WebhookDeliveryState | None = None,
    ) -> UncountedConnection[WebhookDelivery]:
        request = page_request(str, first, after, last, before, prefix=ids.WEBHOOK_DELIVERY)
        page = await info.context.services.webhooks.deliveries.page(self.id, request, state)
        return UncountedConnection.of(page, WebhookDelivery.of)

    @classmethod
    def of(cls, row: models.WebhookEndpoint) -> "WebhookEndpoint":
        return cls(
            id=strawberry.ID(row.id),
            url=row.url,
            description=row.description,
            events=_known(row.events),
            credits_low_below=row.credits_low,
            is_enabled=row.disabled_at is None,
            disabled_reason=row.disabled_reason,
            disabled_at=row.disabled_at,
            failing_since=row.failing_since,
            previous_secret_until=row.previous_until,
            created_at=row.created_at,
        )


def _known(events: list[str] | None) -> list[enum.WebhookEventType] | None:
    """Return the events as enum values, without those of a later release."""
    if events is None:
        return None
    found = []
    for event in events:
        with suppress(ValueError):
            found.append(enum.WebhookEventType(event))
    return found


@strawberry.input
class CreateWebhookEndpointInput:
    url: str = strawberry.field(description="A public https address; in development also one of this machine.")
    description: str | None = strawberry.UNSET
    events: list[WebhookEventType] | None = strawberry.field(default=strawberry.UNSET, description=_EVENTS)
    credits_low_below: int | None = strawberry.field(
        default=strawberry.UNSET, description=_THRESHOLD + " Default: the product's."
    )

    def change(self) -> EndpointChange:
        """Return what the service sets."""
        return EndpointChange(
            url=self.url,
            description=changed(self.description),
            events=changed(self.events),
            credits_low=changed(self.credits_low_below),
        )


@strawberry.input(description="Only the given fields are changed.")
class UpdateWebhookEndpointInput:
    url: str | None = strawberry.field(default=strawberry.UNSET, description="Null changes nothing.")
    description: str | None = strawberry.UNSET
    events: list[WebhookEventType] | None = strawberry.field(default=strawberry.UNSET, description=_EVENTS)
    credits_low_below: int | None = strawberry.field(
        default=strawberry.UNSET, description=_THRESHOLD + " Null: the product's."
    )
    is_enabled: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="False: nothing is sent, and what waits is given up. True: what happens from then on is sent. Null "
        "changes nothing.",
    )

    def change(self) -> EndpointChange:
        """Return what the service sets."""
        return EndpointChange(
            url=UNSET if self.url is None else changed(self.url),
            description=changed(self.description),
            events=changed(self.events),
            credits_low=changed(self.credits_low_below),
            is_enabled=UNSET if self.is_enabled is None else changed(self.is_enabled),
        )


@strawberry.type
class WebhookEndpointPayload(Payload):
    endpoint: WebhookEndpoint | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class WebhookSecretPayload(Payload):
    endpoint: WebhookEndpoint | None = None
    secret: str | None = strawberry.field(
        default=None, description="By which receivers verify signatures, `whsec_` and a key in base64; shown only once."
    )
    errors: list[UserError] = strawberry.field(default_factory=list)


@strawberry.type
class WebhookDeliveryPayload(Payload):
    delivery: WebhookDelivery | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)
