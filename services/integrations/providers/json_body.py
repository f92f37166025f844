"""Read JSON from providers: parsed values, and fields of any type."""

import math
from typing import Any

import orjson

_MAX_MARKS = 200_000  # brackets and commas; parsed, "[[],[],…" takes twenty times its size
_MAX_NAME = 200  # characters of an id or a model name that are kept


def read_json(body: bytes | bytearray) -> Any:
    """Parse JSON; return None for anything else, and for JSON crafted to expand in memory."""
    if sum(body.count(mark) for mark in (b"[", b"{", b",")) > _MAX_MARKS:
        return None
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return None


def read_object(body: bytes | bytearray) -> dict[str, Any] | None:
    """Parse a JSON object; return None for anything that `read_json` refuses, and for any other value."""
    parsed = read_json(body)
    return parsed if isinstance(parsed, dict) else None


def list_of(value: object) -> list[Any]:
    """Return a list; an empty one for anything else."""
    return value if isinstance(value, list) else []


def dicts_of(value: object) -> list[dict[str, Any]]:
    """Return the objects of a list."""
    return [item for item in list_of(value) if isinstance(item, dict)]


def amount_of(value: object) -> float | None:
    """Return an amount of US dollars; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and value >= 0 else None


def name_of(value: object) -> str | None:
    """Return an id or a name, cut if it is too long; None for anything else."""
    return value[:_MAX_NAME] if isinstance(value, str) and value.isprintable() and value else None
