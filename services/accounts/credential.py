"""What a person signs in with: which addresses and passwords can be used."""

from email_validator import EmailNotValidError, validate_email

from services.core.error import InvalidInputError
from services.core.message import message

PASSWORD_MIN = 8  # characters
PASSWORD_MAX = 128  # hashing a megabyte on request would be a gift to an attacker


def clean_email(email: str) -> str:
    """An address in the one spelling that it is kept in.

    Raises:
        InvalidInputError: with the field `email`.
    """
    try:
        # Addresses of test networks are good addresses: whether mail arrives is for a mail to prove.
        found = validate_email(email, check_deliverability=False, globally_deliverable=False, strict=True)
        if "." not in found.domain:
            raise EmailNotValidError
    except EmailNotValidError:
        raise InvalidInputError(message("This is not an e-mail address."), field=("email",)) from None
    return found.normalized.casefold()


def check_password(password: str, field: str) -> None:
    """Raises InvalidInputError, with `field`, where a password cannot be used."""
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        text = message("A password has {min} to {max} characters.", min=PASSWORD_MIN, max=PASSWORD_MAX)
        raise InvalidInputError(text, field=(field,))
    if not password.isprintable():
        raise InvalidInputError(message("This contains characters that cannot be used."), field=(field,))
