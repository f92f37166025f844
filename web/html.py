"""The few pages that we show to people ourselves: one look, no script, nothing loaded from elsewhere."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from services.core import locale
from services.core.message import Message
from services.services import Services

_FOLDER = Path(__file__).parent / "pages"
_STYLE = (_FOLDER / "page.css").read_text(encoding="utf-8")
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()


def template(name: str) -> Template:
    """The markup in web/pages/{name}.html."""
    return Template((_FOLDER / f"{name}.html").read_text(encoding="utf-8"))


_PANEL = template("panel")


@dataclass(frozen=True)
class Reader:
    """Who reads a page: nothing is known of them but the language that their browser asks for."""

    services: Services
    locale: str

    @classmethod
    def of(cls, request: Request) -> "Reader":
        services: Services = request.state.services
        wanted = locale.from_header(request.headers.get("accept-language", ""))
        return cls(services, wanted or locale.match(services.products.profile.locale) or locale.DEFAULT)

    def say(self, text: Message) -> str:
        return self.services.core.translator.translate(text, self.locale)

    def site(self) -> str:
        return locale.choose(self.services.products.profile.title, self.locale)


def page(
    markup: Template,
    reader: Reader,
    values: Mapping[str, str],
    headers: Mapping[str, str],
    *,
    content: str = "",
    status: int = 200,
) -> Response:
    """`markup` with the escaped `values`; `content` is markup already, made by us."""
    escaped = {name: escape(value) for name, value in values.items()}  # names are whatever somebody typed
    body = markup.substitute(escaped, content=content, style=_STYLE, language=reader.locale, site=escape(reader.site()))
    forms = "'self'" if "<form" in content else "'none'"
    policy = (
        # Nothing runs, and nothing is loaded but our own pictures and this one style.
        f"default-src 'none'; img-src 'self'; style-src 'sha256-{_STYLE_HASH}';"
        f" base-uri 'none'; frame-ancestors 'none'; form-action {forms}"
    )
    ours = {
        "Content-Security-Policy": policy,
        "Content-Language": reader.locale,
        "Vary": "Accept-Language",
    }
    return HTMLResponse(body, status, {**ours, **headers})


def message_page(reader: Reader, title: Message, content: str, *, status: int = 200, **headers: str) -> Response:
    """A page of a heading and a few lines, of no use to search engines, which nobody else may keep."""
    ours = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex", **headers}
    return page(_PANEL, reader, {"title": reader.say(title)}, ours, content=content, status=status)
