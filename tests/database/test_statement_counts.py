"""No list needs a statement per row: ten rows are read with as many statements as one."""

import logging
from collections.abc import Awaitable, Callable

import pytest

from models import Generation, Plan
from models.database.connection import rows, run_tx
from models.enum import AdminAction
from services.billing import passes
from services.events import audit_log
from tests.conftest import Running
from tests.support import factories
from tests.support.client import GENERATION, Api
from tests.support.factories import NOW, insert
from tests.support.integrity import make_admin
from tests.support.named_lists import add_tags, new_album

Count = Callable[[Api, str], Awaitable[int]]
FEW, MANY = 1, 10

# All fields of a generation that need a read or a signature. Where two branches load by one loader,
# it is a matter of chance whether they share a statement: so the covers of albums, which are generations, are apart.
ALL_FIELDS = GENERATION + (
    " queuePosition estimatedSeconds isFavorite shareUrl"
    " owner { id version stats { favorites } pass { plan { slug } images { used } } }"
    " style { id title cost locked collection { id title } } parent { id style { id } original { url } parent { id } }"
    " tags { id name count } albums { id name count }"
)
GALLERY = f"{{ viewer {{ generations(first: %d, filter: {{ %s }}) {{ totalCount nodes {{ {ALL_FIELDS} }} }} }} }}"
LEDGER = (
    "{ viewer { transactions(first: %d) { nodes { id description user { id } generation {" + ALL_FIELDS + "} } } } }"
)
STYLES = (
    "{ styles(first: %d) { totalCount nodes { id title cost locked isOwn variables { name } collection { id } } } }"
)
COLLECTIONS = "{ collections { id title styles { id title cost collection { id } } } }"
ADMIN_GENERATIONS = "{ admin { generations(first: %d) { nodes { providerCost " + ALL_FIELDS + " } } } }"
ADMIN_LEDGER = """{ admin { transactions(first: %d) { nodes {
  id description user { id stats { favorites } } generation { id owner { id } }
} } } }"""
ADMIN_USERS = """{ admin { users(first: %d) { totalCount nodes {
  email maxBatch membership { renewsAt } pass { plan { slug } } referralCode stats { favorites } apiKeys { id }
  billingPortalUrl
} } } }"""
AUDIT_LOG = "{ admin { auditLog(first: %d) { nodes { id actor { id email } } } } }"
COVERS = "{ viewer { generations(first: %d) { nodes { id albums { id cover { id result { url } } } } } } }"
ALBUMS = "{ viewer { albums(first: %d) { nodes { id name count cover { id result { url } } } } } }"
KEYS = "{ viewer { apiKeys { id name } } }"


@pytest.fixture
def count(caplog: pytest.LogCaptureFixture) -> Count:
    """Count the statements that a query needs."""

    async def statements(api: Api, query: str) -> int:
        found = []
        for _ in range(4):  # the minimum: some values are cached for seconds, and background tasks may query
            caplog.clear()
            with caplog.at_level(logging.DEBUG, logger="tortoise.db_client"):
                await api.execute(query)
            found.append(len([record for record in caplog.records if record.name == "tortoise.db_client"]))
        assert min(found) > 0
        return min(found)

    return statements


async def assert_equal(api: Api, count: Count, first: str, second: str) -> None:
    """Assert that two queries need the same number of statements."""
    assert await count(api, first) == await count(api, second), (first, second)


async def fill(api: Api) -> list[str]:
    """Fill a gallery with final and pending generations that have all optional relations."""
    user_id = str(api.user["id"])
    style = await api.style("noir", "avenger")
    await run_tx(passes.grant, user_id, await Plan.get(slug="flash"), "order")
    made: list[str] = []
    for number in range(2 * MANY):
        original = (await insert("files", factories.file(user_id)))["id"]
        result = (await insert("files", factories.file(user_id, kind="RESULT")))["id"]
        done = {"status": "COMPLETED", "stage": "COMPLETED", "completed_at": NOW, "result_id": result}
        is_pending = number % 2 == 1  # the newest, too, because pending ones need a query of the queue
        row = factories.generation(
            user_id,
            style_id=style,
            original_id=original,
            search_text="a fox",
            parent_id=made[-2] if len(made) > 1 else None,
            **({} if is_pending else done),
        )
        made.append((await insert("generations", row))["id"])
        (newest,) = await rows("SELECT ledger_sequence AS number FROM users WHERE id = $1", user_id)
        sequence = int(newest["number"]) + 1
        line = factories.ledger_line(user_id, sequence, type="DEDUCTION", amount=-1, generation_id=made[-1])
        await insert("credit_transactions", line)
        await rows("UPDATE users SET ledger_sequence = $2 WHERE id = $1", user_id, sequence)
    return made


