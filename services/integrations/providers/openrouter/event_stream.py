"""Server-sent events, cut out of a byte stream as it arrives."""


class EventStream:
    """Collects pieces of a text/event-stream body and gives back the data of each finished event.

    Comments and every field but `data` are dropped. Memory is what was fed and not yet given back, so the
    caller's cap on the body bounds it. An event that the stream's end cuts in two is never given back.
    """

    def __init__(self) -> None:
        self._line = bytearray()  # what came after the last line end
        self._searched = 0  # bytes of `_line` known to hold no line end: a 10 MB line is not searched again per piece
        self._data = bytearray()
        self._has_data = False
        self._finished_bytes = 0

    @property
    def data_bytes(self) -> int:
        """Bytes of data so far, the unfinished line included; comments count nothing."""
        return self._finished_bytes + (len(self._line) if self._line.startswith(b"data") else 0)

    def feed(self, piece: bytes) -> list[bytes]:
        """Take the next piece; return the data of the events that it finished."""
        self._line += piece
        events: list[bytes] = []
        start = 0
        while (end := self._line.find(b"\n", max(start, self._searched))) >= 0:
            line = bytes(self._line[start:end]).removesuffix(b"\r")
            start = end + 1
            if line.startswith(b"data:"):
                self._take(line[len(b"data:") :].removeprefix(b" "))
            elif not line and self._has_data:
                events.append(bytes(self._data))
                self._data.clear()
                self._has_data = False
        del self._line[:start]
        self._searched = len(self._line)
        return events

    def _take(self, value: bytes) -> None:
        if self._has_data:
            self._data += b"\n"
        self._data += value
        self._has_data = True
        self._finished_bytes += len(value)
