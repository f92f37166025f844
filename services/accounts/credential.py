"""Validation of e-mail addresses and passwords."""

import contextlib
from dataclasses import dataclass

from email_validator import EmailNotValidError, ValidatedEmail, validate_email

from models import User
from services.core.error import InvalidInputError
from services.core.message import message

PASSWORD_MIN = 8  # characters
PASSWORD_MAX = 128  # bounds the work of hashing that a client can cause


@dataclass(frozen=True)
class EmailAddress:
    """An e-mail address, as typed and as compared.

    Two addresses with one `key` are one mailbox: they differ in the case of letters only, or in the notation of their
    domain. Nothing else is folded: `straße.de` and `strasse.de` are two domains.
    """

    text: str  # as typed, in NFC, its domain in lower-case Unicode
    key: str  # the part before the @ in lower case, the domain in ASCII by IDNA 2008
    folded_keys: tuple[str, ...] = ()  # other keys under which earlier releases, which folded more, stored it

    @property
    def mailbox(self) -> str:
        """The address to send mail to, as User.mailbox."""
        return f"{self.text.rpartition('@')[0]}@{self.key.rpartition('@')[2]}"

    def is_of(self, user: User) -> bool:
        """Whether it is the account's address."""
        return user.email == self.key or (user.mail_address is None and user.email in self.folded_keys)


def parse_email(email: str) -> EmailAddress:
    """Return a valid address.

    Raises:
        InvalidInputError: it is not an address; with the field `email`.
    """
    valid = _validate(email)
    key, folded = _key(valid), valid.normalized.casefold()
    folded_keys = {folded}
    with contextlib.suppress(InvalidInputError):  # folded, it may be too long
        folded_keys.add(_key(_validate(folded)))
    return EmailAddress(valid.normalized, key, tuple(sorted(folded_keys - {key})))


def clean_email(email: str) -> str:
    """Return the key of an address, by which it is stored and compared. Raises as `parse_email`."""
    return parse_email(email).key


def _validate(email: str) -> ValidatedEmail:
    try:
        # Special-use domains are valid, too: whether mail arrives is verified by sending one.
        result = validate_email(email, check_deliverability=False, globally_deliverable=False, strict=True)
        if "." not in result.domain:
            raise EmailNotValidError
    except EmailNotValidError:
        raise InvalidInputError(message("This is not an e-mail address."), field=("email",)) from None
    return result


def _key(address: ValidatedEmail) -> str:
    # Lower case, not casefold, which makes "ss" of "ß": these are two mailboxes. The library encodes by IDNA 2008.
    return f"{address.local_part.lower()}@{address.ascii_domain.lower()}"


async def find_user(address: EmailAddress) -> User | None:
    """Return the account with this address, also if an earlier release stored it under a folded key."""
    user = await User.get_or_none(email=address.key)
    if user is None and address.folded_keys:
        user = await User.filter(email__in=address.folded_keys, mail_address=None).first()
    return user


def check_password(password: str, field: str) -> None:
    """Check the length and the characters of a password. Raises InvalidInputError with `field`."""
    if not PASSWORD_MIN <= len(password) <= PASSWORD_MAX:
        text = message("A password has {min} to {max} characters.", min=PASSWORD_MIN, max=PASSWORD_MAX)
        raise InvalidInputError(text, field=(field,))
    if not password.isprintable():
        raise InvalidInputError(message("This contains characters that cannot be used."), field=(field,))
