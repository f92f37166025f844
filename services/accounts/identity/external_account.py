"""The accounts of external identities: found, created on first sight, or linked to one that exists."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from tortoise.exceptions import IntegrityError
from tortoise.expressions import Q

from models import Identity, User, ids
from models.accounts import NO_ADDRESS
from models.database.connection import run_tx
from services.accounts.credential import EmailAddress, find_user, parse_email
from services.accounts.identity.identity_notice import IdentityNotices
from services.accounts.identity.identity_table import FoundIdentity, IdentityTable, key_hash
from services.accounts.role import RoleService
from services.billing.signup_bonus import SignupBonusService
from services.core import locale
from services.core.error import ConflictError, InvalidCredentialError, InvalidInputError, NotFoundError
from services.core.message import message
from services.core.rate_limit import RateLimits
from services.core.text import is_blank
from services.events import account_change
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher
from services.integrations.identity.issuer import ExternalToken

_NAME_MAX = 100  # characters
_FIELD = ("idToken",)
_PICTURE = re.compile(r"https://[!#-;=?-Z\[\]_a-z~%]{1,2000}")  # no quotes, no <>
# Of an account that has unlinked it, or was deleted.
_GONE = Q(unlinked_at__isnull=False) | Q(user__deleted_at__isnull=False)

log = structlog.get_logger(__name__)


class ExternalAccounts:
    """Gives verified tokens their accounts. `check_writable`: raises UnavailableError while nothing may be written."""

    def __init__(
        self,
        table: IdentityTable,
        events: EventPublisher,
        rates: RateLimits,
        bonuses: SignupBonusService,
        roles: RoleService,
        notices: IdentityNotices,
        check_writable: Callable[[], None],
    ) -> None:
        self._table = table
        self._events = events
        self._rates = rates
        self._bonuses = bonuses
        self._roles = roles
        self._notices = notices
        self._check_writable = check_writable

    async def create(self, token: ExternalToken, text: str, *, client: str) -> FoundIdentity:
        """Return the account of a token that is seen for the first time.

        An account with the same e-mail address is used only if both sides have proved it: the issuer has verified it,
        and the account's owner, who knows its password, has read mail to it. `client`: the client's address.

        Raises:
            InvalidCredentialError: the account with this address has not proved it, or may not be linked.
            RateLimitedError: the client created too many accounts.
            UnavailableError: the deployment is read-only.
        """
        self._check_writable()
        address = _verified_address(token)
        existing = await find_user(address) if address is not None else None
        try:
            if existing is None:
                await self._rates.hit_sign_up(client)
                user, account = await run_tx(self._create, token, address)
                await self._events.signed_up(account)
            elif _may_link(existing, token):
                user, account = await run_tx(self._link, existing.id, token, address)
                await self._events.account_changed(account)
                log.info("identity.linked_by_email", user=user.id, issuer=token.issuer.issuer)
                self._notices.changed(user, token.issuer.issuer, locale.DEFAULT, linked=True)
            else:
                raise _needs_link()
        except IntegrityError:  # a concurrent request was first
            found = await self._table.find(token, text)
            if found is None:  # with the address, not with the identity
                raise _needs_link() from None
            return found
        return FoundIdentity(await self._roles.apply_admin_emails(user), is_ended=False)

    async def _create(self, token: ExternalToken, address: EmailAddress | None) -> tuple[User, AccountChange]:
        user_id = ids.new_id(ids.USER)
        columns = _new_columns(user_id, address)
        await User.create(id=user_id, password_hash="", name=_name(token), image=picture_of(token), **columns)
        await _insert(user_id, token)
        account = await account_change.bump_version(user_id)
        account = await self._bonuses.grant(account, str(columns["email"]), verified=address is not None)
        return await User.get(id=user_id), account

    async def _link(
        self, user_id: str, token: ExternalToken, address: EmailAddress | None
    ) -> tuple[User, AccountChange]:
        account = await account_change.bump_version(user_id)
        user = await User.get(id=user_id)
        if address is None or not address.is_of(user) or not _may_link(user, token):  # changed meanwhile
            raise _needs_link()
        return await self._attach(user, token), account

    async def link(self, user: User, token: ExternalToken, request_locale: str) -> User:
        """Link an identity to an account that the user is signed in to. Without effect if it is linked to it already.

        It completes a guest, which gets the address that the issuer has verified, and the rest of the sign-up bonus.
        The account's address gets a notice, in the account's language or `request_locale`.

        Raises:
            ConflictError: it belongs to another account, or the account is a guest and another one has its address.
        """
        try:
            linked, account = await run_tx(self._link_signed_in, user.id, token)
        except IntegrityError:  # a concurrent request was first
            raise self._in_use() from None
        if account is not None:
            await self._events.account_changed(account)
            if not user.is_guest:  # whose address was unknown until now
                self._notices.changed(linked, token.issuer.issuer, request_locale, linked=True)
        return await self._roles.apply_admin_emails(linked)

    @staticmethod
    def _in_use() -> ConflictError:
        return ConflictError(message("This sign-in belongs to another account."), field=_FIELD)

    async def _link_signed_in(self, user_id: str, token: ExternalToken) -> tuple[User, AccountChange | None]:
        await account_change.lock_account(user_id)
        user = await User.get(id=user_id)
        if not user.may_sign_in:
            raise NotFoundError
        await Identity.filter(_GONE, key_hash=key_hash(token)).delete()
        known = await Identity.get_or_none(key_hash=key_hash(token))
        if known is not None:
            if known.user_id != user_id:
                raise self._in_use()
            return user, None
        account = await account_change.bump_version(user_id)
        if user.is_guest:
            account = await self._complete(user, token, account)
        return await self._attach(user, token), account

    async def _complete(self, guest: User, token: ExternalToken, account: AccountChange) -> AccountChange:
        """Make a guest an account that the identity opens, with the rest of the sign-up bonus."""
        address = _verified_address(token)
        if address is not None and await find_user(address) is not None:
            raise ConflictError(_needs_link().message, field=_FIELD)
        columns = _new_columns(guest.id, address)
        await User.filter(id=guest.id).update(is_guest=False, name=guest.name or _name(token), **columns)
        is_verified = address is not None
        return await self._bonuses.grant(account, str(columns["email"]), verified=is_verified)

    @staticmethod
    async def _attach(user: User, token: ExternalToken) -> User:
        await _insert(user.id, token)
        if user.image is None and (picture := picture_of(token)):
            await User.filter(id=user.id).update(image=picture)
        return await User.get(id=user.id)

    async def forget(self, token: ExternalToken, user: User) -> None:
        """Let the identity of a deleted account, or one that an account has unlinked, sign up again.

        Raises:
            InvalidCredentialError: the account that has unlinked it has its address: only its owner may link it again.
        """
        address = _verified_address(token)
        if user.deleted_at is None and address is not None and address.is_of(user):
            raise _needs_link()
        await Identity.filter(_GONE, key_hash=key_hash(token)).delete()

    @staticmethod
    async def refresh(token: ExternalToken) -> None:
        """Note a sign-in by an identity, with the name and the address that the issuer gives now."""
        linked = Identity.filter(key_hash=key_hash(token), unlinked_at__isnull=True)
        await linked.update(last_used_at=datetime.now(UTC), **_shown(token))


def _needs_link() -> InvalidCredentialError:
    return InvalidCredentialError(
        message("There is an account with this e-mail address. Sign in to it first, and link this sign-in to it.")
    )


def _new_columns(user_id: str, address: EmailAddress | None) -> dict[str, Any]:
    """Return the address of an account that an identity opens; None: it has none that the issuer has verified."""
    return {
        "email": address.key if address else f"{user_id}@{NO_ADDRESS}",
        "mail_address": address.text if address else None,
        "email_verified": address is not None,
        "owner_proven": address is not None,  # who signs in at the issuer is who reads the mail
    }


async def _insert(user_id: str, token: ExternalToken) -> None:
    issuer, shown = token.issuer.issuer, _shown(token)
    identity = Identity(user_id=user_id, issuer=issuer, subject=token.subject, key_hash=key_hash(token), **shown)
    await identity.save(force_create=True)


def _shown(token: ExternalToken) -> dict[str, str | None]:
    """Return by what its user recognizes an identity."""
    address = _verified_address(token)
    return {"email": address.text if address else None, "name": _name(token)}


def _may_link(user: User, token: ExternalToken) -> bool:
    """Whether both sides have proved the same address.

    `email_verified` alone is not enough: the password may be someone else's, who signed up with this address.
    """
    return token.issuer.links_by_email and user.email_verified and user.owner_proven and user.may_sign_in


def _verified_address(token: ExternalToken) -> EmailAddress | None:
    """Return the address that the issuer has verified. Another one is never kept: it may be anyone's."""
    if token.email is None or not token.email_verified:
        return None
    try:
        return parse_email(token.email)
    except InvalidInputError:
        return None


def _name(token: ExternalToken) -> str | None:
    text = "".join(letter for letter in token.name or "" if letter.isprintable())
    name = text.strip()[:_NAME_MAX].strip()
    return None if is_blank(name) else name


def picture_of(token: ExternalToken) -> str | None:
    """Return the address of the user's picture, if it is one that a page may show."""
    return token.picture if token.picture and _PICTURE.fullmatch(token.picture) else None
