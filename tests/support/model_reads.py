"""The reads of fixed SQL through models instead: what they must return, and what they are measured against."""

from datetime import UTC, datetime

from tortoise.expressions import Subquery
from tortoise.queryset import QuerySet

from models import AlbumEntry, Collection, CreditPackage, Generation, Plan, Session, Style, TagEntry, User, ids
from services.accounts.secret_token import hash_token
from services.billing.plan import PlanService
from services.catalogue.style import StyleService
from services.core.pagination import Page, PageRequest, created_between, paginate
from services.core.text import slug_or_empty
from services.gallery.gallery import GenerationFilter, GenerationKey, GenerationOrder
from services.gallery.search import search_words


async def user_of_session(token: str) -> User | None:
    """Return the user of a session's token, as SessionService.user_of."""
    found = Session.filter(token_hash=hash_token(token), expires_at__gt=datetime.now(UTC)).select_related("user")
    session = await found.first()
    return session.user if session and session.user.may_sign_in else None


class ModelGallery:
    """Replaces GalleryService."""

    async def find(self, user_id: str, generation_id: str, _: object = None) -> Generation | None:
        """Return the user's generation."""
        return await Generation.present().get_or_none(id=generation_id, user_id=user_id)

    async def by_ids(self, user_id: str, generation_ids: list[str], _: object = None) -> dict[str, Generation]:
        """Return the given generations that belong to the user."""
        return {row.id: row for row in await Generation.present().filter(id__in=generation_ids, user_id=user_id)}

    async def all_by_ids(self, generation_ids: list[str], _: object = None) -> dict[str, Generation]:
        """Return the given generations of any account."""
        return {row.id: row for row in await Generation.present().filter(id__in=generation_ids)}

    async def generations(
        self,
        user_id: str,
        request: PageRequest[GenerationKey],
        wanted: GenerationFilter | None,
        order: GenerationOrder,
        _: object = None,
    ) -> Page[Generation, GenerationKey]:
        """Return a page of the user's generations."""
        return await _page(Generation.present().filter(user_id=user_id), request, wanted, order)

    async def children(
        self, user_id: str, generation_id: str, request: PageRequest[GenerationKey], _: object = None
    ) -> Page[Generation, GenerationKey]:
        """Return a page of the user's generations that repeat or refine this one."""
        query = Generation.present().filter(user_id=user_id, parent_id=generation_id)
        return await _page(query, request, None, GenerationOrder.NEWEST)

    async def chain(
        self, user_id: str, generation_id: str, request: PageRequest[str], _: object = None
    ) -> Page[Generation, str]:
        """Return a page of what the user's generation was made from, itself, and what followed, one step at a time."""
        own = Generation.present().filter(user_id=user_id)
        steps, latest = [generation_id], generation_id
        earlier = await own.get_or_none(id=generation_id)
        while earlier is not None and earlier.parent_id is not None:
            earlier = await own.get_or_none(id=earlier.parent_id)
            steps += [earlier.id] if earlier is not None else []
        while (later := await own.filter(parent_id=latest).order_by("-id").first()) is not None:
            steps.append(latest := later.id)
        return await paginate(own.filter(id__in=steps), request, key=("id",), descending=False)

    async def by_batches(
        self, user_id: str | None, batch_ids: list[str], _: object = None
    ) -> dict[str, list[Generation]]:
        """Return the given batches that belong to the user."""
        query = Generation.present().filter(batch_id__in=batch_ids).order_by("id")
        found: dict[str, list[Generation]] = {}
        for row in await (query if user_id is None else query.filter(user_id=user_id)):
            found.setdefault(row.batch_id, []).append(row)
        return found

    async def all_generations(
        self, request: PageRequest[GenerationKey], wanted: GenerationFilter | None, _: object = None
    ) -> Page[Generation, GenerationKey]:
        """Return a page of all accounts' generations."""
        return await _page(Generation.present(), request, wanted, GenerationOrder.NEWEST)


class ModelStyles(StyleService):
    """Replaces StyleService."""

    async def collections(self, _: object = None) -> list[Collection]:
        """Return all active collections."""
        return await Collection.filter(is_active=True).order_by("position", "id")

    async def styles_of(self, collection_ids: list[str], _: object = None) -> dict[str, list[Style]]:
        """Return the catalogue's styles of several collections."""
        found = Style.filter(is_active=True, collection__is_active=True, owner_id__isnull=True)
        by_collection: dict[str, list[Style]] = {collection_id: [] for collection_id in collection_ids}
        query = found.filter(collection_id__in=collection_ids).select_related("collection").order_by("position", "id")
        for style in await query:
            by_collection[style.collection_id].append(style)
        return by_collection


class ModelPlans(PlanService):
    """Replaces PlanService."""

    async def packages(self) -> list[CreditPackage]:
        """Return all packages on sale."""
        return await CreditPackage.filter(is_active=True).order_by("position", "id")

    async def plans(self) -> list[Plan]:
        """Return all plans on sale."""
        return await Plan.filter(is_active=True).order_by("position", "id")


async def _page(
    query: QuerySet[Generation],
    request: PageRequest[GenerationKey],
    wanted: GenerationFilter | None,
    order: GenerationOrder,
) -> Page[Generation, GenerationKey]:
    wanted = wanted or GenerationFilter()
    if wanted.status is not None:
        query = query.filter(status__in=wanted.status)
    if wanted.media is not None:
        query = query.filter(media=wanted.media)
    if wanted.is_favorite is not None:
        query = query.filter(is_favorite=wanted.is_favorite)
    if wanted.is_shared is not None:
        query = query.filter(share_slug__isnull=not wanted.is_shared)
    if wanted.style_id is not None:
        query = query.filter(style_id=wanted.style_id)
    if wanted.collection is not None:
        query = query.filter(collection_slug=slug_or_empty(wanted.collection))
    if wanted.batch_id is not None:
        query = query.filter(batch_id=wanted.batch_id)
    if wanted.album_id is not None:
        query = query.filter(id__in=Subquery(AlbumEntry.filter(album_id=wanted.album_id).values("generation_id")))
    for tag_id in wanted.tag_ids:
        query = query.filter(id__in=Subquery(TagEntry.filter(tag_id=tag_id).values("generation_id")))
    query = created_between(query, wanted.created_after, wanted.created_before, prefix=ids.GENERATION)
    for word in search_words(wanted.search):
        query = query.filter(search_text__contains=word)
    key = ("is_favorite", "id") if order is GenerationOrder.FAVORITES_FIRST else ("id",)
    return await paginate(query, request, key=key, descending=order is not GenerationOrder.OLDEST)
