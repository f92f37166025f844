"""Pages that Vite builds from npm packages: their markup with attributes of this server, and their files."""

import mimetypes
import re
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from web.html import templates

_OPENING_TAG = re.compile(r"<html\b[^>]*>")
_OPENING_TAG_TEMPLATE = "<html{{ attributes|xmlattr }}>"
_ROOT = '<div id="root">'
_OPENING_STYLES = "opening.css"
_NONCE_TEMPLATE = '<meta property="csp-nonce" nonce="{{ nonce }}">'
_STYLES_TEMPLATE = '<style nonce="{{ nonce }}">{{ styles|safe }}</style>'  # of our own build
# File names contain a hash of the content.
_HEADERS = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
_COMPRESSED = ".br"  # what the build compresses, beside each file
_ACCEPTS_BROTLI = re.compile(r"(?:^|,)\s*br\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))|,|$)")


class BuiltPage:
    """`build`: the folder with index.html, and its assets in a folder called `name`."""

    def __init__(self, name: str, build: Path) -> None:
        self._name = name
        self._build = build

    def markup(
        self, attributes: dict[str, str | None], nonce: str | None = None, opening: str | None = None
    ) -> str | None:
        """Return the page's HTML, or None if it has not been built.

        `attributes`: of the html element; None leaves one out. `nonce`: for the style elements that its scripts write.
        `opening`: the built file with what the page shows until its scripts have come, by the styles that the build
        has for it; None: nothing.
        """
        try:
            markup = (self._build / "index.html").read_text(encoding="utf-8")
            root = (self._build / opening).read_text(encoding="utf-8") if opening is not None else ""
            styles = (self._build / _OPENING_STYLES).read_text(encoding="utf-8") if root else ""
        except FileNotFoundError:
            return None
        markup = markup.replace(_ROOT, f"{_ROOT}{root}", 1)
        opening_tag = templates().from_string(_OPENING_TAG_TEMPLATE).render(attributes=attributes)
        markup = _OPENING_TAG.sub(lambda _: opening_tag, markup, count=1)
        if nonce is None:
            return markup
        head = templates().from_string(_NONCE_TEMPLATE).render(nonce=nonce)
        if styles:
            head += templates().from_string(_STYLES_TEMPLATE).render(nonce=nonce, styles=styles)
        return markup.replace("<head>", f"<head>{head}", 1)

    def files(self) -> Route:
        """Return the route of the page's assets."""
        return Route(f"/{self._name}/{{name}}", self._file)

    async def _file(self, request: Request) -> Response:
        path = self._build / self._name / request.path_params["name"]
        try:
            exists = path.is_file()
        except OSError:  # longer than a file name can be
            exists = False
        if not exists or path.suffix == _COMPRESSED:
            return Response(status_code=404)
        compressed = path.with_name(path.name + _COMPRESSED)
        if _ACCEPTS_BROTLI.search(request.headers.get("accept-encoding", "")) and compressed.is_file():
            kind, _ = mimetypes.guess_type(path.name)
            return FileResponse(compressed, headers={**_HEADERS, "Content-Encoding": "br"}, media_type=kind)
        return FileResponse(path, headers=_HEADERS)