async def test_a_list_needs_as_many_statements_as_one_row(idle_server: Running, count: Count) -> None:
    ada = await idle_server.api.sign_up()
    made = await fill(ada)
    for number in range(MANY):
        await new_album(ada, f"Album {number}", made[-number - 1 :])
    await add_tags(ada, made, "red", "blue")
    for query in (
        GALLERY.replace("%s", "isFavorite: false"),
        GALLERY.replace("%s", "status: [PENDING]"),
        GALLERY.replace("%s", 'search: "fox"'),
        LEDGER,
        STYLES,
        COVERS,
        ALBUMS,
    ):
        await assert_equal(ada, count, query % FEW, query % MANY)

    def nodes(ids: list[str]) -> str:
        quoted = ", ".join(f'"{id}"' for id in ids)
        return f"{{ nodes(ids: [{quoted}]) {{ __typename id ... on Generation {{ {ALL_FIELDS} }} }} }}"

    found = (await ada.one("{ styles(first: 10) { nodes { id collection { id } } } }"))["nodes"]
    lines = (await ada.one("{ viewer { transactions(first: 10) { nodes { id } } } }"))["transactions"]["nodes"]
    for ids in (
        made[-MANY:],
        [style["id"] for style in found],
        [style["collection"]["id"] for style in found],
        [line["id"] for line in lines],
    ):
        await assert_equal(ada, count, nodes(ids[-FEW:]), nodes(ids))
    aliased = " ".join(f'n{number}: node(id: "{id}") {{ id }}' for number, id in enumerate(made[-MANY:]))
    await assert_equal(ada, count, f"{{ {aliased} }}", f'{{ node(id: "{made[-1]}") {{ id }} }}')


async def test_admin_lists_need_as_many_statements_as_one_row(idle_server: Running, count: Count) -> None:
    admin = await make_admin(idle_server.api)
    for number in range(MANY):
        user = (await insert("users", factories.user(referral_code=f"code{number}", role="ADMIN")))["id"]
        await insert("api_keys", factories.api_key(user))
        await insert("generations", factories.generation(user, search_text="a fox"))
        await insert("credit_transactions", factories.ledger_line(user, 1))
        await audit_log.record(user, AdminAction.SET_MAINTENANCE, None)
    for query in (ADMIN_GENERATIONS, ADMIN_LEDGER, ADMIN_USERS, AUDIT_LOG):
        await assert_equal(admin, count, query % FEW, query % MANY)
    user_ids = [row["id"] for row in await rows("SELECT id FROM users ORDER BY id DESC")][:MANY]
    few, many = [
        "{ nodes(ids: [" + ", ".join(f'"{id}"' for id in ids) + "]) { id ... on User { email } } }"
        for ids in (user_ids[:FEW], user_ids)
    ]
    await assert_equal(admin, count, few, many)


async def test_lists_without_pages_need_as_many_statements_as_one_row(idle_server: Running, count: Count) -> None:
    ada = await idle_server.api.sign_up()
    await insert("api_keys", factories.api_key(str(ada.user["id"])))
    few = [await count(ada, query) for query in (KEYS, COLLECTIONS)]
    for _ in range(MANY):
        await insert("api_keys", factories.api_key(str(ada.user["id"])))
        series = (await insert("collections", factories.collection()))["id"]
        await insert("styles", factories.style(series))
    assert [await count(ada, query) for query in (KEYS, COLLECTIONS)] == few


async def test_a_parent_is_shown_to_its_owner_until_it_is_deleted(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    (hers,) = [(await ada.create(prompt="A fox"))["generations"][0]["id"]]
    child, theirs = [
        (await insert("generations", factories.generation(str(owner.user["id"]), parent_id=hers)))["id"]
        for owner in (ada, eve)
    ]
    query = "query($id: ID!) { viewer { generation(id: $id) { parent { id } } } }"
    assert (await ada.one(query, id=child))["generation"]["parent"] == {"id": hers}
    assert (await ada.one(query, id=hers))["generation"]["parent"] is None
    assert (await eve.one(query, id=theirs))["generation"]["parent"] is None
    await Generation.filter(id=hers).update(deleted_at=(await Generation.get(id=hers)).created_at)
    assert (await ada.one(query, id=child))["generation"]["parent"] is None
