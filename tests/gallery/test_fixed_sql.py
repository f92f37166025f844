"""Reads by fixed SQL return what the same reads by models return, on both databases."""

import contextlib
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from graphql import GraphQLObjectType

from models import Generation, User
from models.catalogue_row import CollectionColumns, StyleColumns, catalogue_columns
from models.database.connection import open_database, rows, run_tx
from models.enum import GenerationStatus, MediaKind
from models.generation_row import AnyGeneration, FileColumns, GenerationRow, selection
from schema.root import schema
from services.core.pagination import Page, PageRequest
from services.gallery.gallery import FavoriteKey, GalleryService, GenerationFilter, GenerationKey, GenerationOrder
from services.services import Services
from tests.conftest import Running
from tests.support import factories, named_lists
from tests.support.client import Api
from tests.support.factories import NOW, insert
from tests.support.model_reads import ModelGallery, user_of_session
from tests.support.selection import selected

COUNT = 12
STATES: list[dict[str, Any]] = [
    {"status": "COMPLETED", "stage": "COMPLETED", "completed_at": NOW, "progress": 1.0, "started_at": NOW},
    {"status": "FAILED", "stage": "FAILED", "completed_at": NOW, "error_code": "GENERATION_FAILED", "refunded": True},
    {"status": "PENDING"},
    {"status": "PROCESSING", "stage": "GENERATING", "progress": 0.25, "preview": "data:,a", "lease_until": NOW},
]


async def fill(user_id: str) -> list[str]:
    """Create generations in every state, with and without style, files, parent and optional values."""
    series = (await insert("collections", factories.collection(base_cost=7)))["id"]
    texts = {"title": '{"en": "Fox", "zh-CN": "狐狸"}', "category": '{"en": "Animals"}'}
    known = (await insert("styles", factories.style(series, **texts, cost=None)))["id"]
    custom = (await insert("styles", factories.style(series, owner_id=user_id, is_active=False)))["id"]
    made: list[str] = []
    for number in range(COUNT):
        state = dict(STATES[number % 4])
        original = (await insert("files", factories.file(user_id)))["id"] if number % 3 == 0 else None
        if state["status"] == "COMPLETED":
            state["result_id"] = (await insert("files", factories.file(user_id, kind="RESULT")))["id"]
        row = factories.generation(
            user_id,
            **state,
            original_id=original,
            style_id=(known, custom, None)[number % 3],
            style_title='{"en": "Fox"}',
            collection_slug=("plushify", "avenger")[number % 2],
            batch_id=f"bat_{number // 2:026}",
            is_favorite=number % 5 == 0,
            search_text=f"a fox {number} 50%_\\ 独角",
            prompt=None if number % 2 else "A fox",
            variables='{"colour": "red"}',
            parent_id=made[-1] if number % 4 == 3 else None,
            share_slug=f"fox-{number}" if number == 4 else None,
            provider_cost=0.25 if number % 2 else None,
            aspect_ratio="3:2" if number % 2 else None,
            deleted_at=NOW if number == 7 else None,
        )
        made.append((await insert("generations", row))["id"])
    return made


def values(row: AnyGeneration) -> list[object]:
    """Return everything that a GenerationRow has, of it or of a model."""
    found = [getattr(row, name) for name in GenerationRow.attributes]
    for file in (row.original, row.result):
        found.append([getattr(file, name) for name in (*FileColumns.attributes, "thumbnail_keys")] if file else None)
    if row.style:
        found += [getattr(row.style, name) for name in StyleColumns.attributes]
        found += [getattr(row.style.collection, name) for name in CollectionColumns.attributes]
    return found


def shown(page: Page[AnyGeneration, GenerationKey]) -> tuple[object, ...]:
    items = [values(row) for row in page.items]
    return items, page.keys, page.has_next, page.has_previous


async def add_lists(user_id: str, made: list[str]) -> tuple[str, str, str]:
    """Create an album with every third generation and two tags, and return their ids."""
    album_id = str((await insert("albums", named_lists.album(user_id)))["id"])
    tags = [str((await insert("tags", named_lists.tag(user_id, name_key=key)))["id"]) for key in ("red", "blue")]
    found = await Generation.filter(id__in=made, deleted_at__isnull=True).order_by("id")
    for number, row in enumerate(found):
        mark = {"is_favorite": row.is_favorite}
        if number % 3 != 1:
            await insert("album_entries", named_lists.album_entry(album_id, row.id) | mark)
        for place, tag_id in enumerate(tags):
            if number % (place + 2) == 0:
                await insert("tag_entries", named_lists.tag_entry(tag_id, row.id) | mark)
    return album_id, *tags  # type: ignore[return-value]  # there are two


