"""What a style is made of, when somebody makes or changes one."""

import strawberry

from models import enum
from schema.enum import ReferenceImage
from schema.error import UserError
from schema.input import given
from schema.style import Style
from services.catalogue.style_input import Translation, VariableDraft


@strawberry.input(description="What a person may fill in; the prompt names it in braces.")
class StyleVariableInput:
    name: str = strawberry.field(description="A lower-case letter, then letters, digits and underscores.")
    label: str = strawberry.field(description="In the caller's language.")
    options: list[str] | None = strawberry.field(
        default=strawberry.UNSET, description="What can be chosen; left out: free text."
    )
    default: str | None = strawberry.UNSET
    required: bool | None = False
    max_length: int | None = strawberry.field(default=60, description="Characters, at most 200.")

    def draft(self) -> VariableDraft:
        return VariableDraft(
            name=self.name,
            label=self.label,
            options=tuple(given(self.options, ())),
            default=given(self.default, None),
            required=given(self.required, False),
            max_length=given(self.max_length, 60),
        )


@strawberry.input(description="A style's texts in another language than the caller's.")
class TranslationInput:
    locale: str
    title: str | None = strawberry.UNSET
    description: str | None = strawberry.UNSET
    category: str | None = strawberry.UNSET

    def translation(self) -> Translation:
        return Translation(
            self.locale, given(self.title, None), given(self.description, None), given(self.category, None)
        )


_ADMINS = "Admins only, and only in the catalogue."


@strawberry.input
class StyleInput:
    title: str = strawberry.field(description="In the caller's language, as the description and the category.")
    prompt: str = strawberry.field(
        description="The template, with {size}, {instruction} (the words of an order) and every variable in braces; "
        "braces that are meant as such are written twice."
    )
    description: str | None = strawberry.UNSET
    category: str | None = strawberry.UNSET
    reference_image: ReferenceImage | None = enum.ReferenceImage.OPTIONAL
    variables: list[StyleVariableInput] | None = strawberry.UNSET
    translations: list[TranslationInput] | None = strawberry.UNSET
    collection: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="Admins only: the slug of the collection that it joins, as a part of the catalogue.",
    )
    members_only: bool | None = strawberry.field(default=strawberry.UNSET, description=_ADMINS)
    cost: int | None = strawberry.field(default=strawberry.UNSET, description=_ADMINS)
    idempotency_key: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The same key with the same input returns the same style; with another input, CONFLICT.",
    )


@strawberry.input(description="What is left out stays as it is.")
class UpdateStyleInput:
    title: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="In the caller's language; what stands in others stays. So it is with description and category.",
    )
    prompt: str | None = strawberry.UNSET
    description: str | None = strawberry.field(
        default=strawberry.UNSET, description="Null removes it in every language."
    )
    category: str | None = strawberry.field(default=strawberry.UNSET, description="Null removes it in every language.")
    reference_image: ReferenceImage | None = strawberry.UNSET
    variables: list[StyleVariableInput] | None = strawberry.field(
        default=strawberry.UNSET, description="All of them anew; null removes them."
    )
    translations: list[TranslationInput] | None = strawberry.field(
        default=strawberry.UNSET, description="In place of everything in other languages than the caller's."
    )
    members_only: bool | None = strawberry.field(default=strawberry.UNSET, description=_ADMINS)
    cost: int | None = strawberry.field(
        default=strawberry.UNSET, description=_ADMINS + " Null: the price of the collection."
    )


@strawberry.type
class StylePayload:
    style: Style | None
    errors: list[UserError]
