"""Guests that are merged into an account that exists: what moves, what is refused, and what is left."""

import asyncio
import io
import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from models import CreditTransaction, File, Generation, Session, Style, StylePicture, Upload, User, ids
from models.database.connection import rows
from models.enum import PaidBy, Role
from services.accounts.sign_ins import merge_token
from services.catalogue.custom_style import MAX_PER_ACCOUNT
from services.gallery import album, tag
from setting_types import Switch
from settings import Settings
from tests.accounts.test_guests import VIEWER, guest_of, sign_up
from tests.billing.test_granted_plan import END as END_PLAN
from tests.billing.test_granted_plan import GRANT as GRANT_PLAN
from tests.conftest import Running, running
from tests.support.client import Api, photo
from tests.support.custom_styles import CREATE_STYLE, RAIN
from tests.support.gallery_pages import create
from tests.support.integrity import adjust_credits, assert_invariants, make_admin, stored_keys
from tests.support.named_lists import DELETE_ALBUM, REMOVE, REMOVE_TAGS, add_tags, new_album, tags_of
from tests.support.passes import advance, grant

TOKEN = "mutation { createMergeToken { token expiresAt errors { code message } } }"
MERGE = """
mutation($token: String!) {
  mergeGuest(token: $token) {
    user { id credits version isGuest } movedGenerations movedCredits errors { __typename code field message }
  }
}"""
SHARE = "mutation($id: ID!, $slug: String) { shareGeneration(id: $id, slug: $slug) { errors { code } } }"
FAVORITE = "mutation($id: ID!) { setFavorite(id: $id, isFavorite: true) { errors { code } } }"
SET_PICTURE = """
mutation($input: SetStylePictureInput!) {
  setStylePicture(input: $input) { style { id previewUrl } errors { code } }
}"""
STYLES = "{ styles(filter: {own: true}) { nodes { id title previewUrl } } }"
DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds errors { code } } }"
CLAIMED = "status = 'PROCESSING', stage = 'VALIDATING'"
REGENERATE = "mutation($input: RegenerateInput!) { regenerate(input: $input) { generations { id } } }"
UPLOAD = "mutation($input: CreateUploadInput!) { createUpload(input: $input) { upload { url } errors { code } } }"
ORDER = 'mutation { createGeneration(input: {prompt: "A fox"}) { generations { id } errors { code } } }'
EXPORT = "mutation { requestDataExport { dataExport { url } errors { code } } }"


async def token_of(guest: Api) -> str:
    made = await guest.one(TOKEN)
    assert made["errors"] == []
    return str(made["token"])


async def merge(account: Api, token: str) -> dict[str, Any]:
    made: dict[str, Any] = await account.one(MERGE, token=token)
    return made


def problem(payload: dict[str, Any]) -> tuple[str, list[str] | None]:
    (error,) = payload["errors"]
    return error["code"], error["field"]


async def made_by(server: Running, client: Api, **more: Any) -> str:
    (made,) = (await client.create(photo(64, 64), **{"prompt": "A fox", **more}))["generations"]
    await server.services.generations.worker.process(made["id"])
    return str(made["id"])


async def transfers() -> list[tuple[str, int, str]]:
    lines = await CreditTransaction.filter(type="TRANSFER").order_by("amount")
    return [(line.user_id, line.amount, line.reference) for line in lines]


