"""The client of `make demo`, as its own process against a running server."""

import asyncio
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import pytest
from PIL import Image

from setting_types import Provider
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import PATIENCE, photo
from tests.support.fakes.openrouter import ScriptedOpenRouter
from tests.support.fakes.openrouter_response import status
from tests.support.server_process import free_port

pytestmark = pytest.mark.any_database

ROOT = Path(__file__).parents[2]


@dataclass
class Run:
    """The result of one run of the client."""

    code: int
    out: str
    problem: str  # standard error
    folder: Path

    @property
    def saved(self) -> list[Path]:
        """Return the files whose paths it printed, in that order; they must exist."""
        paths = [Path(line.strip()) for line in self.out.splitlines() if line.strip().startswith(str(self.folder))]
        assert all(path.is_file() for path in paths)
        assert sorted(paths) == sorted(self.folder.iterdir())
        return paths


async def demo(address: str | None, folder: Path, *arguments: str, **settings: str) -> Run:
    """Run the client; without an address it finds the server by `settings`, which are environment variables."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "tools" / "demo.py"),
        *([f"--address={address}"] if address else []),
        f"--folder={folder}",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "COLUMNS": "200", "PYTHONIOENCODING": "utf-8", **settings},
    )
    try:
        out, problem = await asyncio.wait_for(process.communicate(), 2 * PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode is not None
    found = Run(process.returncode, out.decode(), problem.decode(), folder)
    assert "Traceback" not in found.problem, found.problem
    return found


async def test_demo_draws_a_portrait_and_saves_original_result_and_comparison(server: Running, tmp_path: Path) -> None:
    found = await demo(server.settings.address, tmp_path / "pictures")
    assert (found.code, found.problem) == (0, "")
    original, result, comparison = found.saved
    sizes = []
    for path in (original, result, comparison):
        with Image.open(path) as picture:
            picture.load()
            sizes.append(picture.size)
    assert sizes[0] == (768, 960)
    assert abs(sizes[1][0] / sizes[1][1] - 768 / 960) < 0.02
    assert sizes[2][0] > sizes[2][1]
    assert original.read_bytes() != result.read_bytes()
    assert "with 30 credits" in found.out
    assert "Generation: -1 credits, 29 left" in found.out
    stages = ["Generating your picture.", "Storing your picture.", "Your picture is ready.", "Made by"]
    places = [found.out.index(stage) for stage in stages]
    assert places == sorted(places)
    assert "previews 4" in found.out
    assert "the demo provider" in found.out


async def test_demo_uses_the_given_photo_style_and_language(server: Running, tmp_path: Path) -> None:
    (tmp_path / "me.png").write_bytes(photo(300, 200, "PNG"))
    pictures = tmp_path / "pictures"
    found = await demo(
        server.settings.address, pictures, f"--photo={tmp_path}/me.png", "--style=avenger/noir", "--language=zh-CN"
    )
    assert (found.code, found.problem) == (0, "")
    with Image.open(found.saved[0]) as original:
        assert original.size == (300, 200)
    assert "英雄变身 / 黑色电影" in found.out
    assert re.search(r"^ +100%  [\u4e00-\u9fff]", found.out, re.MULTILINE)  # also over the socket
    assert "avenger-noir" in found.saved[1].name
    assert "20 credits left" in found.out


async def test_demo_shows_the_enriched_prompt(server: Running, tmp_path: Path) -> None:
    found = await demo(
        server.settings.address, tmp_path / "pictures", "--style=sandbox/free", "--prompt=A red fox", "--enhance"
    )
    assert (found.code, found.problem) == (0, "")
    assert "Enriched prompt: A red fox, " in found.out


async def test_demo_orders_a_video_and_saves_it_with_its_poster(server: Running, tmp_path: Path) -> None:
    found = await demo(server.settings.address, tmp_path / "pictures", "--video")
    assert (found.code, found.problem) == (0, "")
    original, result, poster = found.saved
    assert (original.suffix, result.suffix, poster.name[-11:]) == (".jpg", ".mp4", "-poster.jpg")
    opened: Any = av.open(str(result))
    with opened, Image.open(poster) as picture:
        shown = [frame.to_image() for frame in opened.decode(video=0)]
        assert len(shown) == 72
        assert shown[0].size == picture.size
    assert f"{picture.width} x {picture.height} pixels, 3 seconds" in found.out
    assert "-20 credits, 10 left" in found.out
    assert "Your video is ready." in found.out


async def test_demo_prints_refusals_in_one_line(server: Running, tmp_path: Path) -> None:
    (tmp_path / "letter.jpg").write_text("This is not an image.")
    (tmp_path / "huge.jpg").write_bytes(photo() + b"\0" * (server.services.media.files.limits.max_bytes + 2**20))
    pictures = tmp_path / "pictures"
    short, letter, huge, unknown = await asyncio.gather(
        demo(server.settings.address, pictures, "--style=avenger/noir", "--quality=ULTRA"),
        demo(server.settings.address, pictures, f"--photo={tmp_path}/letter.jpg"),
        demo(server.settings.address, pictures, f"--photo={tmp_path}/huge.jpg"),
        demo(server.settings.address, pictures, "--style=plushify/unknown"),
    )
    assert (short.code, short.problem) == (3, "This needs 40 credits; you have 30.\n")
    assert (letter.code, letter.problem) == (4, "The picture must be one of: AVIF, HEIC, JPEG, PNG, WEBP.\n")
    assert (huge.code, "too large" in huge.problem, huge.problem.count("\n")) == (4, True, 1)
    assert unknown.code == 4
    assert unknown.problem.startswith("There is no style plushify/unknown. Choose one of: plushify/cute, ")
    assert list(pictures.iterdir()) == []


async def test_demo_prints_why_a_generation_failed_and_that_it_was_refunded(settings: Settings, tmp_path: Path) -> None:
    async with ScriptedOpenRouter() as fake:
        fake.script(status(401))
        changes = {
            "image_provider": Provider.OPENROUTER,
            "openrouter_api_key": fake.key,
            "openrouter_base_url": fake.base_url,
        }
        async with running(settings.model_copy(update=changes)) as server:
            found = await demo(server.settings.address, tmp_path / "pictures")
    assert found.code == 5
    assert (
        found.problem
        == "The image service is not set up correctly. We have been notified. The credits were refunded.\n"
    )
    assert found.saved == []


async def test_demo_reports_a_missing_or_different_server(tmp_path: Path) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    found = await demo(address, tmp_path)
    assert (found.code, found.problem) == (1, f"There is no server at {address}. Start it with: make run\n")

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        await writer.drain()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as other:
        address = f"http://127.0.0.1:{other.sockets[0].getsockname()[1]}"
        found = await demo(address, tmp_path)
    assert (found.code, found.problem) == (1, f"The server at {address} is not a Darkroom server (HTTP 200).\n")


async def test_demo_finds_the_server_by_its_settings(tmp_path: Path) -> None:
    port = free_port()
    found = await demo(None, tmp_path, PORT=str(port))
    assert (found.code, found.problem) == (
        1, f"There is no server at http://127.0.0.1:{port}. Start it with: make run\n"
    )  # fmt: skip
    found = await demo(None, tmp_path, PUBLIC_URL=f"http://localhost:{port}")
    assert f"There is no server at http://localhost:{port}." in found.problem
    found = await demo(None, tmp_path, PORT="eight")
    assert (found.code, "PORT" in found.problem) == (2, True)


async def test_demo_refuses_invalid_arguments(tmp_path: Path) -> None:
    found = await demo("http://127.0.0.1:1", tmp_path, f"--photo={tmp_path}/missing.jpg")
    assert found.code == 2
    assert f"there is no file {tmp_path}/missing.jpg" in found.problem
