"""Demo mode: requests without a token are signed in as the demo account; for development only."""

import asyncio

from models import User
from services.accounts.session import SessionService
from services.accounts.user import UserService


class DemoSignIn:
    """Keeps one session of the demo account, which all such requests of this process share."""

    def __init__(self, users: UserService, sessions: SessionService) -> None:
        self._users = users
        self._sessions = sessions
        self._token: str | None = None
        self._opening = asyncio.Lock()

    async def sign_in(self) -> tuple[User, str]:
        """Return the demo account and the token of its session, which is opened anew where it has ended.

        Raises:
            SuspendedError: an admin has suspended the demo account.
        """
        user = await self._signed_in()
        if user is None:
            async with self._opening:
                user = await self._signed_in()
                if user is None:
                    opened = await self._sessions.open(await self._users.ensure_demo_account())
                    user, self._token = opened.user, opened.token
        assert self._token is not None  # noqa: S101 - there is a session
        return user, self._token

    async def _signed_in(self) -> User | None:
        return await self._sessions.user_of(self._token) if self._token is not None else None
