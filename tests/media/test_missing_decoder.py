"""A server whose machine cannot decode HEIC."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from adapters import make_sanitizers
from health_check import pictures_line
from services.integrations.images.sanitizer import ImageSanitizer, Sanitizers
from settings import Settings
from tests.conftest import running
from tests.support.client import CREATE
from tests.support.corpus import photos

PROGRAM = """
import sys
sys.path.append({root!r})
from services.integrations.images import decoding, sanitizer_process
decoding.MISSING.add("HEIC")
sanitizer_process.main(*map(int, sys.argv[1:]))
"""


@pytest.fixture
async def without_heic(tmp_path: Path) -> AsyncIterator[Sanitizers]:
    program = tmp_path / "sanitizer_process.py"
    program.write_text(PROGRAM.format(root=str(Path(__file__).parents[2])))
    sanitizer = ImageSanitizer(processes=1, timeout=60, program=program)
    async with contextlib.aclosing(Sanitizers(uploads=sanitizer, results=sanitizer)) as sanitizers:
        yield sanitizers


async def test_server_without_a_heic_decoder_says_so_at_start_and_refuses_heic(
    scripted_settings: Settings, without_heic: Sanitizers, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(scripted_settings, sanitizers=without_heic) as server:
        ada = await server.api.sign_up()
        error = await ada.refused(CREATE, {"input.image": photos.heic()}, input={"prompt": "A fox"})
        assert (await ada.create(photos.avif(), prompt="A fox"))["errors"] == []
    assert "decoder.missing" in capsys.readouterr().out
    assert (error["code"], "Most Compatible" in error["message"]) == ("INVALID_INPUT", True)


async def test_check_names_the_missing_decoder(settings: Settings, without_heic: Sanitizers) -> None:
    line = await pictures_line(settings, without_heic.uploads)
    assert line == "low   pictures   at most 120 megapixels: HEIC cannot be decoded here"
    async with contextlib.aclosing(make_sanitizers(settings)) as sanitizers:
        assert await pictures_line(settings, sanitizers.uploads) == "ok    pictures   at most 120 megapixels"
