"""Tables of files, uploads and archives."""

from collections.abc import Sequence

from tortoise import fields
from tortoise.models import Model

from models import ids
from models.accounts import User
from models.enum import FileKind, FileState

_PREVIEW = "-preview"
_POSTER = "-poster"
_FOLDERS: dict[str, str] = {FileKind.ORIGINAL: "originals", FileKind.RESULT: "generated"}


def file_key(kind: str, folder_id: str, id: str) -> str:
    """Return the storage key of a file: `originals|generated/{user}/{file}`, of the account that stored it."""
    return f"{_FOLDERS[kind]}/{folder_id}/{id}"


def preview_key(key: str) -> str:
    """Return the storage key of the preview for chats of the picture at `key`."""
    return key + _PREVIEW


def is_preview(key: str) -> bool:
    """Whether `preview_key` has made this storage key."""
    return key.endswith(_PREVIEW)


def thumbnail_key(key: str, width: int, widths: Sequence[int]) -> str:
    """Return the storage key of the thumbnail with one of the `widths` of the file at `key`."""
    return f"{key}-thumbnail" if width == widths[0] else f"{key}-thumbnail-{width}"


def file_keys(kind: str, folder_id: str, id: str, thumbnail_widths: Sequence[int], *, is_video: bool) -> list[str]:
    """Return the storage keys of a file, of its thumbnails and of a video's poster, the file's own first."""
    key = file_key(kind, folder_id, id)
    poster = [key + _POSTER] if is_video else []
    return [key, *poster, *[thumbnail_key(key, width, thumbnail_widths) for width in thumbnail_widths]]


class StoredFile:
    """What names the stored objects of a picture or a video: of a File, or of the columns of one in another row."""

    __slots__ = ()
    id: str
    owner_id: str
    kind: FileKind
    folder_id: str | None
    content_type: str
    byte_size: int
    width: int
    height: int
    thumbnail_widths: list[int]
    placeholder: str
    duration: float | None
    poster_bytes: int

    @property
    def key(self) -> str:
        """The storage key."""
        return file_key(self.kind, self.folder_id or self.owner_id, self.id)

    @property
    def is_video(self) -> bool:
        """Whether it is a video, whose thumbnails and placeholder are those of its poster."""
        return self.duration is not None

    @property
    def poster_key(self) -> str:
        """The storage key of a video's poster, a JPEG."""
        return self.key + _POSTER

    @property
    def picture_key(self) -> str:
        """The storage key of the picture itself, or of a video's poster."""
        return self.poster_key if self.is_video else self.key

    @property
    def thumbnail_key(self) -> str:
        """The storage key of the narrowest thumbnail, which every picture has."""
        return f"{self.key}-thumbnail"

    def thumbnail_key_of(self, width: int) -> str:
        """Return the storage key of the thumbnail with one of `thumbnail_widths`."""
        return thumbnail_key(self.key, width, self.thumbnail_widths)

    @property
    def preview_key(self) -> str:
        """The storage key of the preview for chats. Only a shared result may have one; it is made on first request."""
        return preview_key(self.key)

    @property
    def thumbnail_keys(self) -> list[str]:
        """The storage keys of all thumbnails."""
        return [self.thumbnail_key_of(width) for width in self.thumbnail_widths]


class File(StoredFile, Model):
    """One picture or video and its thumbnails, under storage keys that the server generates."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.FILE))
    # RESTRICT: an account's files are removed one by one, bytes first; a cascade would orphan the bytes.
    owner: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="files", on_delete=fields.RESTRICT
    )
    owner_id: str
    # The guest under whose name its bytes are stored, which was merged into the owner; null: under the owner's.
    folder_id: str | None = fields.CharField(max_length=ids.LENGTH, null=True)  # type: ignore[assignment]
    kind = fields.CharEnumField(FileKind, "models/enum.py", max_length=16)
    state = fields.CharEnumField(FileState, "models/enum.py", max_length=16, default=FileState.PENDING)
    content_type = fields.CharField(max_length=32)
    byte_size = fields.BigIntField()
    width = fields.IntField()  # pixels, upright
    height = fields.IntField()
    duration = fields.FloatField(null=True)  # seconds, of a video
    poster_bytes = fields.IntField(default=0)  # of a video's poster, a JPEG beside it
    sha256 = fields.CharField(max_length=64)  # hex, of the stored bytes
    thumbnail_widths: list[int] = fields.JSONField()  # pixels, ascending from 320; each is a WebP beside the file
    placeholder = fields.CharField(max_length=400)  # a data: URI of about 100 bytes
    removal_failed_at = fields.DatetimeField(null=True)  # when the storage last refused to remove its bytes
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)

    class Meta:
        table = "files"


class Upload(Model):
    """One direct upload. Its bytes may arrive later or never; the sweeper removes it, used or not."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.UPLOAD))
    # RESTRICT, as for files: the bytes are deleted first.
    owner: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="uploads", on_delete=fields.RESTRICT
    )
    owner_id: str
    content_type = fields.CharField(max_length=32)  # as declared
    byte_size = fields.BigIntField()  # as declared; any other size is refused
    idempotency_key = fields.CharField(max_length=128, null=True)
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "uploads"
        unique_together = (("owner", "idempotency_key"),)
        indexes = (("created_at",),)

    @property
    def key(self) -> str:
        """The storage key: `uploads/{user}/{upload}`."""
        return f"uploads/{self.owner_id}/{self.id}"


class Archive(Model):
    """A selection of an account's results to be downloaded as one zip, which is made while it is sent.

    An account has one: a new one ends the link of the one before.
    """

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.ARCHIVE))
    user: fields.OneToOneRelation[User] = fields.OneToOneField(
        "models.User", related_name="archive", on_delete=fields.CASCADE
    )
    user_id: str
    token_hash = fields.CharField(max_length=64, unique=True)  # SHA-256 of the link's token, hex
    generation_ids: list[str] = fields.JSONField()  # newest first
    byte_size = fields.BigIntField()  # of the results, when it was requested
    expires_at = fields.DatetimeField(db_index=True)
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "archives"
