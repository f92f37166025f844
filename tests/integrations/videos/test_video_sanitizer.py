"""The video sanitizer: what it accepts, what it makes of that, and why it refuses the rest."""

import io
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import pytest
import pytest_asyncio
from PIL import Image

from services.integrations.images.sanitizer import ImageSanitizer, SanitizerUnavailableError
from services.integrations.videos.refusal import BadVideo, VideoLimits
from services.integrations.videos.sanitizer import BadVideoError, VideoSanitizer
from tests.support.corpus import videos as make
from tests.support.corpus.videos import SECRET, clip


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def images() -> AsyncIterator[ImageSanitizer]:
    async with ImageSanitizer(processes=1, timeout=60) as opened:
        yield opened


@pytest.fixture
def videos(images: ImageSanitizer) -> VideoSanitizer:
    return VideoSanitizer(images, timeout=60)


def opened(data: bytes) -> Any:
    return av.open(io.BytesIO(data))


ACCEPTED: dict[str, Callable[[], bytes]] = {
    "H.264": clip,
    "H.264 with AAC": lambda: clip(sound="aac"),
    "the index first": make.first_index,
    "fragments": make.fragmented,
    "AV1 in MP4": lambda: clip(codec="libsvtav1"),
    "VP8 with Opus": lambda: clip(codec="libvpx", format="webm", sound="libopus"),
    "VP9": lambda: clip(codec="libvpx-vp9", format="webm"),
    "AV1 with 10 bits": lambda: clip(codec="libsvtav1", pixels="yuv420p10le"),
    "a frame that is turned": make.upside_down,
    "one edit": lambda: make.edits(1),
}


@pytest.mark.parametrize("name", ACCEPTED)
async def test_accepted_video_is_copied_without_metadata(videos: VideoSanitizer, name: str) -> None:
    data = ACCEPTED[name]()
    clean = await videos.clean(data)
    assert SECRET.encode() in data
    assert SECRET.encode() not in clean.data
    with opened(data) as before, opened(clean.data) as after:
        assert [stream.codec_context.name for stream in after.streams] == [
            stream.codec_context.name for stream in before.streams
        ]
        assert not set(after.metadata) & {"title", "comment", "location"}
        shown = [frame.to_image().tobytes() for frame in before.decode(video=0)]
        assert [frame.to_image().tobytes() for frame in after.decode(video=0)] == shown
    assert clean.seconds == pytest.approx(2.0 if name == "fragments" else 1.0, abs=0.1)
    assert clean.content_type == ("video/webm" if "VP" in name else "video/mp4")
    assert (clean.width, clean.height) == ((108, 192) if "turned" in name else (192, 108))
    assert (clean.poster.width, clean.poster.height) == (clean.width, clean.height)
    assert clean.poster.content_type == "image/jpeg"
    assert list(clean.poster.thumbnails) == [320]
    assert clean.poster.placeholder.startswith("data:image/webp;base64,")


async def test_index_of_a_clean_video_is_first(videos: VideoSanitizer) -> None:
    data = clip()
    kinds = [kind for kind, *_ in make.boxes(data)]
    assert kinds.index(b"mdat") < kinds.index(b"moov")
    kinds = [kind for kind, *_ in make.boxes((await videos.clean(data)).data)]
    assert kinds.index(b"moov") < kinds.index(b"mdat")
    webm = (await videos.clean(clip(codec="libvpx", format="webm"))).data
    assert webm.index(b"\x1c\x53\xbb\x6b") < webm.index(b"\x1f\x43\xb6\x75")  # Cues, Cluster


async def test_cleaning_a_clean_video_changes_nothing(videos: VideoSanitizer) -> None:
    once = await videos.clean(clip(sound="aac"))
    assert await videos.clean(once.data) == once


async def test_poster_is_at_a_quarter_or_the_first_frame_that_is_not_black(videos: VideoSanitizer) -> None:
    async def red_of_poster(data: bytes) -> int:
        image = Image.open(io.BytesIO((await videos.clean(data)).poster.data)).convert("RGB")
        pixel: Any = image.getpixel((50, 50))
        return int(pixel[0])

    assert await red_of_poster(clip(4.0)) == pytest.approx(137, abs=8)
    assert await red_of_poster(clip(4.0, black=2.0)) == pytest.approx(175, abs=8)
    assert await red_of_poster(clip(4.0, black=9.0)) == pytest.approx(0, abs=8)


