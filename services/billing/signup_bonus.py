"""The sign-up bonus: granted once per mailbox, also after the account that got it was deleted."""

import contextlib
from collections.abc import Sequence

from tortoise.exceptions import IntegrityError

from models import CreditTransaction, SignupBonus, User
from models.database.connection import rows, run_tx
from services.billing import ledger
from services.billing.mailbox_identity import mailbox_identity
from services.core.error import NotFoundError
from services.events import account_change
from services.events.account_change import AccountChange


class _NotDueError(Exception):
    """Rolls back a transaction that would change nothing."""


class SignupBonusService:
    """Grants the bonus. `credits`: of one bonus, 0 for none. `secret`: keys the hash of addresses.

    `expire_days`: after which it expires, None: never.

    `requires_verification`: an account gets the bonus when its address is verified, else when it is created.
    """

    def __init__(
        self, credits: int, secret: str, *, requires_verification: bool, expire_days: int | None = None
    ) -> None:
        self.credits = credits
        self.expire_days = expire_days
        self._secret = secret.encode()
        self._requires_verification = requires_verification

    async def grant(self, account: AccountChange, email: str, *, verified: bool) -> AccountChange:
        """Grant the bonus if it is due, inside a transaction that has bumped the account's version.

        It is not due before verification where that is required, and never twice for one account or one mailbox.
        Returns the account with its new line, or unchanged.
        """
        if not self.credits or (self._requires_verification and not verified):
            return account
        credits = await self._claim(account.user_id, email)
        if not credits:
            return account
        lines = ledger.signup_bonus(account.user_id, credits, self.expire_days)
        return await ledger.post(account.user_id, lines, version_bumped=True)

    async def _claim(self, user_id: str, email: str) -> int:
        """Return the credits that are due: the bonus, less what the account got as a guest."""
        # A concurrent claim of the same mailbox waits here for the other transaction.
        claimed = await rows(
            "INSERT INTO signup_bonuses (user_id, identity) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING user_id",
            user_id,
            mailbox_identity(self._secret, email),
        )
        if not claimed:
            return 0
        # The line of an account that a server of an earlier release created has no claim.
        signup, guest = ledger.signup_reference(user_id), ledger.guest_reference(user_id)
        lines = await CreditTransaction.filter(reference__in=[signup, guest]).values_list("reference", "amount")
        before = dict(lines)
        return 0 if signup in before else max(self.credits - before.get(guest, 0), 0)

    async def grant_missing(self) -> int:
        """Grant the bonus to accounts that are due one and have none, and return how many got it."""
        if not self.credits:
            return 0
        missing = await rows(
            "SELECT id FROM users WHERE deleted_at IS NULL AND NOT is_guest AND (email_verified OR NOT $1)"
            " AND NOT EXISTS (SELECT 1 FROM credit_transactions WHERE reference = 'signup:' || users.id) ORDER BY id",
            self._requires_verification,
        )
        paid = 0
        for row in missing:
            with contextlib.suppress(_NotDueError, NotFoundError):  # granted elsewhere, or deleted
                await run_tx(self._grant_missing, row["id"])
                paid += 1
        return paid

    async def _grant_missing(self, user_id: str) -> None:
        account = await account_change.bump_version(user_id)
        account = await self.grant(account, (await User.get(id=user_id)).email, verified=True)
        if not account.lines:
            raise _NotDueError

    async def unhashed(self, limit: int) -> Sequence[str]:
        """Return accounts that got the bonus from an earlier release, which did not record its mailbox."""
        found = SignupBonus.filter(identity=None).order_by("user_id").limit(limit)
        return [user_id for (user_id,) in await found.values_list("user_id")]

    async def record_identity(self, user_id: str) -> bool:
        """Record the mailbox of such a bonus; returns True."""
        user = await User.get(id=user_id)
        unhashed = SignupBonus.filter(user_id=user_id, identity=None)
        try:
            await unhashed.update(identity=mailbox_identity(self._secret, user.email))
        except IntegrityError:  # two accounts of one mailbox got the bonus before
            await unhashed.update(identity=f"duplicate:{user_id}")
        return True
