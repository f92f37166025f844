"""The catalogue and its prices."""

from models import enum, ids
from schema.connection import page_request
from schema.context import Info
from schema.input import given
from schema.node import known_id
from schema.style import Collection, Quote, QuoteInput, Style, StyleConnection, StyleFilter
from services.catalogue import style as catalogue
from services.generations.quote import QuoteRequest


async def collections(info: Info) -> list[Collection]:
    return [Collection.of(row) for row in await info.context.services.styles.collections()]


async def style(info: Info, slug: str, collection: str | None = None) -> Style | None:
    found = await info.context.services.styles.by_slug(slug, collection)
    return Style.of(found) if found else None


async def styles(
    info: Info,
    first: int | None = None,
    after: str | None = None,
    last: int | None = None,
    before: str | None = None,
    filter: StyleFilter | None = None,
) -> StyleConnection:
    services, wanted = info.context.services, catalogue.StyleFilter()
    if filter is not None:
        wanted = catalogue.StyleFilter(
            collection=given(filter.collection, None),
            category=given(filter.category, None),
            members_only=given(filter.members_only, None),
            search=given(filter.search, None),
        )
    if filter is not None and given(filter.own, False):
        own = page_request(str, first, after, last, before)
        return StyleConnection.of(await services.styles.own_styles(info.context.viewer, own, wanted))
    request = page_request(int, first, after, last, before)
    return StyleConnection.of(await services.styles.styles(request, wanted))


async def quote(info: Info, input: QuoteInput) -> Quote | None:
    style_id = given(input.style_id, None)
    request = QuoteRequest(
        style_id=known_id(style_id, ids.STYLE, "styleId") if style_id is not None else None,
        quality=given(input.quality, enum.Quality.STANDARD),
        media=given(input.media, enum.MediaKind.IMAGE),
        count=given(input.count, 1),
        model=given(input.model, None),
    )
    found = await info.context.services.quotes.quote(info.context.viewer, request)
    return Quote(cost=found.cost, paid_by=found.paid_by, affordable=found.affordable, balance_after=found.balance_after)
