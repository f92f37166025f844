"""Reuse of earlier results: what is identical, its price, and that neither deletion breaks the other generation."""

import asyncio
from typing import Any

import pytest

from models import Collection, CreditTransaction, File, Generation, Style, User
from models.database.connection import rows
from models.enum import FileState
from services.billing import passes
from tests.conftest import Running
from tests.support.client import Api, photo
from tests.support.integrity import adjust_credits, assert_invariants, count_rows, make_admin, stored_keys

CREATE = """
mutation($input: CreateGenerationInput!) {
  createGeneration(input: $input) {
    generations { id status stage progress cost paidBy reusedId parent { id } provider model startedAt completedAt
      original { url } result { url } }
    viewer { credits } errors { code message field }
  }
}"""
QUOTE = """
query($input: QuoteInput!) {
  quote(input: $input) { cost reusable { generationId cost paidBy affordable balanceAfter } }
}"""
DURATIONS = "{ admin { metrics { p50Seconds } } }"
ESTIMATE = "query($id: ID!) { viewer { generation(id: $id) { estimatedSeconds } } }"
DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds errors { code } } }"
PHOTO = photo(320, 240)


async def offer(share: float | None = 0.25, collection: str = "avenger") -> None:
    await Collection.filter(slug=collection).update(reuse_share=share)


async def noir(api: Api, **more: Any) -> dict[str, Any]:
    return {"styleId": await api.style("noir", "avenger"), **more}


async def order(api: Api, image: bytes | None = PHOTO, **input: Any) -> Any:
    return await api.one(CREATE, {"input.image": image} if image is not None else None, input=input)


async def make(api: Api, image: bytes | None = PHOTO, **input: Any) -> dict[str, Any]:
    """Return a new generation, once it is completed."""
    made = await order(api, image, **input)
    assert made["errors"] == [], made
    (generation,) = made["generations"]
    assert generation["reusedId"] is None
    ended = await api.wait_for_end(generation["id"])
    assert ended["status"] == "COMPLETED"
    return dict(ended)


async def reuse(api: Api, image: bytes | None = PHOTO, **input: Any) -> dict[str, Any]:
    made = await order(api, image, **input, reuseResult=True)
    assert made["errors"] == [], made
    (generation,) = made["generations"]
    return dict(generation)


async def refusal(api: Api, image: bytes | None = PHOTO, **input: Any) -> tuple[str, list[str] | None]:
    files = {"input.image": image} if image is not None else None
    error = await api.refused(CREATE, files, input={**input, "reuseResult": True})
    return error["code"], error["field"]


async def reusable(api: Api, image: bytes | None = PHOTO, **input: Any) -> Any:
    found = await api.one(QUOTE, {"input.image": image} if image is not None else None, input=input)
    return found["reusable"]


NONE = ("CONFLICT", ["reuseResult"])


async def test_an_identical_request_gets_its_earlier_result_at_once_for_a_share_of_the_price(server: Running) -> None:
    await offer(0.25)
    ada = await server.api.sign_up()
    first = await make(ada, **await noir(ada))
    before, stored = await count_rows(), await stored_keys(server.services)
    shown = await reusable(ada, **await noir(ada))
    assert shown == {
        "generationId": first["id"],
        "cost": 3,  # a quarter of 10, rounded up
        "paidBy": "CREDITS",
        "affordable": True,
        "balanceAfter": 17,
    }
    made = await order(ada, **await noir(ada), reuseResult=True)
    (second,) = made["generations"]
    assert made["viewer"]["credits"] == 17
    assert (second["status"], second["stage"], second["progress"]) == ("COMPLETED", "COMPLETED", 1.0)
    assert (second["cost"], second["paidBy"], second["reusedId"]) == (3, "CREDITS", first["id"])
    assert (second["provider"], second["model"]) == ("demo", "demo")
    assert (second["parent"], second["startedAt"]) == (None, None)
    one, two = [await ada.http.get(made["result"]["url"]) for made in (first, second)]
    assert one.content == two.content
    after = await count_rows()
    assert after == {**before, "generations": before["generations"] + 1, "lines": before["lines"] + 1}
    assert await stored_keys(server.services) == stored, "the files are stored once"
    (line,) = await CreditTransaction.filter(generation_id=second["id"])
    assert (line.amount, line.reference, line.balance) == (-3, f"deduct:{second['id']}", 17)
    # It is in the gallery, ends a subscription at once, and is itself what the next request gets.
    listed = await ada.one("{ viewer { generations { nodes { id status } } } }")
    assert [node["id"] for node in listed["generations"]["nodes"]] == [second["id"], first["id"]]
    assert (await ada.wait_for_end(second["id"]))["status"] == "COMPLETED"
    assert (await reuse(ada, **await noir(ada)))["reusedId"] == second["id"]
    await assert_invariants(server.services, all_ended=True)


