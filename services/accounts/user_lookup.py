"""Lookup of any account, for admins; other users can only see their own."""

from tortoise.expressions import Q

from models import User, ids
from services.accounts.credential import find_user, parse_email
from services.core.error import InvalidInputError
from services.core.message import message
from services.core.pagination import Page, PageRequest, paginate, replica_page
from services.core.text import clean_text

_MAX_SEARCH_LENGTH = 320  # characters, the maximum of an address


class UserLookup:
    """Lists and finds accounts."""

    async def users(self, search: str | None, request: PageRequest[str]) -> Page[User, str]:
        """Return a page of accounts, newest first, without deleted ones.

        `search`: a part of an address, case-insensitive, or the complete id of an account; None or blank: all accounts.

        Raises:
            InvalidInputError: the search is too long or contains invalid characters.
        """
        query = User.filter(deleted_at__isnull=True)
        wanted = clean_text(search, _MAX_SEARCH_LENGTH, field=("search",))
        if wanted is not None:
            query = query.filter(id=wanted) if ids.is_id(wanted, ids.USER) else query.filter(_contains(wanted))
        return await replica_page(lambda: paginate(query, request, key="id", descending=True))

    async def user(self, user_id: str | None, email: str | None) -> User | None:
        """Return an account by id or address, or None. Deleted accounts are found by id only.

        Raises:
            InvalidInputError: neither or both are given.
        """
        if (user_id is None) is (email is None):
            raise InvalidInputError(message("Give either id or email, not both."), field=("id",))
        if user_id is not None:
            return await User.get_or_none(id=user_id) if ids.is_id(user_id, ids.USER) else None
        try:
            user = await find_user(parse_email(email or ""))
        except InvalidInputError:
            return None  # malformed, so no account has it
        return user if user and user.deleted_at is None else None

    async def by_ids(self, user_ids: list[str]) -> dict[str, User]:
        """Return the given accounts that exist, deleted or not."""
        return {user.id: user for user in await User.filter(id__in=user_ids)}


def _contains(wanted: str) -> Q:
    """Return the filter for a part of an address; the ORM escapes % and _.

    The text is lowered here: SQLite folds only the case of ASCII. Addresses are stored with the part before the @ in
    lower case in `email`, whose domain is in ASCII, and with the domain in lower case as it is typed in `mail_address`.
    """
    lowered = wanted.lower()
    key = Q(email__contains=lowered)
    if lowered.isascii():
        return key
    local, at, domain = lowered.rpartition("@")
    if not at:
        return key | Q(mail_address__contains=lowered)
    return key | Q(email__contains=f"{local}@", mail_address__contains=f"@{domain}")
