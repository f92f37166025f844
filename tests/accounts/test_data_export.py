"""An export of one's own data: everything its owner sees, nothing secret, made once and kept for its time."""

import asyncio
import io
import json
import tempfile
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from models import DataExport
from models.database.connection import rows
from services.accounts.data_export import ExportService
from services.core.chore import Lane
from services.integrations.storage.local import LocalStorage
from tests.conftest import Running
from tests.support.client import Api, photo
from tests.support.development_checkout import buy
from tests.support.integrity import assert_invariants, stored_keys

EXPORT = "mutation { requestDataExport { dataExport { url expiresAt } errors { code } } }"
OWN = {"title": "Mine", "prompt": "Paint it. {instruction}"}


async def export(api: Api) -> dict[str, Any]:
    answer = await api.one(EXPORT)
    assert answer["errors"] == []
    found: dict[str, Any] = answer["dataExport"]
    return found


async def test_an_export_holds_everything_its_owner_sees_and_nothing_secret(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(name="Ada"), await idle_server.api.sign_up("eve@example.com")
    style = await ada.one("mutation($input: StyleInput!) { createStyle(input: $input) { style { id } } }", input=OWN)
    key = (await ada.one('mutation { createApiKey(name: "laptop") { key } }'))["key"]
    (made,) = (await ada.create(photo(), styleId=style["style"]["id"], prompt="A fox"))["generations"]
    await idle_server.services.generations.worker.process(made["id"])
    (gone, kept) = (await ada.create(photo(colour="#00ff00"), prompt="A bear", count=2))["generations"]
    await ada.ask("mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds } }", ids=[gone["id"]])
    await eve.create(photo(), prompt="Nobody else's business")

    assert await export(ada) == await export(ada) == {"url": None, "expiresAt": None}
    await idle_server.services.background.sweeper.sweep()
    ready = await export(ada)
    answer = await ada.http.get(ready["url"])
    assert answer.headers["content-type"] == "application/zip"
    assert "darkroom-data.zip" in answer.headers["content-disposition"]
    archive = zipfile.ZipFile(io.BytesIO(answer.content))
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
    assert [own["prompt"] for own in data["styles"]] == [OWN["prompt"]]
    assert [kept["name"] for kept in data["apiKeys"]] == ["laptop"]
    hashes = await rows("SELECT password_hash AS hash FROM users UNION ALL SELECT key_hash FROM api_keys")
    for secret in (key, "correct horse", "Nobody else", "argon2", *(row["hash"] for row in hashes)):
        assert secret not in text
    await assert_invariants(idle_server.services)


async def test_an_export_tells_what_was_bought_and_what_came_of_it(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    await buy(ada, package="credits-50")
    await buy(ada, plan="basic")
    await buy(ada, plan="flash-lite")
    await buy(eve, plan="pro")
    assert (await ada.create(prompt="A fox"))["generations"][0]["paidBy"] == "PASS"
    await export(ada)
    await idle_server.services.accounts.exports.build_pending()
    answer = await ada.http.get((await export(ada))["url"])
    data = json.loads(zipfile.ZipFile(io.BytesIO(answer.content)).read("data.json"))
    sold = ("package", "plan", "status", "credits", "netAmount", "currency")
    assert [tuple(order[name] for name in sold) for order in data["purchases"]] == [
        ("credits-50", None, "PAID", 50, 499, "usd"),
        (None, "basic", "PAID", 100, 999, "usd"),
        (None, "flash-lite", "PAID", 0, 99, "usd"),
    ]
    (month,) = data["memberships"]
    shown = await ada.one("{ viewer { referralCode membership { renewsAt } pass { expiresAt } } }")
    assert (month["plan"], month["status"], month["renewsAt"]) == ("basic", "ACTIVE", shown["membership"]["renewsAt"])
    (held,) = data["passes"]
    assert (held["plan"], held["imagesPerHour"], held["imagesUsed"]) == ("flash-lite", 3, 1)
    assert (held["expiresAt"], held["revokedAt"]) == (shown["pass"]["expiresAt"], None)
    assert data["account"]["referralCode"] == shown["referralCode"]
    assert [(line["sequence"], line["price"], line["currency"]) for line in data["transactions"]] == [
        (1, None, None),
        (2, 499, "usd"),
        (3, 999, "usd"),
    ]
    assert data["transactions"][0]["metadata"] == {"reason": "signup"}, "where an admin's reason would stand, too"


async def test_an_export_is_made_once_kept_for_its_time_and_then_removed(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    await asyncio.gather(*(export(ada) for _ in range(5)))
    await asyncio.gather(*(idle_server.services.accounts.exports.build_pending() for _ in range(3)))
    (row,) = await DataExport.all()
    assert row.attempts == 1
    ready = await export(ada)
    assert ready == await export(ada)
    await idle_server.services.background.sweeper.sweep()
    assert row.key in await stored_keys(idle_server.services)
    await rows("UPDATE data_exports SET expires_at = LATER($1) RETURNING id", -1.0)
    assert (await export(ada))["url"] is None  # a new one
    await idle_server.services.accounts.exports.build_pending()
    await idle_server.services.background.sweeper.sweep()
    (new,) = await DataExport.all()
    assert await stored_keys(idle_server.services) == {new.key}
    assert (await ada.http.get(ready["url"])).status_code == 404
    await assert_invariants(idle_server.services, all_swept=True)


async def test_an_export_whose_worker_died_is_taken_over_and_one_that_never_works_is_given_up(
    idle_server: Running,
) -> None:
    ada = await idle_server.api.sign_up()
    await export(ada)
    row = await idle_server.services.accounts.exports.claim()  # a worker that says nothing more
    assert row is not None
    await idle_server.services.accounts.exports.build_pending()
    assert (await export(ada))["url"] is None
    await rows("UPDATE data_exports SET lease_until = LATER($1) RETURNING id", -1.0)
    await idle_server.services.accounts.exports.build_pending()
    assert (await export(ada))["url"] is not None
    await rows("UPDATE data_exports SET state = 'PENDING', attempts = 3, expires_at = NULL RETURNING id")
    await idle_server.services.accounts.exports.build_pending()
    await idle_server.services.background.sweeper.sweep_lane(Lane.CLEAN_UP)
    assert await DataExport.all().count() == 0
    assert await stored_keys(idle_server.services) == set()


async def test_an_account_that_goes_while_its_export_is_made_leaves_none(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    await export(ada)
    row = await idle_server.services.accounts.exports.claim()
    assert row is not None
    leave = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { errors { code } } }"
    mine = {"password": "correct horse", "confirmEmail": "ada@example.com"}
    assert await ada.one(leave, input=mine) == {"errors": []}
    await idle_server.services.background.sweeper.sweep()
    assert await DataExport.all().count() == 1  # somebody may be writing it
    await rows("UPDATE data_exports SET lease_until = LATER($1) RETURNING id", -1.0)
    await idle_server.services.background.sweeper.sweep()
    assert await DataExport.all().count() == 0
    assert await stored_keys(idle_server.services) == set()


class SlowFolder(LocalStorage):
    """A folder that takes files when it is told to."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, address="", secret="unused", link_seconds=60)
        self.asked, self.opened = asyncio.Event(), asyncio.Event()

    async def put_file(self, key: str, file: BinaryIO, content_type: str) -> None:
        self.asked.set()
        await self.opened.wait()
        await super().put_file(key, file, content_type)


async def test_an_export_that_the_storage_takes_slowly_is_still_its_workers(
    idle_server: Running, tmp_path: Path
) -> None:
    ada = await idle_server.api.sign_up()
    await export(ada)
    storage = SlowFolder(tmp_path / "slow")
    exports = ExportService(storage, seconds=60, lease=0.2)
    making = asyncio.create_task(exports.build_pending())
    await storage.asked.wait()
    for _ in range(8):  # twice as long as the lease
        await asyncio.sleep(0.05)
        assert await exports.claim() is None
    storage.opened.set()
    await making
    (row,) = await DataExport.all()
    assert (row.state, row.attempts) == ("READY", 1)


async def test_bytes_that_come_while_their_export_is_removed_go_with_it(idle_server: Running, tmp_path: Path) -> None:
    ada = await idle_server.api.sign_up()
    await export(ada)
    storage = SlowFolder(tmp_path / "slow")
    making = asyncio.create_task(ExportService(storage, seconds=60, lease=60).build_pending())
    await storage.asked.wait()
    await rows("UPDATE data_exports SET state = 'DELETING' RETURNING id")  # whose bytes are looked for before they come
    storage.opened.set()
    await making
    assert await storage.keys() == set()


async def test_an_export_that_is_stopped_or_killed_leaves_nothing_on_the_disk(
    idle_server: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    ada = await idle_server.api.sign_up()
    await export(ada)
    storage = SlowFolder(tmp_path / "slow")
    making = asyncio.create_task(ExportService(storage, seconds=60, lease=60).build_pending())
    await storage.asked.wait()
    assert list((tmp_path / "tmp").iterdir()) == []  # what there is has no name
    making.cancel()
    with pytest.raises(asyncio.CancelledError):
        await making
    (row,) = await DataExport.all()
    assert (row.state, row.attempts, row.lease_until) == ("PENDING", 0, None)
