"""Server-rendered HTML pages: one layout, no scripts, nothing loaded from other hosts; Jinja2 escapes every value."""

import base64
import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from services.core import locale
from services.core.message import Message
from services.services import Services

if TYPE_CHECKING:
    from jinja2 import Environment


@functools.cache
def templates() -> "Environment":
    """Return the templates of web/pages, with Jinja2 imported for the first page: most servers show none."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    return Environment(
        loader=FileSystemLoader(Path(__file__).parent / "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )


@functools.cache
def _style_hash() -> str:
    style = templates().get_template("page.css").render()
    return base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()


@dataclass(frozen=True)
class Reader:
    """The reader of a page, of whom only the browser's preferred language is known."""

    services: Services
    locale: str

    @classmethod
    def of(cls, request: Request) -> "Reader":
        services: Services = request.state.services
        wanted = locale.from_header(request.headers.get("accept-language", ""))
        return cls(services, wanted or locale.match(services.products.profile.locale) or locale.DEFAULT)

    def translate(self, text: Message) -> str:
        return self.services.core.translator.translate(text, self.locale)

    @property
    def site(self) -> str:
        """The product's title in the reader's language."""
        return locale.choose(self.services.products.profile.title, self.locale)


def render_page(
    template: str,
    reader: Reader,
    values: Mapping[str, object],
    headers: Mapping[str, str],
    *,
    status: int = 200,
    form_origins: Sequence[str] = (),
) -> Response:
    """Render web/pages/{template} with `values`, all of which are escaped.

    `form_origins`: to which the answer to its form may redirect, beside this server's.
    """
    body = templates().get_template(template).render(values, language=reader.locale, site=reader.site)
    # Values are escaped, so a form or a player is always the template's.
    forms = " ".join(("'self'", *form_origins)) if "<form" in body else "'none'"
    media = " media-src 'self';" if "<video" in body else ""
    policy = (
        # No scripts; only images and videos of this origin and this one style sheet.
        f"default-src 'none'; img-src 'self';{media} style-src 'sha256-{_style_hash()}';"
        f" base-uri 'none'; frame-ancestors 'none'; form-action {forms}"
    )
    common = {
        "Content-Security-Policy": policy,
        "Content-Language": reader.locale,
        "Vary": "Accept-Language",
    }
    return HTMLResponse(body, status, {**common, **headers})


def render_private_page(
    template: str,
    reader: Reader,
    title: Message,
    values: Mapping[str, object],
    *,
    status: int = 200,
    form_origins: Sequence[str] = (),
    **headers: str,
) -> Response:
    """Render a page that neither caches nor search engines may keep."""
    private = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex", **headers}
    shown = {"title": reader.translate(title), **values}
    return render_page(template, reader, shown, private, status=status, form_origins=form_origins)


def message_page(
    reader: Reader, title: Message, text: Message, *, role: str = "", status: int = 200, **headers: str
) -> Response:
    """Render a heading and a paragraph; `role`: the paragraph's ARIA role, if any."""
    values = {"text": reader.translate(text), "role": role}
    return render_private_page("message.html", reader, title, values, status=status, **headers)
