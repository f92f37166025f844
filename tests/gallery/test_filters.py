"""Filters of the gallery and of the ledger."""

from typing import Any

from tests.conftest import Running
from tests.gallery.test_share import SHARE
from tests.support.client import photo
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import picture, status
from tests.support.gallery_pages import GALLERY, LEDGER, create, ids, page
from tests.support.integrity import adjust_credits


async def test_gallery_is_filtered_by_status_media_style_and_time(
    idle_server: Running, openrouter: ScriptedOpenRouter
) -> None:
    ada = await idle_server.api.sign_up()
    openrouter.script(picture(), status(500))
    done, failed, canceled, waiting = await create(ada, 4)
    await idle_server.services.generations.worker.process(done)
    await idle_server.services.generations.worker.process(failed)
    await idle_server.services.generations.requests.cancel(str(ada.user["id"]), canceled)
    noir = await ada.style("noir", "avenger")
    made = await ada.create(photo(64, 48), styleId=noir, count=2)
    heroes = [generation["id"] for generation in made["generations"]][::-1]
    batch = made["generations"][0]["batchId"]

    async def only(**filter: Any) -> list[str]:
        found = await page(ada, GALLERY, first=100, filter=filter)
        assert found["totalCount"] == len(found["nodes"])
        return [node["id"] for node in found["nodes"]]

    all_ids = [*heroes, waiting, canceled, failed, done]
    assert await only() == all_ids
    assert await only(status=["COMPLETED"]) == [done]
    assert await only(status=["FAILED", "CANCELED"]) == [canceled, failed]
    assert await only(status=["PENDING"]) == [*heroes, waiting]
    assert await only(status=["PROCESSING"]) == await only(status=[]) == []
    assert await only(media="IMAGE") == all_ids
    assert await only(media="VIDEO") == []
    assert await only(isShared=True) == []
    await ada.one(SHARE, id=done)
    assert await only(isShared=True) == [done]
    assert await only(isShared=False, status=["COMPLETED"]) == []
    assert await only(isShared=False) == all_ids[:-1]
    assert await only(styleId=noir) == await only(collection="avenger") == await only(batchId=batch) == heroes
    assert await only(collection="sandbox", status=["FAILED"]) == [failed]
    assert await only(collection="avenger", status=["FAILED"]) == []
    nodes = (await page(ada, GALLERY, first=100))["nodes"]
    times = {node["id"]: node["createdAt"] for node in nodes}
    # Generations of one batch have the same creation time; the next batch has a later one.
    assert await only(createdAfter=times[waiting]) == heroes
    assert await only(createdBefore=times[heroes[-1]]) == [waiting, canceled, failed, done]
    assert await only(createdAfter=times[heroes[0]], createdBefore=times[done]) == []
    beginning, end = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999Z"
    assert await only(createdAfter=beginning) == await only(createdBefore=end) == all_ids
    assert await only(createdAfter=end) == await only(createdBefore=beginning) == []
    first = await page(ada, GALLERY, first=1, filter={"status": ["PENDING"]})
    assert first["totalCount"] == 3
    rest = await ids(ada, filter={"status": ["PENDING"]}, after=first["pageInfo"]["endCursor"])
    assert rest == [heroes[1], waiting]


async def test_ledger_is_filtered_by_type_and_time(idle_server: Running, openrouter: ScriptedOpenRouter) -> None:
    ada = await idle_server.api.sign_up()
    openrouter.script(status(500))
    (failed,) = await create(ada, 1)
    await idle_server.services.generations.worker.process(failed)
    await adjust_credits(str(ada.user["id"]), 7, "a gift")

    async def types(**filter: Any) -> list[str]:
        found = await page(ada, LEDGER, first=100, filter=filter)
        assert found["totalCount"] == len(found["nodes"])
        return [node["type"] for node in found["nodes"]]

    assert await types() == ["ADMIN", "REFUND", "DEDUCTION", "BONUS"]
    assert await types(type=["REFUND", "BONUS"]) == ["REFUND", "BONUS"]
    assert await types(type=["PURCHASE"]) == await types(type=[]) == []
    lines = (await page(ada, LEDGER, first=100))["nodes"]
    assert [line["sequence"] for line in lines] == [4, 3, 2, 1]
    assert await types(createdAfter=lines[2]["createdAt"]) == ["ADMIN", "REFUND"]
    assert await types(createdBefore=lines[2]["createdAt"]) == ["BONUS"]
    assert await types(createdAfter=lines[0]["createdAt"]) == []


async def test_invalid_filters_match_nothing_or_are_refused(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    await create(ada, 1)
    for query in (GALLERY, LEDGER):
        for moment in ("yesterday", "2026-11-21", "2026-11-21T10:00:00", "", 5, "0001-01-01T00:00:00+23:59"):
            assert (await ada.refused(query, filter={"createdAfter": moment}))["code"] == "INVALID_INPUT", moment
        assert (await page(ada, query, filter={"createdBefore": "1970-01-01T00:00:00Z"}))["totalCount"] == 0
    for name in ("styleId", "batchId", "collection"):
        for value in ("nothing", "", "' OR 1=1", "x" * 500):
            body = (await ada.raw(GALLERY, filter={name: value})).json()
            if "errors" in body:
                assert body["errors"][0]["extensions"]["code"] in ("INVALID_INPUT", "NOT_FOUND"), (name, value)
            else:
                assert body["data"]["viewer"]["list"]["totalCount"] == 0, (name, value)
