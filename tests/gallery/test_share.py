"""Sharing: a public address for a finished picture, chosen or unguessable, that tells nothing else and ends at once."""

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
UNGUESSABLE = re.compile(r"[a-z2-7]{26}")  # 26 letters of 32: 130 bits


async def finished(server: Running, person: Api, **input: Any) -> str:
    """A finished generation's id."""
    (made,) = (await person.create(**{"prompt": "A fox in secret snow", **input}))["generations"]
    await server.services.generations.worker.process(made["id"])
    return str(made["id"])


async def share(person: Api, id: str, slug: str | None = None) -> str:
    """The slug that a picture has now."""
    payload = await person.one(SHARE, id=id, slug=slug)
    assert payload["errors"] == []
    address, _, found = payload["generation"]["shareUrl"].rpartition("/")
    assert address == f"{person.address}/s"
    return str(found)


async def versions(person: Api, id: str) -> tuple[int, int]:
    """Of the account, and of the picture."""
    query = "query($id: ID!) { viewer { version generation(id: $id) { version } } }"
    viewer = await person.one(query, id=id)
    return viewer["version"], viewer["generation"]["version"]


async def is_shared(server: Running, slug: str) -> bool:
    return (await server.api.one(SHARED, slug=slug)) is not None


async def page_of(server: Running, slug: str) -> str:
    """The HTML that anybody gets."""
    return (await server.api.http.get(f"/s/{slug}")).text


# Giving and taking back


