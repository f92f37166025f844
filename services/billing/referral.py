"""Referrals: who brought whom, and the bonus that both get once when the one who was brought has paid for something."""

import contextlib
import hashlib
import hmac
from datetime import UTC, datetime

import structlog
from tortoise.exceptions import IntegrityError

from models import Purchase, User
from models.accounts import new_referral_code
from models.database.connection import rows, run_tx
from models.enum import PurchaseStatus, TransactionType
from services.billing import ledger
from services.billing.ledger import LedgerLine
from services.core.error import InvalidInputError, NotFoundError
from services.core.message import message
from services.events import account_change
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher
from services.products.profile import ReferralRules

log = structlog.get_logger(__name__)

_DOTLESS = ("gmail.com", "googlemail.com")  # one provider, which reads no dots before the @
_LONGEST_CODE = 16  # characters; longer ones are nobody's
_MAX_REFERRAL_CHAIN = 20  # of who brought whom, that are looked at
_BATCH = 100  # accounts that are looked at together


class _NothingToPayError(Exception):
    """Ends a transaction that would have changed nothing."""


class ReferralService:
    """Remembers who brought whom, and pays for it. `rules`: None where nobody is paid."""

    def __init__(self, rules: ReferralRules | None, secret: str, events: EventPublisher) -> None:
        self._rules = rules
        self._secret = secret.encode()
        self._events = events

    async def referrer(self, code: str, email: str) -> str:
        """The account whose code somebody with this address signs up with.

        Raises:
            InvalidInputError: nobody has this code, or it leads back to the same person.
        """
        code = code.strip().lower()
        usable = len(code) <= _LONGEST_CODE and code.isprintable()
        found = await User.get_or_none(referral_code=code) if usable else None
        if found is None or not found.may_sign_in:
            raise InvalidInputError(message("Nobody has this code."), field=("referralCode",))
        forbear: User | None = found
        for _ in range(_MAX_REFERRAL_CHAIN):
            if forbear is None:
                break
            if _mailbox(forbear.email) == _mailbox(email):
                text = message("This code is for people who are new here.")
                raise InvalidInputError(text, field=("referralCode",))
            forbear = await User.get_or_none(id=forbear.referred_by_id) if forbear.referred_by_id else None
        return found.id

    async def code_of(self, user: User) -> str:
        """An account's code, made now where a server of the release before made the account."""
        while user.referral_code is None:
            with contextlib.suppress(IntegrityError):  # somebody else has it
                await User.filter(id=user.id, referral_code=None).update(referral_code=new_referral_code())
            user = await User.get(id=user.id)
        return user.referral_code

    async def settle(self, user_id: str) -> bool:
        """Pay for an account that was brought, once an order of it is paid and its address is proven; say whether.

        Called outside of transactions, after either of the two. It raises nothing: what fails is found by `settle_all`.
        """
        try:
            accounts = await self._settle(user_id)
        except Exception:  # the order stands, and so does the proof
            log.warning("referral.not_settled", user=user_id, exc_info=True)
            return False
        for account in accounts:
            await self._events.account_changed(account)
        return bool(accounts)

    async def settle_all(self) -> int:
        """Pay for everybody for whom that is due, whatever died before it was done; say for how many."""
        if self._rules is None:
            return 0
        paid, last = 0, ""
        while due := await rows(
            "SELECT id FROM users WHERE id > $1 AND referred_by_id IS NOT NULL AND referral_paid_at IS NULL"
            " AND email_verified AND deleted_at IS NULL AND EXISTS"
            " (SELECT 1 FROM purchases WHERE user_id = users.id AND status = 'PAID' AND net_amount > 0)"
            " ORDER BY id LIMIT $2",
            last,
            _BATCH,
        ):
            for row in due:
                last = row["id"]
                paid += await self.settle(last)
        return paid

    async def _settle(self, user_id: str) -> list[AccountChange]:
        user = await User.get_or_none(id=user_id)
        if self._rules is None or user is None or user.referred_by_id is None or user.referral_paid_at is not None:
            return []
        # Not an order that was given back, or was free by a discount: that would be a way to make credits of nothing.
        paid = Purchase.filter(user_id=user_id, status=PurchaseStatus.PAID, net_amount__gt=0)
        if not user.email_verified or not await paid.exists():
            return []
        identity = hmac.new(self._secret, _mailbox(user.email).encode(), hashlib.sha256).hexdigest()
        try:
            return await run_tx(self._pay, self._rules, user.id, user.referred_by_id, identity)
        except (_NothingToPayError, NotFoundError):
            return []
        except IntegrityError:
            log.info("referral.known_already", user=user_id)
            return []

    @staticmethod
    async def _pay(rules: ReferralRules, user_id: str, referrer_id: str, identity: str) -> list[AccountChange]:
        """Both lines or none: in one transaction, because the cap is counted while the referrer's row is held.

        It takes the two rows in the order of their ids. Nothing else takes two accounts, so no two wait for each other.
        """
        present = [id for id in sorted((user_id, referrer_id)) if await _lock_and_bump(id)]
        if user_id not in present:
            raise NotFoundError
        now = datetime.now(UTC)
        unpaid = User.filter(id=user_id, referral_paid_at=None)
        if not await unpaid.update(referral_paid_at=now, referral_identity=identity):
            raise _NothingToPayError  # a twin was faster
        if await User.filter(referred_by_id=referrer_id, referral_paid_at__isnull=False).count() > rules.cap:
            raise _NothingToPayError
        accounts = []
        for id in present:
            reference = f"referral:{user_id}:{'to' if id == user_id else 'from'}"
            line = LedgerLine(TransactionType.BONUS, rules.bonus, reference, metadata={"reason": "referral"})
            accounts.append(await ledger.post(id, [line], version_bumped=True))
        return accounts


async def _lock_and_bump(user_id: str) -> bool:
    """Take an account's row; False where the account is gone."""
    try:
        await account_change.bump_version(user_id)
    except NotFoundError:
        return False
    return True


def _mailbox(email: str) -> str:
    """Where mail to an address arrives, in one spelling: without a tag, and without the dots that nobody reads."""
    local, _, domain = email.rpartition("@")
    local = local.partition("+")[0] or local
    return f"{local.replace('.', '')}@{_DOTLESS[0]}" if domain in _DOTLESS else f"{local}@{domain}"