REFUSED: dict[str, tuple[Callable[[], bytes], BadVideo, str]] = {
    "text": (lambda: b"<html>Not a video</html>" * 9, BadVideo.UNSUPPORTED_FORMAT, "begins with"),
    "a playlist of other files": (lambda: b"ffconcat version 1.0\nfile /etc/passwd\n", BadVideo.UNSUPPORTED_FORMAT, ""),
    "QuickTime": (lambda: clip(format="mov"), BadVideo.UNSUPPORTED_FORMAT, ""),
    "Matroska": (lambda: clip(format="matroska"), BadVideo.UNSUPPORTED_FORMAT, ""),
    "AVI": (lambda: clip(format="avi"), BadVideo.UNSUPPORTED_FORMAT, ""),
    "a GIF": (lambda: clip(format="gif", codec="gif", pixels="rgb8"), BadVideo.UNSUPPORTED_FORMAT, ""),
    "HEVC": (lambda: clip(codec="libx265"), BadVideo.UNSUPPORTED_CODEC, "hevc"),
    "MPEG-4 part 2": (lambda: clip(codec="mpeg4"), BadVideo.UNSUPPORTED_CODEC, "mpeg4"),
    "4:4:4": (lambda: clip(pixels="yuv444p"), BadVideo.UNSUPPORTED_CODEC, "yuv444p"),
    "sound that browsers do not play": (lambda: clip(sound="ac3"), BadVideo.UNSUPPORTED_CODEC, "ac3"),
    "one frame": (lambda: clip(0.01), BadVideo.TOO_SMALL, "1 frames"),
    "a sixth of a second": (lambda: clip(0.16), BadVideo.TOO_SMALL, ""),
    "one pixel": (lambda: clip(size=(1, 1), codec="libvpx-vp9", format="webm"), BadVideo.TOO_SMALL, "1 x 1"),
    "a line": (lambda: clip(size=(4096, 2)), BadVideo.TOO_SMALL, "4096 x 2"),
    "8K": (lambda: clip(0.3, size=(8192, 4320), fps=6), BadVideo.TOO_MANY_PIXELS, "8192 x 4320"),
    "a wide line": (lambda: clip(0.3, size=(8192, 64)), BadVideo.TOO_MANY_PIXELS, "8192 x 64"),
    "frames of 16383 x 16383": (lambda: make.frame_of(16383, 0), BadVideo.DAMAGED, ""),
    "a later frame of 16383 x 16383": (lambda: make.frame_of(16383, 3), BadVideo.DAMAGED, ""),
    "a size that changes": (lambda: make.frame_of(64, 3), BadVideo.DECEPTIVE, "64 x 64"),
    "62 seconds": (lambda: clip(62, size=(64, 64), fps=2), BadVideo.TOO_LONG, "62"),
    "1000 frames a second": (
        lambda: clip(30, times=(Fraction(1, 1000), Fraction(1, 1000))), BadVideo.TOO_MANY_FRAMES, "1000 a second"
    ),
    "1000000 frames a second": (
        lambda: clip(5, times=(Fraction(1, 10**6), Fraction(1, 10**6))), BadVideo.TOO_SMALL, ""
    ),
    "a frame every six seconds": (
        lambda: clip(0.5, times=(Fraction(1, 1000), Fraction(6))), BadVideo.DECEPTIVE, "stands still"
    ),
    "an hour by its header": (lambda: make.stated_seconds(3600), BadVideo.TOO_LONG, "3600"),
    "20 seconds by its header": (lambda: make.stated_seconds(20), BadVideo.DECEPTIVE, "20 seconds by its header"),
    "three edits": (lambda: make.edits(3), BadVideo.DECEPTIVE, "edit list of 3"),
    "100000 edits": (lambda: make.edits(100_000), BadVideo.DECEPTIVE, "edit list of 100000"),
    "an edit at twice the speed": (make.fast_edit, BadVideo.DECEPTIVE, "2 times the speed"),
    "media in another file": (make.external, BadVideo.DECEPTIVE, "another file"),
    "2000 tracks": (lambda: make.many_tracks(2000), BadVideo.DECEPTIVE, "tracks"),
    "two videos": (make.two_videos, BadVideo.DECEPTIVE, "video, video"),
    "a picture": (make.with_picture, BadVideo.DECEPTIVE, "attached"),
    "2 milliard samples": (make.many_samples, BadVideo.TOO_MANY_FRAMES, "2147483647"),
    "an index of 5 MiB": (make.large_index, BadVideo.DECEPTIVE, "header has more"),
    "a compressed index": (make.compressed_index, BadVideo.DECEPTIVE, "compressed"),
    "half of the media": (make.truncated, BadVideo.DAMAGED, "does not fit"),
    "half of the frames": (make.short_of_samples, BadVideo.DAMAGED, ""),
    "no index": (make.headless, BadVideo.DAMAGED, "no header"),
    "noise": (make.scrambled, BadVideo.DAMAGED, ""),
    "a box and nothing else": (lambda: make.box(b"ftyp", b"isom\0\0\2\0isom"), BadVideo.DAMAGED, "no header"),
    "boxes without an end": (lambda: make.box(b"ftyp", b"isom\0\0\2\0") + b"\xff" * 64, BadVideo.DAMAGED, "not fit"),
    "WebM's first bytes": (
        lambda: clip(codec="libvpx", format="webm")[:200], BadVideo.DAMAGED, ""
    ),
    "nothing": (lambda: b"", BadVideo.EMPTY, ""),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
async def test_refused_video_has_a_reason(videos: VideoSanitizer, name: str) -> None:
    builder, reason, detail = REFUSED[name]
    with pytest.raises(BadVideoError) as refused:
        await videos.clean(builder())
    assert refused.value.reason is reason, refused.value
    assert detail in refused.value.detail


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        (VideoLimits(bytes=1000), BadVideo.TOO_MANY_BYTES),
        (VideoLimits(seconds=0.3), BadVideo.TOO_LONG),
        (VideoLimits(pixels=192 * 108 - 1), BadVideo.TOO_MANY_PIXELS),
        (VideoLimits(side=191), BadVideo.TOO_MANY_PIXELS),
        (VideoLimits(fps=10), BadVideo.TOO_MANY_FRAMES),
    ],
)
async def test_limits_are_configurable(images: ImageSanitizer, limits: VideoLimits, reason: BadVideo) -> None:
    with pytest.raises(BadVideoError) as refused:
        await VideoSanitizer(images, limits).clean(clip())
    assert refused.value.reason is reason