async def test_a_picture_gets_an_address_that_nobody_can_guess_and_keeps_it(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    first, second = await finished(idle_server, ada), await finished(idle_server, ada)
    account, generation = await versions(ada, first)
    query = "query($id: ID!) { viewer { generation(id: $id) { shareUrl } } }"
    assert (await ada.one(query, id=first))["generation"]["shareUrl"] is None
    slug = await share(ada, first)
    assert UNGUESSABLE.fullmatch(slug)
    assert await versions(ada, first) == (account + 1, generation + 1)
    assert await share(ada, first) == slug == await share(ada, first, slug=None)
    assert (await ada.one(query, id=first))["generation"]["shareUrl"] == f"{ada.address}/s/{slug}"
    assert await versions(ada, first) == (account + 1, generation + 1), "nothing changed, so nothing moves"
    assert await share(ada, second) != slug
    assert await is_shared(idle_server, slug)


async def test_a_chosen_address_replaces_the_one_before_and_capitals_mean_nothing(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id = await finished(idle_server, ada)
    made = await share(ada, id)
    account, generation = await versions(ada, id)
    assert await share(ada, id, "My-Fox-2") == "my-fox-2"
    assert await share(ada, id, "my-FOX-2") == "my-fox-2" == await share(ada, id)
    assert await versions(ada, id) == (account + 1, generation + 1)
    assert await is_shared(idle_server, "my-fox-2")
    assert await is_shared(idle_server, "MY-FOX-2")
    assert not await is_shared(idle_server, made)


async def test_what_is_taken_back_leads_nowhere_and_may_be_taken_again(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    hers, theirs = await finished(idle_server, ada), await finished(idle_server, eve)
    await share(ada, hers, "the-fox")
    account, generation = await versions(ada, hers)
    assert (await eve.refused(SHARE, id=theirs, slug="The-Fox")) == {
        "code": "CONFLICT",
        "message": "This address is taken.",
        "field": ["slug"],
    }
    taken_back = (await ada.one(UNSHARE, id=hers))["generation"]
    assert (taken_back["shareUrl"], taken_back["version"]) == (None, generation + 1)
    assert not await is_shared(idle_server, "the-fox")
    assert (await ada.one(UNSHARE, id=hers))["generation"] == taken_back
    assert await versions(ada, hers) == (account + 1, generation + 1)
    assert await share(ada, hers, "the-fox") == "the-fox"
    await ada.one(UNSHARE, id=hers)
    assert await share(eve, theirs, "the-fox") == "the-fox"
    made = await share(ada, hers)
    await ada.one(UNSHARE, id=hers)
    assert await share(ada, hers) != made, "an address that was made never comes back"


async def test_a_refused_address_leaves_everything_as_it_was(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id, other = await finished(idle_server, ada), await finished(idle_server, ada)
    made = await share(ada, id)
    await share(ada, other, "other")
    before = await versions(ada, id)
    malformed = ["", "ab", "a" * 65, "-fox", "fox-", "my--fox", "my fox", "my_fox", "füchse", "狐狸狐狸", "fox\x00"]
    malformed += [" fox", "fox\n", "../fox", "fox/picture", "<script>", "\u212aelvin"]
    for slug in malformed:
        refused = await ada.refused(SHARE, id=id, slug=slug)
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["slug"]), slug
        assert "3 to 64" in refused["message"]
    for slug in ("admin", "Support", made, "a" * 26):  # those that look as if they were made
        refused = await ada.refused(SHARE, id=other, slug=slug)
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["slug"]), slug
        assert "reserved" in refused["message"]
    refused = await ada.refused(SHARE, id=id, slug="other")
    assert (refused["code"], refused["field"]) == ("CONFLICT", ["slug"])
    assert await versions(ada, id) == before
    assert await share(ada, id) == made
    for slug in ("abc", "a" * 64, "123", "a-b-c", "a" * 25, "z" * 27):
        assert await share(ada, id, slug) == slug


async def test_only_a_finished_picture_is_shared(idle_server: Running, openrouter: ScriptedOpenRouter) -> None:
    ada = await idle_server.api.sign_up()
    openrouter.script(status(500), picture())
    failed = await finished(idle_server, ada)
    (waiting,) = (await ada.create(prompt="A fox"))["generations"]
    for id in (failed, waiting["id"]):
        before = await versions(ada, id)
        for slug in (None, "my-fox"):
            refused = await ada.refused(SHARE, id=id, slug=slug)
            assert (refused["code"], refused["field"]) == ("CONFLICT", ["id"])
        assert (await ada.one(UNSHARE, id=id))["generation"]["shareUrl"] is None
        assert await versions(ada, id) == before
    assert not await is_shared(idle_server, "my-fox")


async def test_a_deleted_picture_is_shared_no_more_and_its_address_is_free(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    first, second = await finished(idle_server, ada), await finished(idle_server, ada)
    await share(ada, first, "the-fox")
    await ada.one("mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds } }", ids=[first])
    assert not await is_shared(idle_server, "the-fox")
    assert (await ada.refused(SHARE, id=first))["code"] == "NOT_FOUND"
    assert (await ada.refused(UNSHARE, id=first))["code"] == "NOT_FOUND"
    assert await share(ada, second, "the-fox") == "the-fox"


async def test_of_an_account_that_is_gone_nothing_is_shared(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    slug = await share(ada, await finished(idle_server, ada))
    await rows("UPDATE users SET deleted_at = NOW() WHERE id = $1 RETURNING id", ada.user["id"])
    assert not await is_shared(idle_server, slug)


async def test_galleries_that_watch_are_told_of_every_change_of_a_share(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id = await finished(idle_server, ada)
    async with idle_server.services.integrations.bus.subscribe(account_channel(str(ada.user["id"]))) as messages:
        for change in (SHARE, UNSHARE):
            await ada.one(change, id=id)
            await ada.one(change, id=id)
        for account in (await versions(ada, id))[0] - 1, (await versions(ada, id))[0]:
            news = await messages.get(timeout=5)
            assert isinstance(news, dict)
            assert news["version"] == account
            assert decode_generations(news) == (GenerationChange(ChangeKind.UPDATED, id),)
        assert await messages.get(timeout=0.05) is None


# What anybody sees


async def test_anybody_with_the_link_sees_the_picture_and_nothing_else(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up("ada@example.com", name="Ada")
    id = await finished(idle_server, ada)
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
    told = json.dumps(shared) + str(response.headers)
    for private in (ada.user["id"], "ada@example.com", "secret snow", id, file.id, mine["batchId"]):
        assert private not in told
    await User.filter(id=ada.user["id"]).update(name=None)
    assert (await idle_server.api.one(SHARED, slug=slug))["sharedBy"] is None


async def test_the_title_of_a_style_of_ones_own_stays_with_its_owner(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up("ada@example.com", name="Ada")
    style = await ada.one(
        "mutation($input: StyleInput!) { createStyle(input: $input) { style { id } } }",
        input={"title": "Canary of my own", "prompt": "A canary"},
    )
    id = await finished(idle_server, ada, styleId=style["style"]["id"])
    slug = await share(ada, id)
    for deleted in (False, True):
        if deleted:
            await ada.ask("mutation($id: ID!) { deleteStyle(id: $id) { deletedIds } }", id=style["style"]["id"])
        assert (await idle_server.api.one(SHARED, slug=slug))["title"] is None
        assert "Canary" not in await page_of(idle_server, slug)
        assert (await ada.generation(id))["styleTitle"] == "Canary of my own"


async def test_what_is_no_address_leads_nowhere(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id = await finished(idle_server, ada)
    assert not any(
        [await is_shared(idle_server, slug) for slug in (id, "", "null", "' OR 1=1", "\x00", "x" * 5000, "ﬁx")]
    )


# Races


async def test_of_many_who_want_one_address_one_gets_it(idle_server: Running) -> None:
    people = [await idle_server.api.sign_up(f"p{number}@example.com") for number in range(4)]
    pictures = [await finished(idle_server, person) for person in people]
    before = [await versions(person, id) for person, id in zip(people, pictures, strict=True)]
    payloads = await asyncio.gather(
        *(person.one(SHARE, id=id, slug="gold") for person, id in zip(people, pictures, strict=True))
    )
    won = [payload["generation"] is not None for payload in payloads]
    assert won.count(True) == 1
    refusals = [payload["errors"][0]["code"] for payload in payloads if payload["errors"]]
    assert refusals == ["CONFLICT"] * 3
    after = [await versions(person, id) for person, id in zip(people, pictures, strict=True)]
    assert after == [(a + one, g + one) for (a, g), one in zip(before, won, strict=True)]


async def test_twins_that_share_one_picture_get_one_link(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id = await finished(idle_server, ada)
    account, generation = await versions(ada, id)
    slugs = await asyncio.gather(*(share(ada, id) for _ in range(8)))
    assert len(set(slugs)) == 1
    assert await versions(ada, id) == (account + 1, generation + 1)
    await asyncio.gather(*(ada.one(UNSHARE, id=id) for _ in range(8)))
    assert await versions(ada, id) == (account + 2, generation + 2)


async def test_an_owner_sees_the_link_beside_everything_else(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id = await finished(idle_server, ada)
    slug = await share(ada, id)
    query = f"query($id: ID!) {{ node(id: $id) {{ ... on Generation {{ shareUrl {GENERATION} }} }} }}"
    assert (await ada.one(query, id=id))["shareUrl"].endswith(f"/s/{slug}")
