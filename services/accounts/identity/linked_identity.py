"""The identities of an account: listed, and unlinked while another way to sign in is left."""

from collections.abc import Sequence

import structlog

from models import Identity, User
from models.database.connection import run_tx
from services.accounts.identity import identity_table
from services.accounts.identity.identity_notice import IdentityNotices
from services.accounts.session import SessionService
from services.core.error import LastSignInError, NotFoundError
from services.events import account_change
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher

log = structlog.get_logger(__name__)


class LinkedIdentities:
    """Lists and unlinks identities.

    `issuers`: those whose tokens are accepted; the identities of others sign in to nothing. `has_links`: whether mailed
    links sign in. `requires_verification`: whether a password does so only where the address is verified.
    """

    def __init__(
        self,
        sessions: SessionService,
        events: EventPublisher,
        notices: IdentityNotices,
        issuers: Sequence[str],
        *,
        has_links: bool,
        requires_verification: bool,
    ) -> None:
        self._sessions = sessions
        self._events = events
        self._notices = notices
        self._issuers = issuers
        self._has_links = has_links
        self._requires_verification = requires_verification

    @staticmethod
    async def by_users(user_ids: list[str]) -> dict[str, list[Identity]]:
        """Return the identities of these accounts, the first linked first; accounts without any are left out."""
        found: dict[str, list[Identity]] = {}
        for row in await Identity.filter(user_id__in=user_ids, unlinked_at__isnull=True).order_by("id"):
            found.setdefault(row.user_id, []).append(row)
        return found

    async def unlink(self, user: User, session: str | None, identity_id: str, locale: str) -> None:
        """Let an identity sign in to the account no longer, and end its other sessions, which it may have opened.

        Its row stays without the name at the issuer, so that an open page with its tokens makes no new account.
        The account's address gets a notice. `session`: the token of the request. `locale`: of the request.

        Raises:
            ForbiddenError: the session did not begin within the last minutes, so that a stolen one does not suffice.
            LastSignInError: without it, there would be no way to sign in.
            NotFoundError: it does not exist, is unlinked, or belongs to another account.
        """
        await self._sessions.require_recent(user.id, session)
        issuer, account = await run_tx(self._unlink, user.id, session, identity_id)
        log.info("identity.unlinked", user=user.id, issuer=issuer)
        await self._events.sign_ins_changed(user.id)
        await self._events.account_changed(account)
        self._notices.changed(await User.get(id=user.id), issuer, locale, linked=False)

    async def _unlink(self, user_id: str, session: str | None, identity_id: str) -> tuple[str, AccountChange]:
        account = await account_change.bump_version(user_id)
        user = await User.get(id=user_id)
        linked = Identity.filter(user_id=user_id, unlinked_at__isnull=True)
        identity = await linked.get_or_none(id=identity_id)
        if identity is None:
            raise NotFoundError(field=("id",))
        others = linked.filter(issuer__in=self._issuers).exclude(id=identity_id)
        if not (self._has_other(user) or await others.exists()):
            raise LastSignInError(field=("id",))
        await identity_table.unlink(Identity.filter(id=identity_id))
        await self._sessions.end_all(user_id, but=session)
        return identity.issuer, account

    def _has_other(self, user: User) -> bool:
        """Whether a password or a mailed link signs in."""
        has_link = self._has_links and user.email_verified
        has_password = bool(user.password_hash) and (user.email_verified or not self._requires_verification)
        return user.has_address and (has_link or has_password)
