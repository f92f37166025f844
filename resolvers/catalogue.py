"""Resolvers of the catalogue: collections, styles, quotes, custom styles and the admin import."""

from typing import Any

import strawberry
from starlette.datastructures import UploadFile
from strawberry.scalars import JSON

from models import enum, ids
from schema.catalogue import (
    CataloguePayload,
    Collection,
    Quote,
    QuoteInput,
    ReusableResult,
    SetStylePictureInput,
    Style,
    StyleFilter,
    StyleInput,
    StylePayload,
    UpdateStyleInput,
)
from schema.deleted_payload import DeletedPayload
from schema.model import Model
from schema.runtime.attribute import attributes_of
from schema.runtime.connection import Connection, page_request
from schema.runtime.context import Info
from schema.runtime.enum import MediaKind
from schema.runtime.input import changed, given
from schema.runtime.node import known_id
from schema.runtime.selection import selected_below
from schema.runtime.user_error import user_errors
from schema.style_value import variables_of
from services.catalogue import style as catalogue
from services.catalogue.style_input import StyleDraft, StyleFields
from services.core.error import RefusalGroup
from services.generations.quote import QuoteRequest
from services.generations.specification import GenerationRequest


async def admin_import_catalogue(
    info: Info, catalogue: JSON, dry_run: bool | None = True, reason: str | None = None
) -> CataloguePayload:
    counts = await info.context.services.catalogue.import_export.import_(
        info.context.require_viewer(), catalogue, reason, dry_run=dry_run is not False
    )
    return CataloguePayload(created=counts.created, updated=counts.updated, unchanged=counts.unchanged)


def _style_fields(input: StyleInput | UpdateStyleInput) -> StyleFields:
    variables, translations = changed(input.variables), changed(input.translations)
    return StyleFields(
        title=changed(input.title),
        prompt=changed(input.prompt),
        description=changed(input.description),
        category=changed(input.category),
        reference_image=changed(input.reference_image),
        variables=[variable.draft() for variable in variables] if isinstance(variables, list) else variables,
        translations=[one.translation() for one in translations] if isinstance(translations, list) else translations,
        members_only=changed(input.members_only),
        cost=changed(input.cost),
    )


async def create_style(info: Info, input: StyleInput) -> StylePayload:
    draft = StyleDraft(
        fields=_style_fields(input).without_nulls(),
        wanted_locale=info.context.locale,
        collection=given(input.collection, None),
        idempotency_key=given(input.idempotency_key, None),
    )
    row = await info.context.services.catalogue.custom_styles.create(
        info.context.require_viewer(), draft, given(input.reason, None), is_admin=info.context.is_admin
    )
    return StylePayload(style=Style.of(row))


async def update_style(info: Info, id: strawberry.ID, input: UpdateStyleInput) -> StylePayload:
    row = await info.context.services.catalogue.custom_styles.update(
        info.context.require_viewer(),
        known_id(id, ids.STYLE),
        _style_fields(input),
        info.context.locale,
        given(input.reason, None),
        is_admin=info.context.is_admin,
    )
    return StylePayload(style=Style.of(row))


async def delete_style(info: Info, id: strawberry.ID, reason: str | None = None) -> DeletedPayload:
    await info.context.services.catalogue.custom_styles.delete(
        info.context.require_viewer(), known_id(id, ids.STYLE), reason, is_admin=info.context.is_admin
    )
    return DeletedPayload(deleted_ids=[id])


async def set_style_picture(info: Info, input: SetStylePictureInput) -> StylePayload:
    generation_id = given(input.generation_id, None)
    row = await info.context.services.catalogue.picture_changes.set(
        info.context.require_viewer(),
        known_id(input.style_id, ids.STYLE, "styleId"),
        known_id(generation_id, ids.GENERATION, "generationId") if generation_id is not None else None,
        given(input.reason, None),
        is_admin=info.context.is_admin,
    )
    return StylePayload(style=Style.of(row))


