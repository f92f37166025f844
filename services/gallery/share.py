"""Sharing: a public address for a finished picture, found without sign-in, until it is taken back."""

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
from services.core.error import ConflictError, InvalidInputError, NotFoundError
from services.core.message import message
from services.core.text import is_slug
from services.events import account_change
from services.events.account_change import AccountChange, ChangeKind
from services.events.publisher import EventPublisher
from services.integrations.storage.protocol import Storage
from services.media.file import ENDINGS

SLUG_MIN, SLUG_MAX = 3, 64  # characters of a chosen address
_MADE = re.compile(r"[a-z2-7]{26}")  # 130 bits; without 0 and 1, which people mistake for letters
_LETTERS = string.ascii_lowercase + "234567"
# Addresses that would speak for the product rather than for a person.
_RESERVED = {
    "about", "account", "admin", "administrator", "api", "app", "billing", "darkroom", "help", "home", "index", "legal",
    "login", "news", "official", "privacy", "root", "security", "share", "shared", "sign-in", "sign-up", "signin",
    "signup", "staff", "status", "studio", "support", "system", "team", "terms", "www",
}  # fmt: skip


@dataclass(frozen=True)
class ShareLinks:
    """Where a shared picture is found for as long as it is shared; nothing in them but the slug."""

    page: str
    picture: str
    download: str
    thumbnail: str  # the narrowest

    def thumbnail_of(self, file: File, width: int | None) -> str:
        """One of the file's thumbnails; of None, the picture itself."""
        if width is None:
            return self.picture
        return self.thumbnail if width == file.thumbnail_widths[0] else f"{self.thumbnail}?width={width}"


@dataclass(frozen=True)
class Shared:
    """All that anybody may know of a shared picture: whoever shows it has nothing else in hand."""

    title: Localised  # of the style; empty where that is the owner's own
    file: File
    file_name: str  # to be saved under
    created_at: datetime
    shared_by: str | None  # its owner's name
    links: ShareLinks


class _OvertakenError(Exception):
    """Another request changed the share first; the transaction ends without a trace."""


def _validate_slug(slug: str) -> str:
    """A chosen address as it is kept: capitals mean nothing.

    Raises:
        InvalidInputError: it is malformed, reserved, or looks like one that is made here.
    """
    folded = _normalize_slug(slug)
    if folded is None or len(folded) < SLUG_MIN:
        text = message(
            "An address has {min} to {max} letters a-z or digits, with single hyphens in between.",
            min=SLUG_MIN,
            max=SLUG_MAX,
        )
        raise InvalidInputError(text, field=("slug",))
    # One that was made and taken back must never lead anywhere again, and one that was chosen must not pass for secret.
    if folded in _RESERVED or _MADE.fullmatch(folded):
        raise InvalidInputError(message("This address is reserved. Please choose another one."), field=("slug",))
    return folded


def _normalize_slug(slug: str) -> str | None:
    # Of other letters, some become ASCII in lower case: the Kelvin sign is a k.
    folded = slug.lower() if slug.isascii() else ""
    return folded if is_slug(folded) else None


def _random_slug() -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(26))


class ShareService:
    """Gives addresses to pictures, takes them back, and finds what they lead to."""

    def __init__(self, storage: Storage, events: EventPublisher, address: str) -> None:
        self._storage = storage
        self._events = events
        self._address = address

    async def share(self, user_id: str, generation_id: str, slug: str | None) -> Generation:
        """Give a finished picture an address: the chosen one, else the one it has, else one that nobody can guess.

        Raises:
            NotFoundError: not there, or not this account's.
            InvalidInputError: the address cannot be one.
            ConflictError: the picture is not finished, or the address is taken.
        """
        wanted = _validate_slug(slug) if slug is not None else None
        while True:
            generation = await self._own(user_id, generation_id)
            if generation.status is not GenerationStatus.COMPLETED:
                raise ConflictError(message("Only a finished picture can be shared."), field=("id",))
            if generation.share_slug is not None and wanted in (None, generation.share_slug):
                return generation
            if await self._move(generation, wanted or _random_slug()):
                return await self._own(user_id, generation_id)

    async def unshare(self, user_id: str, generation_id: str) -> Generation:
        """Take the address back; it leads nowhere from now on. Of a picture that is not shared, nothing changes.

        Raises:
            NotFoundError: not there, or not this account's.
        """
        while True:
            generation = await self._own(user_id, generation_id)
            if generation.share_slug is None:
                return generation
            if await self._move(generation, None):
                return await self._own(user_id, generation_id)

    async def find(self, slug: str) -> Shared | None:
        """What is shared at an address; None for whatever is not, deleted, or no address at all."""
        folded = _normalize_slug(slug)
        if folded is None:
            return None
        query = Generation.present().filter(share_slug=folded, user__deleted_at__isnull=True)
        found = await query.select_related("user").first()
        if found is None or found.result is None:
            return None
        # Nobody but its owner sees a style of one's own: its title may say as much as a prompt.
        is_own_style = found.style is not None and found.style.owner_id is not None
        name = f"darkroom-{folded}.{ENDINGS[found.result.content_type]}"
        return Shared(
            title={} if is_own_style else found.style_title,
            file=found.result,
            file_name=name,
            created_at=found.created_at,
            shared_by=found.user.name,
            links=self._links(folded),
        )

    def page_url(self, generation: Generation) -> str | None:
        """The address of a shared picture's page; None while it is not shared."""
        return self._links(generation.share_slug).page if generation.share_slug else None

    def _links(self, slug: str) -> ShareLinks:
        page = f"{self._address}/s/{slug}"
        return ShareLinks(page, f"{page}/picture", f"{page}/picture?download=1", f"{page}/thumbnail")

    async def read_part(self, file: File, start: int, size: int) -> bytes:
        """So many bytes of a shared picture. Raises StorageError."""
        return await self._storage.get_part(file.key, start, size)

    async def read_thumbnail(self, file: File, width: int) -> bytes:
        """One of the thumbnails of a shared picture, 20 to 200 kB. Raises StorageError."""
        return await self._storage.get(file.thumbnail_key_of(width))

    @staticmethod
    async def _own(user_id: str, generation_id: str) -> Generation:
        found = await Generation.present().get_or_none(id=generation_id, user_id=user_id)
        if found is None:
            raise NotFoundError(field=("id",))
        return found

    async def _move(self, generation: Generation, slug: str | None) -> bool:
        """Give the address, or take it back with None; False when another request was faster."""
        try:
            account = await run_tx(self._write, generation, slug)
        except _OvertakenError:
            return False
        except IntegrityError:
            raise ConflictError(message("This address is taken."), field=("slug",)) from None
        await self._events.account_changed(account)
        return True

    @staticmethod
    async def _write(generation: Generation, slug: str | None) -> AccountChange:
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
            raise _OvertakenError
        return account.about(ChangeKind.UPDATED, [generation.id])
