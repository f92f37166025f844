"""GraphQL multipart requests: file uploads beside the operation (graphql-multipart-request-spec)."""

import json
from typing import Any

from cross_web import HTTPException
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException as FormError
from starlette.requests import Request

from web.body import MAX_JSON_BYTES, decode_json
from web.origin import AllowedOrigins

MULTIPART_OVERHEAD_BYTES = 64 * 1024  # operations, map and boundaries around the files
_TOLERANCE = 20  # a photo that is larger than its limit by one part of so many is read, to be refused at its field
MAX_FILES = 10
_MAX_FIELDS = 10
# CSRF protection: a browser sends a cross-site form without a preflight, but none of these headers without one.
_PREFLIGHT_HEADERS = (
    "authorization",
    "apollo-require-preflight",
    "graphql-require-preflight",
    "x-requested-by",
    "x-graphql-yoga-csrf",
)


def form_bytes(max_bytes: int) -> int:
    """Return the size up to which a form with a photo of at most `max_bytes` is read."""
    return max_bytes + max_bytes // _TOLERANCE + MULTIPART_OVERHEAD_BYTES


def check_preflight(request: Request, origins: AllowedOrigins) -> None:
    """Refuse a form of another site. Raises HTTPException: 400.

    A browser names the page by Origin or Sec-Fetch-Site, which a page cannot forge: upload links send nothing else.
    """
    has_preflight = any(name in request.headers for name in _PREFLIGHT_HEADERS)
    if not has_preflight and not origins.is_own_or_trusted(request.headers):
        raise HTTPException(400, "A multipart request needs an Authorization or a GraphQL-Require-Preflight header.")


async def read_multipart(request: Request) -> dict[str, Any]:
    """Return the operations, with the uploaded files at the paths that `map` gives; `request.close()` closes them.

    Raises:
        HTTPException: 400, for a malformed form.
    """
    try:
        form = await request.form(max_files=MAX_FILES, max_fields=_MAX_FIELDS, max_part_size=MAX_JSON_BYTES)
    except (FormError, ValueError):
        raise HTTPException(400, "Unable to parse the multipart body") from None
    operations, files_map = _json_field(form, "operations"), _json_field(form, "map")
    if not isinstance(operations, dict) or not isinstance(files_map, dict):
        raise HTTPException(400, "`operations` and `map` must be JSON objects.")
    for name, paths in files_map.items():
        file = form.get(name)
        if not isinstance(file, UploadFile):
            raise HTTPException(400, "File(s) missing in form data")
        if not isinstance(paths, list) or len(paths) != 1 or not isinstance(paths[0], str):
            raise HTTPException(400, "Each file in `map` belongs in exactly one place.")
        _replace_null(operations, paths[0].split("."), file)
    return operations


def _json_field(form: FormData, name: str) -> object:
    value = form.get(name)
    if not isinstance(value, str):
        raise HTTPException(400, f"`{name}` is missing in the form data.")
    try:
        return decode_json(value)
    except json.JSONDecodeError:
        raise HTTPException(400, f"Unable to parse `{name}` as JSON") from None


def _replace_null(operations: Any, path: list[str], file: UploadFile) -> None:
    """Put `file` at `path`, where the specification requires a null."""
    target = operations
    for step in path[:-1]:
        target = _descend(target, step)
    last = path[-1]
    if len(path) < 2 or path[0] != "variables" or _descend(target, last) is not None:
        raise HTTPException(400, "A path in `map` must lead to a null among the variables.")
    target[int(last) if isinstance(target, list) else last] = file


def _descend(target: Any, step: str) -> Any:
    try:
        if isinstance(target, list):
            return target[int(step) if step.isdecimal() else -len(target) - 1]  # anything else is out of range
        if isinstance(target, dict):
            return target[step]
    except (KeyError, IndexError, ValueError):
        pass
    raise HTTPException(400, "A path in `map` leads nowhere.")
