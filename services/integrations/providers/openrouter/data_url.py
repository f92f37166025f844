"""Decode images from text: data URLs and bare base64, in the variants that models and gateways produce."""

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

_WHITESPACE = re.compile(r"\s+")
_END_OF_BARE_URL = re.compile(r"[\s\"'<>)\]]")
_REMOTE_MARKDOWN = re.compile(r"!\[[^\]]{0,200}\]\((https://[^\s)]{1,2000})\)")
_MAX_MARKDOWN = 100_000  # characters that are searched for links: bounds the regex's worst case
_MAX_IMAGES_IN_TEXT = 8


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
    head, comma, payload = url.partition(",")
    media_type, _, parameters = head[5:].partition(";")
    if not comma or not media_type.strip().lower().startswith("image/"):
        return None
    decoded = _decode_base64(payload)
    if decoded is None and "base64" not in parameters.lower():
        decoded = unquote_to_bytes(payload) or None
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


def _decode_base64(payload: str) -> bytes | None:
    if "%" in payload:
        payload = unquote_to_bytes(payload).decode("latin-1")
    compact = _WHITESPACE.sub("", payload).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True) or None
    except (binascii.Error, ValueError):  # ValueError: a character outside ASCII
        return None
