"""Videos as results: their fields, their objects, the storage quota, removal, export and audit."""

import io
import json
import zipfile
from typing import Any

import pytest
from PIL import Image

from models import File
from models.enum import FileKind, FileState
from services.integrations.storage.protocol import StorageError
from tests.conftest import Running
from tests.support.client import Api
from tests.support.corpus.videos import clip
from tests.support.integrity import assert_invariants, stored_keys
from tests.support.video_result import video_result

RESULT = """
query($id: ID!) { viewer { storage { usedBytes } generation(id: $id) { media result {
  url downloadUrl thumbnailUrl large: thumbnailUrl(width: 4096) posterUrl contentType byteSize width height duration
  durationSeconds placeholder expiresAt
} } } }"""
DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { deletedIds } }"


@pytest.fixture
async def ada(idle_server: Running) -> Api:
    return await idle_server.api.sign_up()


async def viewer(api: Api, id: str) -> Any:
    return (await api.one(RESULT, id=id))["generation"]["result"]


async def test_video_has_a_duration_a_poster_and_thumbnails(idle_server: Running, ada: Api) -> None:
    id = await video_result(idle_server, ada, clip(size=(640, 360)))
    result = await viewer(ada, id)
    assert (result["contentType"], result["width"], result["height"]) == ("video/mp4", 640, 360)
    assert result["duration"] == result["durationSeconds"] == 1.0
    video = await ada.http.get(result["url"])
    assert (video.headers["content-type"], len(video.content)) == ("video/mp4", result["byteSize"])
    poster = await ada.http.get(result["posterUrl"])
    assert poster.headers["content-type"] == "image/jpeg"
    assert Image.open(io.BytesIO(poster.content)).size == (640, 360)
    thumbnail = await ada.http.get(result["thumbnailUrl"])
    assert Image.open(io.BytesIO(thumbnail.content)).size == (320, 180)
    assert result["large"] == result["posterUrl"]
    assert result["placeholder"].startswith("data:image/webp;base64,")
    saved = await ada.http.get(result["downloadUrl"])
    assert saved.content == video.content
    assert f'{id[-6:]}.mp4"' in saved.headers["content-disposition"]
    assert 'filename="video-' in saved.headers["content-disposition"]


async def test_image_has_neither_duration_nor_poster(idle_server: Running, ada: Api) -> None:
    (made,) = (await ada.create(prompt="A fox"))["generations"]
    await idle_server.services.generations.worker.process(made["id"])
    result = await viewer(ada, made["id"])
    assert (result["duration"], result["durationSeconds"], result["posterUrl"]) == (None, None, None)
    assert result["url"]


async def test_gallery_shows_videos_by_its_filter(idle_server: Running, ada: Api) -> None:
    id = await video_result(idle_server, ada)
    (made,) = (await ada.create(prompt="A bear"))["generations"]
    query = """query($media: MediaKind) { viewer { generations(filter: {media: $media}) {
      nodes { id result { duration posterUrl thumbnailUrl } } } } }"""
    (shown,) = (await ada.one(query, media="VIDEO"))["generations"]["nodes"]
    assert shown["id"] == id
    assert shown["result"]["duration"] == pytest.approx(1.0, abs=0.1)
    assert (await ada.http.get(shown["result"]["posterUrl"])).status_code == 200
    (other,) = (await ada.one(query, media="IMAGE"))["generations"]["nodes"]
    assert other["id"] == made["id"]


async def test_quota_counts_video_and_poster(idle_server: Running, ada: Api) -> None:
    id = await video_result(idle_server, ada)
    file = await File.get(made_by__id=id)
    found = await ada.one(RESULT, id=id)
    poster = await ada.http.get(found["generation"]["result"]["posterUrl"])
    assert file.poster_bytes == len(poster.content)
    assert found["storage"]["usedBytes"] == file.byte_size + file.poster_bytes


async def test_deletion_removes_video_poster_and_thumbnails(idle_server: Running, ada: Api) -> None:
    id = await video_result(idle_server, ada)
    result, file = await viewer(ada, id), await File.get(made_by__id=id)
    assert await stored_keys(idle_server.services) == {file.key, file.poster_key, *file.thumbnail_keys}
    await assert_invariants(idle_server.services, all_ended=True)
    await ada.execute(DELETE, ids=[id])
    await idle_server.services.background.sweeper.sweep()
    assert await stored_keys(idle_server.services) == set()
    assert await File.all().count() == 0
    for name in ("url", "posterUrl", "thumbnailUrl", "downloadUrl"):
        assert (await ada.http.get(result[name])).status_code == 404
    await assert_invariants(idle_server.services, all_ended=True, all_swept=True)


async def test_audit_misses_a_poster(idle_server: Running, ada: Api) -> None:
    file = await File.get(made_by__id=await video_result(idle_server, ada))
    await idle_server.services.integrations.storage.delete(file.poster_key)
    with pytest.raises(AssertionError, match=file.id):
        await assert_invariants(idle_server.services)


async def test_row_precedes_the_objects_which_are_removed_if_one_cannot_be_stored(
    idle_server: Running, ada: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = idle_server.services
    clean = await services.integrations.videos.clean(clip())
    storage, put = services.integrations.storage, services.integrations.storage.put
    states: list[tuple[str, FileState]] = []

    async def fail_for_poster(key: str, data: bytes, content_type: str) -> None:
        states.extend([(file.key, file.state) for file in await File.all()])
        if key.endswith("-poster"):
            raise StorageError("full")
        await put(key, data, content_type)

    monkeypatch.setattr(storage, "put", fail_for_poster)
    with pytest.raises(Exception, match="could not be stored"):
        await services.media.files.store(ada.user["id"], FileKind.RESULT, clean)
    assert {state for _, state in states} == {FileState.PENDING}
    await services.background.sweeper.sweep()
    assert await stored_keys(services) == set()


async def test_data_export_has_the_video(idle_server: Running, ada: Api) -> None:
    id = await video_result(idle_server, ada)
    await ada.verify_address()
    request = "mutation { requestDataExport { dataExport { url } errors { code } } }"
    await ada.one(request)
    await idle_server.services.background.sweeper.sweep()
    link = (await ada.one(request))["dataExport"]["url"]
    archive = zipfile.ZipFile(io.BytesIO((await ada.http.get(link)).content))
    (exported,) = json.loads(archive.read("data.json"))["generations"]
    assert (exported["media"], exported["result"].rpartition(".")[2]) == ("VIDEO", "mp4")
    video = await ada.http.get((await viewer(ada, id))["url"])
    assert archive.read(exported["result"]) == video.content