async def test_any_difference_makes_another_request(server: Running) -> None:
    for collection in ("avenger", "sandbox"):
        await offer(0.5, collection)
    ada = await server.api.sign_up()
    await adjust_credits(ada.user["id"], 1000, "test")
    same = await noir(ada, prompt="In the rain", variables={"powers": "flight"}, aspectRatio="1:1")
    first = await make(ada, **same)
    assert (await reusable(ada, **same))["generationId"] == first["id"]
    other_style = await ada.style("classic", "avenger")
    for change in (
        {"prompt": "In the snow"},
        {"prompt": None},
        {"variables": {"powers": "ice"}},
        {"variables": None},
        {"aspectRatio": "3:2"},
        {"aspectRatio": None},
        {"quality": "HD"},
        {"size": "SMALL"},
        {"styleId": other_style},
    ):
        assert await reusable(ada, **{**same, **change}) is None, change
        assert await refusal(ada, **{**same, **change}) == NONE, change
    assert await refusal(ada, photo(320, 240, colour="#d08051"), **same) == NONE
    # The same picture in another file is the same photo only if it is stored as the same bytes.
    assert await reusable(ada, photo(320, 240), **same) is not None
    # An edited style makes another picture.
    await Style.filter(slug="noir").update(
        prompt="A hero at night, {powers}, {costume_color}, {background}. {instruction}"
    )
    assert await reusable(ada, **same) is None
    assert await refusal(ada, **same) == NONE
    await assert_invariants(server.services)


async def test_only_completed_results_of_the_same_account_that_are_not_deleted_are_reused(server: Running) -> None:
    await offer()
    ada, eve = await server.api.sign_up(), await server.api.sign_up("eve@example.com")
    first = await make(ada, **await noir(ada))
    assert await reusable(eve, **await noir(eve)) is None
    assert await refusal(eve, **await noir(eve)) == NONE
    assert await server.api.one(QUOTE, input=await noir(ada)) == {"cost": 10, "reusable": None}
    await ada.execute(DELETE, ids=[first["id"]])
    assert await reusable(ada, **await noir(ada)) is None
    assert await refusal(ada, **await noir(ada)) == NONE
    assert (await ada.credits(), await eve.credits()) == (20, 30)
    await assert_invariants(server.services)


async def test_waiting_failed_and_refined_generations_are_not_reused(idle_server: Running) -> None:
    await offer()
    ada = await idle_server.api.sign_up()
    await order(ada, **await noir(ada))
    assert await refusal(ada, **await noir(ada)) == NONE
    await rows("UPDATE generations SET status = 'FAILED', stage = 'FAILED', error_code = 'INTERNAL',"
               " completed_at = NOW() RETURNING id")  # fmt: skip
    assert await refusal(ada, **await noir(ada)) == NONE


async def test_refinements_and_repetitions_are_not_reused(server: Running) -> None:
    await offer(0.0, "sandbox")
    ada = await server.api.sign_up()
    first = await make(ada, None, prompt="A fox")
    repeated = await ada.one(
        "mutation($input: RegenerateInput!) { regenerate(input: $input) { generations { id } } }",
        input={"id": first["id"]},
    )
    refined = await ada.one(
        "mutation($input: RefineGenerationInput!) { refineGeneration(input: $input) { generations { id } } }",
        input={"id": first["id"], "instruction": "A fox"},
    )
    await ada.wait_for_all([made["generations"][0]["id"] for made in (repeated, refined)])
    assert (await reuse(ada, None, prompt="A fox"))["reusedId"] == first["id"]
    await ada.execute(DELETE, ids=[first["id"]])
    # The reused one remains, and is a result of this request itself.
    assert (await reuse(ada, None, prompt="A fox"))["reusedId"] != first["id"]
    await assert_invariants(server.services, all_ended=True)


async def sweep(server: Running) -> None:
    for chore in server.services.media.chores:
        await chore.run()


