"""Previews of shared pictures for chats: small JPEGs, made once, removed with their picture."""

import asyncio
import io
from collections.abc import AsyncIterator
from typing import Any

import pytest
from PIL import Image

from models import File
from models.database.connection import rows
from models.enum import FileKind, FileState
from services.core.error import UnavailableError
from services.gallery.share_preview import MAX_BYTES, SharePreviews
from services.integrations.images.sanitizer import ImageSanitizer, ReducedImage, SanitizerBusyError
from services.integrations.storage.protocol import MissingObjectError
from tests.conftest import Running
from tests.support.client import Api
from tests.support.corpus import pictures
from tests.support.html_page import Page
from tests.support.integrity import assert_invariants, stored_keys
from tests.web.test_shared_picture import DELETE, SHARE, finished, get

pytestmark = pytest.mark.any_database


@pytest.fixture(scope="module")
async def ada(module_server: Running) -> Api:
    return await module_server.api.sign_up("ada@previews.example")


@pytest.fixture
async def shared(module_server: Running, ada: Api) -> AsyncIterator[File]:
    """The file of a picture that is shared at /s/the-owl, for one test."""
    id = await finished(ada)
    await ada.one(SHARE, id=id, slug="the-owl")
    yield await File.get(made_by__id=id)
    await ada.execute(DELETE, ids=[id])
    await module_server.services.background.sweeper.sweep()


async def replace_picture(server: Running, file: File, data: bytes) -> None:
    """Store another picture in place of a result."""
    image = Image.open(io.BytesIO(data))
    await server.services.integrations.storage.put(file.key, data, file.content_type)
    await File.filter(id=file.id).update(width=image.width, height=image.height, byte_size=len(data))


PICTURES: dict[str, tuple[Any, tuple[int, int]]] = {
    "wide": (lambda: pictures.encode(pictures.scene(size=(2400, 1350)), "PNG"), (1200, 675)),
    "small": (lambda: pictures.encode(pictures.scene(size=(333, 222)), "WEBP"), (333, 222)),
    "tall": (lambda: pictures.encode(pictures.scene(size=(900, 3600)), "JPEG"), (600, 2400)),
    "transparent": (lambda: pictures.encode(pictures.scene("RGBA", (1001, 1500)), "PNG"), (1001, 1500)),
    "noise": (lambda: pictures.encode(pictures.noise("RGB", (1200, 2400)), "PNG", compress_level=0), (1200, 2400)),
    "a strip": (lambda: pictures.encode(pictures.scene(size=(4096, 3)), "PNG"), (1200, 1)),
}


@pytest.mark.parametrize(("make", "size"), PICTURES.values(), ids=PICTURES.keys())
async def test_preview_is_a_small_jpeg_of_the_size_that_the_page_names(
    module_server: Running, shared: File, make: Any, size: tuple[int, int]
) -> None:
    await replace_picture(module_server, shared, make())
    meta = Page(await get(module_server, "the-owl")).meta
    assert (int(meta["og:image:width"]), int(meta["og:image:height"])) == size
    assert meta["twitter:image"] == meta["og:image"]
    assert meta["twitter:card"] == "summary_large_image"
    response = await module_server.api.http.get(meta["og:image"])
    assert (response.status_code, response.headers["content-type"]) == (200, meta["og:image:type"])
    assert len(response.content) <= MAX_BYTES
    image = Image.open(io.BytesIO(response.content))
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", size)


async def test_transparency_is_white_in_the_preview(module_server: Running, shared: File) -> None:
    await replace_picture(module_server, shared, pictures.encode(pictures.scene("RGBA"), "PNG"))
    image = Image.open(io.BytesIO((await get(module_server, "the-owl/preview.jpg")).content))
    assert min(image.getpixel((5, 5))) > 245  # type: ignore[arg-type]  # three bands


