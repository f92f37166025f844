"""The pages behind share links, for people and for the programs that make previews of links."""

from html import escape
from urllib.parse import urlsplit

from babel.dates import format_date
from starlette.responses import Response

from services.core import locale
from services.core.message import Message, message
from services.gallery.share import SharedPicture
from web.html import Reader, message_page, page, template

_SHARED = template("share")


def shared_page(reader: Reader, shared: SharedPicture) -> Response:
    """The page of a shared picture, which search engines may find."""
    site = reader.site()
    title = locale.choose(shared.title, reader.locale) or reader.say(message("A picture"))
    by = reader.say(message("Shared by {name}", name=shared.shared_by)) if shared.shared_by else ""
    day = shared.created_at.date()
    values = {
        "title": title,
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
    return page(_SHARED, reader, values, {"Cache-Control": "no-cache"})


def notice_page(reader: Reader, title: Message, text: Message, status: int, **headers: str) -> Response:
    """A page that says why there is no picture; search engines are to forget the address."""
    return message_page(reader, title, f"<p>{escape(reader.say(text))}</p>", status=status, **headers)
