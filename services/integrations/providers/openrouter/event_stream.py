"""An incremental parser of server-sent events."""


class EventStream:
    """Parses chunks of a text/event-stream body and returns the data of each completed event.

    Comments and all fields except `data` are dropped. The memory used is what was fed and not yet returned, so the
    caller's limit on the body bounds it. An event that is incomplete at the end of the stream is never returned.
    """

    def __init__(self) -> None:
        self._line = bytearray()  # the bytes after the last line end
        self._searched = 0  # bytes of `_line` without a line end, so that a 10 MB line is not searched per chunk
        self._data = bytearray()
        self._has_data = False
        self._finished_bytes = 0

    @property
    def data_bytes(self) -> int:
        """The bytes of data so far, including the unfinished line; comments do not count."""
        return self._finished_bytes + (len(self._line) if self._line.startswith(b"data") else 0)

    def feed(self, chunk: bytes) -> list[bytearray]:
        """Process the next chunk; return the data of the events that it completes."""
        self._line += chunk
        events: list[bytearray] = []
        start = 0
        while (end := self._line.find(b"\n", max(start, self._searched))) >= 0:
            first, last = start, end - self._line.endswith(b"\r", start, end)
            start = end + 1
            if self._line.startswith(b"data:", first, last):
                first += len(b"data:")
                self._add_line(first + self._line.startswith(b" ", first, last), last)
            elif first == last and self._has_data:
                events.append(self._data)
                self._data = bytearray()
                self._has_data = False
        del self._line[:start]
        self._searched = len(self._line)
        return events

    def _add_line(self, first: int, last: int) -> None:
        """Add a part of `_line` to the event's data, with no further copy: it may have 64 MiB."""
        if self._has_data:
            self._data += b"\n"
        with memoryview(self._line) as line:
            self._data += line[first:last]
        self._has_data = True
        self._finished_bytes += last - first
