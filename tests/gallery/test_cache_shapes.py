"""What normalised caches need: files and shares with an ID, and the viewer as a mutation or an event left it."""

from typing import Any
from urllib.parse import urlsplit

from tests.conftest import Running
from tests.gallery.test_share import create_completed

FILES = "query($id: ID!) { viewer { generation(id: $id) { result { id url thumbnailUrl downloadUrl } } } }"
VIEWER = "viewer { id credits version stats { favorites totalGenerations } }"


async def test_file_has_an_id_which_the_paths_of_its_links_contain(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id = await create_completed(idle_server, ada)
    found = (await ada.one(FILES, id=id))["generation"]["result"]
    assert found["id"].startswith("fil_")
    names = [urlsplit(found[name]).path.rpartition("/")[2] for name in ("url", "downloadUrl", "thumbnailUrl")]
    assert names == [found["id"], found["id"], f"{found['id']}-thumbnail"]


async def test_share_has_an_id_its_slug_and_its_page(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    id = await create_completed(idle_server, ada)
    share = 'mutation($id: ID!) { shareGeneration(id: $id, slug: "Red-Boat") { generation { shareUrl } } }'
    url = (await ada.one(share, id=id))["generation"]["shareUrl"]
    shared = '{ sharedGeneration(slug: "red-BOAT") { id slug url result { id } } }'
    expected = {"id": "shared_red-boat", "slug": "red-boat", "url": url, "result": {"id": "shared_file_red-boat"}}
    assert await idle_server.api.one(shared) == expected


async def test_payloads_return_the_viewer_as_the_change_left_it(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    (made,) = (await ada.create(prompt="A fox"))["generations"]
    before: Any = await ada.one(f"{{ {VIEWER} }}")
    cancel = f"mutation($id: ID!) {{ cancelGeneration(id: $id) {{ {VIEWER} errors {{ code }} }} }}"
    canceled = (await ada.one(cancel, id=made["id"]))["viewer"]
    assert canceled["credits"] > before["credits"]
    assert canceled == await ada.one(f"{{ {VIEWER} }}")
    favorite = f"mutation($id: ID!) {{ setFavorite(id: $id, isFavorite: true) {{ {VIEWER} }} }}"
    marked = (await ada.one(favorite, id=made["id"]))["viewer"]
    assert marked["stats"]["favorites"] == 1
    assert marked["version"] == canceled["version"] + 1
    refused = (await ada.one(cancel, id="gen_00000000000000000000000000"))["viewer"]
    assert refused == marked, "a refused request also returns it"
    delete = f"mutation($ids: [ID!]!) {{ deleteGenerations(ids: $ids) {{ deletedIds {VIEWER} }} }}"
    deleted = (await ada.one(delete, ids=[made["id"]]))["viewer"]
    assert deleted["stats"]["favorites"] == 0
    assert deleted["version"] == marked["version"] + 1


async def test_event_of_credits_returns_the_account_in_its_present_state(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    async with ada.socket() as socket:
        changes = await socket.subscribe(
            "subscription { creditsChanged { credits version user { id credits version } } }"
        )
        first = await changes.next()
        assert first["user"] == {"id": ada.user["id"], "credits": first["credits"], "version": first["version"]}
        await ada.create(prompt="A fox")
        charged = await changes.next()
        assert charged["credits"] < first["credits"]
        assert charged["user"] == {"id": ada.user["id"], "credits": charged["credits"], "version": charged["version"]}


CHILDREN = """
query($id: ID!, $first: Int, $after: String) {
  node(id: $id) { ... on Generation {
    children(first: $first, after: $after) {
      totalCount nodes { id parent { id } prompt } pageInfo { hasNextPage endCursor }
    }
  } }
}"""
BATCH = """
query($id: ID!) {
  node(id: $id) { id ... on Batch { count completed failed canceled progress createdAt generations { id status } } }
}"""


async def test_children_are_what_repeats_or_refines_a_generation(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    first = await create_completed(idle_server, ada)
    again = "mutation($id: ID!) { regenerate(input: {id: $id}) { generations { id } } }"
    refine = 'mutation($id: ID!) { refineGeneration(input: {id: $id, instruction: "bluer"}) { generations { id } } }'
    made = [(await ada.one(each, id=first))["generations"][0]["id"] for each in (again, refine, again)]
    (below,) = (await ada.one(again, id=made[0]))["generations"]
    page = (await ada.one(CHILDREN, id=first, first=2))["children"]
    assert [child["id"] for child in page["nodes"]] == [made[2], made[1]]
    assert {child["parent"]["id"] for child in page["nodes"]} == {first}
    assert (page["totalCount"], page["pageInfo"]["hasNextPage"]) == (3, True)
    rest = (await ada.one(CHILDREN, id=first, first=2, after=page["pageInfo"]["endCursor"]))["children"]
    assert [child["id"] for child in rest["nodes"]] == [made[0]]
    assert [child["id"] for child in (await ada.one(CHILDREN, id=made[0]))["children"]["nodes"]] == [below["id"]]
    assert (await ada.one(CHILDREN, id=below["id"]))["children"]["nodes"] == []
    assert await eve.one(CHILDREN, id=first) is None


async def test_batch_has_the_generations_of_one_request_that_are_left(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    made = [one["id"] for one in (await ada.create(prompt="A fox", count=3))["generations"]]
    await idle_server.services.generations.worker.process(made[0])
    await ada.execute("mutation($id: ID!) { cancelGeneration(id: $id) { errors { code } } }", id=made[1])
    query = "query($id: ID!) { viewer { generation(id: $id) { batchId batch { id generations { id prompt } } } } }"
    found = (await ada.one(query, id=made[2]))["generation"]
    assert found["batch"] == {"id": found["batchId"], "generations": [{"id": id, "prompt": "A fox"} for id in made]}
    batch = await ada.one(BATCH, id=found["batchId"])
    assert [batch[name] for name in ("count", "completed", "failed", "canceled")] == [3, 1, 0, 1]
    assert 2 / 3 <= batch["progress"] < 1
    assert [one["id"] for one in batch["generations"]] == made
    await ada.execute("mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds } }", ids=made[:1])
    assert (await ada.one(BATCH, id=found["batchId"]))["count"] == 2
    assert await eve.one(BATCH, id=found["batchId"]) is None
    assert await idle_server.api.one(BATCH, id=found["batchId"]) is None
