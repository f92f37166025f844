"""Two small pages that mailed links lead to where the deployment names no app of its own: no script, only a form."""

from html import escape
from urllib.parse import parse_qs

from cross_web import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from services.accounts.credential import PASSWORD_MAX, PASSWORD_MIN
from services.core.error import RateLimitedError, Refusal, UnavailableError
from services.core.message import Message, message
from services.services import Services
from web.body import limited
from web.cookie import NAME
from web.html import Reader, message_page

_MAX_BYTES = 4 * 1024  # of a form: a token and a password
_MAX_TOKEN = 100  # characters

_VERIFY_TITLE = message("Confirm your e-mail address")
_RESET_TITLE = message("Choose a new password")


async def show_verification(request: Request) -> Response:
    """A button: links are also opened by programs that look for harm in mails, and those press nothing."""
    return _form(request, _VERIFY_TITLE, "", message("Confirm"))


async def verify(request: Request) -> Response:
    """What the button does."""
    services: Services = request.state.services
    try:
        services.operations.maintenance.check_writable()
        token = (await _sent(request))["token"]
        # The page tells nobody where it is, so its form comes with the Origin "null", for which SessionCookie gives
        # nothing. Here it need not ask: another's page has no token to send.
        signed_in = await services.accounts.sessions.user_of(request.cookies.get(NAME, ""))
        await services.accounts.verification.verify(token, client=request.state.client, signed_in=signed_in)
    except Refusal as refusal:
        return _refuse(request, _VERIFY_TITLE, refusal)
    return _page(request, _VERIFY_TITLE, _said(request, message("Your address is confirmed. Thank you!")))


async def show_reset(request: Request) -> Response:
    """A field for the new password."""
    return _form(request, _RESET_TITLE, _password_field(request), message("Save"))


async def reset(request: Request) -> Response:
    """What the form does. The sign-in that comes with a new password is ended: here is no app to give it to."""
    services: Services = request.state.services
    try:
        services.operations.maintenance.check_writable()
        sent = await _sent(request)
        session = await services.accounts.password_resets.reset(
            sent["token"], sent["password"], client=request.state.client
        )
        await services.accounts.sessions.end(session.user.id, session.token)
    except Refusal as refusal:
        if refusal.field == ("password",):  # the link still works
            again = _said(request, refusal.message, is_error=True) + _password_field(request)
            return _form(request, _RESET_TITLE, again, message("Save"), sent["token"], 400)
        return _refuse(request, _RESET_TITLE, refusal)
    done = message("Your new password is saved. Sign in with it in the app; every other sign-in has ended.")
    return _page(request, _RESET_TITLE, _said(request, done))


async def _sent(request: Request) -> dict[str, str]:
    """The form's fields; what is missing or cannot be read is empty."""
    body = b""
    try:
        async for chunk in Request(request.scope, limited(request.receive, request.headers, _MAX_BYTES)).stream():
            body += chunk
    except (HTTPException, ClientDisconnect):
        body = b""
    found = parse_qs(body.decode("latin-1"), errors="replace")
    return {name: found.get(name, [""])[0] for name in ("token", "password")}


def _refuse(request: Request, title: Message, refusal: Refusal) -> Response:
    """Why it did not work; going back in the browser brings the form again."""
    page = _page(request, title, _said(request, refusal.message, is_error=True), status=400)
    if isinstance(refusal, UnavailableError):
        page.status_code = 503
    if isinstance(refusal, RateLimitedError):
        page.status_code = 429
        page.headers["Retry-After"] = f"{refusal.retry_after:.0f}"
    return page


def _text(request: Request, text: Message) -> str:
    return escape(Reader.of(request).say(text))


def _said(request: Request, text: Message, *, is_error: bool = False) -> str:
    return f'<p role="{"alert" if is_error else "status"}">{_text(request, text)}</p>'


def _password_field(request: Request) -> str:
    label = message("New password, {min} to {max} characters", min=PASSWORD_MIN, max=PASSWORD_MAX)
    return (
        f'<p><label for="password">{_text(request, label)}</label>'
        '<input id="password" name="password" type="password"'
        f' autocomplete="new-password" required minlength="{PASSWORD_MIN}" maxlength="{PASSWORD_MAX}"></p>'
    )


def _form(
    request: Request, title: Message, fields: str, button: Message, token: str | None = None, status: int = 200
) -> Response:
    shown = escape((request.query_params.get("token", "") if token is None else token)[:_MAX_TOKEN])
    hidden = f'<input type="hidden" name="token" value="{shown}">'
    # Without an address, a form is sent to where its page came from; but for the query, with the token in it.
    action = escape(request.url.path.rpartition("/")[2])
    words = _text(request, button)
    body = f'<form method="post" action="{action}">{fields}{hidden}<button>{words}</button></form>'
    return _page(request, title, body, status=status)


def _page(request: Request, title: Message, body: str, *, status: int = 200) -> Response:
    return message_page(Reader.of(request), title, body, status=status)
