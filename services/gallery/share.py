"""Sharing: a public address for a completed picture or video, readable without sign-in until it is revoked."""

import itertools
import re
import secrets
import string
from dataclasses import dataclass
from datetime import datetime

from tortoise.exceptions import IntegrityError

from models import File, Generation
from models.catalogue import Localised
from models.database.connection import rows, run_tx
from models.enum import GenerationStatus
from models.generation_row import AnyGeneration
from models.media import StoredFile
from services.core.error import ConflictError, InvalidInputError, NotFoundError
from services.core.message import message
from services.core.text import is_slug
from services.events import account_change
from services.events.account_change import AccountChange, ChangeKind
from services.events.publisher import EventPublisher
from services.gallery.share_preview import SharePreviews
from services.integrations.fair_slots import FairSlots
from services.integrations.storage.protocol import Storage
from services.media.new_file import EXTENSIONS

_MAX_READS = 16  # concurrent reads of shared pictures, so that strangers leave the storage's connections to users
_MAX_READS_PER_CLIENT = 4
SLUG_MIN, SLUG_MAX = 3, 64  # characters of a slug that a user chooses
_RANDOM_SLUG = re.compile(r"[a-z2-7]{26}")  # 130 bits; without 0 and 1, which look like letters
_ALPHABET = string.ascii_lowercase + "234567"
# With any of these words a slug would seem to be an official page of the product ("darkroom-support").
_RESERVED_WORDS = {
    "account", "accounts", "admin", "administrator", "administrators", "admins", "billing", "darkroom", "login",
    "official", "password", "payment", "payments", "privacy", "security", "signin", "signup", "staff", "support",
}  # fmt: skip
# So would a slug of nothing but these words ("help-team"); with others they are harmless ("my-new-home").
_RESERVED_ALONE = _RESERVED_WORDS | {
    "about", "api", "app", "help", "home", "index", "legal", "news", "root", "share", "shared", "status", "studio",
    "system", "team", "terms", "us", "www",
}  # fmt: skip
# And one of several of them without hyphens between, with a word of the first kind ("darkroomsupport", "helpadmin").
_WORD = "|".join(sorted(_RESERVED_ALONE, key=len, reverse=True))
_RESERVED_TOGETHER = re.compile(rf"(?:{_WORD})*(?:{'|'.join(sorted(_RESERVED_WORDS))})(?:{_WORD})*")


@dataclass(frozen=True)
class ShareLinks:
    """URLs of a shared picture or video, valid as long as it is shared; they reveal nothing but the slug."""

    slug: str
    page: str
    media: str  # the picture or the video itself
    download: str
    poster: str | None  # of a video
    thumbnail: str  # the narrowest
    preview: str  # for chats

    def thumbnail_of(self, file: StoredFile, width: int | None) -> str:
        """Return the URL of one of the file's thumbnails; for None, of the picture itself, or of the poster."""
        if width is None:
            return self.poster or self.media
        return self.thumbnail if width == file.thumbnail_widths[0] else f"{self.thumbnail}?width={width}"


@dataclass(frozen=True)
class SharedPicture:
    """Everything about a shared picture that is public; its pages and responses get nothing else."""

    title: Localised  # of the style; empty for a custom style
    file: File
    file_name: str  # for downloads
    created_at: datetime
    shared_by: str | None  # its owner's name
    links: ShareLinks


class _ConcurrentChangeError(Exception):
    """Another request changed the share first; rolls the transaction back."""


def _validate_slug(slug: str) -> str:
    """Return a chosen slug as it is stored, in lower case.

    Raises:
        InvalidInputError: it is malformed, reserved, or has the format of a random slug.
    """
    normalized = _normalize_slug(slug)
    if normalized is None or len(normalized) < SLUG_MIN:
        text = message(
            "An address has {min} to {max} letters a-z or digits, with single hyphens in between.",
            min=SLUG_MIN,
            max=SLUG_MAX,
        )
        raise InvalidInputError(text, field=("slug",))
    # A revoked random slug must never work again, and a chosen slug must not look as if it were secret.
    if _is_reserved(normalized) or _RANDOM_SLUG.fullmatch(normalized):
        raise InvalidInputError(message("This address is reserved. Please choose another one."), field=("slug",))
    return normalized


def _is_reserved(slug: str) -> bool:
    """Whether a slug seems official by its words; "sign-in", "dark-room" and "darkroomsupport" do, too."""
    words = [word.strip("0123456789") or word for word in slug.split("-")]
    joined = {first + second for first, second in itertools.pairwise(words)}
    whole = "".join(words)
    return (
        not _RESERVED_WORDS.isdisjoint({*words, *joined, whole})
        or _RESERVED_ALONE.issuperset(words)
        or any(map(_RESERVED_TOGETHER.fullmatch, {*words, whole}))
    )


def _normalize_slug(slug: str) -> str | None:
    # ASCII first: the lower case of some other letters is ASCII; that of the Kelvin sign is "k".
    normalized = slug.lower() if slug.isascii() else ""
    return normalized if is_slug(normalized) else None


def _random_slug() -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(26))


