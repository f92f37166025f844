"""Mails about results to users who are not connected: one for each batch, at most once, and not too many an hour."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from models import Generation, ResultNotice, User
from models.database.connection import rows, run_tx
from models.enum import GenerationStatus, MediaKind, NoticeState
from services.accounts.mail import MailService
from services.accounts.result_mail.unsubscription import Unsubscription
from services.core.error import NotFoundError, UnavailableError
from services.core.locale import DEFAULT
from services.core.message import Message, message
from services.events import account_change
from services.integrations.storage.protocol import PendingLink
from services.media.file import FileService

log = structlog.get_logger(__name__)

_HOUR = 3600.0  # seconds
_KEPT = 7 * 86_400.0  # seconds
_THUMBNAIL = 640  # pixels
_MAX_LINKS = 4  # thumbnails in one mail


@dataclass(frozen=True)
class _Results:
    """What one mail is about."""

    user: User
    generations: list[Generation]  # those that were completed or failed, oldest first


class ResultMails:
    """Sends the mails. A trigger writes the notice of a batch when its first generation has ended.

    `app_url`: of the app's pages. `per_hour`: mails of one account at most. `delay`: seconds after the last result,
    within which a page may come back.
    """

    def __init__(
        self,
        mail: MailService,
        files: FileService,
        unsubscription: Unsubscription,
        app_url: str,
        *,
        per_hour: int,
        delay: float,
    ) -> None:
        self._mail = mail
        self._files = files
        self._unsubscription = unsubscription
        self._app_url = app_url
        self._per_hour = per_hour
        self._delay = delay

    async def due(self, limit: int) -> Sequence[str]:
        """Return batches that have ended, of which nothing was decided yet."""
        found = await rows(
            "SELECT batch_id FROM result_notices WHERE state = 'WAITING' AND created_at < LATER($1) AND NOT EXISTS"
            " (SELECT 1 FROM generations WHERE batch_id = result_notices.batch_id"
            " AND (status IN ('PENDING', 'PROCESSING') OR completed_at >= LATER($1))) ORDER BY created_at LIMIT $2",
            -self._delay,
            limit,
        )
        return [row["batch_id"] for row in found]

    async def send(self, batch_id: str) -> bool:
        """Send the mail about a batch, unless its owner was connected since, or wants none. Returns True.

        It is recorded before it is sent: what a mail server does not accept in time is not sent again, because it may
        have been accepted.
        """
        notice = await ResultNotice.get_or_none(batch_id=batch_id)
        if notice is None:
            return True
        try:
            results = await run_tx(self._claim, notice.user_id, batch_id)
        except NotFoundError:  # the account was deleted
            await ResultNotice.filter(batch_id=batch_id).delete()
            return True
        if results is None:
            return True
        try:
            await self._send(results, batch_id)
        except UnavailableError:  # logged there
            return False
        log.info("result_mail.sent", user=results.user.id, batch=batch_id)
        return True

    @staticmethod
    async def skip(batch_id: str) -> None:
        """Send no mail about a batch that has ended: a program has received its results."""
        try:
            await ResultNotice.filter(batch_id=batch_id, state=NoticeState.WAITING).update(state=NoticeState.SKIPPED)
        except Exception as error:  # noqa: BLE001 - then a mail may be sent that was not needed
            log.warning("result_mail.not_skipped", batch=batch_id, error=error)

    async def _claim(self, user_id: str, batch_id: str) -> _Results | None:
        """Decide about a batch, once; return what to send, None: nothing."""
        await account_change.lock_account(user_id)
        waiting = ResultNotice.filter(batch_id=batch_id, state=NoticeState.WAITING)
        results = await self._results(user_id, batch_id)
        state = NoticeState.SKIPPED if results is None else NoticeState.SENT
        return results if await waiting.update(state=state) else None

    async def _results(self, user_id: str, batch_id: str) -> _Results | None:
        user = await User.get(id=user_id)
        if not (self._mail.is_enabled and user.notify_by_mail and user.email_verified and user.may_sign_in):
            return None
        ended = (GenerationStatus.COMPLETED, GenerationStatus.FAILED)
        found = Generation.present().filter(user_id=user_id, batch_id=batch_id, status__in=ended)
        generations = await found.select_related("result").order_by("id")
        if not generations:
            return None
        seen = await rows(
            "SELECT 1 AS found FROM account_presence WHERE user_id = $1 AND seen_at >="
            " (SELECT MAX(completed_at) FROM generations WHERE batch_id = $2)",
            user_id,
            batch_id,
        )
        sent = await rows(
            "SELECT COUNT(*) AS number FROM result_notices"
            " WHERE user_id = $1 AND state = 'SENT' AND created_at > LATER($2)",
            user_id,
            -_HOUR,
        )
        if seen or int(sent[0]["number"]) >= self._per_hour:
            return None
        return _Results(user, generations)

    async def _send(self, results: _Results, batch_id: str) -> None:
        user, generations = results.user, results.generations
        path = f"/batches/{batch_id}" if len(generations) > 1 else f"/pictures/{generations[0].id}"
        links = []
        files = [row.result for row in generations if row.result is not None]
        for file in files[:_MAX_LINKS]:
            link = self._files.thumbnail_link(file, _THUMBNAIL)
            try:
                links.append((await link.link() if isinstance(link, PendingLink) else link).url)
            except Exception as error:  # noqa: BLE001 - the storage is away: the mail is worth sending without
                log.warning("result_mail.no_preview", file=file.id, error=error)
        subject, text = _texts(generations)
        end = self._unsubscription.link(user.id)
        await self._mail.send_results(
            user.mailbox,
            user.locale or DEFAULT,
            (subject, text),
            f"{self._app_url}{path}",
            links,
            end,
        )

    @staticmethod
    async def forget() -> None:
        """Delete notices that were decided upon long ago."""
        await rows(
            "DELETE FROM result_notices WHERE state <> 'WAITING' AND created_at < LATER($1) RETURNING batch_id", -_KEPT
        )


def _texts(generations: Sequence[Generation]) -> tuple[Message, Message]:
    """Return the subject and the first sentence."""
    made = sum(row.status is GenerationStatus.COMPLETED for row in generations)
    total, is_video = len(generations), generations[0].media is MediaKind.VIDEO
    if made == 0:
        return (
            message("Your order could not be made"),
            message("What you ordered could not be made. Credits that were returned are in your balance again."),
        )
    if made < total:
        return (
            message("{made} of {total} results are ready", made=made, total=total),
            message("Some of what you ordered is ready; the rest could not be made."),
        )
    if total > 1:
        return message("Your {total} results are ready", total=total), message("All that you ordered is ready.")
    if is_video:
        return message("Your video is ready"), message("The video that you ordered is ready.")
    return message("Your picture is ready"), message("The picture that you ordered is ready.")
