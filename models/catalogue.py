"""Tables of the catalogue: collections with their prices, and the styles in them."""

from typing import Any

from tortoise import fields
from tortoise.models import Model

from models import ids
from models.accounts import User
from models.enum import ReferenceImage, RefundPolicy

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
    sizes: dict[str, str] = fields.JSONField()  # Size -> the sentence added to the prompt
    position = fields.IntField()  # order in lists
    is_active = fields.BooleanField(default=True)  # false: removed from the catalogue, kept for history
    edited = fields.BooleanField(default=False)  # by an admin; the profile no longer updates it
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)

    styles: fields.ReverseRelation["Style"]

    class Meta:
        table = "collections"


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
    position = fields.IntField()
    is_active = fields.BooleanField(default=True)
    edited = fields.BooleanField(default=False)  # as in Collection
    created_at = fields.DatetimeField(auto_now_add=True)
    updated_at = fields.DatetimeField(auto_now=True)

    class Meta:
        table = "styles"
        unique_together = (("collection", "slug"),)
        indexes = (("owner_id", "id"),)
