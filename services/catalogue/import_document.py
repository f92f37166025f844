"""The document of a catalogue import: shaped like a profile's collections, and validated as a whole."""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel, Field, ValidationError, field_validator

from models.enum import Quality, RefundPolicy, Size
from services.catalogue.style_input import CATEGORY_MAX, DESCRIPTION_MAX, TITLE_MAX
from services.core.error import InvalidInputError, RefusalGroup
from services.core.message import Message, message
from services.core.text import is_blank, is_unusable
from services.products.collection import Credits, ProfileStyle, Qualities, Share, VideoTerms
from services.products.prompt import StylePrompt, template_problems
from services.products.toml_file import ENTRY, LOCALES, Localised, Slug

PROMPT_MAX = 10_000  # characters
_MAX_REPORTED = 100  # problems of one import
_CUSTOM_PREFIX = "own-"  # of the slugs of custom styles

Path = tuple[str, ...]
Problem = tuple[Path, Message]


class CatalogueError(RefusalGroup):
    """An invalid import, with all its problems."""


class CatalogueStyle(ProfileStyle):
    """A style as in a profile, but with the line breaks of its prompts kept."""

    @field_validator("prompt", "prompt_without_photo")
    @classmethod
    def _unwrap(cls, text: str | None) -> str | None:
        return text


class CatalogueCollection(BaseModel):
    """A collection as in a profile; each style lists all its variables."""

    model_config = ENTRY

    slug: Slug
    title: Localised
    description: Localised
    base_cost: Credits
    refund_policy: RefundPolicy
    qualities: Qualities
    reuse_share: Share | None = None
    video: VideoTerms | None = None
    sizes: dict[Size, str] = Field(default_factory=dict)
    styles: tuple[CatalogueStyle, ...] = Field((), max_length=1000)


class Catalogue(BaseModel):
    """Some collections with some of their styles; what the document leaves out stays unchanged."""

    model_config = ENTRY

    collections: tuple[CatalogueCollection, ...] = Field(max_length=100)


def parse(data: object) -> Catalogue:
    """Parse an import. Raises CatalogueError with all problems, each with its path below `catalogue`."""
    try:
        catalogue = Catalogue.model_validate(data)
    except ValidationError as error:
        raise _error((_path(item["loc"]), _pydantic_message(item["type"])) for item in error.errors()) from None
    if problems := list(_problems(catalogue)):
        raise _error(iter(problems))
    return catalogue


def _error(problems: Iterator[Problem]) -> CatalogueError:
    refusals = [InvalidInputError(text, field=("catalogue", *path)) for path, text in problems]
    return CatalogueError(refusals[:_MAX_REPORTED])


def _path(location: tuple[int | str, ...]) -> Path:
    return tuple(str(step) for step in location if step != "[key]")  # pydantic appends it to the path of an invalid key


def _pydantic_message(kind: str) -> Message:
    """Return the user message for a type of pydantic error."""
    match kind:
        case "missing":
            return message("This is missing.")
        case "extra_forbidden":
            return message("This is not a known entry.")
        case "string_pattern_mismatch" | "string_too_long":
            return message("A slug has lower-case letters, digits and hyphens between them, 60 at most.")
        case "greater_than" | "greater_than_equal" | "less_than_equal" | "finite_number":
            return message("This number is out of range.")
        case "enum":
            return message("This is not one of the choices.")
        case "too_long":
            return message("There are too many of these.")
        case _:
            return message("This has the wrong type.")


def _problems(catalogue: Catalogue) -> Iterator[Problem]:
    yield from _duplicates(("collections",), [collection.slug for collection in catalogue.collections])
    for number, collection in enumerate(catalogue.collections):
        place: Path = ("collections", str(number))
        yield from _texts(place, collection.title, collection.description, None)
        if Quality.STANDARD not in collection.qualities:
            yield (*place, "qualities", "STANDARD"), message("This is missing.")
        if collection.video is not None and Quality.STANDARD not in collection.video.qualities:
            yield (*place, "video", "qualities", "STANDARD"), message("This is missing.")
        yield from (
            ((*place, "sizes", size.value), message("This contains characters that cannot be used."))
            for size, text in collection.sizes.items()
            if is_unusable(text)
        )
        yield from _duplicates((*place, "styles"), [style.slug for style in collection.styles])
        for index, style in enumerate(collection.styles):
            yield from _style_problems((*place, "styles", str(index)), collection, style)


def _style_problems(place: Path, collection: CatalogueCollection, style: CatalogueStyle) -> Iterator[Problem]:
    if style.slug.startswith(_CUSTOM_PREFIX):
        yield (*place, "slug"), message("This name is reserved.")
    yield from _texts(place, style.title, style.description, style.category)
    template = StylePrompt(
        prompt=style.prompt,
        prompt_without_photo=style.prompt_without_photo,
        variables=style.variables,
        sizes=collection.sizes,
    )
    for name, text in template.texts.items():
        if len(text) > PROMPT_MAX:
            yield (*place, name), message("At most {count} characters are allowed.", count=PROMPT_MAX)
    yield from (((*place, *problem.field), problem.message) for problem in template_problems(template))


def _texts(
    place: Path, title: Mapping[str, str], description: Mapping[str, str], category: Mapping[str, str] | None
) -> Iterator[Problem]:
    if not title:
        yield (*place, "title"), message("This must not be empty.")
    for name, text, max_length in (
        ("title", title, TITLE_MAX),
        ("description", description, DESCRIPTION_MAX),
        ("category", category or {}, CATEGORY_MAX),
    ):
        for locale, value in text.items():
            if locale not in LOCALES:
                offered = ", ".join(LOCALES)
                yield (
                    (*place, name, locale[:10]),
                    message("This language is not offered. Choose one of {locales}.", locales=offered),
                )
            elif is_blank(value):
                yield (*place, name, locale), message("This must not be empty.")
            elif is_unusable(value, multiline=name == "description"):
                yield (*place, name, locale), message("This contains characters that cannot be used.")
            elif len(value) > max_length:
                yield (*place, name, locale), message("At most {count} characters are allowed.", count=max_length)


def _duplicates(place: Path, slugs: Sequence[str]) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, slug in enumerate(slugs):
        if slug in seen:
            yield (*place, str(index), "slug"), message("This name is used twice.")
        seen.add(slug)
