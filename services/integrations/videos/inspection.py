"""The inspection of an untrusted video: every packet is read, every frame decoded, and the picture for it chosen."""

import io
import itertools
from typing import Any, NamedTuple

import av
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from PIL import Image, ImageStat

from services.integrations.videos.formats import DECODERS, FORMATS, PIXELS, PIXELS_8_BIT, VideoFormat, detect_format
from services.integrations.videos.mp4_boxes import check_boxes
from services.integrations.videos.refusal import BadVideo, VideoLimits, VideoRefusedError
from services.integrations.videos.remuxing import Remuxer, open_video

MAX_STREAMS = 4
MIN_SIDE = 32  # pixels
MIN_SECONDS = 0.2
MAX_GAP = 5.0  # seconds between two frames
_POSTER_AT = 0.25  # of the duration: by then most clips show what they are about
_DARK = 24.0  # mean brightness, of 255, below which a frame counts as black
_SAMPLE = (64, 36)  # pixels, of the copy whose brightness is measured
_POSTER_QUALITY = 92
_DECODED = 0.9  # of the frames: one packet in sixteen of VP8 shows nothing, and damaged ones are shown as well
_SLACK = 0.5  # seconds by which a duration may differ from what is stated or allowed
_TOLERANCE = 0.1  # of the duration, the same for long ones
_CODECS = {"libdav1d": "av1", "mp3float": "mp3", "libvpx": "vp8", "libvpx-vp9": "vp9", "libopus": "opus"}  # by decoder
_AUDIO_PACKETS = 1000  # a second; the shortest have 2.5 ms


class Inspected(NamedTuple):
    """A video that is accepted."""

    format: str
    data: bytes  # without metadata, the index first
    poster: bytes  # a JPEG
    width: int  # pixels, as shown
    height: int
    seconds: float
    frames: int
    codec: str
    audio: str | None  # codec; None: silent


def inspect_video(data: bytes, limits: VideoLimits) -> Inspected:
    """Return the video, copied, with its poster.

    Raises:
        VideoRefusedError: it is not accepted.
    """
    name = detect_format(data)
    if not name:
        raise VideoRefusedError(BadVideo.UNSUPPORTED_FORMAT, f"it begins with {data[:12].hex(' ')}")
    stated = check_boxes(data) if name == "MP4" else None  # FFmpeg computes its own
    try:
        with open_video(data, FORMATS[name], 16 * MAX_STREAMS, DECODERS) as opened:
            return _Inspection(opened, name, limits, stated).run()
    except av.error.MemoryError as error:
        raise VideoRefusedError(BadVideo.TOO_MANY_PIXELS, "there is not enough memory to decode it") from error
    except av.FFmpegError as error:
        raise VideoRefusedError(BadVideo.DAMAGED, f"{type(error).__name__}: {error.strerror}") from error