def filters(made: list[str], style_id: str, lists: tuple[str, str, str]) -> list[GenerationFilter]:
    now = datetime.now(UTC)
    album_id, red, blue = lists
    return [
        GenerationFilter(album_id=album_id),
        GenerationFilter(album_id=""),
        GenerationFilter(album_id=album_id, is_favorite=True),
        GenerationFilter(album_id=album_id, status=(GenerationStatus.COMPLETED,), style_id=style_id),
        GenerationFilter(album_id=album_id, tag_ids=(red,)),
        GenerationFilter(album_id=album_id, search="fox"),
        GenerationFilter(album_id=album_id, batch_id=f"bat_{2:026}"),
        GenerationFilter(album_id=album_id, created_after=now - timedelta(days=1)),
        GenerationFilter(tag_ids=(red,)),
        GenerationFilter(tag_ids=(red, blue)),
        GenerationFilter(tag_ids=(blue, "")),
        GenerationFilter(tag_ids=(blue,), search="wolf", media=MediaKind.IMAGE),
        GenerationFilter(),
        GenerationFilter(status=()),
        GenerationFilter(status=(GenerationStatus.COMPLETED, GenerationStatus.PENDING, GenerationStatus.PENDING)),
        GenerationFilter(media=MediaKind.IMAGE, is_favorite=False),
        GenerationFilter(is_favorite=True),
        GenerationFilter(style_id=style_id),
        GenerationFilter(style_id=""),
        GenerationFilter(collection="avenger", status=(GenerationStatus.FAILED,)),
        GenerationFilter(collection="no slug"),
        GenerationFilter(batch_id=f"bat_{2:026}"),
        GenerationFilter(created_after=now - timedelta(days=1), created_before=now + timedelta(days=1)),
        GenerationFilter(created_before=now - timedelta(days=1)),
        GenerationFilter(created_after=datetime.min.replace(tzinfo=UTC)),
        GenerationFilter(search="fox"),
        GenerationFilter(search="50%_\\ 独角", is_favorite=False),
        GenerationFilter(search="角"),
        GenerationFilter(search=made[1]),
        GenerationFilter(search="wolf"),
    ]


async def test_every_order_filter_and_cursor_returns_what_models_return(database: str) -> None:
    gallery, models = GalleryService(), ModelGallery()
    async with open_database(database):
        user_id = str((await insert("users", factories.user()))["id"])
        made = await fill(user_id)
        style_id = str((await Generation.get(id=made[0])).style_id)
        compared = 0
        lists = await add_lists(user_id, made)
        for order, wanted in itertools.product(GenerationOrder, filters(made, style_id, lists)):
            keys: list[GenerationKey] = [made[2], made[9]]
            if order is GenerationOrder.FAVORITES_FIRST:
                keys = [FavoriteKey(False, made[2]), FavoriteKey(True, made[5])]
            for request in (
                PageRequest[GenerationKey](),
                PageRequest(first=2),
                PageRequest(last=3),
                PageRequest(first=3, after=keys[0]),
                PageRequest(last=3, before=keys[0]),
                PageRequest(first=4, after=keys[1], before=keys[0]),
                PageRequest(last=1, after=keys[0], before=keys[1]),
            ):
                found = shown(await gallery.generations(user_id, request, wanted, order))  # type: ignore[arg-type]  # a list of either
                expected = shown(await models.generations(user_id, request, wanted, order))  # type: ignore[arg-type]  # as above
                assert found == expected, (order, wanted, request)
                compared += len(found[0])  # type: ignore[arg-type]  # the items
            everything = [await one.generations(user_id, PageRequest(), wanted, order) for one in (gallery, models)]
            assert len({await page.count() for page in everything}) == 1
        assert compared > 500
        admin = shown(await gallery.all_generations(PageRequest(first=5), GenerationFilter()))  # type: ignore[arg-type]  # as above
        assert admin == shown(await models.all_generations(PageRequest(first=5), GenerationFilter()))  # type: ignore[arg-type]  # as above
        within = GenerationFilter(album_id=lists[0])
        listed = shown(await gallery.all_generations(PageRequest(first=3), within))  # type: ignore[arg-type]  # as above
        assert listed == shown(await models.all_generations(PageRequest(first=3), within))  # type: ignore[arg-type]  # as above
        by_id = {id: values(row) for id, row in (await gallery.by_ids(user_id, made)).items()}
        assert by_id == {id: values(row) for id, row in (await models.by_ids(user_id, made)).items()}
        assert len(by_id) == COUNT - 1
        assert await gallery.find("usr_other", made[0]) is None
        assert await gallery.by_ids(user_id, []) == {}


@contextlib.contextmanager
def by_models(services: Services) -> Iterator[None]:
    """Let the server read generations through models while the body runs."""
    fixed = services.gallery.lists
    object.__setattr__(services.gallery, "lists", ModelGallery())
    try:
        yield
    finally:
        object.__setattr__(services.gallery, "lists", fixed)


