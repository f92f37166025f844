"""Sign-ins: opaque tokens of which only the hash is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from models import Session, User
from services.accounts.secret_token import hash_token, is_well_formed, new_token
from services.core.error import SuspendedError


@dataclass(frozen=True)
class NewSession:
    """What a person gets once: the token is not stored and cannot be shown again."""

    user: User
    token: str
    expires_at: datetime


class SessionService:
    """Opens, finds and ends sign-ins."""

    def __init__(self, days: int) -> None:
        self._life = timedelta(days=days)

    async def open(self, user: User) -> NewSession:
        """Sign in an account that has proved itself. Raises SuspendedError."""
        if user.suspended_at is not None:
            raise SuspendedError
        token = new_token()
        expires_at = datetime.now(UTC) + self._life
        await Session.create(user_id=user.id, token_hash=hash_token(token), expires_at=expires_at)
        return NewSession(user, token, expires_at)

    async def user_of(self, token: str) -> User | None:
        """Whose token this is; None when it is nobody's, ended or expired."""
        if not is_well_formed(token):
            return None
        session = (
            await Session.filter(token_hash=hash_token(token), expires_at__gt=datetime.now(UTC))
            .select_related("user")
            .first()
        )
        return session.user if session and session.user.may_sign_in else None

    async def users_of(self, tokens: Sequence[str]) -> dict[str, User]:
        """Whose tokens these are, without those that are nobody's, ended or expired; one statement."""
        by_hash = {hash_token(token): token for token in tokens}
        found = Session.filter(token_hash__in=list(by_hash), expires_at__gt=datetime.now(UTC)).select_related("user")
        return {by_hash[row.token_hash]: row.user for row in await found if row.user.may_sign_in}

    async def end(self, user_id: str, token: str) -> int:
        """End one sign-in and say how many ended."""
        return await Session.filter(user_id=user_id, token_hash=hash_token(token)).delete()

    async def end_all(self, user_id: str, *, but: str | None = None) -> int:
        """End every sign-in of an account, except that of the token `but`; say how many ended."""
        ended = Session.filter(user_id=user_id)
        return await (ended.exclude(token_hash=hash_token(but)) if but else ended).delete()

    async def remove_expired(self) -> int:
        """Forget sign-ins that nobody can use any more."""
        return await Session.filter(expires_at__lt=datetime.now(UTC)).delete()