class _Inspection:
    def __init__(self, opened: InputContainer, name: str, limits: VideoLimits, stated: float | None) -> None:
        self._opened = opened
        found = opened.duration
        by_demuxer = found / av.time_base if found is not None and found > 0 else None
        self._stated = stated if stated is not None else by_demuxer  # seconds; None: the header states none
        self._name = name
        self._limits = limits
        self._starts: list[float] = []  # of frames, in seconds, in the order of the file
        self._end = 0.0
        self._first = float("inf")
        self._audio_packets = 0
        self._bytes = 0
        self._decoded = self._corrupt = 0
        self._poster = _Poster()

    def run(self) -> Inspected:
        format = FORMATS[self._name]
        self._check_streams(format)
        video: Any = self._opened.streams.video[0]
        self._size = (video.codec_context.width, video.codec_context.height)
        video.codec_context.options = {"max_pixels": str(self._limits.pixels), "threads": "1"}
        video.codec_context.thread_type = "NONE"
        self._poster.wanted = _POSTER_AT * min(self._stated or 0.0, self._limits.seconds)
        audio = self._opened.streams.audio
        remuxer = Remuxer(format, [video, *audio])
        for packet in self._opened.demux():
            if packet.stream.type == "video":
                self._read_video(packet)
            elif packet.stream.type == "audio":
                self._read_audio(packet)
            if packet.dts is not None or packet.pts is not None:
                remuxer.write(packet)
        self._check_duration(video.frames)
        copy = remuxer.finish()
        poster = self._poster.jpeg(video)
        width, height = poster.size
        return Inspected(
            format=self._name,
            data=copy,
            poster=poster.data,
            width=width,
            height=height,
            seconds=round(self._end - self._first, 3),
            frames=len(self._starts),
            codec=_codec(video),
            audio=_codec(audio[0]) if audio else None,
        )

    def _check_streams(self, format: VideoFormat) -> None:
        streams = self._opened.streams
        if len(streams) > MAX_STREAMS:
            raise VideoRefusedError(BadVideo.DECEPTIVE, f"{len(streams)} streams")
        if any(stream.disposition & av.stream.Disposition.attached_pic for stream in streams):
            raise VideoRefusedError(BadVideo.DECEPTIVE, "a picture is attached to it")
        if len(streams.attachments) or len(streams.video) != 1 or len(streams.audio) > 1:
            kinds = ", ".join(stream.type or "unknown" for stream in streams)
            raise VideoRefusedError(BadVideo.DECEPTIVE, f"not one video with at most one sound: {kinds or 'nothing'}")
        video: Any = streams.video[0]
        if _codec(video) not in format.video:
            raise VideoRefusedError(BadVideo.UNSUPPORTED_CODEC, f"{_codec(video)} in {self._name}")
        for audio in streams.audio:
            if _codec(audio) not in format.audio:
                raise VideoRefusedError(BadVideo.UNSUPPORTED_CODEC, f"the sound is {_codec(audio)} in {self._name}")
        pixels = video.codec_context.pix_fmt
        if pixels is None:
            raise VideoRefusedError(BadVideo.DAMAGED, "nothing in it can be decoded")
        self._check_size(video.codec_context.width, video.codec_context.height)
        if pixels not in PIXELS.get(_codec(video), PIXELS_8_BIT):
            raise VideoRefusedError(BadVideo.UNSUPPORTED_CODEC, f"{_codec(video)} with pixels {pixels}")
        if self._stated is not None and self._stated > self._limits.seconds + _SLACK:
            raise VideoRefusedError(BadVideo.TOO_LONG, f"{self._stated:g} seconds by its header")

    def _check_size(self, width: int, height: int) -> None:
        if width * height > self._limits.pixels or max(width, height) > self._limits.side:
            raise VideoRefusedError(BadVideo.TOO_MANY_PIXELS, f"{width} x {height}")
        if min(width, height) < MIN_SIDE:
            raise VideoRefusedError(BadVideo.TOO_SMALL, f"{width} x {height}")

    def _note_time(self, packet: "Packet[Any]") -> float | None:
        """Take over when a packet is shown, and for how long; return the time in seconds, None if it has none."""
        if packet.pts is None:
            return None
        start = float(packet.pts * packet.time_base)
        length = float((packet.duration or 0) * packet.time_base)
        self._first, self._end = min(self._first, start), max(self._end, start + length)
        if self._end - self._first > self._limits.seconds + _SLACK:
            raise VideoRefusedError(BadVideo.TOO_LONG, f"{self._end - self._first:g} seconds")
        return start

    def _read_video(self, packet: "Packet[Any]") -> None:
        start = None if packet.is_discard else self._note_time(packet)  # an edit leaves it out
        if start is not None:
            self._starts.append(start)
        if len(self._starts) > (self._limits.seconds + 1) * self._limits.fps:
            raise VideoRefusedError(BadVideo.TOO_MANY_FRAMES, f"more than {len(self._starts) - 1}")
        self._corrupt += packet.is_corrupt
        for frame in packet.decode():
            if isinstance(frame, VideoFrame):
                self._read_frame(frame)

    def _read_audio(self, packet: "Packet[Any]") -> None:
        self._note_time(packet)
        self._audio_packets += 1
        if self._audio_packets > (self._limits.seconds + 1) * _AUDIO_PACKETS:
            raise VideoRefusedError(BadVideo.TOO_MANY_FRAMES, f"more than {self._audio_packets - 1} of sound")

    def _read_frame(self, frame: VideoFrame) -> None:
        if (frame.width, frame.height) != self._size:
            self._check_size(frame.width, frame.height)
            raise VideoRefusedError(BadVideo.DECEPTIVE, f"its size changes to {frame.width} x {frame.height}")
        self._decoded += 1
        self._corrupt += frame.is_corrupt
        self._poster.offer(frame)

    def _check_duration(self, stated_frames: int) -> None:
        count = len(self._starts)
        if count < 2 or not self._decoded:
            raise VideoRefusedError(BadVideo.TOO_SMALL, f"{count} frames, of which {self._decoded} can be decoded")
        if count < _DECODED * stated_frames:
            raise VideoRefusedError(BadVideo.DAMAGED, f"{count} of {stated_frames} frames are there")
        if self._decoded - self._corrupt < _DECODED * count:
            detail = f"{self._decoded} of {count} frames can be decoded, {self._corrupt} are damaged"
            raise VideoRefusedError(BadVideo.DAMAGED, detail)
        seconds, starts = self._end - self._first, sorted(self._starts)
        shown = starts[-1] - starts[0]
        if seconds < MIN_SECONDS or shown <= 0:
            raise VideoRefusedError(BadVideo.TOO_SMALL, f"{seconds:g} seconds")
        if (count - 1) / shown > self._limits.fps + 1:
            raise VideoRefusedError(BadVideo.TOO_MANY_FRAMES, f"{(count - 1) / shown:g} a second")
        if max(after - before for before, after in itertools.pairwise(starts)) > MAX_GAP:
            raise VideoRefusedError(BadVideo.DECEPTIVE, f"it stands still for more than {MAX_GAP:g} seconds")
        stated = self._stated
        if stated is not None and abs(stated - seconds) > max(_SLACK, _TOLERANCE * seconds):
            raise VideoRefusedError(BadVideo.DECEPTIVE, f"{stated:g} seconds by its header, {seconds:g} by its frames")
        if shown < seconds / 2:
            raise VideoRefusedError(BadVideo.DECEPTIVE, f"frames for {shown:g} of {seconds:g} seconds")


