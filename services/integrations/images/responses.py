"""What a healthy child responds to each job: anything else counts as an exit of the child, which is not trusted."""

from typing import Any

from services.integrations.child_process import Response
from services.integrations.images.formats import CONTENT_TYPES
from services.integrations.images.refusal import MAX_STORED_SIDE

_STORED = frozenset({"JPEG", "PNG", "WEBP"})
_FORMATS = {"clean": _STORED, "preview": frozenset({"WEBP"}), "reduce": frozenset({"JPEG", "WEBP"}), "convert": _STORED}
_SIZE = frozenset({"width", "height", "pixels", "side"})
_MAX_NUMBER = 1 << 64  # of pixels: a header may declare sides of 32 bits
_MAX_URI_BYTES = 16 << 10  # of a placeholder or a preview, several times what they have


def check_response(job: dict[str, Any], response: Response) -> None:
    """Raise ValueError for a response to `job` that no healthy child sends; its types are right."""
    if response.reason is not None:
        _check_details(response)
    elif job["task"] == "missing":
        _require(not response.parts and response.missing <= CONTENT_TYPES.keys(), "formats")
    else:
        _require(response.format in _FORMATS[job["task"]], "format")
        _require(min(response.width, response.height) >= 1, "size")
        _require(max(response.width, response.height) <= MAX_STORED_SIDE, "size")
        _require(all(response.parts), "empty part")
        _check_parts(job, response)


def _check_details(response: Response) -> None:
    if response.reason == "TOO_MANY_PIXELS" and response.details:
        numbers = [value for value in response.details.values() if isinstance(value, int)]
        _require(response.details.keys() == _SIZE and len(numbers) == len(_SIZE), "details")
        _require(min(numbers) >= 0 and max(numbers) <= _MAX_NUMBER, "details")


def _check_parts(job: dict[str, Any], response: Response) -> None:
    task, parts, widths = job["task"], response.parts, response.widths
    _require(len(parts) == (2 + len(widths) if task == "clean" else 1), "number of parts")
    if task == "clean":
        _require(widths == list(job["widths"])[: len(widths)] and widths != [], "widths of thumbnails")
        _require(len(parts[1]) <= _MAX_URI_BYTES, "placeholder")
    elif task == "preview":
        _require(len(parts[0]) <= _MAX_URI_BYTES, "preview")
    elif task == "reduce":
        _require(len(parts[0]) <= job["max_bytes"], "length")
    elif task == "convert":
        _require(response.format == job["format"], "format")


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise ValueError(f"the response has a wrong {what}")
