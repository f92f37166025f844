"""Responses that no healthy child sends: they count as an exit of the child, which is stopped, not used again."""

import json
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from services.integrations.images.sanitizer import (
    CHILD,
    BadImageError,
    CleanImage,
    ImageSanitizer,
    SanitizerUnavailableError,
)
from tests.support.corpus import pictures as make

ANY_SIZE = 1 << 30  # bytes
IMAGE = {"format": "PNG", "width": 64, "height": 48, "widths": [320], "parts": [1, 1, 1]}

# A child that reads a job, and responds with the file beside it.
SCRIPT = """
import json, os, pathlib, sys
def serve():
    size = int.from_bytes(sys.stdin.buffer.read(4), "big")
    sys.stdin.buffer.read(json.loads(sys.stdin.buffer.read(size))["size"])
    header = pathlib.Path(__file__).with_suffix(".json").read_bytes()
    os.write(1, len(header).to_bytes(4, "big") + header + b"x" * 100_000)
"""


def child_with(folder: Path, header: bytes, then: str = "serve()") -> Path:
    program = folder / "sanitizer_process.py"
    program.with_suffix(".json").write_bytes(header)
    program.write_text(SCRIPT + then)
    return program


async def clean(sanitizer: ImageSanitizer) -> CleanImage:
    return await sanitizer.clean(make.png(), max_bytes=ANY_SIZE)


CHANGES: dict[str, dict[str, object]] = {
    "unknown format": {"format": "X"},
    "a list as format": {"format": []},
    "a format that is not stored": {"format": "HEIC"},
    "too few parts": {"parts": [1]},
    "too many parts": {"parts": [1, 1, 1, 1]},
    "empty parts": {"parts": [0, 0, 0]},
    "endless part": {"parts": [float("inf"), 1, 1]},
    "parts as text": {"parts": ["1", "1", "1"]},
    "placeholder of 90 KB": {"parts": [1, 90_000, 1]},
    "unknown thumbnail": {"widths": [321]},
    "no thumbnail": {"widths": [], "parts": [1, 1]},
    "nested thumbnails": {"widths": [[320]]},
    "huge": {"width": 1 << 70},
    "text as a width": {"width": "64"},
    "negative": {"height": -1},
    "a list as details": {"details": [1]},
    "unknown reason": {"reason": "X"},
    "a list as reason": {"reason": ["DAMAGED"]},
    "details without a side": {"reason": "TOO_MANY_PIXELS", "details": {"width": 1}},
    "huge details": {"reason": "TOO_MANY_PIXELS", "details": {"width": 1, "height": 1, "pixels": 10**400, "side": 1}},
}
HEADERS = {"no JSON": b"no JSON", "deeply nested": b"[" * 4000, "a list": b"[]", "no parts": b"{}"}
HEADERS |= {name: json.dumps(IMAGE | changed).encode() for name, changed in CHANGES.items()}


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS.keys())
async def test_malformed_response_is_an_outage(tmp_path: Path, header: bytes) -> None:
    async with ImageSanitizer(processes=1, timeout=30.0, program=child_with(tmp_path, header)) as sanitizer:
        with pytest.raises(SanitizerUnavailableError):
            await clean(sanitizer)


Job = Callable[[ImageSanitizer], Awaitable[object]]
MISSING: Job = lambda sanitizer: sanitizer.missing_formats()  # noqa: E731
PREVIEW: Job = lambda sanitizer: sanitizer.preview(make.png())  # noqa: E731
REDUCE: Job = lambda sanitizer: sanitizer.reduce(make.png(), max_bytes=500)  # noqa: E731
CONVERT: Job = lambda sanitizer: sanitizer.convert(make.png(), "JPEG")  # noqa: E731


@pytest.mark.parametrize(
    ("job", "changed"),
    [
        (MISSING, {"parts": [], "missing": ["X"]}),
        (MISSING, {"parts": [], "missing": [["HEIC"]]}),
        (PREVIEW, {"format": "WEBP", "parts": [1, 1]}),
        (PREVIEW, {"format": "WEBP", "parts": [90_000]}),
        (REDUCE, {"format": "JPEG", "parts": []}),
        (REDUCE, {"format": "JPEG", "parts": [501]}),
        (CONVERT, {"format": "PNG", "parts": [1]}),
    ],
)
async def test_malformed_response_to_any_job_is_an_outage(tmp_path: Path, job: Job, changed: dict[str, object]) -> None:
    program = child_with(tmp_path, json.dumps(IMAGE | changed).encode())
    async with ImageSanitizer(processes=1, timeout=30.0, program=program) as sanitizer:
        with pytest.raises(SanitizerUnavailableError):
            await job(sanitizer)


async def test_child_of_a_malformed_response_is_replaced(tmp_path: Path) -> None:
    first = tmp_path / "first"
    then = f"""
if not os.path.exists({str(first)!r}):
    pathlib.Path({str(first)!r}).write_text(str(os.getpid()))
    serve()
    serve()
os.execv(sys.executable, [sys.executable, "-I", {str(CHILD)!r}, *sys.argv[1:]])
"""
    program = child_with(tmp_path, json.dumps(IMAGE | {"format": "X"}).encode(), then)
    async with ImageSanitizer(processes=1, timeout=30.0, program=program) as sanitizer:
        assert (await clean(sanitizer)).width == 64
        assert (await clean(sanitizer)).width == 64
        with pytest.raises(ProcessLookupError):
            os.kill(int(first.read_text()), 0)


async def test_refusal_of_a_huge_image_is_no_malformed_response(tmp_path: Path) -> None:
    details = {"width": 9000, "height": 9000, "pixels": 1000, "side": 65500}
    header = json.dumps({"reason": "TOO_MANY_PIXELS", "details": details, "parts": []}).encode()
    async with ImageSanitizer(processes=1, timeout=30.0, program=child_with(tmp_path, header)) as sanitizer:
        with pytest.raises(BadImageError) as refusal:
            await clean(sanitizer)
        assert refusal.value.details == details
