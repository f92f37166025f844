"""What somebody writes when making or changing a style: checked, and put into its row."""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from models import Style
from services.catalogue.style import prompt_of, search_text
from services.core import locale
from services.core.error import InvalidInputError
from services.core.message import Message, message
from services.core.text import clean_text
from services.products.prompt import MAX_OPTIONS, MAX_VARIABLES, check_prompt, template_problems

TITLE_MAX = 100  # characters, as of the next two
DESCRIPTION_MAX = 500
CATEGORY_MAX = 50
COST_MAX = 1_000_000  # credits
_TEXTS = {"title": TITLE_MAX, "description": DESCRIPTION_MAX, "category": CATEGORY_MAX}


@dataclass(frozen=True)
class VariableDraft:
    """Something to be filled in, labelled in its author's language."""

    name: str
    label: str
    options: tuple[str, ...] = ()
    default: str | None = None
    required: bool = False
    max_length: int = 60  # characters


@dataclass(frozen=True)
class Translation:
    """A style's texts in another language than its author's; None: none in this language."""

    locale: str
    title: str | None = None
    description: str | None = None
    category: str | None = None


@dataclass(frozen=True)
class StyleDraft:
    """A style to be made. `words` are named as the columns that they go to; `wanted_locale` is the author's."""

    words: Mapping[str, Any]
    wanted_locale: str
    collection: str | None = None  # slug; None: an own style
    idempotency_key: str | None = None


def language(wanted_locale: str) -> str:
    """How rows and profiles spell the language of a locale: `zh` for `zh-CN`."""
    return wanted_locale.split("-")[0]


def apply_style_input(style: Style, words: Mapping[str, Any], author: str, *, prompt_max_length: int) -> None:
    """Put `words` into the row, whose collection is loaded; what is not among them stays as it is.

    `author` is the language that they are in. A text that is None or blank goes in every language, a new one takes the
    place of that in the author's alone; `translations` take the place of whatever stands in other languages.

    Raises:
        InvalidInputError: with the field, as the API spells it; the row must not be saved.
    """
    texts = {name: dict(getattr(style, name) or {}) for name in _TEXTS}
    for name in _TEXTS.keys() & words.keys():
        text = _clean(name, words[name], field=(name,))
        texts[name] = {} if text is None else {**texts[name], author: text}
    if "translations" in words:
        texts = {name: {author: text[author]} if author in text else {} for name, text in texts.items()}
        _translate(texts, words["translations"] or (), author)
    if not texts["title"]:
        raise _empty("title")
    style.title, style.description, style.category = texts["title"], texts["description"], texts["category"] or None
    # A slug of our own making is no word that anybody looks for.
    named = () if style.slug.endswith(style.id.partition("_")[2]) else (style.slug,)
    style.search_text = search_text(style.title, style.description, style.category, *named)
    if "reference_image" in words:
        if words["reference_image"] is None:
            raise _empty("referenceImage")
        style.reference_image = words["reference_image"]
    if "prompt" in words:
        prompt = check_prompt(words["prompt"], prompt_max_length)
        if prompt is None:
            raise _empty("prompt")
        # It is the only template that its author can see, so from now on it serves with a photo and without.
        style.prompt = prompt
        style.prompt_without_photo = None  # type: ignore[assignment]  # null=True is untyped there
    if "variables" in words:
        style.variables = _variables(words["variables"] or (), author)
    if "members_only" in words:
        if words["members_only"] is None:
            raise _empty("membersOnly")
        style.members_only = words["members_only"]
    if "cost" in words:
        style.cost = _cost(words["cost"])
    _check_template(style)


def _empty(field: str) -> InvalidInputError:
    return InvalidInputError(message("This must not be empty."), field=(field,))


def _clean(name: str, text: str | None, *, field: tuple[str, ...]) -> str | None:
    return clean_text(text, _TEXTS[name], field=field, multiline=name == "description")


def _translate(texts: dict[str, dict[str, str]], translations: Sequence[Translation], author: str) -> None:
    seen = {author}
    for index, translation in enumerate(translations):
        place = ("translations", str(index))
        known = locale.match(translation.locale)
        if known is None:
            offered = ", ".join(locale.SUPPORTED)
            text = message("This language is not offered. Choose one of {locales}.", locales=offered)
            raise InvalidInputError(text, field=(*place, "locale"))
        if language(known) in seen:
            text = message("There are texts in this language already.")
            raise InvalidInputError(text, field=(*place, "locale"))
        seen.add(language(known))
        for name in _TEXTS:
            words = _clean(name, getattr(translation, name), field=(*place, name))
            if words is not None:
                texts[name][language(known)] = words


def _variables(drafts: Sequence[VariableDraft], author: str) -> list[dict[str, Any]]:
    # Counted before anything else is done with them: a request has room for thousands.
    if len(drafts) > MAX_VARIABLES:
        raise InvalidInputError(message("At most {count} variables are allowed.", count=MAX_VARIABLES), ("variables",))
    for index, draft in enumerate(drafts):
        if len(draft.options) > MAX_OPTIONS:
            text = message("At most {count} options are allowed.", count=MAX_OPTIONS)
            raise InvalidInputError(text, field=("variables", str(index), "options"))
    return [
        {
            **dataclasses.asdict(draft),
            "label": {author: draft.label},
            "options": [{"value": option} for option in draft.options],
        }
        for draft in drafts
    ]


def _cost(credits: int | None) -> int | None:
    if credits is not None and not 1 <= credits <= COST_MAX:
        raise InvalidInputError(message("This must be from 1 to {count}.", count=COST_MAX), field=("cost",))
    return credits


def _check_template(style: Style) -> None:
    template = prompt_of(style)
    if template.is_own and not template.uses_size:
        template = template.model_copy(update={"sizes": {}})  # nobody must use them
    # The variables first: where one of them is wrong, what the prompt makes of it is only a consequence.
    for problem in sorted(template_problems(template), key=lambda problem: problem.field[0] != "variables"):
        raise InvalidInputError(_shown(problem.message), field=tuple(_camel(step) for step in problem.field))


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _shown(text: Message) -> Message:
    """A problem's sentence, with no more of what it repeats than people want to read."""
    return Message(text.text, {name: str(value)[:TITLE_MAX] for name, value in text.values.items()})
