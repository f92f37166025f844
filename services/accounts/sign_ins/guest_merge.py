"""Merges a guest into an account that exists already: both are proven, by a session of each."""

from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from models import Generation, Session, User
from models.database.connection import run_tx
from models.enum import Role
from services.accounts.account_deletion import AccountDeletionService, anonymize
from services.accounts.secret_token import hash_token
from services.accounts.sign_ins import guest_belongings
from services.accounts.sign_ins.mailed_link import MailedLinks
from services.accounts.sign_ins.merge_token import MergeTokens
from services.core.crashpoint import crashpoint
from services.core.error import (
    ConflictError,
    ForbiddenError,
    GuestError,
    InvalidInputError,
    NotFoundError,
    UnauthenticatedError,
)
from services.core.message import message
from services.events import account_change
from services.events.account_change import AccountChange
from services.media.quota import StorageQuota

log = structlog.get_logger(__name__)

_TOKEN = ("token",)


@dataclass(frozen=True)
class Merge:
    """What one merge moved, and the account afterwards."""

    user: User
    generations: int
    credits: int


@dataclass(frozen=True)
class _Merged:
    """The same, as its transaction left both accounts. `before`: the guest as it was."""

    before: User
    guest: AccountChange
    user: AccountChange
    generations: int


class GuestMergeService:
    """Moves what a guest has to an account, and deletes the guest.

    The guest's session makes a token, and a session of the account uses it. So whichever way the account is signed in
    to is its proof, and a link to sign in that someone else has mailed merges nothing by itself.
    """

    def __init__(
        self, links: MailedLinks, tokens: MergeTokens, deletion: AccountDeletionService, quota: StorageQuota
    ) -> None:
        self._events = links.events
        self._rates = links.rates
        self._tokens = tokens
        self._deletion = deletion
        self._quota = quota

    async def new_token(self, user: User, session: str | None) -> tuple[str, datetime]:
        """Return a token for a guest, and when it expires. `session`: the token of the request.

        Raises:
            ConflictError: the account is no guest.
            UnauthenticatedError: its session has ended.
        """
        if not user.is_guest:
            raise ConflictError(message("Only a guest can be merged into another account."))
        row = await Session.get_or_none(user_id=user.id, token_hash=hash_token(session or ""))
        if row is None:
            raise UnauthenticatedError
        return self._tokens.issue(row.id)

    async def merge(self, user: User, token: str) -> Merge:
        """Move what the guest of a token has to the account `user`, in one transaction.

        Pictures, favorites, shares, custom styles and credits are moved, but no bonus: docs/decisions has the reasons.

        Raises:
            ConflictError: some of the guest's generations have not ended, or it has something that cannot be moved.
            ForbiddenError: the account is an admin's.
            GuestError: the account is a guest itself.
            InvalidInputError: the token is invalid or expired, or the guest was merged, completed or deleted since.
            RateLimitedError: too many were merged into the account.
            StorageFullError: the account would keep more than it may.
        """
        if user.is_guest:
            raise GuestError
        await self._rates.hit_merge(user.id)
        session_id = self._tokens.session_of(token)
        session = await Session.get_or_none(id=session_id) if session_id is not None else None
        if session is None or session.user_id == user.id:
            raise self._invalid()
        merged = await run_tx(self._merge, session.user_id, user.id, session.id)
        crashpoint("merge.committed")
        log.info("guest.merged", guest=session.user_id, user=user.id, generations=merged.generations)
        await self._events.account_changed(merged.user)
        await self._deletion.complete(merged.before, merged.guest)
        credits = sum(line.amount for line in merged.user.lines)
        return Merge(await User.get(id=user.id), merged.generations, credits)

    @staticmethod
    def _invalid() -> InvalidInputError:
        return InvalidInputError(message("This token is invalid or has expired, or the guest is gone."), _TOKEN)

    async def _merge(self, guest_id: str, user_id: str, session_id: str) -> _Merged:
        # In the order of the ids, as everywhere where two accounts are locked.
        changes: dict[str, AccountChange] = {}
        for id in sorted((guest_id, user_id)):
            try:
                changes[id] = await account_change.bump_version(id)
            except NotFoundError:
                raise (self._invalid() if id == guest_id else UnauthenticatedError()) from None
        guest, user = await User.get(id=guest_id), await User.get(id=user_id)
        session = Session.filter(id=session_id, user_id=guest_id, expires_at__gt=datetime.now(UTC))
        if not (guest.is_guest and guest.may_sign_in and await session.exists()):
            raise self._invalid()
        if not user.may_sign_in:
            raise UnauthenticatedError
        if user.role is not Role.USER:
            raise ForbiddenError(text=message("A guest cannot be merged into the account of an admin."))
        await guest_belongings.check(guest, user, self._quota)
        count = await Generation.filter(user_id=guest_id, deleted_at=None).count()
        given, taken = await guest_belongings.move(changes[guest_id], changes[user_id])
        if not await anonymize(guest):
            raise self._invalid()
        await User.filter(id=guest_id).update(merged_into_id=user_id)
        crashpoint("merge.before_commit")
        return _Merged(guest, given, taken.with_new_gallery(), count)
