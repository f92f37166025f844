"""The token of a request or a socket: which forms of sending it are understood, and which are refused with a reason."""

from collections.abc import Iterator, Mapping
from typing import Any

from services.core.error import InvalidCredentialError
from services.core.message import message

_BEARER = "bearer"
_TEXTS_OF_NOTHING = {"null", "undefined"}  # what a template makes of a variable without a token
_TOKEN_FIELDS = ("token", "authToken", "accessToken")

_WRONG_SCHEME = message("This kind of Authorization is not accepted. Send `Authorization: Bearer <token>`.")
_NOTHING = message("There is no token in this Authorization. Leave it out when signed out.")
_NO_TEXT = message("A token in connection_init is a text.")


def token_of(authorization: str) -> str | None:
    """Return the token of an Authorization header, with or without `Bearer`; None: none was sent.

    Raises:
        InvalidCredentialError: it has another scheme, or says `null`.
    """
    words = authorization.split()
    if words and words[0].casefold() == _BEARER:
        words = words[1:]
    elif len(words) > 1:
        raise InvalidCredentialError(_WRONG_SCHEME)
    token = " ".join(words)  # of several words, none is valid
    if token in _TEXTS_OF_NOTHING:
        raise InvalidCredentialError(_NOTHING)
    return token or None


def token_of_payload(payload: Mapping[str, Any]) -> str | None:
    """Return the token of a payload of connection_init or ping, in the forms that clients use; None: none was sent.

    Raises:
        InvalidCredentialError: it is no text, or as `token_of`.
    """
    for value in _sent(payload):
        if not isinstance(value, str):
            raise InvalidCredentialError(_NO_TEXT)
        if (token := token_of(value)) is not None:
            return token
    return None


def sends_token(payload: Mapping[str, Any]) -> bool:
    """Whether a payload has a field for a token, whatever is in it."""
    return any(True for _ in _sent(payload))


def _sent(payload: Mapping[str, Any]) -> Iterator[object]:
    headers = payload.get("headers")
    for fields in (payload, headers if isinstance(headers, Mapping) else {}):
        for name, value in fields.items():
            if value is not None and (name in _TOKEN_FIELDS or name.casefold() == "authorization"):
                yield value
