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
from services.core.problems import Problems
from services.core.text import clean_text, nfc
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


MAX_PROBLEMS = 20  # of a template, which are reported at once


def language(wanted_locale: str) -> str:
    """Return the language of a locale as rows and profiles store it: `zh` for `zh-CN`."""
    return wanted_locale.split("-")[0]


def apply_style_input(style: Style, fields: StyleFields, author_language: str, *, prompt_max_length: int) -> None:
    """Write `fields` to the row, whose collection must be loaded; columns whose field is UNSET stay unchanged.

    `author_language` is the language of the texts. A text that is None or blank is removed in every language; a new one
    replaces only that of the author's language; `translations` replace the texts of all other languages.

    Raises:
        InvalidInputError: with the field as the API spells it; the row must not be saved.
        RefusalGroup: there are several such fields.
    """
    problems = Problems()
    texts = {name: dict(getattr(style, name) or {}) for name in _TEXTS}
    given = set_fields(fields).keys()
    for name in _TEXTS:
        with problems:
            if name in given:
                text = _clean(name, getattr(fields, name), field=(name,))
                texts[name] = {} if text is None else {**texts[name], author_language: text}
    if fields.translations is not UNSET:
        texts = {
            name: {author_language: text[author_language]} if author_language in text else {}
            for name, text in texts.items()
        }
        with problems:
            _translate(texts, fields.translations or (), author_language)
    if not texts["title"] and not any(problem.field == ("title",) for problem in problems.found):
        problems.add([_empty("title")])
    style.title, style.description, style.category = texts["title"], texts["description"], texts["category"] or None
    # A slug generated from the id is left out: no user would search for it.
    slug = () if style.slug.endswith(style.id.partition("_")[2]) else (style.slug,)
    style.search_text = search_text(style.title, style.description, style.category, *slug)
    for apply in (_apply_prompt, _apply_variables, _apply_settings):
        with problems:
            apply(style, fields, author_language, prompt_max_length)
    problems.check()
    _check_template(style)


def _apply_prompt(style: Style, fields: StyleFields, _: str, max_length: int) -> None:
    if fields.prompt is not UNSET:
        prompt = check_prompt(fields.prompt, max_length)
        if prompt is None:
            raise _empty("prompt")
        # Its author sees no other template, so from now on this one is used both with a photo and without.
        style.prompt = prompt
        style.prompt_without_photo = None  # type: ignore[assignment]  # null=True is untyped there


def _apply_variables(style: Style, fields: StyleFields, author_language: str, _: int) -> None:
    if fields.variables is not UNSET:
        style.variables = _variables(fields.variables or (), author_language)


def _apply_settings(style: Style, fields: StyleFields, *_: object) -> None:
    if fields.reference_image is not UNSET:
        if fields.reference_image is None:
            raise _empty("referenceImage")
        style.reference_image = fields.reference_image
    if fields.members_only is not UNSET:
        if fields.members_only is None:
            raise _empty("membersOnly")
        style.members_only = fields.members_only
    if fields.cost is not UNSET:
        style.cost = _cost(fields.cost)


def written_texts(style: Style) -> dict[tuple[str, ...], str | None]:
    """Return what the author of a custom style wrote, by field; several texts of one field are lines."""
    texts: dict[tuple[str, ...], str | None] = {("prompt",): style.prompt}
    for name in _TEXTS:
        texts[name,] = "\n".join((getattr(style, name) or {}).values())
    for index, variable in enumerate(style.variables):
        options = [option["value"] for option in variable["options"]]
        lines = [*variable["label"].values(), *options, variable["default"] or ""]
        texts["variables", str(index)] = "\n".join(lines)
    return texts


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
            "label": {author_language: nfc(draft.label)},
            "options": [{"value": nfc(option)} for option in draft.options],
            "default": None if draft.default is None else nfc(draft.default),
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
    found = sorted(template_problems(template), key=lambda problem: problem.field[0] != "variables")
    # The first of each field; of wrong variables only, because what the prompt says of them may be a consequence.
    first = {one.field: one.message for one in reversed(found) if one.field[0] == found[0].field[0]}
    problems = Problems()
    problems.add(
        InvalidInputError(_shorten(text), field=tuple(_camel(step) for step in field))
        for field, text in list(reversed(first.items()))[:MAX_PROBLEMS]
    )
    problems.check()


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _shorten(text: Message) -> Message:
    """Limit the length of the values that a problem's message repeats."""
    return Message(text.text, {name: str(value)[:TITLE_MAX] for name, value in text.values.items()})
