"""The zip file of a data export: data.json with everything that the user can see, and all pictures."""

import asyncio
import contextlib
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson
import structlog
from tortoise.fields import BigIntField
from tortoise.models import Model
from tortoise.queryset import QuerySet

from models import (
    Album,
    AlbumEntry,
    ApiKey,
    CreditGrant,
    CreditTransaction,
    File,
    Generation,
    Identity,
    Membership,
    Pass,
    Purchase,
    Session,
    Style,
    Tag,
    TagEntry,
    User,
    WebhookDelivery,
    WebhookEndpoint,
)
from models.enum import FileKind, FileState
from services.billing.entitlement import is_member
from services.core.locale import DEFAULT, Translator
from services.core.message import Message
from services.gallery.zip_stream import Pipe, StoredPicture, Unread, add_notes, entry_of
from services.integrations.storage.protocol import MissingObjectError, Storage
from services.media.new_file import EXTENSIONS

log = structlog.get_logger(__name__)

M = TypeVar("M", bound=Model)

_PAGE = 100  # rows in memory at once; pictures are read one at a time, large ones in parts
_FOLDERS = {FileKind.ORIGINAL: "originals", FileKind.RESULT: "results"}


class Archive:
    """The zip of one account, made while it is read, so that it is nowhere as a whole before it is stored."""

    def __init__(self, user: User, storage: Storage, translator: Translator) -> None:
        self._user = user
        self._storage = storage
        self._translator = translator
        self._pipe = Pipe()

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """Yield its bytes. What is deleted meanwhile is named in a note. Raises StorageError."""
        pipe, unread = self._pipe, Unread()
        with zipfile.ZipFile(pipe, "w", zipfile.ZIP_STORED) as archive:  # pictures are compressed already
            text = zipfile.ZipInfo("data.json", datetime.now(UTC).timetuple()[:6])
            text.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(text, "w", force_zip64=True) as entry:
                async for piece in self._data():
                    await _in_thread(entry.write, piece)
                    yield pipe.take()
            async for picture in self._pictures():
                begun = False
                try:
                    async with contextlib.aclosing(entry_of(picture, self._storage.get_part, archive, pipe)) as chunks:
                        async for chunk in chunks:
                            begun = True
                            yield chunk
                except MissingObjectError:  # deleted meanwhile
                    log.info("export.file_missing", path=picture.name, cut=begun)
                    unread.add(picture.name, cut=begun)
            add_notes(archive, unread.described(self._translate))
        yield pipe.take()

    def _translate(self, text: Message) -> str:
        return self._translator.translate(text, self._user.locale or DEFAULT)

    async def _pictures(self) -> AsyncIterator[StoredPicture]:
        async for styles in _pages(_pictured_styles(self._user.id)):
            for style in styles:
                if (shown := style.picture) is not None:
                    yield StoredPicture(_picture_path(style), shown.key, shown.byte_size, shown.created_at)
        async for files in _pages(File.filter(owner_id=self._user.id, state=FileState.LIVE)):
            for file in files:
                yield StoredPicture(path_in_archive(file), file.key, file.byte_size, file.created_at)

    async def _data(self) -> AsyncIterator[bytes]:
        """Yield data.json in chunks."""
        user_id = self._user.id
        generations = Generation.present().filter(user_id=user_id)
        yield b'{"account": ' + _json(_account(self._user))
        async for piece in _list("generations", generations, _generation):
            yield piece
        async for piece in _list("transactions", CreditTransaction.filter(user_id=user_id), _transaction):
            yield piece
        async for piece in _list("expiringCredits", CreditGrant.filter(user_id=user_id, remaining__gt=0), _grant):
            yield piece
        purchases = Purchase.filter(user_id=user_id).select_related("package", "plan")
        async for piece in _list("purchases", purchases, _purchase):
            yield piece
        async for piece in _list("memberships", Membership.filter(user_id=user_id).select_related("plan"), _membership):
            yield piece
        async for piece in _list("passes", Pass.filter(user_id=user_id).select_related("plan"), _pass):
            yield piece
        async for piece in _list("styles", Style.filter(owner_id=user_id, is_active=True), _style):
            yield piece
        async for piece in _list("albums", Album.filter(user_id=user_id), _named_list):
            yield piece
        async for piece in _list("albumEntries", AlbumEntry.filter(album__user_id=user_id), _album_entry):
            yield piece
        async for piece in _list("tags", Tag.filter(user_id=user_id, size__gt=0), _named_list):
            yield piece
        async for piece in _list("tagEntries", TagEntry.filter(tag__user_id=user_id), _tag_entry):
            yield piece
        async for piece in _list("identities", Identity.filter(user_id=user_id, unlinked_at__isnull=True), _identity):
            yield piece
        sessions = Session.filter(user_id=user_id, expires_at__gt=datetime.now(UTC))
        async for piece in _list("sessions", sessions, _session):
            yield piece
        async for piece in _list("apiKeys", ApiKey.filter(user_id=user_id), _api_key):
            yield piece
        endpoints = WebhookEndpoint.filter(user_id=user_id)
        async for piece in _list("webhookEndpoints", endpoints, _webhook_endpoint):
            yield piece
        deliveries = WebhookDelivery.filter(endpoint__user_id=user_id)
        async for piece in _list("webhookDeliveries", deliveries, _webhook_delivery):
            yield piece
        yield b"}\n"


