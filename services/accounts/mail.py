"""Mails with a link: their words in the reader's language, and how they leave without anybody waiting."""

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

LIVES = {MailPurpose.VERIFY: timedelta(hours=24), MailPurpose.RESET: timedelta(hours=1)}
_MOST_IN_BACKGROUND = 1000  # mails that wait to leave; who asks then is told to come back
_AT_ONCE = 8  # connections to the mail server
_GRACE = 10.0  # seconds for mails that are under way when the process stops

_PATHS = {MailPurpose.VERIFY: "/verify-email", MailPurpose.RESET: "/reset-password"}


def _words(purpose: MailPurpose) -> tuple[Message, Message, Message]:
    """Subject, what stands before the link, and what stands after it."""
    hours = int(LIVES[purpose].total_seconds() / 3600)
    if purpose is MailPurpose.VERIFY:
        return (
            message("Confirm your e-mail address"),
            message(
                "There is a new account with this address. Confirm within {hours} h that it is yours:", hours=hours
            ),
            message("If this was not you, you can ignore this mail."),
        )
    return (
        message("Choose a new password"),
        message("Somebody asked for a new password for your account. Choose one within {hours} h:", hours=hours),
        message("If this was not you, you can ignore this mail: your password stays as it is."),
    )


class MailService:
    """Writes mails and hands them over; `app_url` is where their links lead. No mailer: there is no mail here."""

    def __init__(self, mailer: Mailer | None, translator: Translator, app_url: str) -> None:
        self._mailer = mailer
        self._translator = translator
        self._app_url = app_url
        self._slots = asyncio.Semaphore(_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_there(self) -> bool:
        """Whether mail can be sent at all."""
        return self._mailer is not None

    def require(self) -> None:
        """Raises UnavailableError where there is no mail."""
        if self._mailer is None:
            raise UnavailableError

    async def send(self, purpose: MailPurpose, to: str, token: str, locale: str) -> None:
        """Send a link that carries `token`.

        Raises:
            UnavailableError: it did not leave.
        """
        self.require()
        assert self._mailer is not None  # noqa: S101 - just required
        subject, before, after = (self._translator.translate(text, locale) for text in _words(purpose))
        link = f"{self._app_url}{_PATHS[purpose]}?{urlencode({'token': token})}"
        try:
            async with self._slots:
                await self._mailer.send(Mail(to, subject, f"{before}\n\n{link}\n\n{after}\n"))
        except MailError as error:
            log.warning("mail.failed", purpose=purpose.value, error=str(error))
            raise UnavailableError from None

    def in_background(self, work: Coroutine[Any, Any, None]) -> None:
        """Let `work` go on after the answer. What goes wrong in it is logged, and nobody else hears of it.

        Raises:
            UnavailableError: too much waits already.
        """
        if len(self._tasks) >= _MOST_IN_BACKGROUND:
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
            pass  # logged where it happened
        except Exception:
            log.exception("mail.background_failed")

    async def aclose(self) -> None:
        """Let mails that are under way leave, within a bound."""
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=_GRACE)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late)
