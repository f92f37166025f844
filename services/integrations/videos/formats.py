"""The video formats: their content types, file name endings, and the codecs that browsers play in each."""

from dataclasses import dataclass


@dataclass(frozen=True)
class VideoFormat:
    """A container, by FFmpeg's name of what writes it."""

    muxer: str
    content_type: str
    extension: str
    video: frozenset[str]  # codecs
    audio: frozenset[str]
    options: tuple[tuple[str, str], ...]  # of the muxer: the index first, so that playback starts at once


FORMATS = {
    "MP4": VideoFormat(
        "mp4",
        "video/mp4",
        "mp4",
        frozenset({"h264", "av1", "vp9"}),
        frozenset({"aac", "mp3", "opus"}),
        (("movflags", "+faststart"),),
    ),
    "WEBM": VideoFormat(
        "webm",
        "video/webm",
        "webm",
        frozenset({"vp8", "vp9", "av1"}),
        frozenset({"opus", "vorbis"}),
        (("cues_to_front", "1"),),
    ),
}
CONTENT_TYPES = {name: known.content_type for name, known in FORMATS.items()}
EXTENSIONS = {known.content_type: known.extension for known in FORMATS.values()}
# FFmpeg's decoders of these codecs; no other one is ever opened.
DECODERS = "h264,vp8,libvpx,vp9,libvpx-vp9,libdav1d,av1,aac,mp3float,mp3,opus,libopus,vorbis"
# What browsers show: 4:2:0, with 8 bits in H.264 and VP8, with 8 or 10 in the others.
PIXELS_8_BIT = frozenset({"yuv420p", "yuvj420p"})
PIXELS = {"vp9": PIXELS_8_BIT | {"yuv420p10le"}, "av1": PIXELS_8_BIT | {"yuv420p10le"}}


def detect_format(data: bytes) -> str:
    """Return "MP4" or "WEBM" by the first bytes; empty for anything else, QuickTime and Matroska included."""
    if data[4:8] == b"ftyp":
        return "" if data[8:12] == b"qt  " else "MP4"
    _, found, document_type = data[:128].partition(b"\x42\x82") if data[:4] == b"\x1a\x45\xdf\xa3" else (b"", b"", b"")
    return "WEBM" if found and b"webm" in document_type[:16] else ""