async def test_preview_is_made_once_and_removed_with_its_picture(module_server: Running, ada: Api) -> None:
    id = await finished(ada)
    await ada.one(SHARE, id=id, slug="the-elk")
    file, services = await File.get(made_by__id=id), module_server.services
    first = await get(module_server, "the-elk/preview.jpg")
    assert file.preview_key in await stored_keys(services)
    await assert_invariants(services)
    await services.integrations.storage.put(file.key, b"never decoded again", file.content_type)
    assert (await get(module_server, "the-elk/preview.jpg")).content == first.content
    await ada.execute(DELETE, ids=[id])
    await services.background.sweeper.sweep()
    assert [key for key in await stored_keys(services) if file.id in key] == []


async def test_preview_of_a_damaged_picture_is_404(module_server: Running, shared: File) -> None:
    await module_server.services.integrations.storage.put(shared.key, b"no picture", shared.content_type)
    assert (await get(module_server, "the-owl/preview.jpg")).status_code == 404
    assert shared.preview_key not in await stored_keys(module_server.services)


class CountingSanitizer(ImageSanitizer):
    """Counts its jobs and the most of them at once, lets `before` run first, and is busy if it must be."""

    is_busy = False
    jobs = running = most = 0

    async def before(self) -> None:
        await asyncio.sleep(0)

    async def reduce(self, data: bytes, **options: Any) -> ReducedImage:
        if self.is_busy:
            raise SanitizerBusyError
        self.jobs += 1
        self.running += 1
        self.most = max(self.most, self.running)
        await self.before()
        self.running -= 1
        return ReducedImage(b"preview", "image/jpeg", 1, 1)


async def test_concurrent_requests_share_the_work_and_one_preview_is_made_at_a_time(
    module_server: Running, shared: File, ada: Api
) -> None:
    other_id = await finished(ada)
    other = await File.get(made_by__id=other_id)
    sanitizer = CountingSanitizer()
    previews = SharePreviews(module_server.services.integrations.storage, sanitizer)
    found = await asyncio.gather(*(previews.make(file) for file in [shared, other] * 10))
    assert (set(found), sanitizer.jobs, sanitizer.most) == ({b"preview"}, 2, 1)
    assert await previews.make(shared) == b"preview"
    assert sanitizer.jobs == 2
    await ada.execute(DELETE, ids=[other_id])


async def test_previews_of_one_owner_leave_room_for_those_of_others(module_server: Running, shared: File) -> None:
    release = asyncio.Event()

    class HeldSanitizer(CountingSanitizer):
        async def before(self) -> None:
            await release.wait()

    storage = module_server.services.integrations.storage
    previews = SharePreviews(storage, HeldSanitizer())
    mine = [File(id=f"fil_{number}", owner_id=shared.owner_id, kind=FileKind.RESULT) for number in range(9)]
    for file in mine:
        await storage.put(file.key, b"picture", "image/png")
    other = File(id="fil_0", owner_id="usr_other", kind=FileKind.RESULT)
    tasks = [asyncio.create_task(previews.make(file)) for file in (*mine, other)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    release.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    refused = [isinstance(outcome, UnavailableError) for outcome in outcomes]
    assert refused == [False] * 4 + [True] * 5 + [False]
    for file in mine:
        await storage.delete(file.key)


async def test_preview_that_is_made_while_its_picture_is_deleted_is_not_kept(
    module_server: Running, shared: File
) -> None:
    class DeletingSanitizer(CountingSanitizer):
        async def before(self) -> None:
            await rows("UPDATE files SET state = 'DELETING' WHERE id = $1 RETURNING id", shared.id)

    storage = module_server.services.integrations.storage
    with pytest.raises(MissingObjectError):
        await SharePreviews(storage, DeletingSanitizer()).make(shared)
    assert shared.preview_key not in await stored_keys(module_server.services)
    await File.filter(id=shared.id).update(state=FileState.LIVE)


async def test_busy_sanitizer_is_unavailable_and_the_next_request_tries_again(
    module_server: Running, shared: File
) -> None:
    sanitizer = CountingSanitizer()
    previews = SharePreviews(module_server.services.integrations.storage, sanitizer)
    sanitizer.is_busy = True
    with pytest.raises(UnavailableError):
        await previews.make(shared)
    sanitizer.is_busy = False
    assert await previews.make(shared) == b"preview"
