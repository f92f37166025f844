"""Mails with a link, and notices: their texts in the recipient's language, and sending them in the background."""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

import structlog

from models.enum import MailPurpose
from services.core.error import UnavailableError
from services.core.locale import Translator
from services.core.message import Message, message
from services.integrations.fair_slots import FairSlots
from services.integrations.mail.protocol import Mail, Mailer, MailError

log = structlog.get_logger(__name__)

LIFETIMES = {
    MailPurpose.VERIFY: timedelta(hours=24),
    MailPurpose.RESET: timedelta(hours=1),
    MailPurpose.CHANGE: timedelta(hours=1),
    MailPurpose.SIGN_IN: timedelta(minutes=15),
}
_MAX_IN_BACKGROUND = 1000  # queued mails; more requests are refused as unavailable
_MAX_CONNECTIONS = 8  # to the mail server
_MAX_PER_RECIPIENT = 2  # of these, so that mails to one address do not delay all others
_GRACE = 10.0  # seconds for mails that are being sent when the process stops

_PATHS = {
    MailPurpose.VERIFY: "/verify-email",
    MailPurpose.RESET: "/reset-password",
    MailPurpose.CHANGE: "/change-email",
    MailPurpose.SIGN_IN: "/sign-in",
}


class Notice(StrEnum):
    """A mail without a link."""

    CHANGE_REQUESTED = "CHANGE_REQUESTED"  # to the present address
    CHANGED = "CHANGED"  # to the former address
    SECOND_FACTOR_ON = "SECOND_FACTOR_ON"
    SECOND_FACTOR_OFF = "SECOND_FACTOR_OFF"
    RECOVERY_CODE_USED = "RECOVERY_CODE_USED"
    ADDRESS_IN_USE = "ADDRESS_IN_USE"  # to the account that has the address which another account asked for
    WEBHOOK_DISABLED = "WEBHOOK_DISABLED"  # with `url`: to the owner of an endpoint that failed
    IDENTITY_LINKED = "IDENTITY_LINKED"  # with `url`: the issuer, as of the next one
    IDENTITY_UNLINKED = "IDENTITY_UNLINKED"
    ACCESS_REMOVED = "ACCESS_REMOVED"  # to the owner who was proven by a mailed link


_FACTOR_NOTICES = {Notice.SECOND_FACTOR_ON, Notice.SECOND_FACTOR_OFF, Notice.RECOVERY_CODE_USED}
_ACCESS_NOTICES = {Notice.IDENTITY_LINKED, Notice.IDENTITY_UNLINKED, Notice.ACCESS_REMOVED}


def _texts(purpose: MailPurpose, *, at_sign_up: bool) -> tuple[Message, Message, Message]:
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
    if purpose is MailPurpose.CHANGE:
        return (
            message("Confirm your new e-mail address"),
            message("An account wants to use this address from now on. Confirm within {hours} h:", hours=hours),
            message("This ends all other sessions of the account. If this was not you, you can ignore this mail."),
        )
    if purpose is MailPurpose.SIGN_IN:
        return _sign_in_texts(completes_guest=at_sign_up)
    subject, before = (
        message("Choose a new password"),
        message("A new password was requested for your account. Choose one within {hours} h:", hours=hours),
    )
    if at_sign_up:
        subject, before = (
            message("You have an account already"),
            message(
                "There was a sign-up with this address, but you have an account with it. Sign in with its password, or"
                " choose a new one within {hours} h, which also confirms your address:",
                hours=hours,
            ),
        )
    return (
        subject,
        before,
        message(
            "A new password ends all sessions, and API keys that were created before this address was confirmed, with"
            " webhooks and linked sign-ins from then. If this was not you, you can ignore this mail: your password"
            " stays as it is."
        ),
    )


def _factor_texts(notice: Notice) -> tuple[Message, Message]:
    """Return the subject and the text of a notice about the second factor."""
    if notice is Notice.SECOND_FACTOR_ON:
        return (
            message("A second factor was set up"),
            message(
                "An authenticator app was set up as the second factor of your account. If this was not you, change your"
                " password now, and write to us at once."
            ),
        )
    if notice is Notice.SECOND_FACTOR_OFF:
        return (
            message("The second factor was removed"),
            message(
                "The second factor of your account was removed: its authenticator app and its recovery codes do not"
                " work any more. If this was not you, change your password now, and write to us at once."
            ),
        )
    return (
        message("A recovery code was used"),
        message(
            "A recovery code was used in place of the second factor of your account. If this was not you, change your"
            " password now, and write to us at once."
        ),
    )


def _access_texts(notice: Notice, url: str) -> tuple[Message, Message]:
    """Return the subject and the text of a notice about what opens the account. `url`: of the issuer."""
    if notice is Notice.IDENTITY_LINKED:
        return (
            message("A sign-in was added to your account"),
            message(
                "A sign-in at {issuer} was added to your account, and opens it from now on. If this was not you, sign"
                " in, remove it and change your password, or request a new one.",
                issuer=url,
            ),
        )
    if notice is Notice.IDENTITY_UNLINKED:
        return (
            message("A sign-in was removed from your account"),
            message(
                "A sign-in at {issuer} was removed from your account and does not open it any more. All other sessions"
                " have ended. If this was not you, request a new password at once.",
                issuer=url,
            ),
        )
    return (
        message("Your account is yours alone now"),
        message(
            "You opened a link that was mailed to this address, which proves for the first time that the account is"
            " yours. Someone else could have signed up with the address before. So all that opened the account"
            " until then was removed: its former password, linked sign-ins, API keys and webhooks. Pictures and"
            " credits stay. If any of these were yours, set them up again; you can request a new password where you"
            " sign in."
        ),
    )