async def test_memory_of_a_child_is_limited(images: ImageSanitizer) -> None:
    large = clip(0.5, size=(3840, 2160))
    assert (await VideoSanitizer(images).clean(large)).width == 3840
    with pytest.raises(BadVideoError) as refused:
        await VideoSanitizer(images, memory_mib=300).clean(large)
    assert refused.value.reason is BadVideo.TOO_MANY_PIXELS


def says(**changed: object) -> str:
    """Return a program that responds with a video of one byte, and what is changed of it."""
    details = {"seconds": 1.0, "frames": 2, "codec": "h264", "audio": None}
    video = {"format": "MP4", "width": 64, "height": 64, "details": details, "parts": [1, 1]}
    header = json.dumps(video | changed).encode()
    return f"import os; h = {header!r}; os.write(1, len(h).to_bytes(4, 'big') + h + b'xx')"


SCRIPTS = {
    "slow": ("import time; time.sleep(60)", BadVideo.TOO_SLOW),
    "out of CPU time": (f"import os; os.kill(os.getpid(), {int(signal.SIGXCPU)})", BadVideo.TOO_SLOW),
    "crashed": (f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})", BadVideo.DAMAGED),
    "killed": (f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})", None),
    "broken": ("import os; os.write(1, b'\\0\\0\\0\\2{}')", None),
    "flooding": ("import os; os.write(1, b'\\xff' * 4096)", None),
    "one part": ("import os; h = b'{\"parts\": [1]}'; os.write(1, len(h).to_bytes(4, 'big') + h + b'x')", None),
    "other details": (says(details={"seconds": 1, "event": "x", "bytes": 1, "stored": 1}), None),
    "no size": (says(width=0), None),
    "huge": (says(width=1 << 40), None),
    "text as a width": (says(width="64"), None),
    "unknown format": (says(format="AVI"), None),
    "empty parts": (says(parts=[0, 0]), None),
}  # fmt: skip


@pytest.mark.parametrize("name", SCRIPTS)
async def test_child_that_fails_leaves_nothing_behind(images: ImageSanitizer, tmp_path: Path, name: str) -> None:
    script, reason = SCRIPTS[name]
    program = tmp_path / "child.py"
    program.write_text(f"import os; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n{script}")
    sanitizer = VideoSanitizer(images, timeout=1.0, program=program)
    if reason is None:
        with pytest.raises(SanitizerUnavailableError):
            await sanitizer.clean(clip())
    else:
        with pytest.raises(BadVideoError) as refused:
            await sanitizer.clean(clip())
        assert refused.value.reason is reason
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
