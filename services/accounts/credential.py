"""Validation of e-mail addresses and passwords."""

from email_validator import EmailNotValidError, validate_email

from services.core.error import InvalidInputError
from services.core.message import message

PASSWORD_MIN = 8  # characters
PASSWORD_MAX = 128  # bounds the work of hashing that a client can cause


def clean_email(email: str) -> str:
    """Return the normalized, case-folded form in which an address is stored.

    Raises:
        InvalidInputError: it is no address; with the field `email`.
    """
    try:
        # Special-use domains are valid, too: whether mail arrives is verified by sending one.
        result = validate_email(email, check_deliverability=False, globally_deliverable=False, strict=True)
        if "." not in result.domain:
            raise EmailNotValidError
    except EmailNotValidError:
        raise InvalidInputError(message("This is not an e-mail address."), field=("email",)) from None
    return result.normalized.casefold()


def check_password(password: str, field: str) -> None:
    """Check the length and the characters of a password. Raises InvalidInputError with `field`."""
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        text = message("A password has {min} to {max} characters.", min=PASSWORD_MIN, max=PASSWORD_MAX)
        raise InvalidInputError(text, field=(field,))
    if not password.isprintable():
        raise InvalidInputError(message("This contains characters that cannot be used."), field=(field,))
