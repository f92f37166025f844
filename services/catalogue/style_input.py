"""The input of creating or changing a style: validated, and written to its row."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from models import Style
from models.enum import ReferenceImage
from services.catalogue.style import prompt_of, search_text
from services.core import locale
from services.core.error import InvalidInputError
from services.core.idempotency import STORED_AS
from services.core.message import Message, message
from services.core.text import clean_text
from services.core.unset import UNSET, Unset, set_fields
from services.products.prompt import MAX_OPTIONS, MAX_VARIABLES, check_prompt, template_problems

TITLE_MAX = 100  # characters; likewise the next two
DESCRIPTION_MAX = 500
CATEGORY_MAX = 50
COST_MAX = 1_000_000  # credits
_TEXTS = {"title": TITLE_MAX, "description": DESCRIPTION_MAX, "category": CATEGORY_MAX}


@dataclass(frozen=True)
class VariableDraft:
    """A variable of a prompt template, labelled in its author's language."""

    name: str
    label: str
    options: tuple[str, ...] = ()
    default: str | None = None
    required: bool = False
    max_length: int = 60  # characters


@dataclass(frozen=True)
class Translation:
    """A style's texts in a language other than its author's; None: no text in this language."""

    locale: str
    title: str | None = None
    description: str | None = None
    category: str | None = None


@dataclass(frozen=True)
class StyleFields:
    """What a request sets of a style, each named as its column; None: empty, UNSET: unchanged."""

    title: str | Unset | None = UNSET
    prompt: str | Unset | None = UNSET
    description: str | Unset | None = UNSET
    category: str | Unset | None = UNSET
    reference_image: ReferenceImage | Unset | None = UNSET
    variables: Sequence[VariableDraft] | Unset | None = UNSET
    translations: Sequence[Translation] | Unset | None = UNSET
    members_only: bool | Unset | None = UNSET
    cost: int | Unset | None = UNSET  # credits

    def without_nulls(self) -> "StyleFields":
        """Return the fields with None as UNSET, for a new style, whose columns are empty anyway."""
        return StyleFields(**{name: value for name, value in set_fields(self).items() if value is not None})


@dataclass(frozen=True)
class StyleDraft:
    """A style to create. `wanted_locale`: the author's."""

    fields: StyleFields = dataclasses.field(metadata={STORED_AS: "words"})
    wanted_locale: str
    collection: str | None = None  # slug; None: a custom style of the user
    idempotency_key: str | None = None


def language(wanted_locale: str) -> str:
    """Return the language of a locale as rows and profiles store it: `zh` for `zh-CN`."""
    return wanted_locale.split("-")[0]


def apply_style_input(style: Style, fields: StyleFields, author_language: str, *, prompt_max_length: int) -> None:
    """Write `fields` to the row, whose collection must be loaded; columns whose field is UNSET stay unchanged.

    `author_language` is the language of the texts. A text that is None or blank is removed in every language; a new one
    replaces only that of the author's language; `translations` replace the texts of all other languages.

    Raises:
        InvalidInputError: with the field as the API spells it; the row must not be saved.
    """
    texts = {name: dict(getattr(style, name) or {}) for name in _TEXTS}
    for name in _TEXTS.keys() & set_fields(fields).keys():
        text = _clean(name, getattr(fields, name), field=(name,))
        texts[name] = {} if text is None else {**texts[name], author_language: text}
    if fields.translations is not UNSET:
        texts = {
            name: {author_language: text[author_language]} if author_language in text else {}
            for name, text in texts.items()
        }
        _translate(texts, fields.translations or (), author_language)
    if not texts["title"]:
        raise _empty("title")
    style.title, style.description, style.category = texts["title"], texts["description"], texts["category"] or None
    # A slug generated from the id is left out: no user would search for it.
    slug = () if style.slug.endswith(style.id.partition("_")[2]) else (style.slug,)
    style.search_text = search_text(style.title, style.description, style.category, *slug)
    if fields.reference_image is not UNSET:
        if fields.reference_image is None:
            raise _empty("referenceImage")
        style.reference_image = fields.reference_image
    if fields.prompt is not UNSET:
        prompt = check_prompt(fields.prompt, prompt_max_length)
        if prompt is None:
            raise _empty("prompt")
        # Its author sees no other template, so from now on this one is used both with a photo and without.
        style.prompt = prompt
        style.prompt_without_photo = None  # type: ignore[assignment]  # null=True is untyped there
    if fields.variables is not UNSET:
        style.variables = _variables(fields.variables or (), author_language)
    if fields.members_only is not UNSET:
        if fields.members_only is None:
            raise _empty("membersOnly")
        style.members_only = fields.members_only
    if fields.cost is not UNSET:
        style.cost = _cost(fields.cost)
    _check_template(style)


def _empty(field: str) -> InvalidInputError:
    return InvalidInputError(message("This must not be empty."), field=(field,))


def _clean(name: str, text: str | None, *, field: tuple[str, ...]) -> str | None:
    return clean_text(text, _TEXTS[name], field=field, multiline=name == "description")


def _translate(texts: dict[str, dict[str, str]], translations: Sequence[Translation], author_language: str) -> None:
    seen = {author_language}
    for index, translation in enumerate(translations):
        place = ("translations", str(index))
        known = locale.match(translation.locale)
        if known is None:
            offered = ", ".join(locale.SUPPORTED)
            problem = message("This language is not offered. Choose one of {locales}.", locales=offered)
            raise InvalidInputError(problem, field=(*place, "locale"))
        if language(known) in seen:
            problem = message("There are texts in this language already.")
            raise InvalidInputError(problem, field=(*place, "locale"))
        seen.add(language(known))
        for name in _TEXTS:
            text = _clean(name, getattr(translation, name), field=(*place, name))
            if text is not None:
                texts[name][language(known)] = text


def _variables(drafts: Sequence[VariableDraft], author_language: str) -> list[dict[str, Any]]:
    # Counted before anything else is done with them: a request can hold thousands.
    if len(drafts) > MAX_VARIABLES:
        raise InvalidInputError(message("At most {count} variables are allowed.", count=MAX_VARIABLES), ("variables",))
    for index, draft in enumerate(drafts):
        if len(draft.options) > MAX_OPTIONS:
            text = message("At most {count} options are allowed.", count=MAX_OPTIONS)
            raise InvalidInputError(text, field=("variables", str(index), "options"))
    return [
        {
            **dataclasses.asdict(draft),
            "label": {author_language: draft.label},
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
        template = template.model_copy(update={"sizes": {}})  # a custom style need not use them
    # Variables first: a problem of the prompt may only be the consequence of a wrong variable.
    for problem in sorted(template_problems(template), key=lambda problem: problem.field[0] != "variables"):
        raise InvalidInputError(_shorten(problem.message), field=tuple(_camel(step) for step in problem.field))


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _shorten(text: Message) -> Message:
    """Limit the length of the values that a problem's message repeats."""
    return Message(text.text, {name: str(value)[:TITLE_MAX] for name, value in text.values.items()})
