"""Collections and styles in profile files: shared collections, and what a profile overrides."""

from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, StrictBool, StrictFloat, StrictInt, ValidationError, field_validator

from models.enum import Quality, ReferenceImage, RefundPolicy, Size
from services.products.prompt import StylePrompt, StyleVariable, template_problems
from services.products.toml_file import (
    ENTRY,
    SHARED,
    Localised,
    Problem,
    ProfileError,
    Slug,
    duplicates,
    format_problems,
    read_toml,
    shape_problems,
    text_problems,
)

Credits = Annotated[StrictInt, Field(ge=1, le=1_000_000)]
Multiplier = Annotated[StrictFloat, Field(gt=0, le=1_000, allow_inf_nan=False)]
Share = Annotated[StrictFloat, Field(ge=0, le=1, allow_inf_nan=False)]
Qualities = dict[Quality, Multiplier]  # cost times multiplier, rounded up once; missing qualities are not offered


class ProfileStyle(BaseModel):
    """A named prompt template within a collection."""

    model_config = ENTRY

    slug: Slug
    title: Localised
    description: Localised
    category: Localised | None = None
    members_only: StrictBool = False
    cost: Credits | None = None  # of one STANDARD image; None: the collection's base cost
    reference_image: ReferenceImage
    prompt: str
    prompt_without_photo: str | None = None  # for styles whose reference image is optional, and only for them
    variables: tuple[StyleVariable, ...] = ()

    @field_validator("prompt", "prompt_without_photo")
    @classmethod
    def _unwrap(cls, text: str | None) -> str | None:
        """Join the lines: they are wrapped in the file for readability, and the provider gets one paragraph."""
        return None if text is None else " ".join(text.split())

    def with_reference_image(self, reference_image: ReferenceImage) -> "ProfileStyle":
        """Return a copy of an OPTIONAL style that requires a photo, or takes none."""
        if reference_image is ReferenceImage.OPTIONAL:
            return self
        is_unused = reference_image is ReferenceImage.UNUSED
        kept = self.prompt_without_photo if is_unused else self.prompt
        return self.model_copy(
            update={"reference_image": reference_image, "prompt": kept, "prompt_without_photo": None}
        )


class VideoTerms(BaseModel):
    """Prices and prompt of videos. The styles' own costs are those of images."""

    model_config = ENTRY

    base_cost: Credits  # of one STANDARD video
    qualities: Qualities
    prompt: str | None = None  # a sentence that follows the style's prompt, which describes a picture

    def offering(self, made: Collection[Quality]) -> "VideoTerms":
        """Return the prices of those qualities that can be made."""
        offered = {quality: multiplier for quality, multiplier in self.qualities.items() if quality in made}
        return self.model_copy(update={"qualities": offered})

    @field_validator("prompt")
    @classmethod
    def _unwrap(cls, text: str | None) -> str | None:
        return None if text is None else " ".join(text.split())


class ProfileCollection(BaseModel):
    """A product line of styles with its own price and refund policy."""

    model_config = ENTRY

    slug: Slug
    title: Localised
    description: Localised
    base_cost: Credits
    refund_policy: RefundPolicy
    qualities: Qualities
    reuse_share: Share | None = None  # of the price, for the earlier result of an identical request; None: not offered
    video: VideoTerms | None = None  # None: no videos are made with its styles
    sizes: dict[Size, str] = Field(default_factory=dict)  # the sentence that replaces {size} in the prompt
    variables: tuple[StyleVariable, ...] = ()  # of every style; a style's variable of the same name overrides it
    styles: tuple[ProfileStyle, ...] = Field(min_length=1)

    def offering(self, made: Collection[Quality], made_videos: Collection[Quality]) -> "ProfileCollection":
        """Return the collection with those of its qualities that can be made, of images and of videos."""
        offered = {quality: multiplier for quality, multiplier in self.qualities.items() if quality in made}
        video = self.video.offering(made_videos) if self.video and Quality.STANDARD in made_videos else None
        return self.model_copy(update={"qualities": offered, "video": video})

    def prompt_of(self, style: ProfileStyle) -> StylePrompt:
        """Return the template of `style`, with the collection's variables and sizes."""
        own = {variable.name for variable in style.variables}
        shared = tuple(variable for variable in self.variables if variable.name not in own)
        return StylePrompt(
            prompt=style.prompt,
            prompt_without_photo=style.prompt_without_photo,
            variables=shared + style.variables,
            sizes=self.sizes,
        )


