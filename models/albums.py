"""Tables of albums and tags: named lists of an account's generations.

Triggers keep the entries in step with the generations (the mark as a favorite, deletion) and `size` with the entries.
"""

from tortoise import fields
from tortoise.models import Model

from models import ids
from models.accounts import User
from models.generations import Generation

ALBUM_NAME_MAX = 60  # characters
TAG_NAME_MAX = 40
_KEY_FACTOR = 3  # case folding turns one character into three at most


class Album(Model):
    """A named list of generations, which their owner fills."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.ALBUM))
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="albums", on_delete=fields.CASCADE
    )
    user_id: str
    name = fields.CharField(max_length=ALBUM_NAME_MAX)
    name_key = fields.CharField(max_length=ALBUM_NAME_MAX * _KEY_FACTOR)  # the name, case-folded
    position = fields.IntField()  # in the account's list, from 0
    size = fields.IntField(default=0)  # number of entries
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)

    class Meta:
        table = "albums"
        unique_together = (("user", "name_key"),)


class AlbumEntry(Model):
    """A generation in an album."""

    id = fields.BigIntField(primary_key=True, generated=True)
    album: fields.ForeignKeyRelation[Album] = fields.ForeignKeyField(
        "models.Album", related_name="entries", on_delete=fields.CASCADE
    )
    album_id: str
    generation: fields.ForeignKeyRelation[Generation] = fields.ForeignKeyField(
        "models.Generation", related_name="album_entries", on_delete=fields.CASCADE
    )
    generation_id: str
    is_favorite = fields.BooleanField()  # the generation's own, for the order FAVORITES_FIRST

    class Meta:
        table = "album_entries"
        unique_together = (("album", "generation"),)
        indexes = (("album_id", "is_favorite", "generation_id"), ("generation_id",))


class Tag(Model):
    """A word that an account's generations are marked with; deleted with the last of them."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.TAG))
    user: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="tags", on_delete=fields.CASCADE
    )
    user_id: str
    name = fields.CharField(max_length=TAG_NAME_MAX)
    name_key = fields.CharField(max_length=TAG_NAME_MAX * _KEY_FACTOR)  # the name, case-folded
    size = fields.IntField(default=0)  # number of entries
    created_at = fields.DatetimeField(auto_now_add=True)

    class Meta:
        table = "tags"
        unique_together = (("user", "name_key"),)


class TagEntry(Model):
    """A tag of a generation."""

    id = fields.BigIntField(primary_key=True, generated=True)
    tag: fields.ForeignKeyRelation[Tag] = fields.ForeignKeyField(
        "models.Tag", related_name="entries", on_delete=fields.CASCADE
    )
    tag_id: str
    generation: fields.ForeignKeyRelation[Generation] = fields.ForeignKeyField(
        "models.Generation", related_name="tag_entries", on_delete=fields.CASCADE
    )
    generation_id: str
    is_favorite = fields.BooleanField()  # as in AlbumEntry

    class Meta:
        table = "tag_entries"
        unique_together = (("tag", "generation"),)
        indexes = (("tag_id", "is_favorite", "generation_id"), ("generation_id",))