async def test_everything_of_a_guest_is_the_accounts_afterwards(idle_server: Running) -> None:
    api, services = idle_server.api, idle_server.services
    ada, guest = await api.sign_up(), await guest_of(api)
    own = await made_by(idle_server, ada)
    first, second = await made_by(idle_server, guest), await made_by(idle_server, guest, prompt="A bear")
    await guest.one(FAVORITE, id=first)
    assert (await guest.one(SHARE, id=first, slug="quiet-fox"))["errors"] == []
    style = (await guest.one(CREATE_STYLE, input=RAIN))["style"]["id"]
    pictured = await guest.one(SET_PICTURE, input={"styleId": style, "generationId": second})
    link = (await guest.generation(first))["result"]["url"]
    keys, token = await stored_keys(services), await token_of(guest)

    done = await merge(ada, token)
    assert done["errors"] == []
    assert (done["user"]["id"], done["movedGenerations"], done["movedCredits"]) == (ada.user["id"], 2, 0)
    assert done["user"]["credits"] == ada.user["credits"] - 1
    assert await transfers() == [], "the bonus is not moved"
    assert not await guest.is_signed_in()
    viewer = await ada.one("{ viewer { generations { nodes { id isFavorite shareUrl } } storage { generations } } }")
    assert {(one["id"], one["isFavorite"], bool(one["shareUrl"])) for one in viewer["generations"]["nodes"]} == {
        (own, False, False), (first, True, True), (second, False, False),
    }  # fmt: skip
    assert viewer["storage"]["generations"] == 3
    for id in (first, second):
        shown = await ada.generation(id)
        for picture in ("original", "result"):
            assert (await api.http.get(shown[picture]["url"])).status_code == 200
            assert (await api.http.get(shown[picture]["thumbnailUrl"])).status_code == 200
    assert (await api.http.get(link)).status_code == 200, "links that the guest got go on working"
    assert (await api.http.get("/s/quiet-fox")).status_code == 200
    (found,) = (await ada.one(STYLES))["nodes"]
    assert found["id"] == style
    for url in (found["previewUrl"], pictured["style"]["previewUrl"]):
        assert (await api.http.get(url)).status_code == 200
    assert await stored_keys(services) == keys, "nothing is copied"
    left = await User.get(id=guest.user["id"])
    assert (left.merged_into_id, left.is_guest, left.email) == (ada.user["id"], False, f"{left.id}@deleted.invalid")
    await assert_invariants(services, all_ended=True)


async def test_what_was_moved_can_be_used_exported_and_deleted(idle_server: Running) -> None:
    api, services = idle_server.api, idle_server.services
    ada, guest = await api.sign_up(), await guest_of(api)
    first = await made_by(idle_server, guest)
    style = (await guest.one(CREATE_STYLE, input=RAIN))["style"]["id"]
    await guest.one(SET_PICTURE, input={"styleId": style, "generationId": first})
    assert (await merge(ada, await token_of(guest)))["errors"] == []
    regenerate = (
        "mutation($input: RegenerateInput!) { regenerate(input: $input) { generations { id } errors { code } } }"
    )
    again = (await ada.one(regenerate, input={"id": first}))["generations"][0]["id"]
    await services.generations.worker.process(again)
    second = await made_by(idle_server, ada, styleId=style, prompt="Again")
    await ada.verify_address()
    await ada.one(EXPORT)
    await services.accounts.exports.build_pending()
    url = (await ada.one(EXPORT))["dataExport"]["url"]
    archive = zipfile.ZipFile(io.BytesIO((await ada.http.get(url)).content))
    assert len(json.loads(archive.read("data.json"))["generations"]) == 3
    assert f"files/styles/{style}.webp" in archive.namelist()
    assert len(archive.namelist()) == 1 + 1 + 2 + 3, "the original is shared by two of them"
    changed = await ada.one(SET_PICTURE, input={"styleId": style, "generationId": second})
    assert (await api.http.get(changed["style"]["previewUrl"])).status_code == 200
    assert (await ada.one(DELETE, ids=[first, again, second]))["errors"] == []
    await ada.one("mutation($id: ID!) { deleteStyle(id: $id) { errors { code } } }", id=style)
    await services.background.sweeper.sweep()
    await rows("UPDATE data_exports SET expires_at = LATER($1) RETURNING id", -1.0)
    await services.background.sweeper.sweep()
    assert await stored_keys(services) == set(), "also what is stored under the guest's name"
    assert await File.all().count() == await StylePicture.all().count() == 0
    await assert_invariants(services, all_ended=True, all_swept=True)