class CollectionReference(BaseModel):
    """A shared collection in a profile, with overrides; fields that are left out are unchanged."""

    model_config = ENTRY

    use: Slug
    base_cost: Credits | None = None  # a style's own cost takes precedence
    refund_policy: RefundPolicy | None = None
    qualities: Qualities | None = None
    reuse_share: Share | None = None
    video: VideoTerms | None = None
    reference_image: ReferenceImage | None = None  # of all its styles; each must be OPTIONAL or have this value
    styles: tuple[Slug, ...] | None = Field(None, min_length=1)  # these only, in this order

    def problems(self, shared: ProfileCollection) -> Iterator[Problem]:
        """Yield invalid overrides; places are relative to this entry."""
        known = {style.slug: style for style in shared.styles}
        yield from duplicates("styles", self.styles or ())
        for slug in self.styles or ():
            if slug not in known:
                yield (
                    f"styles.{slug}",
                    f"is not in {SHARED}/collections/{self.use}.toml (there are: {', '.join(known)})",
                )
        for style in shared.styles:
            fixed = style.reference_image is not ReferenceImage.OPTIONAL
            if self.reference_image and fixed and style.reference_image is not self.reference_image:
                yield "reference_image", f"is fixed as {style.reference_image} in the style {style.slug}"

    def apply(self, shared: ProfileCollection) -> ProfileCollection:
        """Return the collection with the overrides. Requires that there are no problems."""
        changes: dict[str, object] = {
            name: value
            for name in ("base_cost", "refund_policy", "qualities", "reuse_share", "video")
            if (value := getattr(self, name)) is not None
        }
        by_slug = {style.slug: style for style in shared.styles}
        styles = shared.styles if self.styles is None else tuple(by_slug[slug] for slug in self.styles)
        if self.reference_image:
            styles = tuple(style.with_reference_image(self.reference_image) for style in styles)
        return shared.model_copy(update={**changes, "styles": styles})


def load_collection(path: Path) -> ProfileCollection:
    """Load the collection in the file at `path`. Raises ProfileError with all its problems."""
    data = read_toml(path)
    try:
        collection = ProfileCollection.model_validate(data)
    except ValidationError as error:
        raise ProfileError(format_problems(path, shape_problems(data, error))) from error
    if problems := format_problems(path, collection_problems(collection)):
        raise ProfileError(problems)
    return collection


def collection_problems(collection: ProfileCollection, *parents: str) -> Iterator[Problem]:
    """Yield the inconsistencies of a collection that is below `parents` in its file."""
    yield from text_problems(_join(*parents, "title"), collection.title)
    yield from text_problems(_join(*parents, "description"), collection.description)
    if Quality.STANDARD not in collection.qualities:
        yield _join(*parents, "qualities"), "STANDARD is missing"
    if collection.video is not None and Quality.STANDARD not in collection.video.qualities:
        yield _join(*parents, "video", "qualities"), "STANDARD is missing"
    yield from duplicates(_join(*parents, "styles"), [style.slug for style in collection.styles])
    for style in collection.styles:
        yield from _style_problems(parents, collection, style)


def _style_problems(parents: tuple[str, ...], collection: ProfileCollection, style: ProfileStyle) -> Iterator[Problem]:
    place = _join(*parents, "styles", style.slug)
    yield from text_problems(f"{place}.title", style.title)
    yield from text_problems(f"{place}.description", style.description)
    if style.category is not None:
        yield from text_problems(f"{place}.category", style.category)
    is_optional = style.reference_image is ReferenceImage.OPTIONAL
    if is_optional and style.prompt_without_photo is None:
        yield f"{place}.prompt_without_photo", "is missing, and the reference image is optional"
    if not is_optional and style.prompt_without_photo is not None:
        yield f"{place}.prompt_without_photo", f"is never used: the reference image is {style.reference_image}"
    template = collection.prompt_of(style)
    places = dict.fromkeys((variable.name for variable in collection.variables), _join(*parents, "variables"))
    places |= dict.fromkeys((variable.name for variable in style.variables), f"{place}.variables")
    for variable in template.variables:
        variable_place = f"{places[variable.name]}.{variable.name}"
        yield from text_problems(f"{variable_place}.label", variable.label)
        for option in variable.options:
            if option.label:
                yield from text_problems(f"{variable_place}.options.{option.value}.label", option.label)
    for problem in template_problems(template):
        what = problem.message.text.format(**problem.message.values)
        match problem.field:
            case ("variables", index, entry):
                name = template.variables[int(index)].name
                yield f"{places[name]}.{name}.{entry}", what
            case ("sizes",):
                yield _join(*parents, "sizes"), what
            case field:
                yield ".".join((place, *field)), what


def _join(*steps: str) -> str:
    return ".".join(steps)
