"""Decode images from text: data URLs and bare base64, in the variants that models and gateways produce."""

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

_END_OF_BARE_URL = re.compile(r"[\s\"'<>)\]]")
_REMOTE_MARKDOWN = re.compile(r"!\[[^\]]{0,200}\]\((https://[^\s)]{1,2000})\)")
_MAX_MARKDOWN = 100_000  # characters that are searched for links: bounds the regex's worst case
_MAX_IMAGES_IN_TEXT = 8
_PIECE = 1 << 20  # characters that are decoded at once: copies stay small, and other threads run in between


def is_remote(url: str) -> bool:
    """Return whether this is an http(s) URL, which would have to be fetched."""
    return url[:8].lower().startswith(("http://", "https://"))


def decode_image(url: str) -> bytes | None:
    """Decode a data URL of an image type, or bare base64; return None if that is not possible.

    Tolerates white space, missing padding, the URL-safe alphabet, percent-encoding and a missing `;base64`.
    Whether the bytes are a valid image is not checked here.
    """
    if url[:5].lower() != "data:":
        return None if is_remote(url) else _decode_base64(url)
    comma = url.find(",")
    media_type, _, parameters = url[5 : max(comma, 0)].partition(";")
    if comma < 0 or not media_type.strip().lower().startswith("image/"):
        return None
    decoded = _decode_base64(url, comma + 1)
    if decoded is None and "base64" not in parameters.lower():
        decoded = unquote_to_bytes(url[comma + 1 :]) or None
    return decoded


def find_image_urls(text: str) -> list[str]:
    """Find the image URLs in plain text or Markdown, data URLs first; linear in the length of the text."""
    found: list[str] = []
    start = text.find("data:image/")
    while start >= 0 and len(found) < _MAX_IMAGES_IN_TEXT:
        if text[start - 1 : start] == "(":  # Markdown delimits the URL, so it may contain white space
            end = text.find(")", start)
        else:
            match = _END_OF_BARE_URL.search(text, start)
            end = match.start() if match else -1
        end = end if end >= 0 else len(text)
        found.append(text[start:end])
        start = text.find("data:image/", end)
    found.extend(_REMOTE_MARKDOWN.findall(text[:_MAX_MARKDOWN])[:_MAX_IMAGES_IN_TEXT])
    return found


def _decode_base64(text: str, start: int = 0) -> bytes | None:
    """Decode `text` from `start` on, piece by piece; None if it is not base64."""
    if "%" in text:
        text, start = unquote_to_bytes(text[start:]).decode("latin-1"), 0
    end = len(text)
    while end > start and (text[end - 1] == "=" or text[end - 1].isspace()):
        end -= 1
    decoded: list[bytes] = []
    rest = ""
    for at in range(start, end, _PIECE):
        piece = rest + "".join(text[at : min(at + _PIECE, end)].split()).replace("-", "+").replace("_", "/")
        whole = len(piece) - len(piece) % 4 if at + _PIECE < end else len(piece)
        piece, rest = piece[:whole], piece[whole:]
        try:
            decoded.append(base64.b64decode(piece + "=" * (-len(piece) % 4), validate=True))
        except (binascii.Error, ValueError):  # ValueError: a character outside ASCII
            return None
        if "=" in piece:
            return None  # padding before the end
    return b"".join(decoded) or None
