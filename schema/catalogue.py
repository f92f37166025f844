"""GraphQL types of the catalogue: collections, styles, custom styles and the admin import."""

from typing import Annotated, cast

import strawberry
from strawberry.file_uploads import Upload
from strawberry.scalars import JSON

from models import enum
from models.catalogue_row import AnyCollection, AnyStyle, CollectionColumns, StyleColumns
from schema.model import Model
from schema.runtime.attribute import attributes_of
from schema.runtime.context import Info
from schema.runtime.enum import MediaKind, PaidBy, Quality, ReferenceImage, RefundPolicy, Size
from schema.runtime.input import given
from schema.runtime.loaded import counted
from schema.runtime.node import Node, SourceClasses
from schema.runtime.payload import Payload
from schema.runtime.user_error import UserError
from schema.style_value import StyleValueInput
from services.catalogue import style as catalogue
from services.catalogue.style_input import Translation, VariableDraft
from services.products.prompt import VariableOption


@strawberry.type(description="The price of a quality as a multiple of the style's cost, rounded up once.")
class QualityPrice:
    quality: Quality
    multiplier: float


@strawberry.type(description="The prices of videos in a collection, of every style alike.")
class VideoPrices:
    base_cost: int = strawberry.field(description="Credits for one STANDARD video.")
    qualities: list[QualityPrice]


def _qualities(multipliers: dict[str, float]) -> list[QualityPrice]:
    return [QualityPrice(quality=enum.Quality(name), multiplier=found) for name, found in multipliers.items()]


@strawberry.type(description="A product line of styles with its own prices and refund policy.")
class Collection(Node):
    row: strawberry.Private[AnyCollection]
    is_type_of = SourceClasses(CollectionColumns)
    slug: str
    base_cost: int = strawberry.field(description="Credits for one STANDARD image.")
    refund_policy: RefundPolicy
    reuse_share: float | None = strawberry.field(
        description="The share of the price, 0 to 1, for the earlier result of an identical request; null: not offered."
    )

    @strawberry.field
    def qualities(self) -> list[QualityPrice]:
        return _qualities(self.row.qualities)

    @strawberry.field(description="Null: no videos are made with its styles.")
    def video(self) -> VideoPrices | None:
        prices = self.row.video
        return VideoPrices(base_cost=prices["base_cost"], qualities=_qualities(prices["qualities"])) if prices else None

    @strawberry.field
    def title(self, info: Info) -> str:
        return info.context.localize(self.row.title)

    @strawberry.field
    def description(self, info: Info) -> str | None:
        return info.context.localize(self.row.description)

    @strawberry.field
    async def styles(self, info: Info) -> list[Annotated["Style", strawberry.lazy("schema.catalogue")]]:
        found = await info.context.styles_by_collection.load((self.row.id, attributes_of(info)))
        return [Style.of(style) for style in counted(found)]

    @classmethod
    def of(cls, row: AnyCollection) -> "Collection":
        """Return the source of a collection's fields; CollectionColumns have their attributes themselves."""
        if isinstance(row, CollectionColumns):
            return cast("Collection", row)
        return cls(
            id=strawberry.ID(row.id),
            row=row,
            slug=row.slug,
            base_cost=row.base_cost,
            refund_policy=row.refund_policy,
            reuse_share=row.reuse_share,
        )


@strawberry.type(description="A variable of a prompt template, such as costume colour, powers or background.")
class StyleVariable:
    name: str
    label: str = strawberry.field(description="In the viewer's language.")
    options: list[str] = strawberry.field(
        description="The values to choose from, in the viewer's language; accepted in every language. Empty: free text."
    )
    values: list[str] = strawberry.field(
        description="What `Generation.variables` has for each of `options`, in the same order."
    )
    default: str | None
    required: bool
    max_length: int


def _option_text(option: VariableOption, info: Info) -> str:
    """Return an option in the viewer's language; it is accepted in every language."""
    return info.context.localize(option.label) or option.value