async def collections(info: Info) -> list[Collection]:
    found = await info.context.services.catalogue.styles.collections(attributes_of(info))
    return [Collection.of(row) for row in found]


async def style(info: Info, slug: str, collection: str | None = None) -> Style | None:
    found = await info.context.services.catalogue.styles.by_slug(slug, collection)
    return Style.of(found) if found else None


async def styles(
    info: Info,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    filter: StyleFilter | None = None,
) -> Connection[Style]:
    services, criteria = info.context.services, catalogue.StyleFilter()
    if filter is not None:
        criteria = catalogue.StyleFilter(
            collection=given(filter.collection, None),
            category=given(filter.category, None),
            members_only=given(filter.members_only, None),
            search=given(filter.search, None),
        )
    if filter is not None and given(filter.own, False):
        own = page_request(str, first, after, last, before, prefix=ids.STYLE)
        return Connection.of(
            await services.catalogue.styles.custom_styles(info.context.viewer, own, criteria), Style.of
        )
    request = page_request(_style_key, first, after, last, before, prefix=ids.STYLE)
    return Connection.of(await services.catalogue.styles.styles(request, criteria), Style.of)


def _style_key(text: str) -> catalogue.StyleKey:
    position, id = text.split(" ")
    return catalogue.StyleKey(int(position), id)


async def models(info: Info, media: MediaKind | None = None) -> list[Model]:
    return [Model.of(found) for found in info.context.services.catalogue.models.models(media)]


async def quote(info: Info, input: QuoteInput) -> Quote | None:
    """Return the price. Clients that select no `errors` get what speaks against the request as an error instead."""
    order = await _order(input)
    request = QuoteRequest(
        style_id=order.style_id,
        quality=order.quality,
        media=order.media,
        count=order.count,
        model=order.model,
        aspect_ratio=order.aspect_ratio,
        duration_seconds=order.duration_seconds,
        has_photo=given(input.has_photo, None),
        refines=given(input.refines, False),
        order=order,
    )
    found = await info.context.services.generations.quotes.quote(info.context.viewer, request)
    if found.refusals and "Quote.errors" not in selected_below(info):
        raise found.refusals[0]
    reusable = None
    if found.reusable is not None:
        reusable = ReusableResult(
            generation_id=strawberry.ID(found.reusable.generation_id),
            cost=found.reusable.cost,
            paid_by=found.reusable.paid_by,
            affordable=found.reusable.affordable,
            balance_after=found.reusable.balance_after,
        )
    return Quote(
        model=Model.of(found.model),
        cost=found.cost,
        paid_by=found.paid_by,
        affordable=found.affordable,
        balance_after=found.balance_after,
        reusable=reusable,
        enhances_prompt=info.context.services.products.enhances_prompts,
        errors=user_errors(
            RefusalGroup([*found.refusals, *([found.shortage] if found.shortage else [])]), info.context
        ),
    )


async def _order(input: QuoteInput) -> GenerationRequest:
    style_id, upload_id = given(input.style_id, None), given(input.upload_id, None)
    image: Any = given(input.image, None)
    return GenerationRequest(
        style_id=known_id(style_id, ids.STYLE, "styleId") if style_id is not None else None,
        prompt=given(input.prompt, None),
        image=await image.read() if isinstance(image, UploadFile) else None,
        upload_id=known_id(upload_id, ids.UPLOAD, "uploadId") if upload_id is not None else None,
        variables=variables_of(input.variables, input.style_variables),
        size=given(input.size, enum.Size.MEDIUM),
        quality=given(input.quality, enum.Quality.STANDARD),
        aspect_ratio=given(input.aspect_ratio, None),
        media=given(input.media, enum.MediaKind.IMAGE),
        count=given(input.count, 1),
        duration_seconds=given(input.duration_seconds, None),
        model=given(input.model, None),
    )
