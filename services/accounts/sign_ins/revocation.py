"""Revocation of sessions by their account, from its list of sessions."""

from models.database.connection import run_tx
from models.enum import MailPurpose
from services.accounts import mail_token
from services.accounts.session import SessionService
from services.events import account_change
from services.events.publisher import EventPublisher


class RevocationService:
    """Ends sessions, and with them the sockets and streams that they opened."""

    def __init__(self, sessions: SessionService, events: EventPublisher) -> None:
        self._sessions = sessions
        self._events = events

    async def revoke(self, user_id: str, session_id: str) -> None:
        """End one session of an account.

        Links to a new address end, too: any session may have requested them.

        Raises:
            NotFoundError: the session does not exist, has ended, or belongs to another account.
        """
        await run_tx(self._revoke, user_id, session_id)
        await self._events.sign_ins_changed(user_id)

    async def _revoke(self, user_id: str, session_id: str) -> None:
        await account_change.lock_account(user_id)
        await self._sessions.revoke(user_id, session_id)
        await mail_token.revoke_all(user_id, MailPurpose.CHANGE)

    async def revoke_others(self, user_id: str, token: str) -> list[str]:
        """End all sessions of an account but that of `token`, and links as `revoke`; return the ids of the sessions."""
        ended = await run_tx(self._revoke_others, user_id, token)
        await self._events.sign_ins_changed(user_id)
        return ended

    async def _revoke_others(self, user_id: str, token: str) -> list[str]:
        await account_change.lock_account(user_id)
        ended = await self._sessions.revoke_others(user_id, token)
        await mail_token.revoke_all(user_id, MailPurpose.CHANGE)
        return ended
