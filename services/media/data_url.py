"""Data URLs (RFC 2397) of pictures: `data:image/png;base64,` and the bytes."""

import asyncio
import binascii
import re

from services.core.error import InvalidInputError
from services.core.message import message
from services.media.file import UploadLimits

_HEAD = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)
_MAX_HEAD = 300
_CHUNK = 1024 * 1024  # characters that are decoded in one step of the event loop, in a millisecond; a multiple of 4


async def decode_data_url(text: str, limits: UploadLimits, field: tuple[str, ...]) -> bytes:
    """Return the bytes of a picture in a data URL, whose media type is not looked at: the bytes say what they are.

    Raises:
        InvalidInputError: it is no data URL in base64, or holds more bytes than the limit.
    """
    head = _HEAD.match(text, 0, _MAX_HEAD)
    start = head.end() if head is not None else 0
    if (len(text) - start) // 4 * 3 > limits.max_bytes + 2:  # at most two of them are padding
        raise InvalidInputError(limits.too_large(), field=field)
    parts: list[bytes] = []
    try:
        if head is None:
            raise ValueError("no data URL")
        for place in range(start, len(text), _CHUNK):
            chunk = text[place : place + _CHUNK]
            if chunk.endswith("=") and place + _CHUNK < len(text):
                raise ValueError("padding in the middle")
            parts.append(binascii.a2b_base64(chunk, strict_mode=True))
            await asyncio.sleep(0)
    except ValueError:  # binascii.Error, and a text that is not ASCII
        refusal = message("This is not a picture as a data URL: data:image/png;base64, and its bytes in base64.")
        raise InvalidInputError(refusal, field=field) from None
    return b"".join(parts)