@strawberry.type(description="A named prompt template: a look, a hero or a scene.")
class Style(Node):
    row: strawberry.Private[AnyStyle]
    is_type_of = SourceClasses(StyleColumns)
    slug: str

    @strawberry.field
    def media(self) -> list[MediaKind]:
        has_videos = self.row.collection.video is not None
        return [enum.MediaKind.IMAGE, enum.MediaKind.VIDEO] if has_videos else [enum.MediaKind.IMAGE]

    members_only: bool

    @strawberry.field(description="Credits for one STANDARD image.")
    def cost(self) -> int:
        return catalogue.cost_of(self.row)

    reference_image: ReferenceImage

    @strawberry.field(
        description="The URL of an example image in this style: a WebP of at most 512 pixels and 30 kB, which may be "
        "cached for good, because another image has another URL. Null: none."
    )
    def preview_url(self, info: Info) -> str | None:
        return info.context.services.catalogue.pictures.url(self.row)

    @strawberry.field
    def title(self, info: Info) -> str:
        return info.context.localize(self.row.title)

    @strawberry.field
    def description(self, info: Info) -> str | None:
        return info.context.localize(self.row.description) or None

    @strawberry.field
    def category(self, info: Info) -> str | None:
        return info.context.localize(self.row.category) if self.row.category else None

    @strawberry.field(description="Null: a custom style, priced as a request without a style.")
    def collection(self) -> Collection | None:
        return Collection.of(self.row.collection) if self.row.owner_id is None else None

    @strawberry.field(description="Whether the style is for members and the viewer is not one.")
    def locked(self, info: Info) -> bool:
        return catalogue.is_locked(self.row, info.context.viewer)

    @strawberry.field(description="The variables of the prompt template.")
    def variables(self, info: Info) -> list[StyleVariable]:
        return [
            StyleVariable(
                name=variable.name,
                label=info.context.localize(variable.label),
                options=[_option_text(option, info) for option in variable.options],
                values=[option.value for option in variable.options],
                default=next(
                    (_option_text(option, info) for option in variable.options if option.value == variable.default),
                    variable.default,
                ),
                required=variable.required,
                max_length=variable.max_length,
            )
            for variable in catalogue.variables_of(self.row)
        ]

    @strawberry.field(description="Whether `size` changes the image; with other styles it does nothing.")
    def uses_size(self) -> bool:
        return catalogue.uses_size(self.row)

    @strawberry.field(description="Whether it is a custom style of the viewer.")
    def is_own(self, info: Info) -> bool:
        return catalogue.is_own(self.row, info.context.viewer)

    @strawberry.field(description="The prompt template; null unless the viewer is its owner or an admin.")
    def prompt(self, info: Info) -> str | None:
        shows = info.context.is_admin or catalogue.is_own(self.row, info.context.viewer)
        return self.row.prompt if shows else None

    @classmethod
    def of(cls, row: AnyStyle) -> "Style":
        """Return the source of a style's fields; StyleColumns have their attributes themselves."""
        if isinstance(row, StyleColumns):
            return cast("Style", row)
        return cls(
            id=strawberry.ID(row.id),
            row=row,
            slug=row.slug,
            members_only=row.members_only,
            reference_image=row.reference_image,
        )


@strawberry.input(description="Which styles to return; omitted fields match every style.")
class StyleFilter:
    collection: str | None = strawberry.field(default=strawberry.UNSET, description="A collection's slug.")
    category: str | None = strawberry.UNSET
    members_only: bool | None = strawberry.UNSET
    search: str | None = strawberry.field(
        default=strawberry.UNSET, description="Words that must all occur in a title, a description or a category."
    )
    own: bool | None = strawberry.field(
        default=strawberry.UNSET, description="True: the viewer's custom styles, newest first; else the catalogue."
    )


@strawberry.input
class QuoteInput:
    style_id: strawberry.ID | None = strawberry.UNSET
    quality: Quality | None = enum.Quality.STANDARD
    media: MediaKind | None = enum.MediaKind.IMAGE
    count: int | None = 1
    model: str | None = strawberry.field(
        default=strawberry.UNSET, description="The ID of a model; by default the first that can do what is asked for."
    )
    aspect_ratio: str | None = strawberry.UNSET
    duration_seconds: int | None = strawberry.field(
        default=strawberry.UNSET, description="Of a video: one of the model's `durations`, by default its first."
    )
    has_photo: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="Whether the request comes with a photo; by default as the style needs it.",
    )
    refines: bool | None = strawberry.field(
        default=False, description="Whether it is made by refineGeneration, which not every model does."
    )
    prompt: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="This and the following as in the request itself, only for `reusable`: no price depends on them.",
    )
    image: Upload | None = strawberry.UNSET
    upload_id: strawberry.ID | None = strawberry.UNSET
    variables: JSON | None = strawberry.UNSET
    style_variables: list[StyleValueInput] | None = strawberry.UNSET
    size: Size | None = enum.Size.MEDIUM


@strawberry.type(description="An earlier result of an identical request, which `reuseResult: true` returns.")
class ReusableResult:
    generation_id: strawberry.ID
    cost: int = strawberry.field(description="Credits.")
    paid_by: PaidBy = strawberry.field(description="CREDITS or PLAN; a pass pays for new images only.")
    affordable: bool
    balance_after: int


