"""Pages behind mailed links, for deployments without APP_URL: plain forms without scripts."""

from urllib.parse import parse_qs

from cross_web import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from models import User
from services.accounts import mail_token
from services.accounts.credential import PASSWORD_MAX, PASSWORD_MIN
from services.accounts.sign_ins.origin import SignInOrigin
from services.core.error import RateLimitedError, Refusal, UnavailableError
from services.core.message import Message, message
from services.services import Services
from web.body import limited
from web.cookie import SessionCookie
from web.html import Reader, message_page, render_private_page

_MAX_BYTES = 4 * 1024  # of a form with a token and a password
_MAX_TOKEN = 100  # characters

_VERIFY_TITLE = message("Confirm your e-mail address")
_RESET_TITLE = message("Choose a new password")
_CHANGE_TITLE = message("Confirm your new e-mail address")
_SIGN_IN_TITLE = message("Sign in")


async def show_verification(request: Request) -> Response:
    """Show a button that confirms the address: mail scanners open links, but do not submit forms."""
    return _form_page(request, _VERIFY_TITLE, message("Confirm"))


async def verify(request: Request, cookie: SessionCookie) -> Response:
    """Confirm the address with the token of the submitted form."""
    services: Services = request.state.services
    try:
        token, session, signed_in = await _read_link_form(request, cookie)
        await services.accounts.verification.verify(
            token, client=request.state.client, signed_in=signed_in, session=session
        )
    except Refusal as refusal:
        return _refusal_page(request, _VERIFY_TITLE, refusal)
    done = message(
        "Your address is confirmed. Thank you! All other sessions and all API keys of the account have ended:"
        " please sign in again in the app."
    )
    return message_page(Reader.of(request), _VERIFY_TITLE, done, role="status")


async def show_change(request: Request) -> Response:
    """Show a button that confirms the new address."""
    return _form_page(request, _CHANGE_TITLE, message("Confirm"))


async def change(request: Request, cookie: SessionCookie) -> Response:
    """Change the account's address with the token of the submitted form."""
    services: Services = request.state.services
    try:
        token, session, signed_in = await _read_link_form(request, cookie)
        await services.accounts.email_changes.change(
            token,
            client=request.state.client,
            signed_in=signed_in,
            session=session,
            locale=Reader.of(request).locale,
        )
    except Refusal as refusal:
        return _refusal_page(request, _CHANGE_TITLE, refusal)
    done = message("Your new address is confirmed: sign in with it from now on. All other sessions have ended.")
    return message_page(Reader.of(request), _CHANGE_TITLE, done, role="status")


async def show_sign_in(request: Request) -> Response:
    """Show a button that signs in."""
    return _form_page(request, _SIGN_IN_TITLE, message("Sign in"))


async def sign_in(request: Request, cookie: SessionCookie) -> Response:
    """Sign the browser in, by a cookie, with the token of the submitted form."""
    services: Services = request.state.services
    try:
        services.operations.maintenance.check_writable()
        # A page of another site must not sign its visitor in to its own account.
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            raise mail_token.invalid_link()
        client, agent = request.state.client, request.headers.get("user-agent", "")
        session = await services.accounts.sign_ins.links.sign_in(
            (await _read_form(request))["token"],
            client=client,
            origin=SignInOrigin(client, agent),
            session=cookie.token_of_form(request),
            request_locale=Reader.of(request).locale,
        )
    except Refusal as refusal:
        return _refusal_page(request, _SIGN_IN_TITLE, refusal)
    response = message_page(Reader.of(request), _SIGN_IN_TITLE, message("You are signed in."), role="status")
    cookie.write_session(response, session)
    return response


async def show_reset(request: Request) -> Response:
    """Show a field for the new password."""
    return _form_page(request, _RESET_TITLE, message("Save"), has_password=True)


async def reset(request: Request) -> Response:
    """Save the new password. The session that comes with it is ended at once: this page has no app to hand it to."""
    services: Services = request.state.services
    try:
        services.operations.maintenance.check_writable()
        form = await _read_form(request)
        session = await services.accounts.password_resets.reset(
            form["token"],
            form["password"],
            client=request.state.client,
            request_locale=Reader.of(request).locale,
        )
        await services.accounts.sessions.end(session.user.id, session.token)
    except Refusal as refusal:
        if refusal.field == ("password",):  # the token is still valid
            return _form_page(
                request,
                _RESET_TITLE,
                message("Save"),
                has_password=True,
                token=form["token"],
                problem=refusal.message,
                status=400,
            )
        return _refusal_page(request, _RESET_TITLE, refusal)
    done = message(
        "Your new password is saved. Sign in with it in the app; all other sessions have ended, and so have API keys"
        " that were created before your address was confirmed, with webhooks and linked sign-ins from then."
    )
    return message_page(Reader.of(request), _RESET_TITLE, done, role="status")


async def _read_link_form(request: Request, cookie: SessionCookie) -> tuple[str, str, User | None]:
    """Return the mailed token, and the token and the account of the browser's session.

    Raises:
        UnavailableError: the deployment is read-only.
    """
    services: Services = request.state.services
    services.operations.maintenance.check_writable()
    token = (await _read_form(request))["token"]
    # With `Referrer-Policy: no-referrer` the form's Origin is "null", for which SessionCookie.token returns none.
    # The Origin need not be checked here: a page of another site does not have the mailed token.
    session = cookie.token_of_form(request)
    return token, session, await services.accounts.sessions.user_of(session)


async def _read_form(request: Request) -> dict[str, str]:
    """Return the form's fields; a missing or unreadable one is empty."""
    body = b""
    try:
        async for chunk in Request(request.scope, limited(request.receive, request.headers, _MAX_BYTES)).stream():
            body += chunk
    except (HTTPException, ClientDisconnect):
        body = b""
    fields = parse_qs(body.decode("latin-1"), errors="replace")
    return {name: fields.get(name, [""])[0] for name in ("token", "password")}


def _refusal_page(request: Request, title: Message, refusal: Refusal) -> Response:
    status, headers = 400, {}
    if isinstance(refusal, UnavailableError):
        status = 503
    if isinstance(refusal, RateLimitedError):
        status, headers = 429, {"Retry-After": f"{refusal.retry_after:.0f}"}
    return message_page(Reader.of(request), title, refusal.message, role="alert", status=status, **headers)


def _form_page(
    request: Request,
    title: Message,
    button: Message,
    *,
    has_password: bool = False,
    token: str | None = None,
    problem: Message | None = None,
    status: int = 200,
) -> Response:
    reader = Reader.of(request)
    label = message("New password, {min} to {max} characters", min=PASSWORD_MIN, max=PASSWORD_MAX)
    values = {
        # Without an action the form would be sent to the page's own URL, with the token in its query.
        "action": request.url.path.rpartition("/")[2],
        "token": (request.query_params.get("token", "") if token is None else token)[:_MAX_TOKEN],
        "problem": reader.translate(problem) if problem else "",
        "password_label": reader.translate(label) if has_password else "",
        "password_min": PASSWORD_MIN,
        "password_max": PASSWORD_MAX,
        "button": reader.translate(button),
    }
    return render_private_page("account_form.html", reader, title, values, status=status)
