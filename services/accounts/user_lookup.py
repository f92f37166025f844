"""The directory of accounts, for admins: everybody else knows of no account but their own."""

from models import User, ids
from services.accounts.credential import clean_email
from services.core.error import InvalidInputError
from services.core.message import message
from services.core.pagination import Page, PageRequest, paginate
from services.core.text import clean_text

_LONGEST = 320  # characters of an address


class UserLookup:
    """Finds accounts."""

    async def users(self, search: str | None, request: PageRequest[str]) -> Page[User, str]:
        """Accounts, newest first, without those that are gone.

        `search`: a piece of an address, in capitals or not, or an account's whole id; None and blank: everybody.

        Raises:
            InvalidInputError: a search that is too long, or holds what cannot be used.
        """
        query = User.filter(deleted_at__isnull=True)
        wanted = clean_text(search, _LONGEST, field=("search",))
        if wanted is not None:
            # Addresses are kept case-folded; the ORM takes % and _ for what they are.
            query = (
                query.filter(id=wanted)
                if ids.is_id(wanted, ids.USER)
                else query.filter(email__contains=wanted.casefold())
            )
        return await paginate(query, request, key="id", descending=True)

    async def user(self, user_id: str | None, email: str | None) -> User | None:
        """One account, by exactly one of the two; None where nobody has it. Those that are gone have their id alone.

        Raises:
            InvalidInputError: neither or both are given.
        """
        if (user_id is None) is (email is None):
            raise InvalidInputError(message("Give either id or email, not both."), field=("id",))
        if user_id is not None:
            return await User.get_or_none(id=user_id) if ids.is_id(user_id, ids.USER) else None
        try:
            return await User.get_or_none(email=clean_email(email or ""), deleted_at__isnull=True)
        except InvalidInputError:
            return None  # no address, so nobody's

    async def by_ids(self, user_ids: list[str]) -> dict[str, User]:
        """Those of these accounts that there are, gone or not."""
        return {user.id: user for user in await User.filter(id__in=user_ids)}
