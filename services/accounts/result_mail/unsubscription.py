"""Links in mails that end them by one request, without a session (RFC 8058)."""

import base64
import contextlib
import hmac
from urllib.parse import urlencode

from models import User, ids
from models.database.connection import run_tx
from services.core.error import InvalidInputError, NotFoundError
from services.core.message import message
from services.events import account_change
from services.events.account_change import AccountChange
from services.events.publisher import EventPublisher

PATH = "/unsubscribe"


class _UnchangedError(Exception):
    """Rolls back a transaction that would change nothing."""


class Unsubscription:
    """Makes links and follows them. They do not expire, and can do nothing else. `secret`: the SECRET_KEY.

    `address`: of this server, because a provider of mail sends the request, not the app.
    """

    def __init__(self, secret: str, address: str, events: EventPublisher) -> None:
        self._secret = secret.encode()
        self._address = address
        self._events = events

    def link(self, user_id: str) -> str:
        """Return the link that ends the mails of an account."""
        return f"{self._address}{PATH}?{urlencode({'token': self._token(user_id)})}"

    async def end(self, token: str) -> None:
        """Switch an account's mails off; has no effect where they are off.

        Raises:
            InvalidInputError: the token is not one of ours.
        """
        user_id = token[: ids.LENGTH]
        if not ids.is_id(user_id, ids.USER) or not hmac.compare_digest(token.encode(), self._token(user_id).encode()):
            raise InvalidInputError(message("This link is incomplete. Please copy all of it."), field=("token",))
        with contextlib.suppress(_UnchangedError, NotFoundError):
            await self._events.account_changed(await run_tx(self._end, user_id))

    @staticmethod
    async def _end(user_id: str) -> AccountChange:
        account = await account_change.bump_version(user_id)
        if not await User.filter(id=user_id, notify_by_mail=True).update(notify_by_mail=False):
            raise _UnchangedError
        return account

    def _token(self, user_id: str) -> str:
        signature = hmac.digest(self._secret, b"unsubscribe:" + user_id.encode(), "sha256")
        return user_id + base64.urlsafe_b64encode(signature).decode().rstrip("=")
