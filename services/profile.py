"""The configuration of one product, read from a TOML file: its catalogue, prices, refund policies and limits."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, ValidationError, field_validator

from models.enum import Quality, ReferenceImage, RefundPolicy, Size
from services.prompt import StylePrompt, StyleVariable, template_problems

LOCALES = ("en", "zh")  # what every text of a profile is written in

_ENTRY = ConfigDict(frozen=True, extra="forbid")

Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
Localised = dict[str, str]  # locale to text
Credits = Annotated[StrictInt, Field(ge=1, le=1_000_000)]
Multiplier = Annotated[StrictFloat, Field(gt=0, le=1_000, allow_inf_nan=False)]


class ProfileError(Exception):
    """A profile that cannot be used; one line per problem: file, place, what is wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class ProfileStyle(BaseModel):
    """A named prompt template within a collection."""

    model_config = _ENTRY

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
        """Lines are broken in the file for the reader's sake; the provider gets one paragraph."""
        return None if text is None else " ".join(text.split())


class ProfileCollection(BaseModel):
    """A product line of styles with its own price and refund policy."""

    model_config = _ENTRY

    slug: Slug
    title: Localised
    description: Localised
    base_cost: Credits
    refund_policy: RefundPolicy
    qualities: dict[Quality, Multiplier]  # cost times multiplier, rounded up once; what is left out is not sold
    sizes: dict[Size, str] = Field(default_factory=dict)  # the sentence that enters the prompt as {size}
    variables: tuple[StyleVariable, ...] = ()  # of every style; a style's own one of the same name takes its place
    styles: tuple[ProfileStyle, ...] = Field(min_length=1)

    def prompt_of(self, style: ProfileStyle) -> StylePrompt:
        """Everything that `style` is rendered from, the collection's share included."""
        own = {variable.name for variable in style.variables}
        shared = tuple(variable for variable in self.variables if variable.name not in own)
        return StylePrompt(
            prompt=style.prompt,
            prompt_without_photo=style.prompt_without_photo,
            variables=shared + style.variables,
            sizes=self.sizes,
        )


class UploadRules(BaseModel):
    """Which photos are taken."""

    model_config = _ENTRY

    max_bytes: Annotated[StrictInt, Field(ge=1, le=2**31 - 1)]
    formats: tuple[Literal["JPEG", "PNG", "WEBP"], ...] = Field(min_length=1)


class Limits(BaseModel):
    """How much a person may ask for at once."""

    model_config = _ENTRY

    prompt_max_length: Annotated[StrictInt, Field(ge=1, le=10_000)]  # characters
    generations_per_minute: Annotated[StrictInt, Field(ge=1, le=1_000_000)] | None = None  # pictures of one account
    members_first: StrictBool = False  # whether members' generations are made before those of others


class Profile(BaseModel):
    """One product."""

    model_config = _ENTRY

    name: Slug
    title: Localised
    locale: Literal["en", "zh"] = "en"  # for callers who ask for no language
    signup_credits: Annotated[StrictInt, Field(ge=0, le=1_000_000)]
    max_batch: Annotated[StrictInt, Field(ge=1, le=16)]  # pictures of one request
    models: tuple[Annotated[str, Field(min_length=1)], ...] = Field(min_length=1)  # allowed; the first is the default
    upload: UploadRules
    limits: Limits
    collections: tuple[ProfileCollection, ...] = Field(min_length=1)


