"""Pictures written as text: data URLs and bare base64, in the many spellings that models and gateways use."""

import base64
import binascii
import re
from urllib.parse import unquote_to_bytes

_WHITESPACE = re.compile(r"\s+")
_END_OF_BARE_URL = re.compile(r"[\s\"'<>)\]]")
_REMOTE_MARKDOWN = re.compile(r"!\[[^\]]{0,200}\]\((https://[^\s)]{1,2000})\)")
_MARKDOWN_CHARACTERS = 100_000  # only this much text is searched for links: keeps the regex's worst case small
_MAX_PICTURES_IN_TEXT = 8


def is_remote(address: str) -> bool:
    """Whether the picture would have to be fetched from somewhere else."""
    return address[:8].lower().startswith(("http://", "https://"))


def decode_picture(address: str) -> bytes | None:
    """The bytes behind a data URL of an image type or behind bare base64; None when there are none to be had.

    Forgives white space, missing padding, the URL-safe alphabet, percent signs and a missing `;base64`.
    Whether the bytes are a picture is decided by whoever decodes them.
    """
    if address[:5].lower() != "data:":
        return None if is_remote(address) else _decode_base64(address)
    head, comma, payload = address.partition(",")
    media_type, _, parameters = head[5:].partition(";")
    if not comma or not media_type.strip().lower().startswith("image/"):
        return None
    decoded = _decode_base64(payload)
    if decoded is None and "base64" not in parameters.lower():
        decoded = unquote_to_bytes(payload) or None
    return decoded


def pictures_in_text(text: str) -> list[str]:
    """Addresses of the pictures in prose or Markdown, data URLs first; every step is linear in the text's length."""
    found: list[str] = []
    start = text.find("data:image/")
    while start >= 0 and len(found) < _MAX_PICTURES_IN_TEXT:
        if text[start - 1 : start] == "(":  # Markdown says where the address ends, so white space may be part of it
            end = text.find(")", start)
        else:
            match = _END_OF_BARE_URL.search(text, start)
            end = match.start() if match else -1
        end = end if end >= 0 else len(text)
        found.append(text[start:end])
        start = text.find("data:image/", end)
    found.extend(_REMOTE_MARKDOWN.findall(text[:_MARKDOWN_CHARACTERS])[:_MAX_PICTURES_IN_TEXT])
    return found


def _decode_base64(payload: str) -> bytes | None:
    if "%" in payload:
        payload = unquote_to_bytes(payload).decode("latin-1")
    compact = _WHITESPACE.sub("", payload).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True) or None
    except (binascii.Error, ValueError):  # ValueError: a character outside ASCII
        return None
