"""The pages behind share links, for people and for the programs that make previews of links."""

import base64
import hashlib
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from urllib.parse import urlsplit

from babel.dates import format_date
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from services import locale
from services.message import Message, message
from services.services import Services
from services.share import Shared

_FOLDER = Path(__file__).parent / "pages"
_STYLE = (_FOLDER / "share.css").read_text(encoding="utf-8")
_SHARED = Template((_FOLDER / "share.html").read_text(encoding="utf-8"))
_NOTICE = Template((_FOLDER / "notice.html").read_text(encoding="utf-8"))
_STYLE_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
# Nothing runs and nothing is loaded but our own picture and this one style.
_POLICY = (
    f"default-src 'none'; img-src 'self'; style-src 'sha256-{_STYLE_HASH}';"
    " base-uri 'none'; frame-ancestors 'none'; form-action 'none'"
)


@dataclass(frozen=True)
class Reader:
    """Who reads a page: nothing is known of them but the language that their browser asks for."""

    services: Services
    locale: str

    @classmethod
    def of(cls, request: Request) -> "Reader":
        services: Services = request.state.services
        wanted = locale.from_header(request.headers.get("accept-language", ""))
        return cls(services, wanted or locale.match(services.profile.locale) or locale.DEFAULT)

    def say(self, text: Message) -> str:
        return self.services.translator.translate(text, self.locale)

    def site(self) -> str:
        return locale.choose(self.services.profile.title, self.locale)


def shared_page(reader: Reader, shared: Shared) -> Response:
    """The page of a shared picture, which search engines may find."""
    site = reader.site()
    title = locale.choose(shared.title, reader.locale) or reader.say(message("A picture"))
    by = reader.say(message("Shared by {name}", name=shared.shared_by)) if shared.shared_by else ""
    day = shared.created_at.date()
    values = {
        "title": title,
        "site": site,
        "description": by or reader.say(message("Made with {product}", product=site)),
        "page": shared.links.page,
        "picture": shared.links.picture,
        # Without the host: `img-src 'self'` means the one that the page was opened at.
        "source": urlsplit(shared.links.picture).path,
        "download": urlsplit(shared.links.download)._replace(scheme="", netloc="").geturl(),
        "type": shared.file.content_type,
        "width": str(shared.file.width),
        "height": str(shared.file.height),
        "og_locale": "en_US" if reader.locale == locale.DEFAULT else reader.locale.replace("-", "_"),
        "date": day.isoformat(),
        "day": format_date(day, "long", locale=reader.locale.replace("-", "_")),
        "save": reader.say(message("Save the picture")),
        "by": by,
    }
    # Who opens the link sees what is true now.
    return _page(_SHARED, reader, values, 200, {"Cache-Control": "no-cache"})


def notice_page(reader: Reader, title: Message, text: Message, status: int, **headers: str) -> Response:
    """A page that says why there is no picture; search engines are to forget the address."""
    values = {"title": reader.say(title), "text": reader.say(text), "site": reader.site()}
    return _page(_NOTICE, reader, values, status, {"Cache-Control": "no-store", "X-Robots-Tag": "noindex", **headers})


def _page(template: Template, reader: Reader, values: dict[str, str], status: int, headers: dict[str, str]) -> Response:
    escaped = {name: escape(value) for name, value in values.items()}  # names are whatever somebody typed
    body = template.substitute(escaped, style=_STYLE, language=reader.locale)
    language = {"Content-Language": reader.locale, "Vary": "Accept-Language"}
    return HTMLResponse(body, status, {"Content-Security-Policy": _POLICY, **language, **headers})
