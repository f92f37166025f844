"""Data exports: complete, without secrets, built once by one worker, kept for a limited time."""

import asyncio
import io
import json
import tempfile
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models import DataExport, File
from models.database.connection import rows
from services.accounts.data_export import ExportService
from services.background.sweeper import Sweeper
from services.core.chore import Lane
from services.integrations.storage.local import LocalStorage
from services.integrations.storage.protocol import Storage
from tests.conftest import Running
from tests.support import factories
from tests.support.client import Api, photo, until
from tests.support.development_checkout import buy
from tests.support.factories import insert
from tests.support.integrity import assert_invariants, stored_keys

EXPORT = "mutation { requestDataExport { dataExport { url expiresAt } errors { code } } }"
CUSTOM_STYLE = {"title": "Mine", "prompt": "Paint it. {instruction}"}


async def request_export(api: Api) -> dict[str, Any]:
    await api.verify_address()
    payload = await api.one(EXPORT)
    assert payload["errors"] == []
    found: dict[str, Any] = payload["dataExport"]
    return found


def exports_of(server: Running, storage: Storage, *, lease: float = 60) -> ExportService:
    """Return a service of its own with another storage."""
    verification, translator = server.services.accounts.verification, server.services.core.translator
    return ExportService(storage, verification, translator, seconds=60, lease=lease)


