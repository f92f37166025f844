"""The GraphQL enums, made of the enums of models/ and services/."""

import strawberry

from models.enum import (
    ApiKeyScope,
    ErrorCode,
    GenerationStage,
    GenerationStatus,
    MediaKind,
    PaidBy,
    PlanKind,
    Quality,
    ReferenceImage,
    RefundPolicy,
    Role,
    Size,
    TransactionStatus,
    TransactionType,
    WebhookEventType,
)
from models.enum import (
    AttemptFailure as WebhookFailure,
)
from models.enum import (
    DeliveryState as WebhookDeliveryState,
)
from models.enum import (
    DisabledReason as WebhookDisabledReason,
)
from services.events.account_change import ChangeKind
from services.events.activity import ActivityKind as AdminActivityKind
from services.gallery.gallery import GenerationOrder
from services.operations.analytics_report import Interval as MetricInterval

strawberry.enum(Role, description="What an account may do. ADMIN: use the admin fields. SUPER_ADMIN: also set roles.")
strawberry.enum(
    RefundPolicy,
    description="When a generation without a result is refunded. ON_FAILURE: always when it failed, and when it was "
    "canceled before a request was sent to the provider. BEFORE_PROVIDER: only if no request was sent to the provider; "
    "a request refused for its API key counts as sent. NEVER: only by an admin.",
)
strawberry.enum(ReferenceImage, description="Whether a style uses a reference image.")
strawberry.enum(MediaKind, description="The kind of media that is generated.")
strawberry.enum(GenerationStatus, description="The status of a generation; the last three are final.")
strawberry.enum(GenerationStage, description="The present step of processing.")
strawberry.enum(GenerationOrder, description="The order of a list of generations.")
strawberry.enum(
    ChangeKind,
    description="What happened to an item of a list. SNAPSHOT: the first message, or changes were missed; read the "
    "list again.",
)
strawberry.enum(
    AdminActivityKind,
    name="AdminActivityKind",
    description="What happened. TRANSACTION: any line of the ledger. PAYMENT: an order was paid or refunded. ALERT: an "
    "admin should investigate.",
)
strawberry.enum(
    MetricInterval, name="MetricInterval", description="The length of a point of a series, which begins in UTC."
)
strawberry.enum(Size, description="The size of the subject; part of the prompt.")
strawberry.enum(Quality, description="The resolution, priced by the collection's multipliers.")
strawberry.enum(PaidBy, description="What a generation is charged to. PLAN: an unlimited plan.")
strawberry.enum(
    PlanKind,
    description="What a plan includes. SUBSCRIPTION: credits every month. PASS: hourly allowances for a number of "
    "hours.",
)
strawberry.enum(
    TransactionType,
    description="The reason of a ledger line. BONUS: sign-up or referral. SUBSCRIPTION: a plan's monthly credits. "
    "REVERSAL: a purchase was refunded or charged back.",
)
strawberry.enum(
    ApiKeyScope,
    description="What an API key may do. READ: queries and subscriptions. GENERATE: also request and cancel "
    "generations. EVERYTHING: whatever API keys may do; passwords, sessions, keys, exports and admin fields "
    "need a session.",
)
strawberry.enum(WebhookEventType, description="An event that webhooks are sent for.")
strawberry.enum(
    WebhookDeliveryState,
    name="WebhookDeliveryState",
    description="Whether an event was delivered. WAITING: for its next attempt. DEAD: every attempt of a day failed, "
    "or the endpoint was disabled.",
)
strawberry.enum(
    WebhookDisabledReason,
    name="WebhookDisabledReason",
    description="Why nothing is sent to an endpoint. OWNER: it was switched off. FAILING: every attempt of a day "
    "failed. GONE: it answered 410. SECRET: its secret was lost; rotate it.",
)
strawberry.enum(
    WebhookFailure,
    name="WebhookFailure",
    description="Why an attempt failed. STATUS: the response's is not 200 to 299; redirects are not followed. "
    "UNSAFE_ADDRESS: the host has an address that is not public. TLS: it has no trusted certificate.",
)
strawberry.enum(TransactionStatus, description="Whether a ledger line has settled.")
strawberry.enum(
    ErrorCode,
    description="The cause of an error. GENERATION_FAILED: the provider's response had no usable image. "
    "CONTENT_REJECTED: by the provider's moderation. PROVIDER_MISCONFIGURED: its API key is missing or was refused. "
    "UNAVAILABLE: an outage or maintenance; try again later. TOO_COMPLEX: the document exceeds a limit of depth, cost, "
    "aliases or tokens.",
)

__all__ = [
    "AdminActivityKind",
    "ApiKeyScope",
    "ChangeKind",
    "ErrorCode",
    "GenerationOrder",
    "GenerationStage",
    "GenerationStatus",
    "MediaKind",
    "MetricInterval",
    "PaidBy",
    "PlanKind",
    "Quality",
    "ReferenceImage",
    "RefundPolicy",
    "Role",
    "Size",
    "TransactionStatus",
    "TransactionType",
    "WebhookDeliveryState",
    "WebhookDisabledReason",
    "WebhookEventType",
    "WebhookFailure",
]