@pytest.mark.parametrize("first_deleted", [0, 1])
async def test_either_can_be_deleted_without_the_other(server: Running, first_deleted: int) -> None:
    await offer()
    ada = await server.api.sign_up()
    made = [await make(ada, **await noir(ada)), await reuse(ada, **await noir(ada))]
    kept = made[1 - first_deleted]
    await ada.execute(DELETE, ids=[made[first_deleted]["id"]])
    await sweep(server)
    shown = await ada.generation(kept["id"])
    assert (await ada.http.get(shown["result"]["url"])).status_code == 200
    assert (await ada.http.get(shown["original"]["url"])).status_code == 200
    assert await File.filter(state=FileState.LIVE).count() == 2
    await assert_invariants(server.services)
    await ada.execute(DELETE, ids=[kept["id"]])
    await sweep(server)
    assert (await File.all().count(), await stored_keys(server.services)) == (0, set())
    await assert_invariants(server.services, all_swept=True)


async def test_a_share_ends_with_its_own_generation(server: Running) -> None:
    await offer()
    ada = await server.api.sign_up()
    first, second = await make(ada, **await noir(ada)), await reuse(ada, **await noir(ada))
    share = "mutation($id: ID!) { shareGeneration(id: $id) { generation { shareUrl } } }"
    pages = [(await ada.one(share, id=one["id"]))["generation"]["shareUrl"] + "/preview.jpg" for one in (first, second)]
    assert [(await ada.http.get(page)).status_code for page in pages] == [200, 200]
    await ada.execute(DELETE, ids=[first["id"]])
    await sweep(server)
    assert [(await ada.http.get(page)).status_code for page in pages] == [404, 200]


async def test_deleting_the_source_while_it_is_reused_leaves_one_of_two_outcomes(server: Running) -> None:
    await offer()
    ada = await server.api.sign_up()
    input = await noir(ada)
    for _ in range(2):
        source = await make(ada, **input)
        balance = await ada.credits()
        made, _ = await asyncio.gather(
            ada.one(CREATE, {"input.image": PHOTO}, input={**input, "reuseResult": True}),
            ada.execute(DELETE, ids=[source["id"]]),
        )
        if made["errors"]:
            assert (made["errors"][0]["code"], await ada.credits()) == ("CONFLICT", balance)
        else:
            await sweep(server)
            shown = await ada.generation(made["generations"][0]["id"])
            assert (await ada.http.get(shown["result"]["url"])).status_code == 200
            assert await ada.credits() == balance - 3
            await ada.execute(DELETE, ids=[shown["id"]])
        await assert_invariants(server.services)


async def test_a_repeated_key_reuses_and_charges_once(server: Running) -> None:
    await offer()
    ada = await server.api.sign_up()
    await make(ada, **await noir(ada))
    input = await noir(ada, idempotencyKey="again")
    made = await asyncio.gather(*(reuse(ada, **input) for _ in range(4)))
    assert len({one["id"] for one in made}) == 1
    assert await ada.credits() == 17
    # Without `reuseResult` it is another request.
    refused = await ada.refused(CREATE, {"input.image": PHOTO}, input=input)
    assert (refused["code"], refused["field"]) == ("CONFLICT", ["idempotencyKey"])
    await assert_invariants(server.services)


async def test_reuse_is_refused_where_it_is_not_offered_for_several_and_without_credits(server: Running) -> None:
    ada = await server.api.sign_up()
    await make(ada, **await noir(ada))
    assert await reusable(ada, **await noir(ada)) is None
    assert await refusal(ada, **await noir(ada)) == ("INVALID_INPUT", ["reuseResult"])
    await offer()
    assert await refusal(ada, **await noir(ada), count=2) == ("INVALID_INPUT", ["count"])
    assert await refusal(ada, None, **await noir(ada)) == ("INVALID_INPUT", ["image"])
    assert await ada.one(QUOTE, input=await noir(ada)) == {"cost": 10, "reusable": None}  # its photo is missing
    spend = await ada.one(CREATE, {"input.image": PHOTO}, input=await noir(ada))
    await ada.wait_for_end(spend["generations"][0]["id"])
    await offer(1.0)
    await order(ada, **await noir(ada))
    assert await ada.credits() == 0
    shown = await reusable(ada, **await noir(ada))
    assert (shown["cost"], shown["affordable"], shown["balanceAfter"]) == (10, False, -10)
    assert await refusal(ada, **await noir(ada)) == ("INSUFFICIENT_CREDITS", None)
    await offer(0.0)
    free = await reuse(ada, **await noir(ada))
    assert (free["cost"], await ada.credits()) == (0, 0)
    assert await CreditTransaction.filter(generation_id=free["id"]).count() == 0
    await assert_invariants(server.services)


