"""Builders of ordinary and hostile videos."""

import io
import struct
from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import Any

import av
from av.audio.frame import AudioFrame
from av.container import OutputContainer
from av.video.frame import VideoFrame
from PIL import Image

SECRET = "SECRET-PLACE-0815"  # in every piece of metadata that `clip` writes
RATE = 48_000  # samples of sound a second
_CONTAINERS = (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"stbl", b"edts", b"udta", b"dref")


@cache
def clip(
    seconds: float = 1.0,
    size: tuple[int, int] = (192, 108),
    *,
    fps: int = 12,
    codec: str = "libx264",
    format: str = "mp4",
    pixels: str = "yuv420p",
    sound: str | None = None,
    black: float = 0.0,
    times: tuple[Fraction, Fraction] | None = None,
    options: tuple[tuple[str, str], ...] = (),
    muxing: tuple[tuple[str, str], ...] = (),
) -> bytes:
    """Return a video that becomes redder from frame to frame.

    `sound`: its codec; `black`: seconds at the start that are black; `times`: the time base, and the time of a frame.
    """
    file = io.BytesIO()

    def reopen(*_: object) -> io.BytesIO:  # to move the index to the front
        return io.BytesIO(file.getvalue())

    with av.open(file, "w", format=format, options=dict(muxing), io_open=reopen) as output:
        output.metadata["title"] = output.metadata["location"] = output.metadata["comment"] = SECRET
        base = times[0] if times else Fraction(1, fps)
        step = round(times[1] / times[0]) if times else 1
        video: Any = output.add_stream(codec, rate=fps, options={"threads": "1", **dict(options)})
        video.width, video.height = size
        video.pix_fmt = pixels
        video.codec_context.time_base = base
        track: Any = output.add_stream(sound, rate=RATE) if sound else None
        count = max(1, round(seconds * fps))
        for number in range(count):
            red = 100 + 150 * number // count
            colour = "black" if number < black * fps else (red, 110, 60)
            frame = _frame(Image.new("RGB", size, colour), number * step, base)
            output.mux(video.encode(frame))
        output.mux(video.encode())
        if track is not None:
            _add_silence(output, track, seconds)
    return file.getvalue()


def _frame(image: Image.Image, pts: int, base: Fraction) -> VideoFrame:
    frame: VideoFrame = VideoFrame.from_image(image)  # type: ignore[no-untyped-call]  # PyAV does not import Pillow
    frame.pts, frame.time_base = pts, base
    return frame


def _add_silence(output: OutputContainer, track: Any, seconds: float) -> None:
    written = 0
    while written < seconds * RATE:
        frame = AudioFrame(format="fltp" if track.name == "aac" else "s16", layout="stereo", samples=960)
        frame.sample_rate, frame.pts, frame.time_base = RATE, written, Fraction(1, RATE)
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        written += frame.samples
        output.mux(track.encode(frame))
    output.mux(track.encode())


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Yield kind, start and end of each box of an MP4, containers before what they contain."""
    end = len(data) if end is None else end
    while start + 8 <= end:
        size, kind = struct.unpack_from(">I4s", data, start)
        yield kind, start, start + size
        if kind in _CONTAINERS:
            yield from boxes(data, start + (16 if kind == b"dref" else 8), start + size)
        start += max(size, 8)


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", 8 + len(content), kind) + content


def _find(data: bytes, kind: bytes) -> tuple[int, int]:
    return next((start, end) for found, start, end in boxes(data) if found == kind)


def _patched(data: bytes, kind: bytes, offset: int, value: bytes) -> bytes:
    """Return the video with bytes replaced in every box of a kind. `offset`: from the start of the box."""
    changed = bytearray(data)
    for found, start, _ in boxes(data):
        if found == kind:
            changed[start + offset : start + offset + len(value)] = value
    return bytes(changed)


def _replaced(data: bytes, kind: bytes, new: bytes) -> bytes:
    """Return the video with the first box of a kind replaced; its containers grow or shrink with it."""
    at, end = _find(data, kind)
    changed = bytearray(data)
    for _, start, after in boxes(data):
        if start < at and after >= end:
            struct.pack_into(">I", changed, start, after - start + len(new) - (end - at))
    return bytes(changed[:at]) + new + bytes(changed[end:])


def first_index() -> bytes:
    """The index before the media, as most providers send it."""
    return clip(muxing=(("movflags", "+faststart"),))


def fragmented() -> bytes:
    return clip(2.0, options=(("g", "6"),), muxing=(("movflags", "+frag_keyframe+empty_moov"),))


def truncated() -> bytes:
    """Half of the media is missing."""
    whole = first_index()
    start, end = _find(whole, b"mdat")
    return whole[: (start + end) // 2]


def short_of_samples() -> bytes:
    """As `truncated`, but its boxes fit."""
    data = bytearray(truncated())
    start, _ = _find(first_index(), b"mdat")
    struct.pack_into(">I", data, start, len(data) - start)
    return bytes(data)


def headless() -> bytes:
    """The index, which comes last, is missing."""
    whole = clip()
    return whole[: _find(whole, b"moov")[0]]


def scrambled() -> bytes:
    """The media is noise behind each sample's length."""
    whole = clip(2.0, options=(("g", "1"),))
    start, end = _find(whole, b"mdat")
    changed = bytearray(whole)
    for at in range(start + 60, end):
        changed[at] = changed[at] * 37 + at & 0xFF
    return bytes(changed)


