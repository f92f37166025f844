"""The caller of OpenAI's API: an API key or a session's token in the Authorization header; cookies are not read."""

import re

from starlette.requests import Request

from schema.runtime import scope
from schema.runtime.access import Audience
from schema.runtime.context import Context
from services.core.error import KeyScopeError, UnauthenticatedError
from services.core.rate_limit import LimitUsage, limit_usage
from telemetry import log_fields
from web.credential import token_of

_COUNT = re.compile(r"[0-9]{1,4}")


def context_of(request: Request) -> Context:
    """Return the context of a request, signed out."""
    context = Context(
        request.state.services,
        token=None,
        is_cookie=False,
        client=request.state.client,
        accept_language=request.headers.get("accept-language", ""),
        user_agent=request.headers.get("user-agent", ""),
        is_socket=False,
        introspection=Audience.NONE,
    )
    context.limits = LimitUsage()
    limit_usage.set(context.limits)  # for the task of this request
    return context


async def sign_in(context: Context, request: Request, field: str) -> None:
    """Authenticate the caller for what a root field of the schema does, such as `Mutation.createGeneration`.

    Raises:
        UnauthenticatedError: there is no token, or it does not work.
        KeyScopeError: the scope of the key does not include the field.
    """
    token = token_of(request.headers.get("authorization", ""))
    if token is None:
        raise UnauthenticatedError
    context.credential.token = token
    await context.authenticate()
    log_fields.add(user=context.require_viewer().id)
    key = context.require_viewer().acting_key
    if key is not None and not scope.allows(key.scope, field):
        raise KeyScopeError


def attempt_of(request: Request) -> int | None:
    """Return how often this request was sent before, as OpenAI's clients say; None: its client does not count."""
    found = request.headers.get("x-stainless-retry-count", "")
    return int(found) if _COUNT.fullmatch(found) else None
