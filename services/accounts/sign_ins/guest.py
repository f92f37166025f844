"""Guest accounts: made without an address, kept while they are used, and completed by a sign-up."""

import contextlib
from collections.abc import Sequence

import structlog

from models import User, ids
from models.database.connection import rows, run_tx
from models.enum import TransactionType
from services.accounts.account_deletion import AccountDeletionService
from services.accounts.session import NewSession, SessionService
from services.accounts.sign_ins.origin import SignInOrigin
from services.billing import ledger
from services.billing.ledger import LedgerLine
from services.core.error import ForbiddenError, NotFoundError, RateLimitedError
from services.core.rate_limit import RateLimits
from services.events import account_change
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher
from services.products.profile import GuestRules

log = structlog.get_logger(__name__)

_DOMAIN = "guest.invalid"  # no mail can be sent to it (RFC 6761), and no one can sign up with it


class GuestService:
    """Makes guest accounts, and deletes those without a session.

    A guest has no password and no address: its session is all that leads to it. When that has ended, the account is
    deleted. `rules`: None if the product has no guests. `expire_days`: after which their bonus expires, None: never.
    """

    def __init__(
        self,
        rules: GuestRules | None,
        sessions: SessionService,
        rates: RateLimits,
        events: EventPublisher,
        deletion: AccountDeletionService,
        *,
        expire_days: int | None = None,
    ) -> None:
        self._rules = rules
        self._expire_days = expire_days
        self._sessions = sessions
        self._rates = rates
        self._events = events
        self._deletion = deletion

    async def create(self, *, origin: SignInOrigin) -> NewSession:
        """Create a guest account and open its session.

        It gets the guests' bonus, unless its client had several of them today: otherwise one could make guests for
        their credits.

        Raises:
            ForbiddenError: the product has no guests.
            RateLimitedError: the client created too many accounts.
        """
        if self._rules is None:
            raise ForbiddenError
        await self._rates.hit_guest(origin.client)
        credits = self._rules.credits
        if credits:
            try:
                await self._rates.hit_guest_bonus(origin.client)
            except RateLimitedError:
                credits = 0
        user, account = await run_tx(self._create, credits)
        await self._events.signed_up(account)
        return await self._sessions.open(user, origin)

    async def _create(self, credits: int) -> tuple[User, AccountChange]:
        user_id = ids.new_id(ids.USER)
        user = await User.create(id=user_id, email=f"{user_id}@{_DOMAIN}", password_hash="", is_guest=True)
        account = await account_change.bump_version(user_id)
        if credits:
            reason = {"reason": "guest"}
            line = LedgerLine(
                TransactionType.BONUS,
                credits,
                ledger.guest_reference(user_id),
                metadata=reason,
                expires_at=ledger.expiry(self._expire_days),
            )
            account = await ledger.post(user_id, [line], version_bumped=True)
        user.credits, user.version = account.credits, account.version
        return user, account

    @staticmethod
    async def abandoned(limit: int) -> Sequence[str]:
        """Return guests without a session that is valid, of which there is none to come."""
        found = await rows(
            "SELECT id FROM users WHERE is_guest AND deleted_at IS NULL AND created_at < LATER($2)"
            " AND NOT EXISTS (SELECT 1 FROM sessions WHERE user_id = users.id AND expires_at > NOW())"
            " ORDER BY id LIMIT $1",
            limit,
            -60.0,  # seconds: its session is opened after its account
        )
        return [row["id"] for row in found]

    async def remove(self, user_id: str) -> bool:
        """Delete such a guest with its pictures; returns True."""
        with contextlib.suppress(NotFoundError):
            if await self._deletion.delete_guest(user_id):
                log.info("guest.removed", user=user_id)
        return True
