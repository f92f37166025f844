"""Copying a video's packets into a new file of the same format: no metadata, no other streams, the index first."""

import io
from collections.abc import Sequence
from typing import Any

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream

from services.integrations.videos.formats import VideoFormat


class Remuxer:
    """Writes one file in memory. Raises av.FFmpegError for packets that the format cannot hold."""

    def __init__(self, format: VideoFormat, streams: Sequence[Stream]) -> None:
        self._file = io.BytesIO()
        # `bitexact` leaves out the time and the name of the program. To move the index to the front, FFmpeg reads what
        # it has written.
        options = {"fflags": "+bitexact", **dict(format.options)}
        self._output: Any = av.open(self._file, "w", format=format.muxer, options=options, io_open=self._reopen)
        self._streams = {stream.index: self._output.add_stream_from_template(stream, opaque=True) for stream in streams}

    def _reopen(self, name: str, flags: int, options: dict[str, str]) -> io.BytesIO:
        return io.BytesIO(self._file.getvalue())

    def write(self, packet: "Packet[Any]") -> None:
        """Write a packet of one of the streams, which is used up; of any other, nothing."""
        stream = self._streams.get(packet.stream.index)
        if stream is not None:
            packet.stream = stream
            self._output.mux_one(packet)

    def finish(self) -> bytes:
        """Return the file."""
        self._output.close()
        return self._file.getvalue()


def open_video(data: bytes, format: VideoFormat, max_streams: int, decoders: str) -> InputContainer:
    """Open a video without any file or network; only `decoders` look into it. Raises av.FFmpegError."""
    options = {"max_streams": str(max_streams), "codec_whitelist": decoders, "protocol_whitelist": "none"}
    return av.open(io.BytesIO(data), "r", format="matroska" if format.muxer == "webm" else "mp4", options=options)
