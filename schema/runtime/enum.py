"""The models' closed sets, as GraphQL enums."""

import strawberry

from models.enum import (
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
)
from services.events.account_change import ChangeKind
from services.events.activity import ActivityKind as AdminActivityKind
from services.gallery.gallery import GenerationOrder

strawberry.enum(Role, description="What an account may do.")
strawberry.enum(
    RefundPolicy,
    description="When a generation that brought no picture gives its credits back. ON_FAILURE: a failed one always, a "
    "canceled one only while no request had left for the provider. BEFORE_PROVIDER: only if no request left for the "
    "provider; a refused key counts as called. NEVER: an admin decides.",
)
strawberry.enum(ReferenceImage, description="Whether a style works from a person's photo.")
strawberry.enum(MediaKind, description="What is made.")
strawberry.enum(GenerationStatus, description="The life of a generation; the last three are final.")
strawberry.enum(GenerationStage, description="What is happening right now.")
strawberry.enum(GenerationOrder, description="Which generations come first.")
strawberry.enum(
    ChangeKind,
    description="What happened to a list. SNAPSHOT: the opening, or something was missed: read the list again.",
)
strawberry.enum(
    AdminActivityKind,
    name="AdminActivityKind",
    description="What happened. TRANSACTION: any line of the ledger. PAYMENT: an order was paid, or money was given "
    "back. ALERT: somebody should look.",
)
strawberry.enum(Size, description="How big the subject is made; part of the prompt.")
strawberry.enum(Quality, description="How many pixels; priced by the collection's multipliers.")
strawberry.enum(PaidBy, description="What paid for a generation. PLAN: an unlimited plan.")
strawberry.enum(
    PlanKind,
    description="What a plan sells. SUBSCRIPTION: credits every month. PASS: hourly allowances for some hours.",
)
strawberry.enum(
    TransactionType,
    description="Why a line stands in the ledger. BONUS: sign-up, referral. SUBSCRIPTION: a plan's monthly grant. "
    "REVERSAL: a purchase that was refunded or charged back.",
)
strawberry.enum(TransactionStatus, description="Whether a line has settled.")
strawberry.enum(
    ErrorCode,
    description="What went wrong, for programs. GENERATION_FAILED: the provider answered, with no usable image. "
    "CONTENT_REJECTED: the provider's moderation. PROVIDER_MISCONFIGURED: no key, or a key that was refused. "
    "UNAVAILABLE: an outage or maintenance on our side; try again later. TOO_COMPLEX: depth, cost, aliases, tokens.",
)

__all__ = [
    "AdminActivityKind",
    "ChangeKind",
    "ErrorCode",
    "GenerationOrder",
    "GenerationStage",
    "GenerationStatus",
    "MediaKind",
    "PaidBy",
    "PlanKind",
    "Quality",
    "ReferenceImage",
    "RefundPolicy",
    "Role",
    "Size",
    "TransactionStatus",
    "TransactionType",
]
