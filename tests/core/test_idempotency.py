"""Idempotency keys: a repeated key and input return the first result, also under concurrency and after refusals."""

import asyncio
import json
from typing import Any

import pytest

from models import User
from models.enum import ReferenceImage
from services.billing.admin_adjustment import AdjustmentRequest
from services.billing.admin_grant import PassRequest
from services.catalogue.style_input import StyleDraft, StyleFields, Translation, VariableDraft
from services.core.idempotency import fingerprint
from services.generations.generation import GenerationService
from services.generations.regeneration import RefinementRequest, RegenerationRequest
from services.generations.specification import GenerationRequest
from services.payments.checkout import CheckoutRequest
from setting_types import Switch
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import CREATE, Api, photo
from tests.support.integrity import adjust_credits, assert_invariants, count_rows
from tests.support.second_process import another_process

JSON = "application/json"
PHOTO = photo(64, 48)
CREATE_IDS = """
mutation($input: CreateGenerationInput!) {
  createGeneration(input: $input) { generations { id } errors { code } }
}"""


def ids(made: dict[str, Any]) -> list[str]:
    assert made["errors"] == [], made
    return [generation["id"] for generation in made["generations"]]


async def test_the_same_key_and_input_return_the_first_generations_at_no_charge(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    hero = {"styleId": await ada.style("noir", "avenger"), "count": 2, "idempotencyKey": "once"}
    first = await ada.create(PHOTO, **hero)
    rows = await count_rows()
    again = await ada.create(PHOTO, **hero)
    assert ids(again) == ids(first)
    assert again["viewer"] == first["viewer"] == {"credits": 9_980, "version": first["viewer"]["version"]}
    assert await count_rows() == rows == {"generations": 2, "files": 1, "lines": 2}
    await idle_server.services.generations.worker.process(ids(first)[0])
    shown = (await ada.create(PHOTO, **hero))["generations"]
    assert [generation["status"] for generation in shown] == ["COMPLETED", "PENDING"]
    await assert_invariants(idle_server.services)


async def test_an_omitted_field_and_its_default_are_the_same_input(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    first = await ada.create(prompt="A fox", idempotencyKey="defaults")
    spelled_out = await ada.create(
        prompt="A fox",
        idempotencyKey="defaults",
        styleId=None,
        image=None,
        variables=None,
        size="MEDIUM",
        quality="STANDARD",
        aspectRatio=None,
        media="IMAGE",
        count=1,
        model=None,
    )
    assert ids(spelled_out) == ids(first)


async def test_a_photo_is_compared_by_its_bytes_and_not_by_its_name(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    style = await ada.style("cute", "plushify")
    same: Any = ("another name.png", PHOTO, "image/png")
    first = await ada.create(PHOTO, styleId=style, idempotencyKey="photo")
    assert ids(await ada.create(same, styleId=style, idempotencyKey="photo")) == ids(first)
    other = await ada.create(photo(64, 48, colour="#102030"), styleId=style, idempotencyKey="photo")
    assert [error["code"] for error in other["errors"]] == ["CONFLICT"]


async def test_the_same_key_with_any_other_input_is_a_conflict_and_changes_nothing(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    noir, anime = await ada.style("noir", "avenger"), await ada.style("anime", "avenger")
    input: dict[str, Any] = {"styleId": noir, "prompt": "Rain", "variables": {"powers": "flight"}}
    await ada.create(PHOTO, **input, idempotencyKey="used")
    rows, credits = await count_rows(), await ada.credits()
    others: list[dict[str, Any]] = [
        {"styleId": anime},
        {"prompt": "Snow"},
        {"prompt": None},
        {"variables": {"powers": "heat"}},
        {"variables": None},
        {"size": "LARGE"},
        {"quality": "HD"},
        {"count": 2},
        {"aspectRatio": "1:1"},
        {"model": "demo"},
    ]
    for other in others:
        refused = await ada.refused(CREATE, {"input.image": PHOTO}, input={**input, **other, "idempotencyKey": "used"})
        assert (refused["code"], refused["field"]) == ("CONFLICT", ["idempotencyKey"]), other
    without_photo = await ada.refused(CREATE, input={**input, "idempotencyKey": "used"})
    assert without_photo["code"] == "CONFLICT"
    assert (await count_rows(), await ada.credits()) == (rows, credits)


async def create_elsewhere(elsewhere: GenerationService, client: Api, key: int, input: dict[str, Any]) -> list[str]:
    """Send a concurrent duplicate to another process, which knows of the first through the database only."""
    user = await User.get(id=client.user["id"])
    request = GenerationRequest(**input, idempotency_key=f"key {key}")
    return [row.id for row in await elsewhere.create(user, request)]


@pytest.mark.parametrize("tens", [4, pytest.param(100, marks=(pytest.mark.chaos, pytest.mark.timeout(600)))])
async def test_five_concurrent_requests_with_one_key_create_one_batch(idle_server: Running, tens: int) -> None:
    ada = await idle_server.api.sign_up()

    async def use(key: int, input: dict[str, Any], image: bytes | None = None) -> list[str]:
        files = {"input.image": image} if image is not None else None
        return ids(await ada.one(CREATE_IDS, files, input={**input, "idempotencyKey": f"key {key}"}))

    style = await ada.style("cute", "plushify")
    for decade in range(tens):
        keys = range(decade * 10, decade * 10 + 10)
        prompts = {key: {"prompt": f"Fox {key}", "count": 1 + key % 3} for key in keys}
        photos = {key: {"styleId": style} for key in keys if key % 10 == 0}  # one in ten sends a photo
        async with another_process(idle_server.services) as elsewhere:
            uses = [
                (
                    create_elsewhere(elsewhere, ada, key, prompts[key])
                    if number % 2 and key not in photos
                    else use(key, photos.get(key, prompts[key]), PHOTO if key in photos else None)
                )
                for key in keys
                for number in range(5)
            ]
            made = await asyncio.gather(*uses)
        for number, key in enumerate(keys):
            five = made[number * 5 : number * 5 + 5]
            assert five == [five[0]] * 5, key
            assert len(five[0]) == (1 if key in photos else 1 + key % 3)
    pictures = sum(1 if key % 10 == 0 else 1 + key % 3 for key in range(10 * tens))
    rows = await count_rows()
    assert (rows["generations"], rows["lines"]) == (pictures, pictures)
    assert await ada.credits() == 10_000 - pictures
    for _ in range(1 + tens // 20):  # a hundred files at once
        await idle_server.services.background.sweeper.sweep()  # photos of the duplicates
    assert (await count_rows())["files"] == tens
    await assert_invariants(idle_server.services, all_swept=True)


async def test_duplicates_of_the_request_that_spends_the_last_credit_return_its_result(
    scripted_settings: Settings,
) -> None:
    changes = {"signup_credits": 1, "rate_limits": Switch.ON, "rate_limit_generations_per_minute": 1}
    async with running(scripted_settings.model_copy(update=changes), idle=True) as server:
        ada = await server.api.sign_up()
        # Sanitizing the photo takes a while, so that all five have arrived before the first stores the key.
        five = await asyncio.gather(*(ada.create(PHOTO, prompt="A fox", idempotencyKey="last") for _ in range(5)))
        assert [ids(made) for made in five] == [ids(five[0])] * 5
        assert await ada.credits() == 0
        assert ids(await ada.create(PHOTO, prompt="A fox", idempotencyKey="last")) == ids(five[0])
        other = await ada.refused(CREATE, input={"prompt": "A fox", "idempotencyKey": "other"})
        assert (other["code"], other["required"], other["balance"]) == ("INSUFFICIENT_CREDITS", 1, 0)
        await assert_invariants(server.services)


async def test_a_refused_request_consumes_no_key(scripted_settings: Settings) -> None:
    async with running(scripted_settings.model_copy(update={"signup_credits": 9}), idle=True) as server:
        ada = await server.api.sign_up()
        noir = await ada.style("noir", "avenger")
        refusals: list[tuple[str, bytes | None, dict[str, Any]]] = [
            ("INVALID_INPUT", None, {}),
            ("INVALID_INPUT", None, {"prompt": "A fox", "count": 0}),
            ("INVALID_INPUT", None, {"styleId": noir}),
            ("INVALID_INPUT", b"no picture", {"prompt": "A fox"}),
            ("INVALID_INPUT", PHOTO, {"styleId": noir, "variables": {"nothing": "here"}}),
            ("NOT_FOUND", None, {"styleId": noir[:-4] + "0000"}),
            ("MEMBERSHIP_REQUIRED", None, {"styleId": await ada.style("magic-castle", "scenes")}),
            ("INSUFFICIENT_CREDITS", PHOTO, {"styleId": noir}),
        ]
        for code, image, input in refusals:
            files = {"input.image": image} if image is not None else None
            refused = await ada.refused(CREATE, files, input={**input, "idempotencyKey": "key"})
            assert refused["code"] == code, input
        assert await count_rows() == {"generations": 0, "files": 0, "lines": 0}
        await adjust_credits(str(ada.user["id"]), 1, "one more")
        assert len(ids(await ada.create(PHOTO, styleId=noir, idempotencyKey="key"))) == 1
        assert await ada.credits() == 0


async def test_keys_of_different_users_are_independent(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    hers, theirs = await asyncio.gather(
        *(client.create(prompt="A fox", idempotencyKey="shared") for client in (ada, eve))
    )
    assert ids(hers) != ids(theirs)
    assert len(ids(await eve.create(prompt="A fox", idempotencyKey="shared"))) == 1
    conflict = await eve.refused(CREATE, input={"prompt": "An owl", "idempotencyKey": "shared"})
    assert conflict["code"] == "CONFLICT"
    assert await ada.credits() == await eve.credits() == 9_999


async def test_without_a_key_every_request_creates_a_new_batch(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    made = [ids(await ada.create(prompt="A fox", idempotencyKey=key)) for key in (None, None)]
    assert made[0] != made[1]
    assert await ada.credits() == 9_998


async def test_an_invalid_key_is_refused_with_its_field(idle_server: Running) -> None:
    ada: Api = await idle_server.api.sign_up()
    for key in ("", "k" * 129, "nul\x00", "line\nfeed", "lone surrogate \ud800"):
        body = json.dumps({"query": CREATE, "variables": {"input": {"prompt": "A fox", "idempotencyKey": key}}})
        answer = await ada.http.post("/graphql", content=body, headers=ada.headers(**{"content-type": JSON}))
        (refused,) = answer.json()["data"]["createGeneration"]["errors"]
        assert (refused["code"], refused["field"]) == ("INVALID_INPUT", ["idempotencyKey"]), repr(key)
    assert (await count_rows())["generations"] == 0
    for key in ("k", "k" * 128, "ключ 钥匙 🔑"):
        assert ids(await ada.create(prompt="A fox", idempotencyKey=key)) == ids(
            await ada.create(prompt="A fox", idempotencyKey=key)
        )


VARIABLES = (VariableDraft("x", "X", ("b", "a")),)
TRANSLATIONS = (Translation("zh-CN", "t"),)
FINGERPRINTS = {
    "d005771de0fd84c3": GenerationRequest("s", "x", b"123", variables={"b": 1, "a": None}, idempotency_key="k"),
    "8d949165aa416543": RegenerationRequest("g", idempotency_key="k"),
    "ca55ef0084d09f29": RefinementRequest("g", "i", idempotency_key="k"),
    "056cccd9b93b91e9": CheckoutRequest("g", idempotency_key="k"),
    "ee04441942ad45c8": AdjustmentRequest("u", 3, "r", idempotency_key="k"),
    "8b1eabc553820e7b": PassRequest("u", "p", idempotency_key="k"),
    "271dd2125a2c213d": StyleDraft(
        StyleFields(title="a", prompt="p {x}", reference_image=ReferenceImage.OPTIONAL, variables=VARIABLES),
        "en",
        idempotency_key="k",
    ),
    "38a5084699ea9e18": StyleDraft(
        StyleFields(title="a", prompt="p", members_only=True, translations=TRANSLATIONS),
        "en",
        "c",
        idempotency_key="k",
    ),
}


@pytest.mark.any_database
@pytest.mark.parametrize("stored", FINGERPRINTS)
def test_fingerprints_are_those_that_the_release_before_stored(stored: str) -> None:
    assert fingerprint(FINGERPRINTS[stored])[:16] == stored, "a request repeated across the update would be a conflict"
