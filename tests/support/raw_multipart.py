"""Build multipart bodies byte by byte, including malformed ones."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

BOUNDARY = b"darkroom-boundary-7f3a"
CONTENT_TYPE = f"multipart/form-data; boundary={BOUNDARY.decode()}"


@dataclass(frozen=True)
class Part:
    """One part; `name` and `filename` are sent unescaped."""

    name: bytes
    body: bytes
    filename: bytes | None = None
    content_type: bytes | None = None


def operations(query: str, variables: object) -> Part:
    return Part(b"operations", json.dumps({"query": query, "variables": variables}).encode())


def file_map(places: object) -> Part:
    return Part(b"map", json.dumps(places).encode())


def form(parts: Sequence[Part], *, closed: bool = True) -> bytes:
    """Return the body; `closed`: with the closing boundary."""
    out = bytearray()
    for part in parts:
        out += b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="' + part.name + b'"'
        if part.filename is not None:
            out += b'; filename="' + part.filename + b'"'
        if part.content_type is not None:
            out += b"\r\nContent-Type: " + part.content_type
        out += b"\r\n\r\n" + part.body + b"\r\n"
    return bytes(out) + (b"--" + BOUNDARY + b"--\r\n" if closed else b"")
