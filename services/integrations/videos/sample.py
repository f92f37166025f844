"""A tiny video, made to load what reads videos while files can still be opened."""

import io
from typing import Any

import av
from av.video.frame import VideoFrame

_SIDE = 64  # pixels
_FRAMES = 8
_RATE = 24  # frames a second


def tiny_video() -> bytes:
    """Return eight grey frames as an MP4."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as output:
        stream: Any = output.add_stream("libx264", rate=_RATE, options={"preset": "ultrafast", "threads": "1"})
        stream.width = stream.height = _SIDE
        stream.pix_fmt = "yuv420p"
        for number in range(_FRAMES):
            frame = VideoFrame(_SIDE, _SIDE, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([128]) * plane.buffer_size)
            frame.pts = number
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return file.getvalue()