def _sign_in_texts(*, completes_guest: bool) -> tuple[Message, Message, Message]:
    """Return the texts of a link that signs in, or that completes a guest by it."""
    minutes = int(LIFETIMES[MailPurpose.SIGN_IN].total_seconds() / 60)
    if completes_guest:
        return (
            message("Confirm your e-mail address and sign in"),
            message(
                "A guest wants to go on with an account that has this address. Open this link within {minutes}"
                " minutes to confirm it and sign in. It works once:",
                minutes=minutes,
            ),
            message(
                "If this was not you, you can ignore this mail: the guest does not get your address. Do not pass"
                " the link on: it signs in to the account."
            ),
        )
    return (
        message("Sign in"),
        message("Open this link within {minutes} minutes to sign in. It works once:", minutes=minutes),
        message("If this was not you, you can ignore this mail. Do not pass the link on: it signs in to your account."),
    )


def _notice_texts(notice: Notice, url: str) -> tuple[Message, Message]:
    """Return the subject and the text. `url`: of the endpoint or the issuer that a notice is about."""
    if notice in _FACTOR_NOTICES:
        return _factor_texts(notice)
    if notice is Notice.WEBHOOK_DISABLED:
        return (
            message("Your webhook was switched off"),
            message(
                "Events could not be delivered to {url}, and so this webhook endpoint was switched off. What happens"
                " meanwhile is not sent. Mend the endpoint, enable it again, and replay the deliveries that failed; if"
                " its secret was lost, rotate it first.",
                url=url,
            ),
        )
    if notice in _ACCESS_NOTICES:
        return _access_texts(notice, url)
    if notice is Notice.CHANGE_REQUESTED:
        return (
            message("A new e-mail address was requested"),
            message(
                "A new e-mail address was requested for your account. It takes effect when the link that was mailed to"
                " it is opened. If this was not you, sign in and change your password now, or request a new one:"
                " this cancels the change and ends all other sessions."
            ),
        )
    if notice is Notice.CHANGED:
        return (
            message("Your e-mail address was changed"),
            message(
                "The e-mail address of your account was changed, and all other sessions have ended. You can no longer"
                " sign in with this address. If this was not you, write to us at once."
            ),
        )
    return (
        message("There is an account with your e-mail address"),
        message(
            "Another account asked to use this e-mail address, but you have an account with it. Nothing was changed."
            " If this was you, sign in with this address, or delete this account first."
        ),
    )


class MailService:
    """Composes and sends mails; `app_url`: the base of their links. Without a mailer, mail is disabled."""

    def __init__(self, mailer: Mailer | None, translator: Translator, app_url: str) -> None:
        self._mailer = mailer
        self._translator = translator
        self._app_url = app_url
        self._slots = FairSlots(_MAX_CONNECTIONS, _MAX_PER_RECIPIENT)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def is_enabled(self) -> bool:
        """Whether mail is configured."""
        return self._mailer is not None

    def require(self) -> None:
        """Check that mail is configured. Raises UnavailableError."""
        if self._mailer is None:
            raise UnavailableError

    async def send(self, purpose: MailPurpose, to: str, token: str, locale: str, *, at_sign_up: bool = False) -> None:
        """Send a mail with the link for `token`; `at_sign_up`: a reset that a sign-up with the address caused, or a
        sign-in that completes a guest.

        Raises:
            UnavailableError: mail is not configured, or sending failed.
        """
        subject, before, after = (
            self._translator.translate(text, locale) for text in _texts(purpose, at_sign_up=at_sign_up)
        )
        link = f"{self._app_url}{_PATHS[purpose]}?{urlencode({'token': token})}"
        await self._send(purpose.value, Mail(to, subject, f"{before}\n\n{link}\n\n{after}\n"))

    async def notify(self, notice: Notice, to: str, locale: str, *, url: str = "") -> None:
        """Send a mail without a link. `url`: of the endpoint or the issuer that it is about. Raises as `send`."""
        subject, text = (self._translator.translate(text, locale) for text in _notice_texts(notice, url))
        await self._send(notice.value, Mail(to, subject, f"{text}\n"))

    async def send_results(
        self, to: str, locale: str, texts: tuple[Message, Message], page: str, pictures: Sequence[str], end: str
    ) -> None:
        """Send a mail about results. `pictures`: links to thumbnails; `end`: the link that ends such mails.

        Raises as `send`.
        """
        subject, text = (self._translator.translate(each, locale) for each in texts)
        shown = self._translator.translate(message("Previews, for a short while:"), locale)
        stop = self._translator.translate(message("You asked for these mails. To stop them, open:"), locale)
        previews = "".join(["\n", shown, *("\n" + picture for picture in pictures), "\n"]) if pictures else ""
        body = f"{text}\n\n{page}\n{previews}\n{stop}\n{end}\n"
        await self._send("RESULTS", Mail(to, subject, body, end))

    async def _send(self, purpose: str, mail: Mail) -> None:
        if self._mailer is None:
            raise UnavailableError
        try:
            async with self._slots.slot(mail.to.casefold()):
                await self._mailer.send(mail)
        except MailError as error:
            log.warning("mail.send_failed", purpose=purpose, error=str(error))
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
