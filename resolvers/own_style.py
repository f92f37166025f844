"""Styles that people make for themselves, and admins for everybody."""

from typing import Any

import strawberry

from models import ids
from schema.context import Info
from schema.deleted import DeletedPayload
from schema.error import user_errors
from schema.input import changes, given
from schema.node import known_id
from schema.own_style import StyleInput, StylePayload, UpdateStyleInput
from schema.style import Style
from services.catalogue.style_input import StyleDraft
from services.core.error import Refusal

_WORDS = (
    "title",
    "prompt",
    "description",
    "category",
    "reference_image",
    "variables",
    "translations",
    "members_only",
    "cost",
)


def _words(input: StyleInput | UpdateStyleInput) -> dict[str, Any]:
    """What was given, in the service's terms."""
    words = changes(input, *_WORDS)
    if words.get("variables") is not None:
        words["variables"] = [variable.draft() for variable in words["variables"]]
    if words.get("translations") is not None:
        words["translations"] = [entry.translation() for entry in words["translations"]]
    return words


async def create_style(info: Info, input: StyleInput) -> StylePayload:
    draft = StyleDraft(
        # Null is what a new style has anyway.
        words={name: value for name, value in _words(input).items() if value is not None},
        wanted_locale=info.context.locale,
        collection=given(input.collection, None),
        idempotency_key=given(input.idempotency_key, None),
    )
    try:
        row = await info.context.services.own_styles.create(
            info.context.require_viewer(), draft, is_admin=info.context.is_admin
        )
    except Refusal as refusal:
        return StylePayload(style=None, errors=user_errors(refusal, info.context))
    return StylePayload(style=Style.of(row), errors=[])


async def update_style(info: Info, id: strawberry.ID, input: UpdateStyleInput) -> StylePayload:
    try:
        row = await info.context.services.own_styles.update(
            info.context.require_viewer(),
            known_id(id, ids.STYLE),
            _words(input),
            info.context.locale,
            is_admin=info.context.is_admin,
        )
    except Refusal as refusal:
        return StylePayload(style=None, errors=user_errors(refusal, info.context))
    return StylePayload(style=Style.of(row), errors=[])


async def delete_style(info: Info, id: strawberry.ID) -> DeletedPayload:
    try:
        await info.context.services.own_styles.delete(
            info.context.require_viewer(), known_id(id, ids.STYLE), is_admin=info.context.is_admin
        )
    except Refusal as refusal:
        return DeletedPayload(deleted_ids=[], errors=user_errors(refusal, info.context))
    return DeletedPayload(deleted_ids=[id], errors=[])
