"""Sharing: a public address for a completed picture, chosen or random, that reveals nothing else and can be revoked."""

import asyncio
import json
import re
from typing import Any

from models import File, User
from models.database.connection import rows
from services.events.account_change import ChangeKind, GenerationChange
from services.events.payload import account_channel, decode_generations
from tests.conftest import Running
from tests.support.client import GENERATION, Api
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import picture, status
from tests.support.integrity import make_admin

PAYLOAD = "{ generation { id shareUrl version isFavorite } errors { code message field } }"
SHARE = f"mutation($id: ID!, $slug: String) {{ shareGeneration(id: $id, slug: $slug) {PAYLOAD} }}"
UNSHARE = f"mutation($id: ID!) {{ unshareGeneration(id: $id) {PAYLOAD} }}"
SHARED = """
query($slug: String!) {
  sharedGeneration(slug: $slug) {
    title createdAt sharedBy
    result { url downloadUrl thumbnailUrl expiresAt contentType byteSize width height placeholder }
  }
}"""
SUSPEND = """
mutation($userId: ID!, $suspended: Boolean!) {
  adminSetSuspended(userId: $userId, suspended: $suspended, reason: "Copied pictures") { errors { code } }
}"""
RANDOM_SLUG = re.compile(r"[a-z2-7]{26}")  # 26 of 32 characters: 130 bits


async def create_completed(server: Running, client: Api, **input: Any) -> str:
    """Create a completed generation and return its id."""
    (made,) = (await client.create(**{"prompt": "A fox in secret snow", **input}))["generations"]
    await server.services.generations.worker.process(made["id"])
    return str(made["id"])


async def share(client: Api, id: str, slug: str | None = None) -> str:
    """Share a picture and return its slug."""
    payload = await client.one(SHARE, id=id, slug=slug)
    assert payload["errors"] == []
    base, _, found = payload["generation"]["shareUrl"].rpartition("/")
    assert base == f"{client.address}/s"
    return str(found)


async def versions(client: Api, id: str) -> tuple[int, int]:
    """Return the versions of the account and of the generation."""
    query = "query($id: ID!) { viewer { version generation(id: $id) { version } } }"
    viewer = await client.one(query, id=id)
    return viewer["version"], viewer["generation"]["version"]


async def is_shared(server: Running, slug: str) -> bool:
    return (await server.api.one(SHARED, slug=slug)) is not None


async def page_of(server: Running, slug: str) -> str:
    """Return the HTML of the public page."""
    return (await server.api.http.get(f"/s/{slug}")).text


# Sharing and revoking


