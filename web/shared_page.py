"""The page behind a share link, for visitors and for link-preview crawlers."""

from urllib.parse import urlsplit

from starlette.responses import Response

from services.core import locale
from services.core.message import message
from services.gallery.share import SharedPicture
from services.gallery.share_preview import PREVIEW_TYPE, preview_size
from web.html import Reader, render_page


def shared_page(reader: Reader, shared: SharedPicture) -> Response:
    """Render the shared picture or video with the metadata of Open Graph and Twitter; search engines may index it."""
    links, is_video = shared.links, shared.file.is_video
    untitled = message("A video") if is_video else message("A picture")
    title = locale.choose(shared.title, reader.locale) or reader.translate(untitled)
    by = reader.translate(message("Shared by {name}", name=shared.shared_by)) if shared.shared_by else ""
    preview_width, preview_height = preview_size(shared.file)
    from babel.dates import format_date  # only for this page, as Jinja2

    day = shared.created_at.date()
    values = {
        "title": title,
        "description": by or reader.translate(message("Made with {product}", product=reader.site)),
        "page": links.page,
        # Relative: `img-src 'self'` is the host that the page was opened at, which may not be PUBLIC_URL's.
        "source": urlsplit(links.media).path,
        "poster": urlsplit(links.poster).path if links.poster else None,
        "download": urlsplit(links.download)._replace(scheme="", netloc="").geturl(),
        "video": links.media if is_video else None,
        "content_type": shared.file.content_type,
        "seconds": round(shared.file.duration or 0.0),
        "preview": links.preview,
        "preview_type": PREVIEW_TYPE,
        "preview_width": preview_width,
        "preview_height": preview_height,
        "width": shared.file.width,
        "height": shared.file.height,
        "og_locale": "en_US" if reader.locale == locale.DEFAULT else reader.locale.replace("-", "_"),
        "date": day.isoformat(),
        "day": format_date(day, "long", locale=reader.locale.replace("-", "_")),
        "save": reader.translate(message("Save the video") if is_video else message("Save the picture")),
        "by": by,
    }
    # Revalidated on every visit: a share can be revoked at any time.
    return render_page("shared_media.html", reader, values, {"Cache-Control": "no-cache"})
