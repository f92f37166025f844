"""Pictures of styles: what a style makes of a photo, as lists of styles show it."""

from collections.abc import Sequence
from functools import partial

from models import StylePicture, ids
from models.catalogue import style_picture_key
from models.catalogue_row import AnyStyle
from models.database.connection import placeholders, rows
from models.enum import FileState
from services.integrations.fair_slots import FairSlots
from services.integrations.storage.protocol import PendingLink, Storage
from services.products.style_picture import CONTENT_TYPE, ShippedPicture, ShippedPictures

PATH = "/style-pictures"  # of the server, below which the addresses of the catalogue's pictures are
_MAX_READS = 16  # concurrent reads of pictures, so that visitors leave the storage's connections to users
_MAX_READS_PER_CLIENT = 4


class StylePictureService:
    """Finds the pictures of styles. `address`: PUBLIC_URL, with which addresses start."""

    def __init__(self, storage: Storage, shipped: ShippedPictures, address: str) -> None:
        self._storage = storage
        self._shipped = shipped
        self._address = address
        self._reads = FairSlots(_MAX_READS, _MAX_READS_PER_CLIENT)

    def url(self, style: AnyStyle) -> str | None:
        """Return the address of a style's picture, which never has other content; None if there is none.

        That of a custom style is a signed link, because only its owner sees it.
        """
        if style.owner_id is not None:
            folder_id = style.picture_folder_id or style.owner_id
            return self._signed(folder_id, style.picture_id) if style.picture_id is not None else None
        if style.picture_id is not None:
            return f"{self._address}{PATH}/{style.picture_id}.webp"
        collection = style.collection.slug
        found = self._shipped.find(collection, style.slug)
        return f"{self._address}{PATH}/{collection}/{found.name}" if found is not None else None

    def _signed(self, folder_id: str, picture_id: str) -> str:
        key = style_picture_key(folder_id, picture_id)
        link = self._storage.sign(key, CONTENT_TYPE) or PendingLink(partial(self._storage.link, key, CONTENT_TYPE))
        return link.url

    def shipped(self, collection: str, name: str) -> ShippedPicture | None:
        """Return the shipped picture at an address; None if there is none with this content."""
        return self._shipped.by_name(collection, name)

    async def find(self, picture_id: str) -> StylePicture | None:
        """Return the picture that an admin has set for a style of the catalogue; None if it has none like this."""
        if not ids.is_id(picture_id, ids.STYLE_PICTURE):
            return None
        return await StylePicture.get_or_none(
            id=picture_id,
            state=FileState.LIVE,
            style__owner_id__isnull=True,
            style__is_active=True,
            style__collection__is_active=True,
        )

    async def read(self, picture: StylePicture, *, client: str) -> bytes:
        """Return the bytes of a picture. `client`: the client's address; clients take turns. Raises StorageError."""
        async with self._reads.slot(client):
            return await self._storage.get(picture.key)


async def discard_pictures(picture_ids: Sequence[str]) -> None:
    """Mark pictures that no style has any more for the sweeper, in the transaction that made them so."""
    await rows(
        "UPDATE style_pictures SET state = 'DELETING', updated_at = NOW()"  # noqa: S608 - placeholders
        f" WHERE id IN ({placeholders(picture_ids)}) AND state = 'LIVE' RETURNING id",
        *picture_ids,
    )
