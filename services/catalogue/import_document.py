"""The catalogue as an admin writes it: the shape of a profile's collections, checked whole."""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import BaseModel, Field, ValidationError, field_validator

from models.enum import Quality, RefundPolicy, Size
from services.catalogue.style_input import CATEGORY_MAX, DESCRIPTION_MAX, TITLE_MAX
from services.core.error import InvalidInputError
from services.core.message import Message, message
from services.core.text import is_unusable
from services.products.collection import Credits, ProfileStyle, Qualities
from services.products.prompt import StylePrompt, template_problems
from services.products.toml_file import ENTRY, LOCALES, Localised, Slug

PROMPT_MAX = 10_000  # characters
_MOST_TOLD = 100  # problems of one import
_OWN = "own-"  # what slugs of people's own styles begin with

Path = tuple[str, ...]
Problem = tuple[Path, Message]


class CatalogueError(Exception):
    """An import that cannot be used, with everything that is wrong with it."""

    def __init__(self, refusals: Sequence[InvalidInputError]) -> None:
        super().__init__("\n".join(str(refusal) for refusal in refusals))
        self.refusals = refusals


class CatalogueStyle(ProfileStyle):
    """As in a profile, but an admin's words stay as they are, line by line."""

    @field_validator("prompt", "prompt_without_photo")
    @classmethod
    def _unwrap(cls, text: str | None) -> str | None:
        return text


class CatalogueCollection(BaseModel):
    """As in a profile; each style lists all its variables."""

    model_config = ENTRY

    slug: Slug
    title: Localised
    description: Localised
    base_cost: Credits
    refund_policy: RefundPolicy
    qualities: Qualities
    sizes: dict[Size, str] = Field(default_factory=dict)
    styles: tuple[CatalogueStyle, ...] = Field((), max_length=1000)


class Catalogue(BaseModel):
    """Some collections with some of their styles: what is not in it stays as it is."""

    model_config = ENTRY

    collections: tuple[CatalogueCollection, ...] = Field(max_length=100)


def parse(data: object) -> Catalogue:
    """What an admin sent. Raises CatalogueError with all its problems, each with its path below `catalogue`."""
    try:
        catalogue = Catalogue.model_validate(data)
    except ValidationError as error:
        raise _error((_path(item["loc"]), _said(item["type"])) for item in error.errors()) from None
    if problems := list(_problems(catalogue)):
        raise _error(iter(problems))
    return catalogue


def _error(problems: Iterator[Problem]) -> CatalogueError:
    told = [InvalidInputError(what, field=("catalogue", *path)) for path, what in problems]
    return CatalogueError(told[:_MOST_TOLD])


def _path(location: tuple[int | str, ...]) -> Path:
    return tuple(str(step) for step in location if step != "[key]")  # pydantic's mark, after the bad key itself


def _said(kind: str) -> Message:
    """Pydantic's finding as a sentence of ours."""
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
            return message("This is none of the choices.")
        case "too_long":
            return message("There are too many of these.")
        case _:
            return message("This is not of the right kind.")


def _problems(catalogue: Catalogue) -> Iterator[Problem]:
    yield from _twins(("collections",), [collection.slug for collection in catalogue.collections])
    for number, collection in enumerate(catalogue.collections):
        place: Path = ("collections", str(number))
        yield from _texts(place, collection.title, collection.description, None)
        if Quality.STANDARD not in collection.qualities:
            yield (*place, "qualities", "STANDARD"), message("This is missing.")
        yield from (
            ((*place, "sizes", size.value), message("This contains characters that cannot be used."))
            for size, sentence in collection.sizes.items()
            if is_unusable(sentence)
        )
        yield from _twins((*place, "styles"), [style.slug for style in collection.styles])
        for index, style in enumerate(collection.styles):
            yield from _style_problems((*place, "styles", str(index)), collection, style)


def _style_problems(place: Path, collection: CatalogueCollection, style: CatalogueStyle) -> Iterator[Problem]:
    if style.slug.startswith(_OWN):
        yield (*place, "slug"), message("This name has a meaning of its own.")
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
    for name, text, longest in (
        ("title", title, TITLE_MAX),
        ("description", description, DESCRIPTION_MAX),
        ("category", category or {}, CATEGORY_MAX),
    ):
        for locale, words in text.items():
            if locale not in LOCALES:
                offered = ", ".join(LOCALES)
                yield (
                    (*place, name, locale[:10]),
                    message("This language is not offered. Choose one of {locales}.", locales=offered),
                )
            elif not words.strip():
                yield (*place, name, locale), message("This must not be empty.")
            elif is_unusable(words, multiline=name == "description"):
                yield (*place, name, locale), message("This contains characters that cannot be used.")
            elif len(words) > longest:
                yield (*place, name, locale), message("At most {count} characters are allowed.", count=longest)


def _twins(place: Path, slugs: Sequence[str]) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, slug in enumerate(slugs):
        if slug in seen:
            yield (*place, str(index), "slug"), message("This name is used twice.")
        seen.add(slug)