def load_profile(path: Path) -> Profile:
    """The profile in the file at `path`.

    Raises:
        ProfileError: with all problems that could be told, for a file that is missing, not TOML, or makes no sense.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProfileError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ProfileError([f"{path}: byte {error.start}: is not UTF-8"]) from error
    except tomllib.TOMLDecodeError as error:
        raise ProfileError([f"{path}: is not TOML: {error}"]) from error
    try:
        profile = Profile.model_validate(data)
    except ValidationError as error:
        lines = (
            f"{path}: {_place(data, item['loc'])}: {_sentence(item['type'], item['msg'])}" for item in error.errors()
        )
        raise ProfileError(list(dict.fromkeys(lines))) from error
    # A variable that styles share is looked at with each of them, and reported once.
    problems = dict.fromkeys(f"{path}: {place}: {what}" for place, what in _problems(profile))
    if problems:
        raise ProfileError(list(problems))
    return profile


def _place(data: object, location: tuple[int | str, ...]) -> str:
    """`location` with list positions replaced by slugs and names, which people can search for."""
    parts: list[str] = []
    for step in location:
        if isinstance(step, str):
            data = data.get(step) if isinstance(data, dict) else None
            if step != "[key]":  # pydantic's mark for a bad key, whose name it has already given
                parts.append(step)
        else:
            data = data[step] if isinstance(data, list) else None
            name = (data.get("slug") or data.get("name")) if isinstance(data, dict) else None
            parts.append(name if isinstance(name, str) else f"#{step + 1}")
    return ".".join(parts)


def _sentence(kind: str, text: str) -> str:
    """Pydantic's sentence, in the reader's words where its own speak of Python."""
    return {"missing": "is missing", "extra_forbidden": "is not a known entry"}.get(kind, text)


def _problems(profile: Profile) -> Iterator[tuple[str, str]]:
    yield from _text_problems("title", profile.title)
    yield from _repetitions("models", profile.models)
    yield from _repetitions("upload.formats", profile.upload.formats)
    yield from _repetitions("collections", [collection.slug for collection in profile.collections])
    for collection in profile.collections:
        place = f"collections.{collection.slug}"
        yield from _text_problems(f"{place}.title", collection.title)
        yield from _text_problems(f"{place}.description", collection.description)
        if Quality.STANDARD not in collection.qualities:
            yield f"{place}.qualities", "STANDARD is missing"
        yield from _repetitions(f"{place}.styles", [style.slug for style in collection.styles])
        for style in collection.styles:
            yield from _style_problems(place, collection, style)


def _style_problems(parent: str, collection: ProfileCollection, style: ProfileStyle) -> Iterator[tuple[str, str]]:
    place = f"{parent}.styles.{style.slug}"
    yield from _text_problems(f"{place}.title", style.title)
    yield from _text_problems(f"{place}.description", style.description)
    if style.category is not None:
        yield from _text_problems(f"{place}.category", style.category)
    is_optional = style.reference_image is ReferenceImage.OPTIONAL
    if is_optional and style.prompt_without_photo is None:
        yield f"{place}.prompt_without_photo", "is missing, and the reference image is optional"
    if not is_optional and style.prompt_without_photo is not None:
        yield f"{place}.prompt_without_photo", f"is never used: the reference image is {style.reference_image}"
    template = collection.prompt_of(style)
    homes = dict.fromkeys((variable.name for variable in collection.variables), parent)
    homes |= dict.fromkeys((variable.name for variable in style.variables), place)
    for variable in template.variables:
        home = f"{homes[variable.name]}.variables.{variable.name}"
        yield from _text_problems(f"{home}.label", variable.label)
        for option in variable.options:
            if option.label:
                yield from _text_problems(f"{home}.options.{option.value}.label", option.label)
    for problem in template_problems(template):
        what = problem.message.text.format(**problem.message.values)
        match problem.field:
            case ("variables", index, entry):
                name = template.variables[int(index)].name
                yield f"{homes[name]}.variables.{name}.{entry}", what
            case ("sizes",):
                yield f"{parent}.sizes", what
            case field:
                yield ".".join((place, *field)), what


def _text_problems(place: str, text: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for locale in LOCALES:
        if not text.get(locale, "").strip():
            yield f"{place}.{locale}", "is missing"
    for locale in text:
        if locale not in LOCALES:
            yield f"{place}.{locale}", f"is not one of the languages: {', '.join(LOCALES)}"


def _repetitions(place: str, names: list[str] | tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for index, name in enumerate(names):
        if name in names[:index]:
            yield f"{place}.{name}", "is there twice"