FRAGMENTS = """query First { viewer { generations(first: 12) { edges { node { ...A } } } } }
fragment A on Generation { id ...B ...B } fragment B on Node { ... on Generation { ...C } }
fragment C on Generation { status result @skip(if: false) { url } style @include(if: true) { title } }"""


def fields_of(name: str) -> dict[str, str]:
    kind = schema._schema.type_map[name]
    assert isinstance(kind, GraphQLObjectType)
    return selected(kind)


def documents(made: list[str]) -> list[str]:
    fields, files, styles, collections = map(fields_of, ("Generation", "MediaFile", "Style", "Collection"))
    every, ids = " ".join(fields.values()), ", ".join(f'"{id}"' for id in made)
    page = "{ viewer { credits generations(first: 12) { %s } } }"
    return [
        page % f"totalCount nodes {{ {every} }} pageInfo {{ hasNextPage endCursor }} edges {{ cursor node {{ id }} }}",
        # Each alone: what it reads must be declared.
        *(page % f"nodes {{ {field} }}" for field in fields.values()),
        *(page % f"nodes {{ result {{ {field} }} }}" for field in files.values()),
        *(page % f"nodes {{ style {{ {field} }} }}" for field in styles.values()),
        *(page % f"nodes {{ style {{ collection {{ {field} }} }} }}" for field in collections.values()),
        FRAGMENTS,
        f'{{ node(id: "{made[0]}") {{ __typename id ... on Generation {{ {every} }} }} }}',
        f"{{ nodes(ids: [{ids}]) {{ __typename ... on Generation {{ prompt style {{ collection {{ slug }} }} }} }} }}",
        f'{{ viewer {{ a: generation(id: "{made[0]}") {{ id }} b: generation(id: "{made[7]}") {{ id }}'
        f' c: generation(id: "x") {{ id }} d: generation(id: "{made[3]}") {{ parent {{ style {{ title }} }} }} }} }}',
    ]


async def test_documents_get_the_same_bytes_by_fixed_sql_and_by_models(idle_server: Running) -> None:
    ada: Api = await idle_server.api.sign_up()
    made = await fill(str(ada.user["id"]))
    for document in documents(made):

        async def answer(document: str = document) -> str:
            return (await ada.raw(document)).text

        before = await answer()
        with by_models(idle_server.services):
            expected = await answer()
        assert '"errors"' not in expected, expected
        assert expected in (before, await answer()), document  # signed links change with the time


async def test_selections_of_others_do_not_use_up_those_that_are_kept(database: str) -> None:
    async with open_database(database):
        names = GenerationRow.attributes
        for first in names:
            for second in names:
                selection(frozenset({first, second, "owner"}))
                catalogue_columns(frozenset({f"style.{first}", f"style.{second}"}), of_styles=True)
        found = selection(frozenset({"prompt", "owner", "tags"}))
        assert (found.columns.count(","), found.joins) == (2, "")
        assert found is selection(frozenset({"prompt"}))
        assert '"description"' not in catalogue_columns(frozenset({"style.title"}), of_styles=True)


async def test_session_returns_the_user_as_a_model_that_can_be_saved(idle_server: Running, database: str) -> None:
    ada = await idle_server.api.sign_up()
    token = str(ada.token)
    sessions = idle_server.services.accounts.sessions
    await sessions.user_of(token)  # the first one is made by Tortoise
    found, expected = await sessions.user_of(token), await user_of_session(token)
    assert found is not None
    assert expected is not None
    assert vars(found) == {**vars(expected), "proved_at": None}  # which is the session's
    found.name = "Ada"
    await found.save(update_fields=["name"])
    assert (await User.get(id=found.id)).name == "Ada"


async def test_reads_inside_a_transaction_see_its_writes(database: str) -> None:
    async with open_database(database):
        user_id = str((await insert("users", factories.user()))["id"])

        async def work() -> list[str]:
            made = (await insert("generations", factories.generation(user_id)))["id"]
            await rows("UPDATE generations SET version = 5 WHERE id = $1", made)
            found = await GalleryService().find(user_id, made)
            assert found is not None
            assert found.version == 5
            return [row.id for row in (await GalleryService().by_ids(user_id, [made])).values()]

        assert len(await run_tx(work)) == 1


async def test_attribute_that_was_not_selected_is_an_error(database: str) -> None:
    async with open_database(database):
        user_id = str((await insert("users", factories.user()))["id"])
        made = (await insert("generations", factories.generation(user_id)))["id"]
        found = await GalleryService().find(user_id, made, frozenset({"cost"}))
        assert found is not None
        assert (found.id, found.cost) == (made, 1)
        for name in ("prompt", "result", "style"):
            with pytest.raises(KeyError):
                getattr(found, name)
