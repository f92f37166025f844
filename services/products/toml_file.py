"""Read the TOML files that configure a product, and format their problems."""

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, ConfigDict, Field, ValidationError

from services.core.text import nfc

LOCALES = ("en", "zh")  # every text of a profile has all of these

SHARED = "shared"  # folder beside the profiles with shared files: collections, models, offers.toml

ENTRY = ConfigDict(frozen=True, extra="forbid")  # for every table in these files

Slug = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=60)]
Text = Annotated[str, AfterValidator(nfc)]  # that users search for, or choose by what they type
Localised = dict[str, Text]  # locale to text
Problem = tuple[str, str]  # place within a file, what is wrong there


class ProfileError(Exception):
    """An invalid profile; one line per problem: file, place, description."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def read_toml(path: Path) -> dict[str, Any]:
    """Parse the file at `path`. Raises ProfileError if it is missing or not TOML."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProfileError([f"{path}: cannot be read: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ProfileError([f"{path}: byte {error.start}: is not UTF-8"]) from error
    except tomllib.TOMLDecodeError as error:
        raise ProfileError([f"{path}: is not TOML: {error}"]) from error


def format_problems(path: Path, problems: Iterator[Problem]) -> list[str]:
    """Return each problem as one line, without duplicates: what styles share is checked with each of them."""
    return list(dict.fromkeys(f"{path}: {place}: {what}" for place, what in problems))


def shape_problems(data: object, error: ValidationError, *parents: str) -> Iterator[Problem]:
    """Yield what pydantic found in `data`, which is below `parents` in its file."""
    for item in error.errors():
        yield ".".join((*parents, *_steps(data, item["loc"]))), _sentence(item["type"], item["msg"])


def _steps(data: object, location: tuple[int | str, ...]) -> Iterator[str]:
    """Yield `location` with list indexes replaced by slugs and names, which can be searched for."""
    for step in location:
        if isinstance(step, str):
            data = data.get(step) if isinstance(data, dict) else None
            if step != "[key]":  # pydantic's mark for an invalid key, which follows the key itself
                yield step
        else:
            data = data[step] if isinstance(data, list) else None
            yield name_of(data, step)


def name_of(entry: object, index: int) -> str:
    """Return the name of a list entry, else its number, counted from 1."""
    keys = ("slug", "use", "id", "name")
    name = next((entry[key] for key in keys if entry.get(key)), None) if isinstance(entry, dict) else None
    return name if isinstance(name, str) else f"#{index + 1}"


def _sentence(kind: str, text: str) -> str:
    """Return pydantic's message, replaced where it uses Python's terms."""
    words = {"missing": "is missing", "extra_forbidden": "is not a known entry", "too_short": "must not be empty"}
    return words.get(kind, text)


def text_problems(place: str, text: Mapping[str, str]) -> Iterator[Problem]:
    """Yield missing and unknown languages of a text."""
    for locale in LOCALES:
        if not text.get(locale, "").strip():
            yield f"{place}.{locale}", "is missing"
    for locale in text:
        if locale not in LOCALES:
            yield f"{place}.{locale}", f"is not one of the languages: {', '.join(LOCALES)}"


def duplicates(place: str, names: Sequence[str]) -> Iterator[Problem]:
    """Yield the duplicates of a list."""
    for index, name in enumerate(names):
        if name in names[:index]:
            yield f"{place}.{name}", "is duplicated"
