"""The catalogue and the offers by fixed SQL: what the same reads by models return, and no custom styles."""

import contextlib
from collections.abc import Iterator

import pytest
from graphql import GraphQLObjectType

from models import Style
from models.database.connection import rows
from schema.root import schema
from services.services import Services
from tests.conftest import Running
from tests.support import factories
from tests.support.client import Api
from tests.support.factories import insert
from tests.support.integrity import make_admin
from tests.support.model_reads import ModelPlans, ModelStyles
from tests.support.selection import selected

_FIRST_SCREEN = """{ collections { id title styles { id title cost } } creditPackages { slug } plans { slug } }"""


@contextlib.contextmanager
def by_models(services: Services) -> Iterator[None]:
    """Let the server read the catalogue and the offers through models while the body runs."""
    fixed = services.catalogue.styles, services.billing.plans
    object.__setattr__(services.catalogue, "styles", ModelStyles(fixed[0]._profile))
    object.__setattr__(services.billing, "plans", ModelPlans(fixed[1]._profile))
    try:
        yield
    finally:
        object.__setattr__(services.catalogue, "styles", fixed[0])
        object.__setattr__(services.billing, "plans", fixed[1])


def fields_of(name: str) -> dict[str, str]:
    kind = schema._schema.type_map[name]
    assert isinstance(kind, GraphQLObjectType)
    return selected(kind)


def documents() -> list[str]:
    """Return documents that select everything together, and each field alone: what it reads must be declared."""
    found = [_FIRST_SCREEN]
    for collection in fields_of("Collection").values():
        found.append(f"{{ collections {{ {collection} }} }}")
    for style in fields_of("Style").values():
        found.append(f"{{ collections {{ styles {{ {style} }} }} }}")
    for root, name in (("creditPackages", "CreditPackage"), ("plans", "Plan")):
        found.append(f"{{ {root} {{ {' '.join(fields_of(name).values())} }} }}")
    found.append(f"{{ collections {{ slug styles {{ {' '.join(fields_of('Style').values())} }} }} }}")
    found.append("{ collections { a: styles { id prompt } b: styles { title variables { label } } } }")
    return found


async def fill(owner_id: str) -> None:
    """Add what the catalogue shows and what it must not: styles without cost or category, hidden and custom ones."""
    series = (await insert("collections", factories.collection(base_cost=7, qualities='{"STANDARD": 1.5}')))["id"]
    hidden = (await insert("collections", factories.collection(is_active=False)))["id"]
    texts = {"title": '{"en": "Fox", "zh-CN": "狐狸"}', "category": '{"en": "Animals"}'}
    await insert("styles", factories.style(series, **texts, cost=None))
    await insert("styles", factories.style(series, cost=3, category=None, members_only=True))
    await insert("styles", factories.style(series, is_active=False))
    await insert("styles", factories.style(series, owner_id=owner_id, title='{"en": "Secret"}'))
    await insert("styles", factories.style(hidden))


async def test_documents_get_the_same_bytes_by_fixed_sql_and_by_models(idle_server: Running) -> None:
    ada: Api = await idle_server.api.sign_up()
    admin = await make_admin(idle_server.api)
    await fill(str(ada.user["id"]))
    for document in documents():
        for api in (ada, admin) if "prompt" in document else (ada,):  # admins see prompts
            found = (await api.raw(document)).text
            with by_models(idle_server.services):
                expected = (await api.raw(document)).text
            assert '"errors"' not in expected, expected
            assert found == expected, document
            assert "Secret" not in found


async def test_edit_of_a_style_is_seen_by_the_next_request(idle_server: Running) -> None:
    ada: Api = await idle_server.api.sign_up()
    before = await ada.one("{ collections { slug styles { slug title } } }")
    style = before[0]["styles"][0]
    await Style.filter(slug=style["slug"]).update(title={"en": "Renamed"})
    after = await ada.one("{ collections { slug styles { slug title } } }")
    assert after[0]["styles"][0]["title"] == "Renamed"
    await rows("UPDATE collections SET is_active = FALSE")
    assert await ada.one("{ collections { slug } }") == []


async def test_attribute_that_was_not_selected_is_an_error(idle_server: Running) -> None:
    styles = idle_server.services.catalogue.styles
    (collection, *_) = await styles.collections(frozenset({"collection.title"}))
    (style, *_) = (await styles.styles_of([collection.id], frozenset({"style.title"})))[collection.id]
    assert collection.title
    assert style.title
    for missing in (lambda: collection.description, lambda: style.prompt, lambda: style.variables):
        with pytest.raises(KeyError):
            missing()
