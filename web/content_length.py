"""The Content-Length of a request."""

_MAX_DIGITS = 15  # more are as good as the largest number of these: any limit is below


def content_length(value: str | None) -> int | None:
    """Return the bytes that a client announces, or None if it announces none. Zeros before them do not count."""
    if value is None or not (value.isascii() and value.isdigit()):
        return None
    return int(value.lstrip("0")[:_MAX_DIGITS] or "0")
