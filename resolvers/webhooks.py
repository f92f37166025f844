"""Resolvers of outbound webhooks."""

import strawberry

from models import ids
from schema.deleted_payload import DeletedPayload
from schema.runtime.context import Info
from schema.runtime.node import known_id
from schema.webhooks import (
    CreateWebhookEndpointInput,
    UpdateWebhookEndpointInput,
    WebhookDelivery,
    WebhookDeliveryPayload,
    WebhookEndpoint,
    WebhookEndpointPayload,
    WebhookSecretPayload,
)


async def webhook_endpoints(info: Info) -> list[WebhookEndpoint]:
    found = await info.context.services.webhooks.endpoints.list(info.context.require_viewer().id)
    return [WebhookEndpoint.of(row) for row in found]


async def create_webhook_endpoint(info: Info, input: CreateWebhookEndpointInput) -> WebhookSecretPayload:
    viewer = info.context.require_viewer()
    made = await info.context.services.webhooks.endpoints.create(viewer, input.change())
    return WebhookSecretPayload(endpoint=WebhookEndpoint.of(made.row), secret=made.secret)


async def update_webhook_endpoint(
    info: Info, id: strawberry.ID, input: UpdateWebhookEndpointInput
) -> WebhookEndpointPayload:
    endpoints, viewer = info.context.services.webhooks.endpoints, info.context.require_viewer()
    row = await endpoints.update(viewer.id, known_id(id, ids.WEBHOOK_ENDPOINT), input.change())
    return WebhookEndpointPayload(endpoint=WebhookEndpoint.of(row))


async def delete_webhook_endpoint(info: Info, id: strawberry.ID) -> DeletedPayload:
    viewer = info.context.require_viewer()
    await info.context.services.webhooks.endpoints.delete(viewer.id, known_id(id, ids.WEBHOOK_ENDPOINT))
    return DeletedPayload(deleted_ids=[id])


async def rotate_webhook_secret(info: Info, id: strawberry.ID) -> WebhookSecretPayload:
    viewer = info.context.require_viewer()
    made = await info.context.services.webhooks.endpoints.rotate(viewer.id, known_id(id, ids.WEBHOOK_ENDPOINT))
    return WebhookSecretPayload(endpoint=WebhookEndpoint.of(made.row), secret=made.secret)


async def send_test_webhook(info: Info, id: strawberry.ID) -> WebhookDeliveryPayload:
    webhooks, viewer = info.context.services.webhooks, info.context.require_viewer()
    endpoint = await webhooks.endpoints.find(viewer.id, known_id(id, ids.WEBHOOK_ENDPOINT))
    return WebhookDeliveryPayload(delivery=WebhookDelivery.of(await webhooks.deliveries.send_test(endpoint)))


async def replay_webhook_delivery(info: Info, id: strawberry.ID) -> WebhookDeliveryPayload:
    viewer = info.context.require_viewer()
    row = await info.context.services.webhooks.deliveries.replay(viewer.id, known_id(id, ids.WEBHOOK_DELIVERY))
    return WebhookDeliveryPayload(delivery=WebhookDelivery.of(row))