async def _in_thread(write: Callable[..., object], *values: object) -> None:
    """Write in a thread and wait for it even when canceled: a zip that is still written to cannot be closed."""
    task = asyncio.ensure_future(asyncio.to_thread(write, *values))
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def _list(name: str, query: QuerySet[M], to_dict: Callable[[M], dict[str, Any]]) -> AsyncIterator[bytes]:
    yield b',\n"' + name.encode() + b'": ['
    first = True
    async for found in _pages(query):
        yield (b"" if first else b",") + b",".join(b"\n" + _json(to_dict(row)) for row in found)
        first = False
    yield b"]"


async def _pages(query: QuerySet[M]) -> AsyncIterator[list[M]]:
    after: str | int = 0 if isinstance(query.model._meta.pk, BigIntField) else ""
    while found := await query.filter(id__gt=after).order_by("id").limit(_PAGE):
        yield found
        after = found[-1].pk


def _json(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z)


def path_in_archive(file: File) -> str:
    """Return the path of a picture in the zip: by its kind and the day of its creation."""
    return f"files/{_FOLDERS[file.kind]}/{file.created_at:%Y-%m-%d}-{file.id[-12:]}.{EXTENSIONS[file.content_type]}"


def _pictured_styles(user_id: str) -> QuerySet[Style]:
    return Style.filter(owner_id=user_id, is_active=True, picture_id__isnull=False).select_related("picture")


def _picture_path(row: Style) -> str:
    return f"files/styles/{row.id}.webp"


def _account(row: User) -> dict[str, Any]:
    return {
        "id": row.id,
        "email": row.address,
        "emailVerified": row.email_verified,
        "name": row.name,
        "image": row.image,
        "locale": row.locale,
        "notifyByMail": row.notify_by_mail,
        "secondFactorSince": row.second_factor_since,
        "isMember": is_member(row),
        "credits": row.credits,
        "referralCode": row.referral_code,
        "createdAt": row.created_at,
    }


def _generation(row: Generation) -> dict[str, Any]:
    return {
        "id": row.id,
        "batchId": row.batch_id,
        "parentId": row.parent_id,
        "reusedId": row.reused_id,
        "media": row.media,
        "status": row.status,
        "errorCode": row.error_code,
        "styleTitle": row.style_title,
        "collection": row.collection_slug,
        "prompt": row.prompt,
        "enhancedPrompt": row.enhanced_prompt,
        "variables": row.variables,
        "size": row.size,
        "quality": row.quality,
        "aspectRatio": row.aspect_ratio,
        "durationSeconds": row.duration_seconds,
        "provider": row.provider,
        "model": row.model,
        "cost": row.cost,
        "paidBy": row.paid_by,
        "refunded": row.refunded,
        "deliveredQuality": row.delivered_quality,
        "sizeRefund": row.size_refund,
        "isFavorite": row.is_favorite,
        "shareSlug": row.share_slug,
        "sharedAt": row.shared_at,
        "createdAt": row.created_at,
        "startedAt": row.started_at,
        "completedAt": row.completed_at,
        "original": path_in_archive(row.original) if row.original else None,
        "result": path_in_archive(row.result) if row.result else None,
    }


