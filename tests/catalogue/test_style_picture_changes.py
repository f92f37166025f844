"""Pictures that owners and admins set for styles: permissions, independence of the generation, removal, crashes."""

import asyncio
import io
from typing import Any

import httpx
import pytest
from PIL import Image

from models import AuditEntry, Generation, Style, StylePicture, User
from models.database.connection import rows
from models.enum import FileState
from services.catalogue import picture_change
from services.integrations.storage.protocol import MissingObjectError, StorageError
from services.products.style_picture import MAX_BYTES, SIDE
from services.services import Services
from tests.conftest import Running
from tests.support.client import Api, photo
from tests.support.custom_styles import create, delete, update
from tests.support.integrity import assert_invariants, make_admin, stored_keys

SET = """
mutation($input: SetStylePictureInput!) {
  setStylePicture(input: $input) { style { id previewUrl } errors { code message field } }
}"""
NODE = "query($id: ID!) { node(id: $id) { ... on Style { previewUrl } } }"
DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds errors { code } } }"
DELETE_ACCOUNT = "mutation($input: DeleteAccountInput!) { deleteAccount(input: $input) { deletedIds errors { code } } }"
EXPORT = "{ admin { catalogue } }"
IMPORT = """
mutation($catalogue: JSON!) { adminImportCatalogue(catalogue: $catalogue, dryRun: false) { unchanged errors { code } } }
"""
UNKNOWN = "gen_01h455vb4pex5vsknk084sn02q"


async def finished(api: Api, style: str = "cute", collection: str = "plushify") -> str:
    """Return a completed generation of the client's account."""
    (made,) = (await api.create(photo(640, 480), styleId=await api.style(style, collection)))["generations"]
    assert (await api.wait_for_end(made["id"]))["status"] == "COMPLETED"
    return str(made["id"])


async def set_picture(api: Api, style: str, generation: str | None) -> str | None:
    changed = await api.one(SET, input={"styleId": style, "generationId": generation})
    assert changed["errors"] == [], changed
    url = changed["style"]["previewUrl"]
    assert (await api.one(NODE, id=style))["previewUrl"] == url
    return None if url is None else str(url)


async def get(api: Api, url: str | None) -> httpx.Response:
    assert url is not None
    return await api.http.get(url)


async def sweep(services: Services) -> None:
    for chore in services.catalogue.chores:
        await chore.run()


async def pictures() -> list[str]:
    """Return the pictures that styles have; the server's own sweeper may remove the others at any time."""
    return [row.id for row in await StylePicture.filter(state=FileState.LIVE).order_by("id")]


async def no_rows() -> bool:
    return not await StylePicture.exists()


