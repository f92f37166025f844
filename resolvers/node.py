"""Resolvers of `node` and `nodes`: objects of the catalogue and of the viewer, for admins of every user."""

import asyncio

import strawberry

from models import User, ids
from schema.accounts import User as UserType
from schema.albums import Album, Tag
from schema.billing import CreditPackage, CreditTransaction, Plan
from schema.catalogue import Collection, Style
from schema.credential import ApiKey
from schema.events import AuditEntry
from schema.generations import Generation, load_batch
from schema.payments import PaymentReview
from schema.runtime.context import Info
from schema.runtime.node import Node
from schema.webhooks import WebhookDelivery, WebhookEndpoint
from services.core.pagination import check_size


async def node(info: Info, id: strawberry.ID) -> Node | None:
    return await _find(info, str(id))


async def nodes(info: Info, ids: list[strawberry.ID]) -> list[Node | None]:
    if ids:
        check_size(len(ids), "ids")
    return list(await asyncio.gather(*(_find(info, str(id)) for id in ids)))


async def _find(info: Info, id: str) -> Node | None:
    """Return the object; None where it does not exist or the viewer may not see it.

    The loaders batch concurrent calls into one statement for each type, and check who owns what.
    """
    context = info.context
    viewer: User | None = context.viewer
    if not ids.is_id(id):
        return None
    match id.split("_")[0]:
        case ids.STYLE:
            style = await context.style_by_id.load(id)
            return Style.of(style) if style else None
        case ids.COLLECTION:
            collection = await context.collection_by_id.load(id)
            return Collection.of(collection) if collection else None
        case ids.CREDIT_PACKAGE:
            package = await context.package_by_id.load(id)
            return CreditPackage.of(package) if package else None
        case ids.PLAN:
            plan = await context.plan_by_id.load(id)
            return Plan.of(plan) if plan else None
        case ids.USER:
            user = viewer if viewer and viewer.id == id else await context.user_by_id.load(id)
            return UserType.of(user) if user else None
        case ids.AUDIT_ENTRY:
            entry = await context.audit_entry_by_id.load(id)
            return AuditEntry.of(entry) if entry else None
        case ids.EXTERNAL_EVENT:
            event = await context.payment_review_by_id.load(id)
            return PaymentReview.of(event) if event else None
        case ids.GENERATION:
            generation = await context.generation_by_id.load(id)
            return Generation.of(generation) if generation else None
        case ids.ALBUM:
            album = await context.album_by_id.load(id)
            return Album.of(album) if album else None
        case ids.TAG:
            tag = await context.tag_by_id.load(id)
            return Tag.of(tag) if tag else None
        case ids.BATCH:
            return await load_batch(info, id)
        case ids.API_KEY:
            key = await context.api_key_by_id.load(id)
            return ApiKey.of(key) if key else None
        case ids.TRANSACTION:
            line = await context.transaction_by_id.load(id)
            return CreditTransaction.of(line) if line else None
        case ids.WEBHOOK_ENDPOINT:
            endpoint = await context.webhook_endpoint_by_id.load(id)
            return WebhookEndpoint.of(endpoint) if endpoint else None
        case ids.WEBHOOK_DELIVERY:
            delivery = await context.webhook_delivery_by_id.load(id)
            return WebhookDelivery.of(delivery) if delivery else None
    return None
