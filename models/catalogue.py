"""Tables of the catalogue: collections with their prices, and the styles in them."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from models import ids
from models.accounts import User
from models.enum import FileState, ReferenceImage, RefundPolicy

Localised = dict[str, str]  # locale -> text


class Collection(Model):
    """A product line of styles with its own price and refund policy."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.COLLECTION))
    slug = fields.CharField(max_length=64, unique=True)
    title: Localised = fields.JSONField()
    description: Localised = fields.JSONField()
    base_cost = fields.IntField()  # credits for one STANDARD image
    refund_policy = fields.CharEnumField(RefundPolicy, "models/enum.py", max_length=16)
    qualities: dict[str, float] = fields.JSONField()  # Quality -> multiplier of the price
    # What an identical request pays for an earlier result, as a share of the price; null: not offered.
    reuse_share = fields.FloatField(null=True)
    video: dict[str, Any] | None = fields.JSONField(null=True)  # VideoTerms as JSON; null: no videos
    sizes: dict[str, str] = fields.JSONField()  # Size -> the sentence added to the prompt
    position = fields.IntField()  # order in lists
    is_active = fields.BooleanField(default=True)  # false: removed from the catalogue, kept for history
    edited = fields.BooleanField(default=False)  # by an admin; the profile no longer updates it
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)

    styles: fields.ReverseRelation["Style"]

    class Meta:
        table = "collections"


def style_picture_key(folder_id: str, id: str) -> str:
    """Return the storage key of a style's picture: `styles/{user}/{picture}`, of the account that stored it."""
    return f"styles/{folder_id}/{id}"


class StylePicture(Model):
    """A picture that was set for a style: a small WebP. The pictures that are shipped with styles have no row."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.STYLE_PICTURE))
    # Who set it: the owner of the custom style, or an admin. RESTRICT, as for files: the bytes are deleted first.
    owner: fields.ForeignKeyRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="style_pictures", on_delete=fields.RESTRICT
    )
    owner_id: str
    folder_id: str | None = fields.CharField(max_length=ids.LENGTH, null=True)  # type: ignore[assignment]  # as of files
    state = fields.CharEnumField(FileState, "models/enum.py", max_length=16, default=FileState.PENDING)
    byte_size = fields.IntField()
    width = fields.IntField()  # pixels
    height = fields.IntField()
    sha256 = fields.CharField(max_length=64)  # hex
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)

    style: fields.BackwardOneToOneRelation["Style"]  # the style that has it; none before it is used and when replaced

    class Meta:
        table = "style_pictures"

    @property
    def key(self) -> str:
        """The storage key."""
        return style_picture_key(self.folder_id or self.owner_id, self.id)


class Style(Model):
    """A named prompt template."""

    id = fields.CharField(max_length=ids.LENGTH, primary_key=True, default=lambda: ids.new_id(ids.STYLE))
    collection: fields.ForeignKeyRelation[Collection] = fields.ForeignKeyField(
        "models.Collection", related_name="styles", on_delete=fields.RESTRICT
    )
    collection_id: str
    # Of a custom style, which has its collection's price and is not part of the catalogue.
    owner: fields.ForeignKeyNullableRelation[User] = fields.ForeignKeyField(
        "models.User", related_name="styles", null=True, on_delete=fields.RESTRICT
    )
    owner_id: str | None
    slug = fields.CharField(max_length=64)
    title: Localised = fields.JSONField()
    description: Localised = fields.JSONField()
    category: Localised | None = fields.JSONField(null=True)
    search_text = fields.TextField()  # titles, descriptions and category in every language, case-folded
    members_only = fields.BooleanField(default=False)
    cost = fields.IntField(null=True)  # null: the collection's
    reference_image = fields.CharEnumField(ReferenceImage, "models/enum.py", max_length=16)
    prompt = fields.TextField()
    prompt_without_photo = fields.TextField(null=True)
    variables: list[dict[str, Any]] = fields.JSONField()  # services.products.prompt.StyleVariable, as JSON
    # The picture that was set for it; null: the one that is shipped with it, if any.
    picture: fields.OneToOneNullableRelation[StylePicture] = fields.OneToOneField(
        "models.StylePicture", related_name="style", null=True, on_delete=fields.RESTRICT
    )
    picture_id: str | None
    picture_folder_id = fields.CharField(max_length=ids.LENGTH, null=True)  # of a custom style: its picture's
    position = fields.IntField()
    is_active = fields.BooleanField(default=True)
    edited = fields.BooleanField(default=False)  # as in Collection
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)

    class Meta:
        table = "styles"
        unique_together = (("collection", "slug"),)
        indexes = (("owner_id", "id"),)