async def test_owner_sets_the_picture_of_a_custom_style_which_outlives_the_generation(server: Running) -> None:
    ada = await server.api.sign_up()
    style, generation = (await create(ada))["id"], await finished(ada)
    url = await set_picture(ada, style, generation)
    response = await get(server.api, url)  # signed out: the link itself authorizes
    assert (response.status_code, response.headers["content-type"]) == (200, "image/webp")
    with Image.open(io.BytesIO(response.content)) as picture:
        assert (picture.format, picture.size) == ("WEBP", (SIDE, SIDE * 3 // 4))
        assert not {"exif", "xmp", "icc_profile"} & picture.info.keys()
    assert len(response.content) <= MAX_BYTES
    await ada.execute(DELETE, ids=[generation])
    assert (await get(ada, url)).content == response.content
    await assert_invariants(server.services)
    # No other user sees the style, and so not its picture.
    assert await (await server.api.sign_up("eve@example.com")).one(NODE, id=style) is None


async def test_replaced_and_removed_pictures_are_deleted_by_the_sweeper(server: Running) -> None:
    ada = await server.api.sign_up()
    style, first, second = (await create(ada))["id"], await finished(ada), await finished(ada, "noir", "avenger")
    before = await stored_keys(server.services)
    one = await set_picture(ada, style, first)
    two = await set_picture(ada, style, second)
    assert one != two
    await sweep(server.services)
    assert await StylePicture.all().count() == len(await pictures()) == 1
    assert (await get(ada, one)).status_code == 404
    assert (await get(ada, two)).status_code == 200
    assert await set_picture(ada, style, None) is None
    assert await set_picture(ada, style, None) is None  # nothing left to remove
    await sweep(server.services)
    assert (await no_rows(), await stored_keys(server.services)) == (True, before)
    await assert_invariants(server.services, all_swept=True)


async def test_setting_the_same_picture_again_stores_nothing(server: Running) -> None:
    ada = await server.api.sign_up()
    style, generation = (await create(ada))["id"], await finished(ada)
    url = await set_picture(ada, style, generation)
    assert await set_picture(ada, style, generation) == url
    assert len(await pictures()) == 1


async def test_a_deleted_custom_style_and_a_deleted_account_lose_their_pictures(server: Running) -> None:
    ada = await server.api.sign_up()
    generation = await finished(ada)
    kept, dropped = (await create(ada))["id"], (await create(ada, title="Snow"))["id"]
    for style in (kept, dropped):
        await set_picture(ada, style, generation)
    await delete(ada, dropped)
    assert len(await pictures()) == 1
    deleted = await ada.one(DELETE_ACCOUNT, input={"password": "correct horse", "confirmEmail": "ada@example.com"})
    assert deleted["errors"] == []
    assert await pictures() == []
    await sweep(server.services)
    assert await no_rows()
    await assert_invariants(server.services)


async def test_admins_set_the_pictures_of_the_catalogue_for_everyone(server: Running) -> None:
    admin = await make_admin(server.api)
    style, generation = await admin.style("noir", "avenger"), await finished(admin)
    shipped = (await server.api.one(NODE, id=style))["previewUrl"]
    url = await set_picture(admin, style, generation)
    assert url != shipped
    assert url is not None
    assert url.startswith(f"{server.api.address}/style-pictures/stp_")
    for client in (server.api, await server.api.sign_up("eve@example.com")):
        assert (await client.one(NODE, id=style))["previewUrl"] == url
    response = await get(server.api, url)
    assert response.headers["cache-control"] == "public, max-age=31536000, immutable"
    known = await server.api.http.get(url, headers={"If-None-Match": response.headers["etag"]})
    assert (known.status_code, known.content) == (304, b"")
    entry = await AuditEntry.get(action="UPDATE_STYLE")
    picture = {
        "changed": ["picture"],
        "before": {"picture": None},
        "after": {"picture": url.split("/")[-1].removesuffix(".webp")},
    }
    assert (entry.actor_id, entry.target, entry.detail) == (admin.user["id"], style, picture)
    # An import leaves it as it is, and the next start updates the rest of the style from the profile.
    exported = await admin.one(EXPORT)
    assert (await admin.one(IMPORT, catalogue=exported["catalogue"]))["unchanged"] == 22
    await Style.filter(id=style).update(prompt="Changed.")
    await server.services.catalogue.styles.seed()
    assert (await Style.get(id=style)).prompt != "Changed."
    assert (await server.api.one(NODE, id=style))["previewUrl"] == url
    # It stays the catalogue's when the admin's account is deleted.
    await User.filter(id=admin.user["id"]).update(role="USER")
    deleted = await admin.one(DELETE_ACCOUNT, input={"password": "correct horse", "confirmEmail": "admin@example.com"})
    assert deleted["errors"] == []
    await sweep(server.services)
    assert (await get(server.api, url)).content == response.content
    await assert_invariants(server.services)
    other = await make_admin(server.api, "other@example.com")
    assert await set_picture(other, style, None) == shipped
    await sweep(server.services)
    assert (await get(server.api, url)).status_code == 404
    await assert_invariants(server.services)


async def test_pictures_of_custom_and_deleted_styles_have_no_public_address(server: Running) -> None:
    admin = await make_admin(server.api)
    generation, own, style = await finished(admin), (await create(admin))["id"], await admin.style("noir", "avenger")
    await set_picture(admin, own, generation)
    url = await set_picture(admin, style, generation)
    custom, _ = await pictures()
    for name in (f"{custom}.webp", custom, "stp_.webp", "stp_" + "z" * 26 + ".webp", "%00.webp", "a" * 300 + ".webp"):
        response = await server.api.http.get(f"/style-pictures/{name}")
        assert (response.status_code, response.headers["cache-control"]) == (404, "no-store"), name
    await delete(admin, style)
    assert (await get(server.api, url)).status_code == 404
    await assert_invariants(server.services)


async def test_only_own_styles_and_own_generations_can_be_named(server: Running) -> None:
    ada, eve = await server.api.sign_up(), await server.api.sign_up("eve@example.com")
    adas, eves = (await create(ada))["id"], (await create(eve))["id"]
    mine = await finished(ada)
    admin = await make_admin(server.api)
    catalogue, admins = await ada.style("noir", "avenger"), await finished(admin)
    await admin.verify_address()
    key = await admin.one('mutation { createApiKey(name: "s") { key } }')
    script = Api(server.api.http, server.api.address, token=key["key"])
    for client, style, generation, field in (
        (ada, eves, mine, "styleId"),
        (ada, catalogue, mine, "styleId"),
        (admin, adas, admins, "styleId"),  # custom styles are their owner's, for admins, too
        (script, catalogue, admins, "styleId"),  # no API key has an admin's rights
        (eve, eves, mine, "generationId"),
        (admin, catalogue, mine, "generationId"),  # users' pictures are theirs
        (ada, adas, UNKNOWN, "generationId"),
        (ada, catalogue, None, "styleId"),
    ):
        refused = await client.refused(SET, input={"styleId": style, "generationId": generation})
        assert (refused["code"], refused["field"]) == ("NOT_FOUND", [field]), (style, generation)
    assert (await server.api.refused(SET, input={"styleId": adas, "generationId": mine}))["code"] == "UNAUTHENTICATED"
    assert await StylePicture.all().count() == 0


async def test_unfinished_and_deleted_generations_are_refused(idle_server: Running) -> None:
    ada = await idle_server.api.sign_up()
    style = (await create(ada))["id"]
    (made,) = (await ada.create(photo(), styleId=await ada.style("cute", "plushify")))["generations"]
    refused = await ada.refused(SET, input={"styleId": style, "generationId": made["id"]})
    assert (refused["code"], refused["field"]) == ("CONFLICT", ["generationId"])
    await ada.execute(DELETE, ids=[made["id"]])
    refused = await ada.refused(SET, input={"styleId": style, "generationId": made["id"]})
    assert refused["code"] == "NOT_FOUND"
    assert await StylePicture.all().count() == 0


async def test_a_storage_that_fails_leaves_the_style_as_it_was(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await server.api.sign_up()
    style, generation = (await create(ada))["id"], await finished(ada)
    storage = server.services.integrations.storage

    async def fail(*_: Any) -> None:
        raise StorageError("down")

    async def missing(*_: Any) -> None:
        raise MissingObjectError("gone")

    for method, error, code in (
        ("put", fail, "UPLOAD_FAILED"),
        ("get", fail, "UNAVAILABLE"),
        ("get", missing, "NOT_FOUND"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(storage, method, error)
            refused = await ada.refused(SET, input={"styleId": style, "generationId": generation})
            assert refused["code"] == code
    assert (await ada.one(NODE, id=style))["previewUrl"] is None
    await sweep(server.services)
    assert await no_rows()
    await assert_invariants(server.services)


async def test_a_generation_or_style_deleted_meanwhile_leaves_no_picture(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await server.api.sign_up()
    storage = server.services.integrations.storage
    put = storage.put
    for victim in ("generation", "style"):
        style, generation = (await create(ada))["id"], await finished(ada)

        async def delete_first(
            *arguments: Any, style: str = style, generation: str = generation, victim: str = victim
        ) -> None:
            await put(*arguments)
            await (delete(ada, style) if victim == "style" else ada.execute(DELETE, ids=[generation]))

        with monkeypatch.context() as patch:
            patch.setattr(storage, "put", delete_first)
            refused = await ada.refused(SET, input={"styleId": style, "generationId": generation})
        assert (refused["code"], refused["field"]) == ("NOT_FOUND", [f"{victim}Id"])
    await sweep(server.services)
    assert await no_rows()
    await assert_invariants(server.services)


async def test_a_picture_that_was_swept_while_it_was_stored_leaves_no_bytes(
    server: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = await server.api.sign_up()
    style, generation = (await create(ada))["id"], await finished(ada)
    before, storage = await stored_keys(server.services), server.services.integrations.storage
    put = storage.put

    async def stall(*arguments: Any) -> None:
        await StylePicture.filter(state="PENDING").update(state="DELETING")
        await sweep(server.services)
        await put(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(storage, "put", stall)
        refused = await ada.refused(SET, input={"styleId": style, "generationId": generation})
    assert refused["code"] == "UPLOAD_FAILED"
    assert (await no_rows(), await stored_keys(server.services)) == (True, before)


async def test_what_a_killed_process_leaves_is_removed_in_time(server: Running) -> None:
    """A process that dies after the row or after the bytes leaves a PENDING picture, which no style has."""
    ada = await server.api.sign_up()
    changes = server.services.catalogue.picture_changes
    before = await stored_keys(server.services)
    abandoned = StylePicture(owner_id=ada.user["id"], byte_size=1, width=1, height=1, sha256="")
    await abandoned.save(force_create=True)
    await server.services.integrations.storage.put(abandoned.key, b"picture", "image/webp")
    await sweep(server.services)
    assert await StylePicture.filter(state=FileState.PENDING).count() == 1  # it may still be in use
    await assert_invariants(server.services)
    await rows("UPDATE style_pictures SET updated_at = LATER($1) RETURNING id", -100_000.0)
    assert [found.id for found in await changes.find_removable(10)] == [abandoned.id]
    await sweep(server.services)
    assert (await no_rows(), await stored_keys(server.services)) == (True, before)


async def test_concurrent_changes_leave_one_picture(server: Running) -> None:
    ada = await server.api.sign_up()
    style = (await create(ada))["id"]
    made = [await finished(ada), await finished(ada, "noir", "avenger"), None]
    await asyncio.gather(*(ada.one(SET, input={"styleId": style, "generationId": one}) for one in made * 4))
    row = await Style.get(id=style)
    live = await StylePicture.filter(state=FileState.LIVE)
    assert [picture.id for picture in live] == ([row.picture_id] if row.picture_id else [])
    await sweep(server.services)
    assert await StylePicture.all().count() == len(live)
    await assert_invariants(server.services)


async def test_noise_is_reduced_to_the_limit(server: Running) -> None:
    noise = Image.effect_noise((1024, 1024), 200).convert("RGB")
    data = io.BytesIO()
    noise.save(data, "PNG")
    copy = await server.services.integrations.sanitizers.uploads.reduce(
        data.getvalue(), max_bytes=MAX_BYTES, box=(SIDE, SIDE), as_webp=True, qualities=picture_change._QUALITIES
    )
    assert len(copy.data) <= MAX_BYTES
    assert copy.content_type == "image/webp"
    assert await Generation.all().count() == 0


async def test_changes_of_the_catalogue_are_audited_with_their_reason(server: Running) -> None:
    admin = await make_admin(server.api)
    made = (await create(admin, collection="avenger", reason="A new line"))["id"]
    await update(admin, made, title="Storm", reason="Its old name was taken")
    picture = {"styleId": made, "generationId": await finished(admin), "reason": "A better one"}
    assert (await admin.one(SET, input=picture))["errors"] == []
    remove = "mutation($id: ID!, $reason: String) { deleteStyle(id: $id, reason: $reason) { errors { code field } } }"
    assert (await admin.refused(remove, id=made, reason="x" * 501))["field"] == ["reason"]
    assert (await admin.one(remove, id=made, reason="Not ordered"))["errors"] == []
    await delete(admin, (await create(admin, reason="The admin's own, not audited"))["id"])
    assert [(entry.action.value, entry.detail["reason"]) for entry in await AuditEntry.all().order_by("id")] == [
        ("CREATE_STYLE", "A new line"),
        ("UPDATE_STYLE", "Its old name was taken"),
        ("UPDATE_STYLE", "A better one"),
        ("DELETE_STYLE", "Not ordered"),
    ]