async def test_share_without_a_slug_assigns_a_random_one_and_keeps_it(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    first, second = await create_completed(idle_server, ada), await create_completed(idle_server, ada)
    account, generation = await versions(ada, first)
    query = "query($id: ID!) { viewer { generation(id: $id) { shareUrl } } }"
    assert (await ada.one(query, id=first))["generation"]["shareUrl"] is None
    slug = await share(ada, first)
    assert RANDOM_SLUG.fullmatch(slug)
    assert await versions(ada, first) == (account + 1, generation + 1)
    assert await share(ada, first) == slug == await share(ada, first, slug=None)
    assert (await ada.one(query, id=first))["generation"]["shareUrl"] == f"{ada.address}/s/{slug}"
    assert await versions(ada, first) == (account + 1, generation + 1), "no version increases without a change"
    assert await share(ada, second) != slug
    assert await is_shared(idle_server, slug)


async def test_chosen_slug_replaces_the_former_one_and_is_case_insensitive(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id = await create_completed(idle_server, ada)
    made = await share(ada, id)
    account, generation = await versions(ada, id)
    assert await share(ada, id, "My-Fox-2") == "my-fox-2"
    assert await share(ada, id, "my-FOX-2") == "my-fox-2" == await share(ada, id)
    assert await versions(ada, id) == (account + 1, generation + 1)
    assert await is_shared(idle_server, "my-fox-2")
    assert await is_shared(idle_server, "MY-FOX-2")
    assert not await is_shared(idle_server, made)


async def test_revoked_slug_is_not_found_and_can_be_chosen_again(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    hers, theirs = await create_completed(idle_server, ada), await create_completed(idle_server, eve)
    await share(ada, hers, "the-fox")
    account, generation = await versions(ada, hers)
    assert (await eve.refused(SHARE, id=theirs, slug="The-Fox")) == {
        "code": "CONFLICT",
        "message": "This address is taken.",
        "field": ["slug"],
    }
    unshared = (await ada.one(UNSHARE, id=hers))["generation"]
    assert (unshared["shareUrl"], unshared["version"]) == (None, generation + 1)
    assert not await is_shared(idle_server, "the-fox")
    assert (await ada.one(UNSHARE, id=hers))["generation"] == unshared
    assert await versions(ada, hers) == (account + 1, generation + 1)
    assert await share(ada, hers, "the-fox") == "the-fox"
    await ada.one(UNSHARE, id=hers)
    assert await share(eve, theirs, "the-fox") == "the-fox"
    made = await share(ada, hers)
    await ada.one(UNSHARE, id=hers)
    assert await share(ada, hers) != made, "a random slug is never reused"


async def test_refused_slug_changes_nothing(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id, other = await create_completed(idle_server, ada), await create_completed(idle_server, ada)
    made = await share(ada, id)
    await share(ada, other, "other")
    before = await versions(ada, id)
    malformed = ["", "ab", "a" * 65, "-fox", "fox-", "my--fox", "my fox", "my_fox", "füchse", "狐狸狐狸", "fox\x00"]
    malformed += [" fox", "fox\n", "../fox", "fox/picture", "<script>", "\u212aelvin"]
    for slug in malformed:
        refused = await ada.refused(SHARE, id=id, slug=slug)
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["slug"]), slug
        assert "3 to 64" in refused["message"]
    official = ["admin", "Support", "darkroom-support", "admin-team", "the-darkroom", "sign-in", "log-in-here"]
    official += ["dark-room-fox", "help-team", "about-us", "admin2", "team", "official-fox-7", "staff1-fox"]
    official += ["darkroomsupport", "my-adminteam-fox", "a-d-m-i-n", "2admin-fox", "helpadmin7", "studio-darkroomteam"]
    for slug in (*official, made, "a" * 26):  # the last two have the format of random slugs
        refused = await ada.refused(SHARE, id=other, slug=slug)
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["slug"]), slug
        assert "reserved" in refused["message"]
    refused = await ada.refused(SHARE, id=id, slug="other")
    assert (refused["code"], refused["field"]) == ("CONFLICT", ["slug"])
    assert await versions(ada, id) == before
    assert await share(ada, id) == made
    harmless = (
        "administration-of-foxes",
        "my-new-home",
        "supporters",
        "a-fox-of-the-red-team",
        "sign-of-spring",
        "solar-system",
        "superadministrative-fox",
        "homestudio",
        "supportive-fox",
    )
    for slug in ("abc", "a" * 64, "123", "a-b-c", "a" * 25, "z" * 27, *harmless):
        assert await share(ada, id, slug) == slug


async def test_share_refuses_generations_that_are_not_completed(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    openrouter.script(status(500), picture())
    failed = await create_completed(idle_server, ada)
    (waiting,) = (await ada.create(prompt="A fox"))["generations"]
    for id in (failed, waiting["id"]):
        before = await versions(ada, id)
        for slug in (None, "my-fox"):
            refused = await ada.refused(SHARE, id=id, slug=slug)
            assert (refused["code"], refused["field"]) == ("CONFLICT", ["id"])
        assert (await ada.one(UNSHARE, id=id))["generation"]["shareUrl"] is None
        assert await versions(ada, id) == before
    assert not await is_shared(idle_server, "my-fox")


async def test_deletion_ends_the_share_and_frees_the_slug(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    first, second = await create_completed(idle_server, ada), await create_completed(idle_server, ada)
    await share(ada, first, "the-fox")
    await ada.one("mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds } }", ids=[first])
    assert not await is_shared(idle_server, "the-fox")
    assert (await ada.refused(SHARE, id=first))["code"] == "NOT_FOUND"
    assert (await ada.refused(UNSHARE, id=first))["code"] == "NOT_FOUND"
    assert await share(ada, second, "the-fox") == "the-fox"


async def test_shares_of_a_deleted_account_are_not_found(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    slug = await share(ada, await create_completed(idle_server, ada))
    await rows("UPDATE users SET deleted_at = NOW() WHERE id = $1 RETURNING id", ada.user["id"])
    assert not await is_shared(idle_server, slug)


async def test_shares_of_a_suspended_account_are_closed_until_it_is_unsuspended(idle_server: Running) -> None:
    ada, admin = await idle_server.api.sign_up(), await make_admin(idle_server.api)
    slug = await share(ada, await create_completed(idle_server, ada), "the-fox")
    paths = [f"/s/{slug}", f"/s/{slug}/picture", f"/s/{slug}/thumbnail", f"/s/{slug}/preview.jpg"]
    for suspended, found in ((True, False), (False, True)):
        payload = await admin.one(SUSPEND, userId=ada.user["id"], suspended=suspended)
        assert payload["errors"] == []
        assert await is_shared(idle_server, slug) is found
        codes = [(await idle_server.api.http.get(path)).status_code for path in paths]
        assert codes == [200 if found else 404] * len(paths)


async def test_every_change_of_a_share_is_published_once(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id = await create_completed(idle_server, ada)
    bus = idle_server.services.integrations.bus
    await bus.publish("sent", {})  # returns when the messages posted before it are sent, that of the creation included
    async with bus.subscribe(account_channel(str(ada.user["id"]))) as messages:
        for change in (SHARE, UNSHARE):
            await ada.one(change, id=id)
            await ada.one(change, id=id)
        for account in (await versions(ada, id))[0] - 1, (await versions(ada, id))[0]:
            message = await messages.get(timeout=5)
            assert isinstance(message, dict)
            assert message["version"] == account
            assert decode_generations(message) == (GenerationChange(ChangeKind.UPDATED, id),)
        assert await messages.get(timeout=0.05) is None


# What is public


async def test_shared_generation_reveals_the_picture_and_no_private_data(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up("ada@example.com", name="Ada")
    id = await create_completed(idle_server, ada)
    slug = await share(ada, id, "my-fox")
    response = await idle_server.api.raw(SHARED, slug=slug, headers={"accept-language": "zh-CN"})
    shared = response.json()["data"]["sharedGeneration"]
    mine = await ada.generation(id)
    page = f"{ada.address}/s/my-fox"
    assert shared["title"] == "自由创作" or re.search("[\u4e00-\u9fff]", shared["title"])
    assert (await idle_server.api.one(SHARED, slug=slug))["title"] == mine["styleTitle"]
    assert (shared["sharedBy"], shared["createdAt"]) == ("Ada", mine["createdAt"])
    same = ("contentType", "byteSize", "width", "height", "placeholder")
    assert {name: shared["result"][name] for name in same} == {name: mine["result"][name] for name in same}
    assert {name: value for name, value in shared["result"].items() if name not in same} == {
        "url": f"{page}/picture",
        "downloadUrl": f"{page}/picture?download=1",
        "thumbnailUrl": f"{page}/thumbnail",
        "expiresAt": None,
    }
    (file,) = await File.filter(made_by__id=id)
    response_text = json.dumps(shared) + str(response.headers)
    for private in (ada.user["id"], "ada@example.com", "secret snow", id, file.id, mine["batchId"]):
        assert private not in response_text
    await User.filter(id=ada.user["id"]).update(name=None)
    assert (await idle_server.api.one(SHARED, slug=slug))["sharedBy"] is None


async def test_shared_generation_does_not_reveal_the_title_of_a_custom_style(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up("ada@example.com", name="Ada")
    style = await ada.one(
        "mutation($input: StyleInput!) { createStyle(input: $input) { style { id } } }",
        input={"title": "Canary style", "prompt": "A canary"},
    )
    id = await create_completed(idle_server, ada, styleId=style["style"]["id"])
    slug = await share(ada, id)
    for deleted in (False, True):
        if deleted:
            await ada.execute("mutation($id: ID!) { deleteStyle(id: $id) { deletedIds } }", id=style["style"]["id"])
        assert (await idle_server.api.one(SHARED, slug=slug))["title"] is None
        assert "Canary" not in await page_of(idle_server, slug)
        assert (await ada.generation(id))["styleTitle"] == "Canary style"


async def test_malformed_slugs_are_not_found(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id = await create_completed(idle_server, ada)
    assert not any(
        [await is_shared(idle_server, slug) for slug in (id, "", "null", "' OR 1=1", "\x00", "x" * 5000, "ﬁx")]
    )


# Concurrency


async def test_of_concurrent_shares_with_one_slug_one_succeeds(idle_server: Running) -> None:
    clients = [await idle_server.api.sign_up(f"p{number}@example.com") for number in range(4)]
    pictures = [await create_completed(idle_server, client) for client in clients]
    before = [await versions(client, id) for client, id in zip(clients, pictures, strict=True)]
    payloads = await asyncio.gather(
        *(client.one(SHARE, id=id, slug="gold") for client, id in zip(clients, pictures, strict=True))
    )
    won = [payload["generation"] is not None for payload in payloads]
    assert won.count(True) == 1
    refusals = [payload["errors"][0]["code"] for payload in payloads if payload["errors"]]
    assert refusals == ["CONFLICT"] * 3
    after = [await versions(client, id) for client, id in zip(clients, pictures, strict=True)]
    assert after == [(a + one, g + one) for (a, g), one in zip(before, won, strict=True)]


async def test_concurrent_shares_of_one_picture_return_one_slug(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id = await create_completed(idle_server, ada)
    account, generation = await versions(ada, id)
    slugs = await asyncio.gather(*(share(ada, id) for _ in range(8)))
    assert len(set(slugs)) == 1
    assert await versions(ada, id) == (account + 1, generation + 1)
    await asyncio.gather(*(ada.one(UNSHARE, id=id) for _ in range(8)))
    assert await versions(ada, id) == (account + 2, generation + 2)


async def test_owner_reads_the_share_url_from_the_generation(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id = await create_completed(idle_server, ada)
    slug = await share(ada, id)
    query = f"query($id: ID!) {{ node(id: $id) {{ ... on Generation {{ shareUrl {GENERATION} }} }} }}"
    assert (await ada.one(query, id=id))["shareUrl"].endswith(f"/s/{slug}")
