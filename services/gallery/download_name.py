"""The names under which browsers save pictures."""

import re

from models import Generation
from services.catalogue.style import PROMPT_ONLY_STYLE
from services.core.text import is_slug

_MADE = re.compile(r"(own|added)-[0-9a-z]{26}")  # slugs that people never see: of styles that somebody wrote here
_PLAIN = "picture"


def result_name(generation: Generation) -> str:
    """What its result is saved as, ending apart: the style, the day and a little of the id."""
    slug = generation.style_slug
    is_telling = is_slug(slug) and slug != PROMPT_ONLY_STYLE[1] and not _MADE.fullmatch(slug)
    return _name(slug if is_telling else _PLAIN, generation)


def original_name(generation: Generation) -> str:
    """What the photo it was made from is saved as."""
    return _name("original", generation)


def _name(first: str, generation: Generation) -> str:
    return f"{first}-{generation.created_at:%Y-%m-%d}-{generation.id[-6:]}"