def stated_seconds(seconds: int) -> bytes:
    """The headers of file and tracks state another duration than the frames have."""
    data = clip()
    for kind, at in ((b"mvhd", 8), (b"mdhd", 8)):
        start, _ = _find(data, kind)
        (scale,) = struct.unpack_from(">I", data, start + at + 12)
        data = _patched(data, kind, at + 16, struct.pack(">I", seconds * scale))
    for kind, at in ((b"tkhd", 28), (b"elst", 16)):
        data = _patched(data, kind, at, struct.pack(">I", seconds * 1000))
    return data


def edits(count: int) -> bytes:
    """The whole track, several times."""
    data = clip()
    start, end = _find(data, b"elst")
    return _replaced(data, b"elst", box(b"elst", struct.pack(">II", 0, count) + data[start + 16 : end] * count))


def fast_edit() -> bytes:
    return _patched(clip(), b"elst", 24, struct.pack(">I", 1 << 17))


def external() -> bytes:
    """The media is said to be in another file."""
    address = box(b"url ", struct.pack(">I", 0) + b"http://169.254.169.254/latest\0")
    return _replaced(clip(), b"url ", address)


def many_tracks(count: int) -> bytes:
    data = clip()
    start, end = _find(data, b"trak")
    return _replaced(data, b"trak", data[start:end] * count)


def many_samples() -> bytes:
    """A table of two milliards of samples in twelve bytes."""
    return _replaced(clip(), b"stsz", box(b"stsz", struct.pack(">III", 0, 1, 2**31 - 1)))


def large_index() -> bytes:
    data = clip()
    start, end = _find(data, b"mvhd")
    return _replaced(data, b"mvhd", data[start:end] + box(b"free", bytes(5 << 20)))


def compressed_index() -> bytes:
    whole = clip()
    start, _ = _find(whole, b"moov")
    return whole[:start] + box(b"moov", box(b"cmov", bytes(64)))


def upside_down() -> bytes:
    """The track's matrix turns it by a quarter, so that it is shown upright."""
    turn = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)
    return _patched(clip(), b"tkhd", 48, turn)


def with_picture() -> bytes:
    """A cover picture is attached."""
    cover = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(cover, "JPEG")
    content = box(b"data", struct.pack(">II", 13, 0) + cover.getvalue())
    handler = box(b"hdlr", bytes(8) + b"mdirappl" + bytes(9))
    meta = box(b"meta", bytes(4) + handler + box(b"ilst", box(b"covr", content)))
    data = clip()
    start, end = _find(data, b"mvhd")
    return _replaced(data, b"mvhd", data[start:end] + box(b"udta", meta))


def two_videos() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        tracks: list[Any] = [output.add_stream("libx264", rate=12) for _ in range(2)]
        for track in tracks:
            track.width, track.height, track.pix_fmt = 64, 64, "yuv420p"
        for number in range(12):
            for track in tracks:
                frame = _frame(Image.new("RGB", (64, 64), (20 * number, 0, 0)), number, Fraction(1, 12))
                output.mux(track.encode(frame))
        for track in tracks:
            output.mux(track.encode())
    return file.getvalue()


def frame_of(size: int, number: int) -> bytes:
    """A WebM of VP8 in which a key frame states another size than the header. `number`: of the key frame, from 0."""
    data = bytearray(clip(codec="libvpx", format="webm", options=(("g", "1"),)))
    at = -1
    for _ in range(number + 1):
        at = data.index(b"\x9d\x01\x2a", at + 1)
    struct.pack_into("<HH", data, at + 3, size, size)
    return bytes(data)