class _Jpeg(NamedTuple):
    data: bytes
    size: tuple[int, int]


class _Poster:
    """Chooses the frame that stands for the video: that at a share of the duration, else the next that is not black.

    If all are black, the brightest.
    """

    def __init__(self) -> None:
        self.wanted = 0.0  # seconds after the first frame
        self._found: VideoFrame | None = None
        self._brightness = -1.0
        self._start: float | None = None
        self._is_settled = False

    def offer(self, frame: VideoFrame) -> None:
        """Look at the next frame in the order in which they are shown."""
        if self._is_settled:
            return
        time = frame.time or 0.0
        self._start = time if self._start is None else self._start
        is_due = time - self._start >= self.wanted
        if not is_due and self._found is not None:
            return
        # Measured at the first frame, and from the wanted time on.
        (plane,) = frame.reformat(*_SAMPLE, format="gray").planes
        brightness = ImageStat.Stat(Image.frombytes("L", _SAMPLE, bytes(plane), "raw", "L", plane.line_size)).mean[0]
        if brightness > self._brightness or (is_due and brightness >= _DARK):
            self._found, self._brightness = frame, brightness
        self._is_settled = is_due and brightness >= _DARK

    def jpeg(self, video: Any) -> _Jpeg:
        """Return the chosen frame as it is shown: with square pixels, upright."""
        if self._found is None:
            raise VideoRefusedError(BadVideo.DAMAGED, "no frame can be decoded")
        image: Image.Image = self._found.to_image()  # type: ignore[no-untyped-call]  # PyAV does not import Pillow
        ratio = video.sample_aspect_ratio
        if ratio and ratio > 0 and ratio != 1:
            image = image.resize((max(1, round(image.width * float(min(max(ratio, 0.25), 4)))), image.height))
        if self._found.rotation:
            image = image.rotate(self._found.rotation, expand=True)
        buffer = io.BytesIO()
        image.save(buffer, "JPEG", quality=_POSTER_QUALITY, subsampling="4:2:0")
        return _Jpeg(buffer.getvalue(), image.size)


def _codec(stream: Any) -> str:
    context = stream.codec_context
    name = "unknown" if context is None else str(context.name)
    return _CODECS.get(name, name)
