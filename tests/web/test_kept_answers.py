"""Answers of unchanged accounts: the same bytes again, and never one of before a change."""

import asyncio
import contextlib
import gc
import tracemalloc
import weakref
from typing import Any

import httpx
import orjson
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from composition import web_options
from models.database.connection import rows
from schema.root import schema
from schema.runtime.coverage import COVERED
from schema.runtime.document import DocumentCache
from schema.runtime.kept_answers import Answer, KeptAnswers
from schema.runtime.permission import ID_ARGUMENTS
from settings import Settings
from tests.conftest import Running, running
from tests.schema.test_permission import Operation
from tests.support.client import Api, photo
from web.app import create_app

ALBUM = COVERED["Album"].replace(" generations", "")
GENERATION = COVERED["Generation"].replace("tags albums", f"tags {{ {COVERED['Tag']} }} albums {{ {ALBUM} }}")
PAGE = f"""query($first: Int) {{ viewer {{
  {COVERED["User"].partition(" generation ")[0]} tags {{ {COVERED["Tag"]} }}
  albums {{ totalCount edges {{ cursor }} nodes {{ {ALBUM} generations {{ totalCount nodes {{ id }} }} }} }}
  generations(first: $first) {{ totalCount nodes {{ {GENERATION} }} edges {{ cursor }}
  pageInfo {{ {COVERED["PageInfo"]} }} }} }} }}"""
ONE = f"query($id: ID!) {{ viewer {{ generation(id: $id) {{ {GENERATION} }} }} }}"
JSON = {"Content-Type": "application/json"}
REASON = 'reason: "It was a mistake."'