class ShareService:
    """Shares pictures under an address, revokes it, and finds the picture of an address."""

    def __init__(self, storage: Storage, events: EventPublisher, previews: SharePreviews, address: str) -> None:
        self._storage = storage
        self._events = events
        self._previews = previews
        self._address = address
        self._reads = FairSlots(_MAX_READS, _MAX_READS_PER_CLIENT)

    async def share(self, user_id: str, generation_id: str, slug: str | None) -> Generation:
        """Share a completed picture under the chosen slug, else under its current one, else under a random one.

        Raises:
            NotFoundError: the generation does not exist or belongs to another user.
            InvalidInputError: the slug is invalid.
            ConflictError: the generation is not completed, or the slug is in use.
        """
        wanted = _validate_slug(slug) if slug is not None else None
        while True:
            generation = await self._get(user_id, generation_id)
            if generation.status is not GenerationStatus.COMPLETED:
                raise ConflictError(message("Only a finished picture can be shared."), field=("id",))
            if generation.share_slug is not None and wanted in (None, generation.share_slug):
                return generation
            if await self._set_slug(generation, wanted or _random_slug()):
                return await self._get(user_id, generation_id)

    async def unshare(self, user_id: str, generation_id: str) -> Generation:
        """Revoke the share, so that its address is no longer found. Has no effect if the picture is not shared.

        Raises:
            NotFoundError: the generation does not exist or belongs to another user.
        """
        while True:
            generation = await self._get(user_id, generation_id)
            if generation.share_slug is None:
                return generation
            if await self._set_slug(generation, None):
                return await self._get(user_id, generation_id)

    async def find(self, slug: str) -> SharedPicture | None:
        """Return the picture shared under a slug; None if there is none, it was deleted, or the slug is malformed.

        The shares of a suspended account are closed, and open again when the suspension is lifted.
        """
        normalized = _normalize_slug(slug)
        if normalized is None:
            return None
        query = Generation.present().filter(
            share_slug=normalized, user__deleted_at__isnull=True, user__suspended_at__isnull=True
        )
        found = await query.select_related("user").first()
        if found is None or found.result is None:
            return None
        # A custom style is visible to its owner only: its title may reveal as much as a prompt.
        is_custom_style = found.style is not None and found.style.owner_id is not None
        name = f"darkroom-{normalized}.{EXTENSIONS[found.result.content_type]}"
        return SharedPicture(
            title={} if is_custom_style else found.style_title,
            file=found.result,
            file_name=name,
            created_at=found.created_at,
            shared_by=found.user.name,
            links=self._links(normalized, is_video=found.result.is_video),
        )

    def page_url(self, generation: AnyGeneration) -> str | None:
        """Return the URL of a shared picture's page; None if it is not shared."""
        return self._page(generation.share_slug) if generation.share_slug else None

    def _page(self, slug: str) -> str:
        return f"{self._address}/s/{slug}"

    def _links(self, slug: str, *, is_video: bool) -> ShareLinks:
        page = self._page(slug)
        media = f"{page}/{'video' if is_video else 'picture'}"
        return ShareLinks(
            slug=slug,
            page=page,
            media=media,
            download=f"{media}?download=1",
            poster=f"{page}/poster" if is_video else None,
            thumbnail=f"{page}/thumbnail",
            preview=f"{page}/preview.jpg",
        )

    async def read_part(self, file: File, start: int, size: int, *, client: str) -> bytes:
        """Return `size` bytes of a shared picture or video from `start` on. Raises StorageError.

        `client`: the client's address, here and below; clients take turns.
        """
        async with self._reads.slot(client):
            return await self._storage.get_part(file.key, start, size)

    async def read_poster(self, file: File, *, client: str) -> bytes:
        """Return the poster of a shared video. Raises StorageError."""
        async with self._reads.slot(client):
            return await self._storage.get(file.poster_key)

    async def read_thumbnail(self, file: File, width: int, *, client: str) -> bytes:
        """Return a thumbnail of a shared picture, 20 to 200 kB. Raises StorageError."""
        async with self._reads.slot(client):
            return await self._storage.get(file.thumbnail_key_of(width))

    async def read_preview(self, file: File, *, client: str) -> bytes:
        """Return the preview of a shared picture, at most 300 kB; make it first if there is none.

        Raises:
            MissingObjectError: the picture was removed, or is none.
            StorageError: the storage does not respond.
            UnavailableError: it cannot be made right now.
        """
        async with self._reads.slot(client):
            stored = await self._previews.find(file)
        return stored if stored is not None else await self._previews.make(file)

    @staticmethod
    async def _get(user_id: str, generation_id: str) -> Generation:
        found = await Generation.present().get_or_none(id=generation_id, user_id=user_id)
        if found is None:
            raise NotFoundError(field=("id",))
        return found

    async def _set_slug(self, generation: Generation, slug: str | None) -> bool:
        """Set the slug, or clear it with None; False if another request changed it first."""
        try:
            account = await run_tx(self._update, generation, slug)
        except _ConcurrentChangeError:
            return False
        except IntegrityError:
            raise ConflictError(message("This address is taken."), field=("slug",)) from None
        await self._events.account_changed(account)
        return True

    @staticmethod
    async def _update(generation: Generation, slug: str | None) -> AccountChange:
        account = await account_change.bump_version(generation.user_id)
        found = await rows(
            "UPDATE generations SET share_slug = NULLIF($3, ''), shared_at = CASE WHEN $3 <> '' THEN NOW() END,"
            " updated_at = NOW(), version = version + 1"
            " WHERE id = $1 AND COALESCE(share_slug, '') = $2 AND deleted_at IS NULL RETURNING id",
            generation.id,
            generation.share_slug or "",
            slug or "",
        )
        if not found:
            raise _ConcurrentChangeError
        return account.with_generations(ChangeKind.UPDATED, [generation.id])