@pytest.mark.parametrize(
    ("given", "made", "moved"),
    [(0, 0, 0), (0, 2, 0), (5, 0, 5), (5, 2, 5), (5, 4, 4), (-2, 0, 0), (-2, 1, 0)],
)
async def test_bonus_is_spent_first_and_never_moved(idle_server: Running, given: int, made: int, moved: int) -> None:
    ada, guest = await idle_server.api.sign_up(), await guest_of(idle_server.api)
    if given:
        await adjust_credits(guest.user["id"], given, "as a gift")
    for _ in range(made):
        await made_by(idle_server, guest)
    done = await merge(ada, await token_of(guest))
    assert (done["errors"], done["movedCredits"]) == ([], moved)
    assert done["user"]["credits"] == ada.user["credits"] + moved
    reference = f"merge:{guest.user['id']}"
    lines = [(guest.user["id"], -moved, f"{reference}:from"), (ada.user["id"], moved, f"{reference}:to")]
    assert await transfers() == (lines if moved else [])
    await assert_invariants(idle_server.services)


async def test_merge_waits_for_generations_that_have_not_ended(idle_server: Running) -> None:
    ada, guest = await idle_server.api.sign_up(), await guest_of(idle_server.api)
    (made,) = (await guest.create(prompt="A fox"))["generations"]
    token = await token_of(guest)
    for status in ("PENDING", "PROCESSING"):
        assert problem(await merge(ada, token)) == ("CONFLICT", None), status
        await rows(
            "UPDATE generations SET status = 'PROCESSING', stage = 'VALIDATING', lease_until = LATER($1) RETURNING id",
            60.0,
        )
    await rows("UPDATE generations SET status = 'PENDING', stage = 'QUEUED', lease_until = NULL RETURNING id")
    await idle_server.services.generations.worker.process(made["id"])
    assert (await merge(ada, token))["errors"] == []


async def test_refused_merges_change_nothing(idle_server: Running) -> None:
    api, services = idle_server.api, idle_server.services
    ada, guest = await api.sign_up(), await guest_of(api)
    await made_by(idle_server, guest)
    before = await rows("SELECT id, version, credits FROM users ORDER BY id")

    async def refused(client: Api, token: str, expected: str) -> None:
        assert problem(await merge(client, token))[0] == expected
        assert await rows("SELECT id, version, credits FROM users ORDER BY id") == before

    token = await token_of(guest)
    other_guest = await guest_of(api)
    before = await rows("SELECT id, version, credits FROM users ORDER BY id")
    await refused(other_guest, token, "FORBIDDEN")
    await refused(guest, token, "FORBIDDEN")
    for wrong in ("", "x", token[:-1], token + "=", token[::-1], "é" * 10, "A" * 5000, ids.new_id(ids.SESSION)):
        await refused(ada, wrong, "INVALID_INPUT")
    for role in (Role.ADMIN, Role.SUPER_ADMIN):
        await User.filter(id=ada.user["id"]).update(role=role)
        await refused(ada, token, "FORBIDDEN")
    await User.filter(id=ada.user["id"]).update(role=Role.USER)
    assert (await ada.refused(TOKEN))["code"] == "CONFLICT", "an account is merged into no other"
    assert (await api.refused(MERGE, token=token))["code"] == "UNAUTHENTICATED"
    services.media.quota.max_generations = 1
    await made_by(idle_server, ada)
    before = await rows("SELECT id, version, credits FROM users ORDER BY id")
    (full,) = (await merge(ada, token))["errors"]
    assert (full["__typename"], full["code"]) == ("StorageFullError", "QUOTA_EXCEEDED")
    services.media.quota.max_generations = 0
    services.media.quota.max_bytes = 1000
    await refused(ada, token, "QUOTA_EXCEEDED")
    services.media.quota.max_bytes = 0
    await adjust_credits(guest.user["id"], -10, "a mistake")
    before = await rows("SELECT id, version, credits FROM users ORDER BY id")
    await refused(ada, token, "CONFLICT")
    assert await User.filter(merged_into_id__isnull=False).count() == 0


async def test_key_of_an_account_merges_nothing(idle_server: Running) -> None:
    ada, guest = await idle_server.api.sign_up(), await guest_of(idle_server.api)
    await ada.verify_address()
    key = (await ada.one('mutation { createApiKey(name: "script") { key } }'))["key"]
    assert (await replace(ada, token=key).refused(MERGE, token=await token_of(guest)))["code"] == "FORBIDDEN"


