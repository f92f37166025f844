"""The storage quota: what exceeds it is refused before it is stored or charged, and deleting makes room."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from models import File, Upload
from models.enum import FileKind
from services.core.error import StorageFullError
from services.media.file import FileService
from services.media.quota import StorageQuota
from settings import PROFILES, Settings
from tests.conftest import Running, running
from tests.support.client import CANCEL, CREATE, GENERATION, REFINE, REGENERATE, Api, photo
from tests.support.integrity import assert_invariants, count_rows, make_admin, stored_keys

ERRORS = """errors {
  __typename code message field
  ... on StorageFullError { usedBytes maxBytes generations maxGenerations } ... on QuotaExceededError { resetsAt }
}"""
CREATE_FULL, REGENERATE_FULL, REFINE_FULL = (
    query[: query.rindex("errors {")] + ERRORS + "}}" for query in (CREATE, REGENERATE, REFINE)
)
CREATE_UPLOAD = f"""
mutation($input: CreateUploadInput!) {{ createUpload(input: $input) {{ upload {{ id }} {ERRORS} }} }}"""
DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds errors { code } } }"
STORAGE = "{ viewer { storage { usedBytes maxBytes generations maxGenerations } } }"
MIB = 2**20

Open = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture
def limited(settings: Settings, tmp_path: Path) -> Open:
    """A function that runs an idle server whose profile has these limits."""

    @asynccontextmanager
    async def run(**limits: int) -> AsyncIterator[Running]:
        lines = "".join(f"{name} = {value}\n" for name, value in limits.items())
        studio = (PROFILES / "studio.toml").read_text(encoding="utf-8")
        (tmp_path / "shared").symlink_to(PROFILES / "shared")
        (tmp_path / "limited.toml").write_text(studio.replace("[limits]\n", f"[limits]\n{lines}"))
        changes = {"profile": str(tmp_path / "limited"), "signup_credits": 1000}
        async with running(settings.model_copy(update=changes), idle=True) as server:
            yield server

    return run


async def storage(api: Api) -> dict[str, Any]:
    return dict((await api.one(STORAGE))["storage"])


async def completed(server: Running, api: Api, **input: Any) -> str:
    """Create a generation with a photo, complete it, and return its id."""
    (made,) = (await api.create(photo(64, 48), styleId=await api.style("cute", "plushify"), **input))["generations"]
    await server.services.generations.worker.process(made["id"])
    return str(made["id"])


async def refused(api: Api, query: str, **input: Any) -> dict[str, Any]:
    """Return the error of a request that exceeds the quota, after a check that nothing was stored or charged."""
    before = [await count_rows(), await Upload.all().count(), await api.credits()]
    error = await api.refused(query, input=input)
    assert (error["__typename"], error["code"]) == ("StorageFullError", "QUOTA_EXCEEDED")
    assert [await count_rows(), await Upload.all().count(), await api.credits()] == before
    return error


async def test_viewer_sees_its_usage_and_deleting_makes_room_at_once(limited: Open) -> None:
    async with limited(max_stored_bytes=5 * MIB, max_kept_generations=9) as server:
        ada, admin = await server.api.sign_up(), await make_admin(server.api)
        empty = {"usedBytes": 0, "maxBytes": 5 * MIB, "generations": 0, "maxGenerations": 9}
        assert await storage(ada) == empty
        first = await completed(server, ada)
        (second,) = (await ada.create(prompt="A fox"))["generations"]
        shown = await ada.generation(first)
        used = shown["original"]["byteSize"] + shown["result"]["byteSize"]
        assert await storage(ada) == empty | {"usedBytes": used, "generations": 2}
        query = "query($id: ID!) { admin { user(id: $id) { storage { usedBytes } } } }"
        assert (await admin.one(query, id=ada.user["id"]))["user"]["storage"] == {"usedBytes": used}
        await ada.execute(DELETE, ids=[first, second["id"]])
        assert await storage(ada) == empty
        assert await stored_keys(server.services) != set(), "the sweeper has not removed them yet"
        assert await storage(admin) == empty


async def test_unlimited_quota_is_null(limited: Open) -> None:
    async with limited(max_stored_bytes=0, max_kept_generations=0) as server:
        ada = await server.api.sign_up()
        await completed(server, ada)
        found = await storage(ada)
        assert (found["maxBytes"], found["maxGenerations"], found["generations"]) == (None, None, 1)


async def test_more_generations_than_may_be_kept_are_refused_until_one_is_deleted(limited: Open) -> None:
    async with limited(max_kept_generations=3) as server:
        ada = await server.api.sign_up()
        first = await completed(server, ada, idempotencyKey="first")
        (second,) = (await ada.create(prompt="A fox"))["generations"]
        await ada.execute(CANCEL, id=second["id"])
        assert (await refused(ada, CREATE_FULL, prompt="A fox", count=2))["generations"] == 2
        assert (await ada.create(prompt="A fox"))["errors"] == []
        for query, input in (
            (CREATE_FULL, {"prompt": "A fox"}),
            (REGENERATE_FULL, {"id": first}),
            (REGENERATE_FULL, {"id": first, "asVariation": True}),
            (REFINE_FULL, {"id": first, "instruction": "Make it blue"}),
        ):
            error = await refused(ada, query, **input)
            assert (error["generations"], error["maxGenerations"], error["maxBytes"]) == (3, 3, 10 * 2**30)
            assert error["message"].startswith("You keep 3 of at most 3 pictures. Delete some")
        files = {"input.image": photo(64, 48)}
        style = await ada.style("cute", "plushify")
        error = await ada.refused(CREATE_FULL, files, input={"styleId": style})
        assert error["code"] == "QUOTA_EXCEEDED"
        assert await File.all().count() == 2, "the photo of the refused order is not stored"
        again = await ada.create(photo(64, 48), idempotencyKey="first", styleId=style)
        assert [made["id"] for made in again["generations"]] == [first], "it is kept already"
        await ada.execute(DELETE, ids=[second["id"]])
        assert (await ada.create(prompt="A fox"))["errors"] == []
        await assert_invariants(server.services)


async def test_more_bytes_than_may_be_stored_are_refused_in_the_users_language(limited: Open) -> None:
    async with limited(max_stored_bytes=MIB) as server:
        ada = await server.api.sign_up()
        await completed(server, ada)
        await File.filter(kind=FileKind.RESULT).update(byte_size=MIB)
        files, input = {"input.image": photo(64, 48)}, {"styleId": await ada.style("cute", "plushify")}
        error = await ada.refused(CREATE_FULL, files, input=input)
        assert (error["__typename"], error["maxBytes"], error["generations"]) == ("StorageFullError", MIB, 1)
        assert error["usedBytes"] > MIB
        assert "Delete some" in error["message"]
        assert await File.all().count() == 2
        await ada.execute('mutation { updateProfile(input: { locale: "zh" }) { user { id } } }')
        error = await refused(ada, CREATE_FULL, prompt="A fox")
        assert error["message"] == "你的图片已占用 1.0 MiB（上限 1.0 MiB），剩余空间不足。请删除一些图片。"
        upload = {"contentType": "image/jpeg", "byteSize": 1}
        assert (await refused(ada, CREATE_UPLOAD, **upload))["usedBytes"] == error["usedBytes"]
        # With exactly one byte left, an order that sends no photo is accepted, and its result is stored in any case.
        original = await File.get(kind=FileKind.ORIGINAL)
        await File.filter(kind=FileKind.RESULT).update(byte_size=MIB - original.byte_size - 1)
        (made,) = (await ada.create(prompt="A fox"))["generations"]
        assert (await ada.refused(CREATE_FULL, files, input=input))["code"] == "QUOTA_EXCEEDED"
        await server.services.generations.worker.process(made["id"])
        assert (await ada.generation(made["id"]))["status"] == "COMPLETED"
        assert (await storage(ada))["usedBytes"] > MIB
        assert (await refused(ada, CREATE_FULL, prompt="A fox"))["generations"] == 2


async def test_uploads_that_wait_take_room_with_their_declared_size(limited: Open) -> None:
    async with limited(max_stored_bytes=10 * MIB) as server:
        ada, bob = await server.api.sign_up(), await server.api.sign_up("bob@example.com")
        input = {"contentType": "image/jpeg", "byteSize": 4 * MIB}
        for _ in range(2):
            assert (await ada.one(CREATE_UPLOAD, input=input))["errors"] == []
        await refused(ada, CREATE_UPLOAD, **input)
        assert (await ada.one(CREATE_UPLOAD, input=input | {"byteSize": 2 * MIB}))["errors"] == []
        assert (await bob.one(CREATE_UPLOAD, input=input))["errors"] == []
        assert (await storage(ada))["usedBytes"] == 0, "an upload is removed after a while, used or not"


async def test_concurrent_requests_do_not_exceed_the_quota(limited: Open) -> None:
    async with limited(max_kept_generations=5, max_stored_bytes=10 * MIB) as server:
        ada = await server.api.sign_up()
        upload = {"contentType": "image/jpeg", "byteSize": 3 * MIB}
        uploads = await asyncio.gather(*(ada.one(CREATE_UPLOAD, input=upload) for _ in range(12)))
        assert len([made for made in uploads if made["upload"]]) == await Upload.all().count() == 3
        orders = await asyncio.gather(*(ada.one(CREATE_FULL, input={"prompt": "A fox"}) for _ in range(24)))
        assert sorted(len(order["generations"]) for order in orders) == [0] * 19 + [1] * 5
        assert {error["code"] for order in orders for error in order["errors"]} == {"QUOTA_EXCEEDED"}
        assert await ada.credits() == 995
        await assert_invariants(server.services)


async def test_concurrent_photos_do_not_exceed_the_bytes(settings: Settings) -> None:
    async with running(settings, idle=True) as server:
        ada, services = await server.api.sign_up(), server.services
        files = services.media.files
        image = await files.check_upload(photo(200, 150), account=ada.user["id"])
        fit = 5
        quota = StorageQuota(max_bytes=fit * len(image.data) + len(image.data) // 2)
        files = FileService(
            services.integrations.storage, services.integrations.sanitizers.uploads, files.limits, quota
        )
        stored = await asyncio.gather(
            *(files.store(ada.user["id"], FileKind.ORIGINAL, image) for _ in range(24)), return_exceptions=True
        )
        assert len([one for one in stored if isinstance(one, StorageFullError)]) == 24 - fit
        assert await File.all().count() == fit
        # What one file takes is free again as soon as it is discarded.
        await files.discard((await File.all())[0].id)
        await files.store(ada.user["id"], FileKind.ORIGINAL, image)
        with pytest.raises(StorageFullError):
            await files.store(ada.user["id"], FileKind.ORIGINAL, image)
        await files.store(ada.user["id"], FileKind.RESULT, image)


async def test_admin_retry_is_not_limited_by_the_quota(limited: Open) -> None:
    retry = f"""mutation($id: ID!) {{
      adminRetryGeneration(id: $id, reason: "Outage") {{ generation {{ {GENERATION} }} errors {{ code }} }}
    }}"""
    async with limited(max_kept_generations=1) as server:
        ada, admin = await server.api.sign_up(), await make_admin(server.api)
        (made,) = (await ada.create(prompt="A fox"))["generations"]
        await ada.execute(CANCEL, id=made["id"])
        assert (await admin.one(retry, id=made["id"]))["errors"] == []
        assert (await storage(ada))["generations"] == 2
