"""File names under which browsers save images and videos."""

import re

from models.enum import FileKind, MediaKind
from models.generation_row import AnyGeneration, FileColumns
from services.catalogue.style import PROMPT_ONLY_STYLE
from services.core.text import is_slug

_GENERATED_SLUG = re.compile(r"(own|added)-[0-9a-z]{26}")  # of styles that users and admins created; never shown
_DEFAULT_PREFIXES = {MediaKind.IMAGE: "picture", MediaKind.VIDEO: "video"}


def result_name(generation: AnyGeneration) -> str:
    """Return the file name of the result, without extension: the style, the day and the end of the id."""
    slug = generation.style_slug
    is_readable = is_slug(slug) and slug != PROMPT_ONLY_STYLE[1] and not _GENERATED_SLUG.fullmatch(slug)
    return _name(slug if is_readable else _DEFAULT_PREFIXES[generation.media], generation)


def original_name(generation: AnyGeneration) -> str:
    """Return the file name of the original, without extension."""
    return _name("original", generation)


def file_name(file: FileColumns) -> str:
    """Return the file name of a generation's original or result, without extension."""
    return (result_name if file.kind is FileKind.RESULT else original_name)(file.generation)


def _name(prefix: str, generation: AnyGeneration) -> str:
    return f"{prefix}-{generation.created_at:%Y-%m-%d}-{generation.id[-6:]}"