async def test_pass_or_full_list_of_styles_is_refused(idle_server: Running) -> None:
    ada, guest = await idle_server.api.sign_up(), await guest_of(idle_server.api)
    token = await token_of(guest)
    for client in (guest, ada):
        assert (await client.one(CREATE_STYLE, input=RAIN))["errors"] == []
    own = await Style.get(owner_id=ada.user["id"])
    columns = {name: getattr(own, name) for name in own._meta.db_fields}
    more = [ids.new_id(ids.STYLE) for _ in range(MAX_PER_ACCOUNT - 1)]
    await Style.bulk_create([Style(**{**columns, "id": id, "slug": f"own-{id}"}) for id in more])
    assert problem(await merge(ada, token)) == ("CONFLICT", None)
    await Style.filter(id__in=more[:1]).delete()
    held = await grant(guest)
    assert problem(await merge(ada, token)) == ("CONFLICT", None)
    await held.delete()
    assert (await merge(ada, token))["errors"] == []


async def test_guest_whose_pass_and_plan_have_ended_is_merged(idle_server: Running) -> None:
    ada, guest = await idle_server.api.sign_up(), await guest_of(idle_server.api)
    admin, token = await make_admin(idle_server.api), await token_of(guest)
    assert (await admin.one(GRANT_PLAN, userId=guest.user["id"], plan="basic", reason="Partner."))["errors"] == []
    assert problem(await merge(ada, token)) == ("CONFLICT", None)
    assert (await admin.one(END_PLAN, userId=guest.user["id"], reason="Over."))["errors"] == []
    held = await grant(guest)
    made = await made_by(idle_server, guest)
    assert (await Generation.get(id=made)).paid_by == PaidBy.PASS
    assert problem(await merge(ada, token)) == ("CONFLICT", None)
    await advance(held, 24 * 400)
    assert (await merge(ada, token))["errors"] == []
    assert (await Generation.get(id=made)).user_id == ada.user["id"]
    await assert_invariants(idle_server.services)


async def test_merge_keeps_the_limits_of_albums_and_tags(idle_server: Running, monkeypatch: Any) -> None:
    monkeypatch.setattr(album, "MAX_PER_ACCOUNT", 2)
    monkeypatch.setattr(album, "MAX_ENTRIES", 2)
    monkeypatch.setattr(tag, "MAX_PER_ACCOUNT", 2)
    ada, guest = await idle_server.api.sign_up(), await guest_of(idle_server.api)
    token = await token_of(guest)
    own, (first, second) = await create(ada, 1), await create(guest, 2)
    for id in (first, second):
        await idle_server.services.generations.worker.process(id)
    await new_album(ada, "Foxes", own)
    joined, other = await new_album(guest, "FOXES", [first, second]), await new_album(guest, "Bears")
    await new_album(ada, "Owls")
    await add_tags(ada, own, "red", "blue")
    await add_tags(guest, [first], "Red", "green")

    async def refusal() -> str:
        (error,) = (await merge(ada, token))["errors"]
        assert (error["code"], error["field"]) == ("CONFLICT", None)
        return str(error["message"])

    assert await refusal() == "Together you would have more than 2 albums. Delete some."
    assert (await guest.one(DELETE_ALBUM, id=other))["errors"] == []
    assert await refusal() == "Together you would have more than 2 tags. Remove some."
    assert (await guest.one(REMOVE_TAGS, ids=[first], tags=["green"]))["errors"] == []
    assert "an album named “Foxes”" in await refusal()
    assert (await guest.one(REMOVE, id=joined, ids=[first]))["errors"] == []
    assert (await merge(ada, token))["errors"] == []
    assert await tags_of(ada) == [("blue", 1), ("red", 2)]