async def test_export_contains_everything_the_user_sees_and_no_secrets(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(name="Ada"), await idle_server.api.sign_up("eve@example.com")
    style = await ada.one(
        "mutation($input: StyleInput!) { createStyle(input: $input) { style { id } } }", input=CUSTOM_STYLE
    )
    await ada.verify_address()
    key = (await ada.one('mutation { createApiKey(name: "laptop", scope: GENERATE, monthlyCredits: 5) { key } }'))[
        "key"
    ]
    (shown_session,) = (await ada.one("{ viewer { sessions { device } } }"))["sessions"]
    (made,) = (await ada.create(photo(), styleId=style["style"]["id"], prompt="A fox"))["generations"]
    await idle_server.services.generations.worker.process(made["id"])
    (deleted, kept) = (await ada.create(photo(colour="#00ff00"), prompt="A bear", count=2))["generations"]
    await ada.execute("mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds } }", ids=[deleted["id"]])
    await eve.create(photo(), prompt="Private to Eve")

    assert await request_export(ada) == await request_export(ada) == {"url": None, "expiresAt": None}
    await idle_server.services.background.sweeper.sweep()
    ready = await request_export(ada)
    response = await ada.http.get(ready["url"])
    assert response.headers["content-type"] == "application/zip"
    assert "darkroom-data.zip" in response.headers["content-disposition"]
    archive = zipfile.ZipFile(io.BytesIO(response.content))
    assert archive.testzip() is None
    text = archive.read("data.json").decode()
    data = json.loads(text)
    assert {name: data["account"][name] for name in ("id", "email", "name", "credits")} == {
        "id": ada.user["id"],
        "email": "ada@example.com",
        "name": "Ada",
        "credits": await ada.credits(),
    }
    first, second = data["generations"]
    assert [first["id"], second["id"]] == [made["id"], kept["id"]]
    assert (first["prompt"], first["status"], second["status"]) == ("A fox", "COMPLETED", "PENDING")
    shown = await ada.generation(made["id"])
    for picture in ("original", "result"):
        assert archive.read(first[picture]) == (await ada.http.get(shown[picture]["url"])).content
    assert second["result"] is None
    pictures = {first["original"], first["result"], second["original"]}
    assert set(archive.namelist()) == {"data.json", *pictures}
    assert len(data["transactions"]) == len(await ada.ledger())
    assert [style["prompt"] for style in data["styles"]] == [CUSTOM_STYLE["prompt"]]
    (listed,) = data["apiKeys"]
    assert (listed["name"], listed["scope"], listed["expiresAt"], listed["monthlyCredits"]) == (
        "laptop", "GENERATE", None, 5,
    )  # fmt: skip
    (session,) = data["sessions"]
    assert session["createdAt"] <= session["lastSeenAt"] < session["expiresAt"]
    assert session["device"] == shown_session["device"]
    hashes = await rows(
        "SELECT password_hash AS hash FROM users UNION ALL SELECT key_hash FROM api_keys"
        " UNION ALL SELECT token_hash FROM sessions"
    )
    for secret in (key, str(ada.token), "correct horse", "Private to Eve", "argon2", *(row["hash"] for row in hashes)):
        assert secret not in text
    await assert_invariants(idle_server.services)


async def test_export_contains_purchases_memberships_passes_and_ledger(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    await buy(ada, package="credits-50")
    await buy(ada, plan="basic")
    await buy(ada, plan="flash-lite")
    await buy(eve, plan="pro")
    assert (await ada.create(prompt="A fox"))["generations"][0]["paidBy"] == "PASS"
    endpoint = factories.webhook_endpoint(user_id=ada.user["id"], events='["credits.low"]')
    await insert("webhook_endpoints", endpoint)
    delivery = factories.webhook_delivery(endpoint["id"])
    await insert("webhook_deliveries", delivery)
    await request_export(ada)
    await idle_server.services.accounts.exports.build_pending()
    response = await ada.http.get((await request_export(ada))["url"])
    data = json.loads(zipfile.ZipFile(io.BytesIO(response.content)).read("data.json"))
    (exported,) = data["webhookEndpoints"]
    assert (exported["url"], exported["events"]) == (endpoint["url"], ["credits.low"])
    assert endpoint["salt"] not in str(data)
    (sent,) = data["webhookDeliveries"]
    assert (sent["endpointId"], sent["messageId"]) == (exported["id"], delivery["message_id"])
    assert (sent["payload"], sent["type"], sent["attempts"]) == (delivery["body"], delivery["type"], [])
    columns = ("package", "plan", "status", "credits", "netAmount", "currency")
    assert [tuple(order[name] for name in columns) for order in data["purchases"]] == [
        ("credits-50", None, "PAID", 50, 499, "usd"),
        (None, "basic", "PAID", 100, 999, "usd"),
        (None, "flash-lite", "PAID", 0, 99, "usd"),
    ]
    (membership,) = data["memberships"]
    shown = await ada.one("{ viewer { referralCode membership { renewsAt } pass { expiresAt } } }")
    assert (membership["plan"], membership["status"], membership["renewsAt"]) == (
        "basic",
        "ACTIVE",
        shown["membership"]["renewsAt"],
    )
    (active_pass,) = data["passes"]
    assert (active_pass["plan"], active_pass["imagesPerHour"], active_pass["imagesUsed"]) == ("flash-lite", 3, 1)
    assert (active_pass["expiresAt"], active_pass["revokedAt"]) == (shown["pass"]["expiresAt"], None)
    assert data["account"]["referralCode"] == shown["referralCode"]
    assert [(line["sequence"], line["price"], line["currency"]) for line in data["transactions"]] == [
        (1, None, None),
        (2, 499, "usd"),
        (3, 999, "usd"),
    ]
    assert data["transactions"][0]["metadata"] == {"reason": "signup"}, "the metadata of every line is exported"


async def test_export_is_built_once_kept_until_it_expires_and_then_removed(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    await asyncio.gather(*(request_export(ada) for _ in range(5)))
    await asyncio.gather(*(idle_server.services.accounts.exports.build_pending() for _ in range(3)))
    (row,) = await DataExport.all()
    assert row.attempts == 1
    ready = await request_export(ada)
    assert ready == await request_export(ada)
    await idle_server.services.background.sweeper.sweep()
    assert row.key in await stored_keys(idle_server.services)
    await rows("UPDATE data_exports SET expires_at = LATER($1) RETURNING id", -1.0)
    assert (await request_export(ada))["url"] is None  # a new one
    await idle_server.services.accounts.exports.build_pending()
    await idle_server.services.background.sweeper.sweep()
    (new,) = await DataExport.all()
    assert await stored_keys(idle_server.services) == {new.key}
    assert (await ada.http.get(ready["url"])).status_code == 404
    await assert_invariants(idle_server.services, all_swept=True)


async def test_export_of_a_dead_worker_is_retried_and_abandoned_after_three_attempts(
    idle_server: Running,
) -> None:
    ada = await idle_server.api.sign_up()
    await request_export(ada)
    row = await idle_server.services.accounts.exports.claim()  # a worker that sends no heartbeat
    assert row is not None
    await idle_server.services.accounts.exports.build_pending()
    assert (await request_export(ada))["url"] is None
    await rows("UPDATE data_exports SET lease_until = LATER($1) RETURNING id", -1.0)
    await idle_server.services.accounts.exports.build_pending()
    assert (await request_export(ada))["url"] is not None
    await rows("UPDATE data_exports SET state = 'PENDING', attempts = 3, expires_at = NULL RETURNING id")
    await idle_server.services.accounts.exports.build_pending()
    await idle_server.services.background.sweeper.sweep_lane(Lane.CLEAN_UP)
    assert await DataExport.all().count() == 0
    assert await stored_keys(idle_server.services) == set()


async def test_export_that_was_given_up_is_refused_for_an_hour_and_then_begun_again(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    exports = idle_server.services.accounts.exports
    await request_export(ada)
    await rows("UPDATE data_exports SET attempts = 3 RETURNING id")
    await asyncio.gather(*(exports.build_pending() for _ in range(3)))
    for _ in range(2):  # a client that waits for it
        refused = await ada.one("mutation { requestDataExport { dataExport { url } errors { code message } } }")
        assert refused["dataExport"] is None
        (error,) = refused["errors"]
        assert (error["code"], "in 60 minutes" in error["message"]) == ("UNAVAILABLE", True)
    await idle_server.services.background.sweeper.sweep()
    assert await DataExport.all().count() == 0, "nothing is begun again"
    assert (await request_export(eve))["url"] is None
    for passed, left in ((600.5, "in 50 minutes"), (3530.0, "in 2 minutes"), (3570.0, "in a minute")):
        await rows("UPDATE users SET export_failed_at = LATER($1) WHERE id = $2 RETURNING id", -passed, ada.user["id"])
        (error,) = (await ada.one(EXPORT.replace("code", "message")))["errors"]
        assert left in error["message"]
    await rows("UPDATE users SET export_failed_at = LATER($1) WHERE export_failed_at < NOW() RETURNING id", -3601.0)
    assert (await request_export(ada))["url"] is None
    await exports.build_pending()
    assert (await request_export(ada))["url"] is not None


async def test_account_deletion_during_an_export_leaves_no_export(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    await request_export(ada)
    row = await idle_server.services.accounts.exports.claim()
    assert row is not None
    delete_account = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { errors { code } } }"
    confirmation = {"password": "correct horse", "confirmEmail": "ada@example.com"}
    assert await ada.one(delete_account, input=confirmation) == {"errors": []}
    await idle_server.services.background.sweeper.sweep()
    assert await DataExport.all().count() == 1  # its worker may still be writing it
    await rows("UPDATE data_exports SET lease_until = LATER($1) RETURNING id", -1.0)
    await idle_server.services.background.sweeper.sweep()
    assert await DataExport.all().count() == 0
    assert await stored_keys(idle_server.services) == set()


class BlockingStorage(LocalStorage):
    """A local storage that stores a stream only after `opened` is set. `blocked`: the first ones that wait for it."""

    def __init__(self, folder: Path, blocked: int = 1000) -> None:
        super().__init__(folder, address="", secret="unused", link_seconds=60)
        self.blocked = blocked
        self.requested, self.opened = asyncio.Event(), asyncio.Event()

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes], content_type: str) -> None:
        read = [chunk async for chunk in chunks]
        self.requested.set()
        self.blocked -= 1
        if self.blocked >= 0:
            await self.opened.wait()
        await super().put_stream(key, _again(read), content_type)


async def _again(chunks: list[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def test_lease_is_renewed_while_the_storage_is_slow(idle_server: Running, tmp_path: Path) -> None:
    ada = await idle_server.api.sign_up()
    await request_export(ada)
    storage = BlockingStorage(tmp_path / "slow")
    exports = exports_of(idle_server, storage, lease=0.2)
    build = asyncio.create_task(exports.build_pending())
    await storage.requested.wait()
    for _ in range(8):  # together twice the lease
        await asyncio.sleep(0.05)
        assert await exports.claim() is None
    storage.opened.set()
    await build
    (row,) = await DataExport.all()
    assert (row.state, row.attempts) == ("READY", 1)


async def test_large_export_of_one_account_does_not_delay_another_accounts(
    idle_server: Running, tmp_path: Path
) -> None:
    ada, bob = await idle_server.api.sign_up(), await idle_server.api.sign_up("bob@example.com")
    storage = BlockingStorage(tmp_path / "slow", blocked=1)
    exports = exports_of(idle_server, storage)
    sweeper = Sweeper(replace(idle_server.services.accounts, exports=exports).chores, (), every=0.01)
    await request_export(ada)
    sweeping = asyncio.create_task(sweeper.run())
    await storage.requested.wait()
    await request_export(bob)

    async def is_ready() -> bool:
        return await DataExport.filter(owner_id=bob.user["id"], state="READY").exists()

    await until(is_ready)
    assert not await DataExport.filter(owner_id=ada.user["id"], state="READY").exists()
    sweeping.cancel()
    await asyncio.wait([sweeping])


async def test_bytes_stored_after_their_export_was_removed_are_deleted(idle_server: Running, tmp_path: Path) -> None:
    ada = await idle_server.api.sign_up()
    await request_export(ada)
    storage = BlockingStorage(tmp_path / "slow")
    build = asyncio.create_task(exports_of(idle_server, storage).build_pending())
    await storage.requested.wait()
    await rows("UPDATE data_exports SET state = 'DELETING' RETURNING id")  # removed before its bytes are stored
    storage.opened.set()
    await build
    assert await storage.keys() == set()


async def test_stopped_export_leaves_no_temporary_file_and_is_requeued(
    idle_server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    ada = await idle_server.api.sign_up()
    await request_export(ada)
    storage = BlockingStorage(tmp_path / "slow")
    build = asyncio.create_task(exports_of(idle_server, storage).build_pending())
    await storage.requested.wait()
    assert list((tmp_path / "tmp").iterdir()) == []  # the temporary file is unnamed
    build.cancel()
    with pytest.raises(asyncio.CancelledError):
        await build
    (row,) = await DataExport.all()
    assert (row.state, row.attempts, row.lease_until) == ("PENDING", 0, None)


async def test_export_is_stored_without_space_in_the_temporary_folder(
    idle_server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "no-such-folder"))
    ada = await idle_server.api.sign_up()
    await ada.create(photo(), prompt="A fox")
    await request_export(ada)
    await idle_server.services.accounts.exports.build_pending()
    response = await ada.http.get((await request_export(ada))["url"])
    assert zipfile.ZipFile(io.BytesIO(response.content)).testzip() is None


class CountingStorage(LocalStorage):
    """A local storage of pictures of 40 MiB, that notes how many bytes of a stream are in memory at once."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, address="", secret="unused", link_seconds=60)
        self.chunks: list[int] = []

    async def get_part(self, key: str, start: int, size: int) -> bytes:
        return bytes(size)

    async def put_stream(self, key: str, chunks: AsyncIterator[bytes], content_type: str) -> None:
        async def counted() -> AsyncIterator[bytes]:
            async for chunk in chunks:
                self.chunks.append(len(chunk))
                yield chunk

        await super().put_stream(key, counted(), content_type)


async def test_large_pictures_pass_through_an_export_in_parts(idle_server: Running, tmp_path: Path) -> None:
    ada = await idle_server.api.sign_up()
    await ada.create(photo(), prompt="A fox")
    await File.all().update(byte_size=40 * 2**20)
    await request_export(ada)
    storage = CountingStorage(tmp_path / "large")
    await exports_of(idle_server, storage).build_pending()
    (row,) = await DataExport.all()
    assert row.state == "READY"
    assert max(storage.chunks) < 2 * 2**20
    (picture,) = zipfile.ZipFile(io.BytesIO(await storage.get(row.key))).infolist()[1:]
    assert picture.file_size == 40 * 2**20
