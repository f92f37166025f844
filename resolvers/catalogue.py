"""Resolvers of the catalogue: collections, styles, quotes, custom styles and the admin import."""

import strawberry
from strawberry.scalars import JSON

from models import enum, ids
from schema.catalogue import (
    CataloguePayload,
    Collection,
    Quote,
    QuoteInput,
    Style,
    StyleFilter,
    StyleInput,
    StylePayload,
    UpdateStyleInput,
)
from schema.runtime.attribute import attributes_of
from schema.runtime.connection import Connection, page_request
from schema.runtime.context import Info
from schema.runtime.input import changed, given
from schema.runtime.node import known_id
from schema.runtime.payload import DeletedPayload
from services.catalogue import style as catalogue
from services.catalogue.style_input import StyleDraft, StyleFields
from services.generations.quote import QuoteRequest


async def admin_import_catalogue(info: Info, catalogue: JSON, dry_run: bool | None = True) -> CataloguePayload:
    counts = await info.context.services.catalogue.import_export.import_(
        info.context.require_viewer(), catalogue, dry_run=dry_run is not False
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
        info.context.require_viewer(), draft, is_admin=info.context.is_admin
    )
    return StylePayload(style=Style.of(row))


async def update_style(info: Info, id: strawberry.ID, input: UpdateStyleInput) -> StylePayload:
    row = await info.context.services.catalogue.custom_styles.update(
        info.context.require_viewer(),
        known_id(id, ids.STYLE),
        _style_fields(input),
        info.context.locale,
        is_admin=info.context.is_admin,
    )
    return StylePayload(style=Style.of(row))


async def delete_style(info: Info, id: strawberry.ID) -> DeletedPayload:
    await info.context.services.catalogue.custom_styles.delete(
        info.context.require_viewer(), known_id(id, ids.STYLE), is_admin=info.context.is_admin
    )
    return DeletedPayload(deleted_ids=[id])


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
        own = page_request(str, first, after, last, before)
        return Connection.of(
            await services.catalogue.styles.custom_styles(info.context.viewer, own, criteria), Style.of
        )
    request = page_request(_style_key, first, after, last, before)
    return Connection.of(await services.catalogue.styles.styles(request, criteria), Style.of)


def _style_key(text: str) -> catalogue.StyleKey:
    position, id = text.split(" ")
    return catalogue.StyleKey(int(position), id)


async def quote(info: Info, input: QuoteInput) -> Quote | None:
    style_id = given(input.style_id, None)
    request = QuoteRequest(
        style_id=known_id(style_id, ids.STYLE, "styleId") if style_id is not None else None,
        quality=given(input.quality, enum.Quality.STANDARD),
        media=given(input.media, enum.MediaKind.IMAGE),
        count=given(input.count, 1),
        model=given(input.model, None),
    )
    found = await info.context.services.generations.quotes.quote(info.context.viewer, request)
    return Quote(cost=found.cost, paid_by=found.paid_by, affordable=found.affordable, balance_after=found.balance_after)