async def test_token_ends_with_the_session_that_made_it(idle_server: Running, monkeypatch: Any) -> None:
    api = idle_server.api
    ada = await api.sign_up()
    first, second, third, fourth, fifth = [await guest_of(api) for _ in range(5)]
    tokens = [await token_of(guest) for guest in (first, second, third, fourth, fifth)]
    await first.one("mutation { signOut { sessionsEnded } }")
    await Session.filter(user_id=second.user["id"]).update(expires_at=datetime.now(UTC) - timedelta(seconds=1))
    await sign_up(third, "third@example.com")
    await rows("UPDATE users SET suspended_at = NOW() WHERE id = $1 RETURNING id", fourth.user["id"])
    for token in tokens[:4]:
        assert problem(await merge(ada, token)) == ("INVALID_INPUT", ["token"])
    monkeypatch.setattr(merge_token, "LIFETIME", timedelta(seconds=-1))
    assert problem(await merge(ada, await token_of(fifth))) == ("INVALID_INPUT", ["token"]), "expired"
    await rows("UPDATE users SET suspended_at = NOW() WHERE id = $1 RETURNING id", ada.user["id"])
    assert (await ada.refused(MERGE, token=tokens[4]))["code"] == "UNAUTHENTICATED"
    await rows("UPDATE users SET suspended_at = NULL WHERE id = $1 RETURNING id", ada.user["id"])
    assert (await merge(ada, tokens[4]))["errors"] == []
    assert problem(await merge(ada, tokens[4])) == ("INVALID_INPUT", ["token"]), "a guest is merged once"


async def test_of_two_accounts_one_gets_the_guest(idle_server: Running) -> None:
    ada, eve = await idle_server.api.sign_up(), await idle_server.api.sign_up("eve@example.com")
    guest = await guest_of(idle_server.api)
    await adjust_credits(guest.user["id"], 5, "as a gift")
    await made_by(idle_server, guest)
    token = await token_of(guest)
    made = await asyncio.gather(*(merge(client, token) for client in (ada, eve, ada, eve)))
    assert sorted(len(one["errors"]) for one in made) == [0, 1, 1, 1]
    assert [problem(one) for one in made if one["errors"]] == [("INVALID_INPUT", ["token"])] * 3
    assert await ada.credits() + await eve.credits() == ada.user["credits"] + eve.user["credits"] + 5
    await assert_invariants(idle_server.services)


async def test_orders_that_race_a_merge_are_moved_or_refused(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    for _ in range(6):
        guest = await guest_of(idle_server.api)
        await adjust_credits(guest.user["id"], 5, "as a gift")
        token = await token_of(guest)
        (ordered, merged, _) = await asyncio.gather(
            guest.raw('mutation { createGeneration(input: {prompt: "A fox"}) { generations { id } errors { code } } }'),
            merge(ada, token),
            sign_up(guest, f"{guest.user['id']}@example.com"),
        )
        user = await User.get(id=guest.user["id"])
        assert bool(merged["errors"]) is (user.merged_into_id is None)
        has_order = '"id":"gen_' in ordered.text.replace(" ", "")
        if user.merged_into_id is not None:
            assert not has_order, "an order that came first would have prevented it"
        await assert_invariants(idle_server.services)


async def test_guests_do_not_become_a_farm(settings: Settings) -> None:
    limits = {"rate_limits": Switch.ON}
    async with running(settings.model_copy(update=limits), idle=True) as server:
        ada = await server.api.sign_up()
        made = []
        for _ in range(20):
            guest = await guest_of(server.api)
            made.append(await merge(ada, await token_of(guest)))
        assert [one["errors"] for one in made] == [[]] * 20
        assert await ada.credits() == ada.user["credits"]
        assert problem(await merge(ada, "x"))[0] == "RATE_LIMITED"


async def test_bytes_that_a_guest_announced_are_removed(idle_server: Running) -> None:
    ada, guest = await idle_server.api.sign_up(), await guest_of(idle_server.api)
    data = photo()
    target = await guest.one(UPLOAD, input={"contentType": "image/jpeg", "byteSize": len(data)})
    assert (await guest.http.post(target["upload"]["url"], files={"file": data})).status_code == 204
    assert (await merge(ada, await token_of(guest)))["errors"] == []
    assert await stored_keys(idle_server.services) == set()
    assert await Upload.filter(owner_id=ada.user["id"]).count() == 0
    assert (await ada.one(VIEWER))["generations"]["totalCount"] == 0