def _transaction(row: CreditTransaction) -> dict[str, Any]:
    return {
        "id": row.id,
        "sequence": row.sequence,
        "type": row.type,
        "status": row.status,
        "amount": row.amount,
        "balance": row.balance,
        "metadata": row.metadata,
        "price": row.price,
        "currency": row.currency,
        "generationId": row.generation_id,
        "createdAt": row.created_at,
    }


def _grant(row: CreditGrant) -> dict[str, Any]:
    return {"transactionId": row.id, "credits": row.remaining, "expiresAt": row.expires_at}


def _purchase(row: Purchase) -> dict[str, Any]:
    return {
        "id": row.id,
        "orderId": row.order_id,
        "package": row.package.slug if row.package else None,
        "plan": row.plan.slug if row.plan else None,
        "status": row.status,
        "credits": row.credits,
        "reversedCredits": row.reversed_credits,
        "netAmount": row.net_amount,
        "refundedAmount": row.refunded_amount,
        "currency": row.currency,
        "orderedAt": row.ordered_at,
        "createdAt": row.created_at,
    }


def _membership(row: Membership) -> dict[str, Any]:
    return {
        "id": row.id,
        "plan": row.plan.slug,
        "status": row.status,
        "startedAt": row.started_at,
        "renewsAt": row.renews_at,
        "endsAt": row.ends_at,
        "pastDueAt": row.past_due_at,
    }


def _pass(row: Pass) -> dict[str, Any]:
    return {
        "id": row.id,
        "plan": row.plan.slug,
        "imagesPerHour": row.images_per_hour,
        "videosPerHour": row.videos_per_hour,
        "imagesUsed": row.images_used,
        "videosUsed": row.videos_used,
        "startedAt": row.started_at,
        "expiresAt": row.expires_at,
        "revokedAt": row.revoked_at,
    }


def _style(row: Style) -> dict[str, Any]:
    return {
        "id": row.id,
        "title": row.title,
        "description": row.description,
        "category": row.category,
        "prompt": row.prompt,
        "promptWithoutPhoto": row.prompt_without_photo,
        "variables": row.variables,
        "referenceImage": row.reference_image,
        "createdAt": row.created_at,
        "updatedAt": row.updated_at,
    }


def _identity(row: Identity) -> dict[str, Any]:
    return {
        "issuer": row.issuer,
        "subject": row.subject,
        "name": row.name,
        "email": row.email,
        "linkedAt": row.created_at,
        "lastUsedAt": row.last_used_at,
    }


def _named_list(row: Album | Tag) -> dict[str, Any]:
    return {"id": row.id, "name": row.name, "createdAt": row.created_at}


def _album_entry(row: AlbumEntry) -> dict[str, Any]:
    return {"albumId": row.album_id, "generationId": row.generation_id}


def _tag_entry(row: TagEntry) -> dict[str, Any]:
    return {"tagId": row.tag_id, "generationId": row.generation_id}


def _session(row: Session) -> dict[str, Any]:
    return {
        "device": row.device,
        "place": row.place,
        "createdAt": row.created_at,
        "lastSeenAt": row.last_seen_at or row.created_at,
        "expiresAt": row.expires_at,
        "secondFactorAt": row.second_factor_at,
    }


def _api_key(row: ApiKey) -> dict[str, Any]:
    return {
        "name": row.name,
        "hint": row.hint,
        "scope": row.scope,
        "monthlyCredits": row.monthly_credits,
        "createdAt": row.created_at,
        "expiresAt": row.expires_at,
        "lastUsedAt": row.last_used_at,
    }


def _webhook_endpoint(row: WebhookEndpoint) -> dict[str, Any]:
    return {
        "id": row.id,
        "url": row.url,
        "description": row.description,
        "events": row.events,
        "creditsLowBelow": row.credits_low,
        "disabledReason": row.disabled_reason,
        "createdAt": row.created_at,
    }


def _webhook_delivery(row: WebhookDelivery) -> dict[str, Any]:
    return {
        "endpointId": row.endpoint_id,
        "messageId": row.message_id,
        "type": row.type,
        "payload": row.body,
        "state": row.state,
        "attempts": [
            {
                "at": attempt["at"],
                "durationMs": attempt["milliseconds"],
                "status": attempt["status"],
                "failure": attempt["failure"],
                "response": attempt["excerpt"],
            }
            for attempt in row.attempt_log
        ],
        "deliveredAt": row.delivered_at,
        "createdAt": row.created_at,
    }