@strawberry.type(description="The price of a request.")
class Quote:
    model: Model = strawberry.field(description="The model that would do it.")
    cost: int = strawberry.field(description="Credits.")
    paid_by: PaidBy
    affordable: bool
    balance_after: int = strawberry.field(description="Credits; negative where the balance is too low.")
    reusable: ReusableResult | None = strawberry.field(
        description="The newest earlier result of exactly this request, where the collection offers reuse; else null."
    )
    enhances_prompt: bool = strawberry.field(
        description="Whether a text model enriches the prompt where the request asks for it, at the same price."
    )
    errors: list[UserError] = strawberry.field(
        description="Why the request would be refused now, in the order of its checks: a style for members, too many, "
        "what the model does not do, too few credits. Where it is not selected, all but what is missing to pay is an "
        "error of the operation, and the quote null."
    )


@strawberry.type
class CataloguePayload(Payload):
    created: int = strawberry.field(
        default=0,
        description="The number of collections and styles, as in the next two fields.",
    )
    updated: int = 0
    unchanged: int = 0
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="All problems of the import, at most 100."
    )


@strawberry.input(description="A variable of the prompt template, which names it in braces.")
class StyleVariableInput:
    name: str = strawberry.field(description="A lower-case letter, then letters, digits and underscores.")
    label: str = strawberry.field(description="In the viewer's language.")
    options: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="The values to choose from; omitted: free text."
    )
    default: str | None = strawberry.UNSET
    required: bool | None = False
    max_length: int | None = strawberry.field(default=60, description="Characters, at most 200.")

    def draft(self) -> VariableDraft:
        return VariableDraft(
            name=self.name,
            label=self.label,
            options=tuple(given(self.options, ())),
            default=given(self.default, None),
            required=given(self.required, False),
            max_length=given(self.max_length, 60),
        )


@strawberry.input(description="A style's texts in a language other than the viewer's.")
class TranslationInput:
    locale: str
    title: str | None = strawberry.UNSET
    description: str | None = strawberry.UNSET
    category: str | None = strawberry.UNSET

    def translation(self) -> Translation:
        return Translation(
            self.locale, given(self.title, None), given(self.description, None), given(self.category, None)
        )


_ADMINS = "Admins only, and only for styles of the catalogue."
_REASON = "An admin's, for the audit log, which has the changes of styles of the catalogue."


@strawberry.input
class StyleInput:
    title: str = strawberry.field(description="In the viewer's language, as are the description and the category.")
    prompt: str = strawberry.field(
        description="The template, with {size}, {instruction} (the prompt of a request) and every variable in braces; "
        "literal braces are doubled."
    )
    description: str | None = strawberry.UNSET
    category: str | None = strawberry.UNSET
    reference_image: ReferenceImage | None = enum.ReferenceImage.OPTIONAL
    variables: list[StyleVariableInput] | None = strawberry.UNSET
    translations: list[TranslationInput] | None = strawberry.UNSET
    collection: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Admins only: the slug of the collection; the style becomes part of the catalogue.",
    )
    members_only: bool | None = strawberry.field(default=strawberry.UNSET, description=_ADMINS)
    cost: int | None = strawberry.field(default=strawberry.UNSET, description=_ADMINS)
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The same key with the same input returns the same style; with another input, CONFLICT.",
    )
    reason: str | None = strawberry.field(default=strawberry.UNSET, description=_REASON)


@strawberry.input(description="Omitted fields stay unchanged.")
class UpdateStyleInput:
    title: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="In the viewer's language; other languages stay unchanged, as with description and category.",
    )
    prompt: str | None = strawberry.UNSET
    description: str | None = strawberry.field(
        default=strawberry.UNSET, description="Null removes it in every language."
    )
    category: str | None = strawberry.field(default=strawberry.UNSET, description="Null removes it in every language.")
    reference_image: ReferenceImage | None = strawberry.UNSET
    variables: list[StyleVariableInput] | None = strawberry.field(
        default=strawberry.UNSET, description="Replaces all variables; null removes them."
    )
    translations: list[TranslationInput] | None = strawberry.field(
        default=strawberry.UNSET,
        description="Replaces the texts in all languages other than the viewer's; null removes them.",
    )
    members_only: bool | None = strawberry.field(default=strawberry.UNSET, description=_ADMINS)
    cost: int | None = strawberry.field(
        default=strawberry.UNSET, description=_ADMINS + " Null: the collection's price."
    )
    reason: str | None = strawberry.field(default=strawberry.UNSET, description=_REASON)


@strawberry.input
class SetStylePictureInput:
    style_id: strawberry.ID
    generation_id: strawberry.ID | None = strawberry.field(
        default=strawberry.UNSET,
        description="A completed generation of the viewer's; omitted or null: remove the picture that was set.",
    )
    reason: str | None = strawberry.field(default=strawberry.UNSET, description=_REASON)


@strawberry.type
class StylePayload(Payload):
    style: Style | None = None
    errors: list[UserError] = strawberry.field(default_factory=list)