@pytest.fixture
def hits(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each answer that could be kept was."""
    found: list[bool] = []
    find = KeptAnswers.find

    def counted(self: KeptAnswers, key: Any) -> Any:
        answer = find(self, key)
        found.append(answer is not None)
        return answer

    monkeypatch.setattr(KeptAnswers, "find", counted)
    return found


async def over_socket(api: Api, query: str, **variables: Any) -> Any:
    """Return the data of a query on a socket, for which no answers are kept."""
    async with api.socket() as socket:
        message = await (await socket.subscribe(query, **variables)).message()
        return message["payload"]["data"]


async def is_current(api: Api, id: str) -> bool:
    """Return whether requests are answered as a socket answers them, before and after."""
    for query, variables in ((PAGE, {"first": 20}), (ONE, {"id": id})):
        for _ in range(100):  # until no generation in progress changes in between
            before = await over_socket(api, query, **variables)
            found = [await api.execute(query, **variables) for _ in range(4)]
            if before == await over_socket(api, query, **variables):
                break
        if found != [before] * 4:
            return False
    return True


async def completed(api: Api) -> str:
    (made,) = (await api.create(photo(64, 64), styleId=await api.style("noir", "avenger")))["generations"]
    await api.wait_for_end(made["id"])
    return str(made["id"])


async def test_unchanged_answer_is_kept_and_a_change_is_seen_at_once(
    server: Running, ada: Api, hits: list[bool]
) -> None:
    id = await completed(ada)
    first = await ada.raw(PAGE, first=20)
    again = await ada.raw(PAGE, first=20)
    assert hits == [False, True]
    assert first.content == again.content
    assert {name: value for name, value in first.headers.items() if name != "x-request-id"} == {
        name: value for name, value in again.headers.items() if name != "x-request-id"
    }
    await ada.execute("mutation($id: ID!) { setFavorite(id: $id, isFavorite: true) { generation { id } } }", id=id)
    assert (await ada.execute(PAGE, first=20))["viewer"]["generations"]["nodes"][0]["isFavorite"] is True
    chinese = (await ada.raw(PAGE, headers={"accept-language": "zh"}, first=20)).json()
    assert chinese["data"]["viewer"]["generations"]["nodes"][0]["message"] != first.json()["data"]["viewer"]
    assert hits == [False, True, False, False]


async def test_version_that_a_failover_gives_again_is_another_one(server: Running, ada: Api, hits: list[bool]) -> None:
    id = await completed(ada)
    await ada.execute("mutation($id: ID!) { setFavorite(id: $id, isFavorite: true) { generation { id } } }", id=id)
    for _ in range(2):
        assert (await ada.execute(ONE, id=id))["viewer"]["generation"]["isFavorite"] is True
    assert hits == [False, True]
    # The standby lacks the favorite, and a later change gets its version.
    await rows("UPDATE generations SET is_favorite = (1 = 0) WHERE id = $1 RETURNING id", id)
    await rows("UPDATE users SET updated_at = LATER($2) WHERE id = $1 RETURNING id", ada.user["id"], 1.0)
    assert (await ada.execute(ONE, id=id))["viewer"]["generation"]["isFavorite"] is False


async def test_infinite_number_does_not_get_the_answer_for_null(ada: Api) -> None:
    query = "query($first: Int) { viewer { credits generations(first: $first) { nodes { id } } } }"
    for number in ("1e400", "-1e400", "1e999"):
        answers = []
        for value in (number, "null", "null", number):
            body = f'{{"query": "{query}", "variables": {{"first": {value}}}}}'
            response = await ada.http.post("/graphql", content=body, headers=ada.headers(**JSON))
            answers.append(response.json())
        assert answers[1] == answers[2]
        assert "errors" not in answers[1]
        assert answers[0]["errors"] == answers[3]["errors"], "it is no integer"


async def test_generation_that_has_not_ended_is_not_kept(settings: Settings, hits: list[bool]) -> None:
    async with running(settings, idle=True) as server:
        ada = await server.api.sign_up()
        (made,) = (await ada.create(photo(64, 64), styleId=await ada.style("noir", "avenger")))["generations"]
        for progress in (0.1, 0.2):
            await rows("UPDATE generations SET progress = $1 WHERE id = $2 RETURNING id", progress, made["id"])
            page = (await ada.execute(PAGE, first=20))["viewer"]["generations"]["nodes"]
            one = (await ada.execute(ONE, id=made["id"]))["viewer"]["generation"]
            assert page[0]["progress"] == one["progress"] == progress
        assert hits == [False] * 4


async def test_kept_answer_does_not_keep_its_document(ada: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A document takes up to a megabyte when it is parsed; the memory of answers counts only theirs."""
    monkeypatch.setattr(schema, "documents", DocumentCache(most=2))
    prepared = []
    for number in range(5):
        text = f"query Q{number} {{ viewer {{ name }} }}"
        await ada.execute(text)
        found = schema.documents.find(text, None)
        assert found
        prepared.append(weakref.ref(found))
    del found
    gc.collect()
    assert [one() is not None for one in prepared] == [False, False, False, True, True]


def test_kept_answers_take_no_more_memory_than_is_counted() -> None:
    budget, each = 1024 * 1024, 1500  # bytes: with the overhead that is counted for an entry, at least
    answers = KeptAnswers(schema._schema, budget)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for number in range(budget // each):
            answers.keep((number, b""), Answer(orjson.dumps({"data": {"number": number}})))
        assert tracemalloc.get_traced_memory()[0] - before < budget
    finally:
        tracemalloc.stop()


async def test_account_row_that_was_changed_by_hand_is_seen_at_once(ada: Api, hits: list[bool]) -> None:
    await ada.execute(PAGE, first=1)
    await rows("UPDATE users SET credits = credits + 7 WHERE id = $1 RETURNING id", ada.user["id"])
    assert (await ada.execute(PAGE, first=1))["viewer"]["credits"] == 37
    assert hits == [False, False]


async def test_session_that_ended_and_suspension_are_seen_at_once(server: Running, ada: Api) -> None:
    other = await server.api.one(
        "mutation($input: SignInInput!) { signIn(input: $input) { token } }",
        input={"email": "ada@example.com", "password": "correct horse"},
    )
    second = Api(ada.http, ada.address, other["token"], ada.user)
    for _ in range(2):
        assert (await second.execute(PAGE, first=1))["viewer"]["credits"] == 30
    await second.execute("mutation { signOut { sessionsEnded } }")
    assert (await second.refused(PAGE, first=1))["code"] == "UNAUTHENTICATED"
    assert (await ada.execute(PAGE, first=1))["viewer"]["credits"] == 30
    await rows("UPDATE users SET suspended_at = NOW() WHERE id = $1 RETURNING id", ada.user["id"])
    assert (await ada.refused(PAGE, first=1))["code"] == "UNAUTHENTICATED"


async def test_get_is_revalidated_by_its_etag_until_the_account_changes(ada: Api) -> None:
    async def get(etag: str = "") -> Any:
        headers = ada.headers(accept="application/json", **({"if-none-match": etag} if etag else {}))
        return await ada.http.get("/graphql", params={"query": "{ viewer { name version } }"}, headers=headers)

    first = await get()
    assert first.headers["cache-control"] == "private, no-cache"
    assert {"authorization", "cookie"} <= {name.strip().casefold() for name in first.headers["vary"].split(",")}
    unchanged = await get(f'"other", W/{first.headers["etag"]}')
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert unchanged.headers["etag"] == first.headers["etag"]
    await ada.execute('mutation { updateProfile(input: {name: "Ada"}) { user { id } } }')
    changed = await get(first.headers["etag"])
    assert (changed.status_code, changed.json()["data"]["viewer"]["name"]) == (200, "Ada")
    assert changed.headers["etag"] != first.headers["etag"]


# Each mutation that ada (or an admin) can send with an effect on her account. {id}: her generation, {user}: her id.
EFFECTIVE = {
    "updateProfile": ("ada", 'updateProfile(input: {name: "Ada B"}) { errors { code } }'),
    "createApiKey": ("ada", 'createApiKey(name: "script") { errors { code } }'),
    "setFavorite": ("ada", 'setFavorite(id: "{id}", isFavorite: true) { errors { code } }'),
    "setFavorites": ("ada", 'setFavorites(ids: ["{id}", "{other}"], isFavorite: true) { errors { code } }'),
    "createAlbum": ("ada", 'createAlbum(name: "Foxes") { album { id } errors { code } }'),
    "addToAlbum": ("ada", 'addToAlbum(id: "{album}", ids: ["{id}", "{other}"]) { errors { code } }'),
    "updateAlbum": ("ada", 'updateAlbum(id: "{album}", input: {name: "Animals"}) { errors { code } }'),
    "removeFromAlbum": ("ada", 'removeFromAlbum(id: "{album}", ids: ["{other}"]) { errors { code } }'),
    "deleteAlbum": ("ada", 'deleteAlbum(id: "{album}") { errors { code } }'),
    "addTags": ("ada", 'addTags(ids: ["{id}"], tags: ["red", "blue"]) { generations { tags { id } } errors { code } }'),
    "renameTag": ("ada", 'renameTag(id: "{tag}", name: "scarlet") { errors { code } }'),
    "setTags": ("ada", 'setTags(ids: ["{id}"], tags: ["green", "blue"]) { errors { code } }'),
    "removeTags": ("ada", 'removeTags(ids: ["{id}"], tags: ["blue"]) { errors { code } }'),
    "shareGeneration": ("ada", 'shareGeneration(id: "{id}") { errors { code } }'),
    "unshareGeneration": ("ada", 'unshareGeneration(id: "{id}") { errors { code } }'),
    "adminAdjustCredits": (
        "admin", 'adminAdjustCredits(input: {userId: "{user}", amount: 5, reason: "A gift", idempotencyKey: "k"})'
                 " { errors { code } }",
    ),
    "adminRefundGeneration": ("admin", f'adminRefundGeneration(id: "{{id}}", {REASON}) {{ errors {{ code }} }}'),
    "adminSetMembership": ("admin", 'adminSetMembership(userId: "{user}", isMember: true) { errors { code } }'),
    "adminGrantPass": ("admin", 'adminGrantPass(userId: "{user}", plan: "flash") { errors { code } }'),
    "adminSetRole": ("admin", 'adminSetRole(userId: "{user}", role: ADMIN) { errors { code } }'),
    "regenerate": ("ada", 'regenerate(input: {id: "{id}"}) { errors { code } }'),
    "refineGeneration": ("ada", 'refineGeneration(input: {id: "{id}", instruction: "More red"}) { errors { code } }'),
    "createStyle": ("ada", 'createStyle(input: {title: "Rain", prompt: "Rain."}) { errors { code } }'),
    "changePassword": ("ada", 'changePassword(input: {current: "correct horse", new: "battery staple"}) '
                              "{ errors { code } }"),
    "requestEmailVerification": ("ada", "requestEmailVerification { errors { code } }"),
    "requestDataExport": ("ada", "requestDataExport { errors { code } }"),
    "adminDeleteGeneration": ("admin", f'adminDeleteGeneration(id: "{{id}}", {REASON}) {{ errors {{ code }} }}'),
    "deleteGenerations": ("ada", 'deleteGenerations(ids: ["{other}"]) { errors { code } }'),
}  # fmt: skip
ENDS_THE_SESSION = {"signOut", "deleteAccount", "adminSetSuspended"}


async def test_answer_kept_before_a_mutation_is_not_served_after_it(
    server: Running, ada: Api, hits: list[bool]
) -> None:
    admin = await server.api.sign_up("root@example.com")
    await rows("UPDATE users SET role = 'SUPER_ADMIN', credits = 500 WHERE id <> 'x' RETURNING id")
    await rows("UPDATE users SET role = 'USER' WHERE id = $1 RETURNING id", ada.user["id"])
    await ada.verify_address()
    id, other = await completed(ada), await completed(ada)
    mutations = schema._schema.mutation_type
    assert mutations
    album, tag, stale, refused = "", "", [], []
    others = [name for name in mutations.fields if name not in EFFECTIVE and name not in ENDS_THE_SESSION]
    for name in [*others, *EFFECTIVE]:
        who, text = EFFECTIVE.get(name, ("ada", ""))
        known = {"{id}": id, "{other}": other, "{user}": str(ada.user["id"]), "{album}": album, "{tag}": tag}
        for name_of_id, value in known.items():
            text = text.replace(name_of_id, value)
        actor = ada if who == "ada" else admin
        assert await is_current(ada, id), name
        if text:
            response = (await actor.raw(f"mutation {{ {text} }}")).json()
            if "errors" in response or response["data"][name]["errors"]:
                refused.append((name, response))
            elif name == "createAlbum":
                album = response["data"][name]["album"]["id"]
            elif name == "addTags":
                tag = response["data"][name]["generations"][0]["tags"][0]["id"]
        else:
            operation = Operation(f"Mutation.{name}")
            paths = ID_ARGUMENTS.get(operation.name, {})
            for path in paths:
                operation = operation.naming(path, ada.user["id"] if path.endswith("userId") else id)
            for each in (ada, admin):
                await each.raw(operation.document, **operation.variables)
        if not await is_current(ada, id):
            stale.append(name)
        async with ada.socket() as socket:
            stream = await socket.subscribe("subscription { creditsChanged { credits } }")
            await stream.next()
    assert refused == []
    assert stale == []
    assert hits.count(True) > len(EFFECTIVE)


async def test_no_reader_sees_an_older_state_than_an_acknowledged_write(settings: Settings) -> None:
    """Two servers on one database, of which each keeps answers; names are numbers that only grow."""
    async with running(settings, idle=True) as first:
        options = web_options(first.settings)

        @contextlib.asynccontextmanager
        async def opened() -> Any:
            yield first.services

        transport = httpx.ASGITransport(app=_with_state(create_app(opened, options), first.services))
        async with httpx.AsyncClient(transport=transport, base_url="http://second") as http:
            ada = await first.api.sign_up()
            second = Api(http, first.api.address, ada.token, ada.user)
            acknowledged, older, is_done = 0, [], False

            async def read(api: Api) -> None:
                while not is_done:
                    known = acknowledged
                    found = int((await api.one("{ viewer { name version } }"))["name"] or 0)
                    if found < known:
                        older.append((found, known))

            async def write() -> None:
                nonlocal acknowledged, is_done
                for number in range(1, 31):
                    text = f'mutation {{ updateProfile(input: {{name: "{number}"}}) {{ user {{ id }} }} }}'
                    await (ada if number % 2 else second).execute(text)
                    acknowledged = number
                    await asyncio.sleep(0)
                is_done = True

            await asyncio.gather(write(), *(read(api) for api in (ada, second) * 3))
            assert older == []


def _with_state(app: ASGIApp, services: Any) -> ASGIApp:
    """Return an application whose lifespan has run."""

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {"services": services}}, receive, send)

    return run