async def test_a_pass_keeps_its_places_and_an_unlimited_plan_pays(server: Running) -> None:
    await offer()
    ada = await server.api.sign_up()
    await make(ada, **await noir(ada))
    admin = await server.api.sign_up("root@example.com")
    await User.filter(id=admin.user["id"]).update(role="SUPER_ADMIN")
    granted = await admin.one(
        'mutation($id: ID!) { adminGrantPass(userId: $id, plan: "flash") { errors { code } } }', id=ada.user["id"]
    )
    assert granted["errors"] == []
    active = await passes.active(ada.user["id"])
    made = await reuse(ada, **await noir(ada))
    assert (made["paidBy"], made["cost"], await ada.credits()) == ("CREDITS", 3, 17)
    assert await passes.active(ada.user["id"]) == active
    granted = await admin.one(
        'mutation($id: ID!) { adminGrantPlan(userId: $id, plan: "enterprise", reason: "t") { errors { code } } }',
        id=ada.user["id"],
    )
    assert granted["errors"] == []
    balance = await ada.credits()
    shown = await reusable(ada, **await noir(ada))
    assert (shown["paidBy"], shown["cost"], shown["affordable"]) == ("PLAN", 0, True)
    made = await reuse(ada, **await noir(ada))
    assert (made["paidBy"], made["cost"], await ada.credits()) == ("PLAN", 0, balance)
    await assert_invariants(server.services)


async def test_an_admin_refunds_a_reused_result_once_and_in_full(server: Running) -> None:
    await offer()
    ada = await server.api.sign_up()
    await make(ada, **await noir(ada))
    made = await reuse(ada, **await noir(ada))
    admin = await server.api.sign_up("root@example.com")
    await User.filter(id=admin.user["id"]).update(role="SUPER_ADMIN")
    refund = 'mutation($id: ID!) { adminRefundGeneration(id: $id, reason: "t") { errors { code } } }'
    assert (await admin.one(refund, id=made["id"]))["errors"] == []
    assert (await admin.refused(refund, id=made["id"]))["code"] == "CONFLICT"
    assert await ada.credits() == 20
    await assert_invariants(server.services)


async def test_a_photo_sent_ahead_is_compared_by_its_content(server: Running) -> None:
    await offer()
    ada = await server.api.sign_up()
    first = await make(ada, **await noir(ada))
    announced = await ada.one(
        "mutation($input: CreateUploadInput!) { createUpload(input: $input) { upload { id url fields } } }",
        input={"contentType": "image/jpeg", "byteSize": len(PHOTO)},
    )
    upload = announced["upload"]
    sent = await ada.http.post(upload["url"], data=upload["fields"], files={"file": ("a.jpg", PHOTO, "image/jpeg")})
    assert sent.status_code < 300, sent.text
    input = await noir(ada, uploadId=upload["id"])
    assert (await reusable(ada, None, **input))["generationId"] == first["id"]
    assert (await reuse(ada, None, **input))["reusedId"] == first["id"]
    assert await Generation.filter(reused_id=first["id"]).count() == 1


async def test_reused_results_have_no_part_in_durations_and_estimates(idle_server: Running) -> None:
    await offer(0.0)
    admin = await make_admin(idle_server.api)
    (first,) = (await order(admin, **await noir(admin)))["generations"]
    await idle_server.services.generations.worker.process(first["id"])
    await rows("UPDATE generations SET completed_at = LATER($1) WHERE id = $2 RETURNING id", 10.0, first["id"])
    for _ in range(21):  # more than an estimate looks at
        assert (await reuse(admin, **await noir(admin)))["status"] == "COMPLETED"
    (found,) = (await admin.one(DURATIONS))["metrics"].values()
    assert 10 <= found < 11
    await idle_server.services.operations.worker_registry.heartbeat("another worker", 2)
    (waiting,) = (await order(admin, **await noir(admin)))["generations"]
    shown = await admin.one(ESTIMATE, id=waiting["id"])
    assert shown["generation"]["estimatedSeconds"] >= 10
