"""What users wrote before, and is sent to a provider again: it is checked by the rules of today."""

from collections.abc import Iterator, Mapping, Sequence

from models import Generation, Style
from models.database.connection import rows
from services.catalogue import style_input
from services.catalogue.style import variables_of
from services.generations.prompts.revision import MAX_EARLIER_PROMPTS

# $1: the generation. Those that it was made from, with itself, as far as prompts are sent again.
_LINE = f"""
WITH RECURSIVE line (id, parent_id, steps) AS (
    SELECT id, parent_id, 0 FROM generations WHERE id = $1
    UNION ALL
    SELECT made.id, made.parent_id, steps + 1 FROM generations made JOIN line ON made.id = line.parent_id
    WHERE steps < {MAX_EARLIER_PROMPTS})
SELECT id, parent_id FROM line ORDER BY steps"""  # noqa: S608 - a constant


def free_values(style: Style, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the values that a user wrote, by variable: those that are neither options nor defaults of the style."""
    offered = {one.name: {one.default, *(option.value for option in one.options)} for one in variables_of(style)}
    return {name: value for name, value in variables.items() if value not in offered.get(name, ())}


def style_texts(style: Style) -> Sequence[str]:
    """Return the texts of a custom style; none of the catalogue's styles, which admins write."""
    if style.owner_id is None:
        return ()
    return tuple(text for text in style_input.written_texts(style).values() if text)


async def source_texts(source: Generation, style: Style) -> Sequence[str]:
    """Return what users wrote for an earlier generation, of which another is made now, and for those before it.

    With a custom style also the whole prompts, because the style may have been another one then; and where one before
    it is deleted, with what was written for it, or is too far back.
    """
    line, is_whole = [source], True
    if source.parent_id is not None:
        _, *before = await rows(_LINE, source.id)
        columns = ("id", "prompt", "enhanced_prompt", "variables")
        ids = [str(row["id"]) for row in before]
        known = Generation.filter(id__in=ids, user_id=source.user_id, deleted_at=None)
        line += await known.only(*columns)
        is_whole = len(line) == 1 + len(ids) > 1 and before[-1]["parent_id"] is None
    texts = [text for each in line for text in _texts_of(each, style)]
    if style.owner_id is not None or not is_whole:
        texts += [*source.earlier_prompts, source.full_prompt]
    return tuple(dict.fromkeys(texts))


def _texts_of(generation: Generation, style: Style) -> Iterator[str]:
    yield from filter(None, (generation.prompt, generation.enhanced_prompt))
    yield from free_values(style, generation.variables).values()
