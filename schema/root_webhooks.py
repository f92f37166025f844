"""The root fields of outbound webhooks: each with its resolver, who may use it, and what it is for."""

import strawberry

import resolvers.webhooks
from schema.deleted_payload import DeletedPayload
from schema.runtime.permission import SESSION, SIGNED_IN
from schema.runtime.root_field import mutation, query
from schema.webhooks import WebhookDeliveryPayload, WebhookEndpoint, WebhookEndpointPayload, WebhookSecretPayload


@strawberry.type
class WebhookQueries:
    webhook_endpoints: list[WebhookEndpoint] = query(
        resolvers.webhooks.webhook_endpoints, SIGNED_IN, "The viewer's webhook endpoints, oldest first, 5 at most."
    )


@strawberry.type
class WebhookMutations:
    create_webhook_endpoint: WebhookSecretPayload = mutation(
        resolvers.webhooks.create_webhook_endpoint,
        SESSION,
        "Send the account's events to a URL from now on. FORBIDDEN until the account's address is verified.",
    )
    update_webhook_endpoint: WebhookEndpointPayload = mutation(
        resolvers.webhooks.update_webhook_endpoint, SESSION, "Change an endpoint, switch it off, or enable it again."
    )
    delete_webhook_endpoint: DeletedPayload = mutation(
        resolvers.webhooks.delete_webhook_endpoint, SESSION, "Delete an endpoint with its deliveries."
    )
    rotate_webhook_secret: WebhookSecretPayload = mutation(
        resolvers.webhooks.rotate_webhook_secret,
        SESSION,
        "Give an endpoint a new secret; for 24 hours the previous one signs as well. A second rotation ends it.",
    )
    send_test_webhook: WebhookDeliveryPayload = mutation(
        resolvers.webhooks.send_test_webhook, SIGNED_IN, "Send an event of the type `webhook.test` to an endpoint."
    )
    replay_webhook_delivery: WebhookDeliveryPayload = mutation(
        resolvers.webhooks.replay_webhook_delivery,
        SIGNED_IN,
        "Send a delivery again, with the same `webhook-id` and body, whether it was delivered or given up.",
    )
