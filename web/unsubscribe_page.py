"""The page behind the link that ends mails about results, and the request that mail providers send to it (RFC 8058)."""

from starlette.requests import Request
from starlette.responses import Response

from services.core.error import Refusal, UnavailableError
from services.core.message import message
from services.services import Services
from web.html import Reader, message_page, render_private_page

_MAX_TOKEN = 200  # characters
_TITLE = message("Stop mails about results")


async def show_unsubscription(request: Request) -> Response:
    """Show a button that ends the mails: mail scanners open links, but do not submit forms."""
    reader = Reader.of(request)
    values = {
        # The token stays in the query, as in the request of a mail provider, whose body is another.
        "action": f"?{request.url.query}" if _token(request) else "",
        "token": "",
        "problem": "",
        "password_label": "",
        "button": reader.translate(message("Stop these mails")),
    }
    return render_private_page("account_form.html", reader, _TITLE, values)


async def unsubscribe(request: Request) -> Response:
    """End the mails of the account that the link names; without a cookie, a redirect or another question."""
    services: Services = request.state.services
    reader = Reader.of(request)
    try:
        services.operations.maintenance.check_writable()
        await services.accounts.result_mail.unsubscription.end(_token(request))
    except Refusal as refusal:
        status = 503 if isinstance(refusal, UnavailableError) else 400
        return message_page(reader, _TITLE, refusal.message, role="alert", status=status)
    done = message("Mails about results are off. You can switch them on again in your account.")
    return message_page(reader, _TITLE, done, role="status")


def _token(request: Request) -> str:
    return request.query_params.get("token", "")[:_MAX_TOKEN]
