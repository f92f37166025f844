"""Mails with a link: their texts in the recipient's language, and sending them in the background."""

import asyncio
from collections.abc import Coroutine
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import structlog

from models.enum import MailPurpose
from services.core.error import UnavailableError
from services.core.locale import Translator
from services.core.message import Message, message
from services.integrations.mail.protocol import Mail, Mailer, MailError

log = structlog.get_logger(__name__)

LIFETIMES = {MailPurpose.VERIFY: timedelta(hours=24), MailPurpose.RESET: timedelta(hours=1)}
_MAX_IN_BACKGROUND = 1000  # queued mails; more requests are refused as unavailable
_MAX_CONNECTIONS = 8  # to the mail server
_GRACE = 10.0  # seconds for mails that are being sent when the process stops

_PATHS = {MailPurpose.VERIFY: "/verify-email", MailPurpose.RESET: "/reset-password"}


def _texts(purpose: MailPurpose) -> tuple[Message, Message, Message]:
    """Return the subject, the text before the link and the text after it."""
    hours = int(LIFETIMES[purpose].total_seconds() / 3600)
    if purpose is MailPurpose.VERIFY:
        return (
            message("Confirm your e-mail address"),
            message(
                "There is a new account with this address. Confirm within {hours} h that it is yours:", hours=hours
            ),
            message(
                "This ends all other sessions and all API keys of the account."
                " If this was not you, you can ignore this mail."
            ),
        )
    return (
        message("Choose a new password"),
        message("A new password was requested for your account. Choose one within {hours} h:", hours=hours),
        message(
            "A new password ends all sessions, and API keys that were created before this address was confirmed."
            " If this was not you, you can ignore this mail: your password stays as it is."
        ),
    )


class MailService:
    """Composes and sends mails; `app_url`: the base of their links. Without a mailer, mail is disabled."""

    def __init__(self, mailer: Mailer | None, translator: Translator, app_url: str) -> None:
        self._mailer = mailer
        self._translator = translator
        self._app_url = app_url
        self._slots = asyncio.Semaphore(_MAX_CONNECTIONS)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_enabled(self) -> bool:
        """Whether mail is configured."""
        return self._mailer is not None

    def require(self) -> None:
        """Check that mail is configured. Raises UnavailableError."""
        if self._mailer is None:
            raise UnavailableError

    async def send(self, purpose: MailPurpose, to: str, token: str, locale: str) -> None:
        """Send a mail with the link for `token`.

        Raises:
            UnavailableError: mail is not configured, or sending failed.
        """
        self.require()
        assert self._mailer is not None  # noqa: S101 - just required
        subject, before, after = (self._translator.translate(text, locale) for text in _texts(purpose))
        link = f"{self._app_url}{_PATHS[purpose]}?{urlencode({'token': token})}"
        try:
            async with self._slots:
                await self._mailer.send(Mail(to, subject, f"{before}\n\n{link}\n\n{after}\n"))
        except MailError as error:
            log.warning("mail.send_failed", purpose=purpose.value, error=str(error))
            raise UnavailableError from None

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` without delaying the response; its errors are only logged.

        Raises:
            UnavailableError: too many tasks are queued.
        """
        if len(self._tasks) >= _MAX_IN_BACKGROUND:
            work.close()
            raise UnavailableError
        task = asyncio.create_task(self._guarded(work), name="mail")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    @staticmethod
    async def _guarded(work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except UnavailableError:
            pass  # already logged
        except Exception:
            log.exception("mail.background_failed")

    async def aclose(self) -> None:
        """Finish queued mails within a grace period, then cancel the rest."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_GRACE)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
