"""Sends deliveries: a loop of every worker process that claims what is due, endpoint by endpoint."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

import structlog

from models.enum import AttemptFailure, DisabledReason
from services.core.lease import LeaseLostError
from services.integrations.webhooks.outcome import SendError
from services.integrations.webhooks.signature import signed_headers
from services.webhooks import delivery, outbox
from services.webhooks.delivery import Attempt, Claim
from services.webhooks.secret import EndpointSecrets, SecretLostError
from telemetry import metric

if TYPE_CHECKING:  # it imports an HTTP client, which a server without endpoints does not need
    from services.integrations.webhooks.sender import WebhookSender

log = structlog.get_logger(__name__)

_SLOTS = 32  # requests of one process at once
_FAILING_SLOTS = 16  # of these, for endpoints whose last attempt failed: they are often slow
_OWN_SLOTS = 16  # the same for the deployment's endpoints: a slow one leaves the others to those of accounts
_AT_ONCE = 4  # requests to one endpoint at once, of all processes
_OWN_AT_ONCE = 16  # the same for one of the deployment, which is sent the events of all accounts
_FAILING_AT_ONCE = 1  # the same for one whose last attempt failed
_ENDPOINTS = 200  # that one pass looks at
_GRACE = 4.0  # seconds that requests get to finish when the process stops
_GONE = 410


@dataclass(frozen=True)
class _Recipient:
    """An endpoint that is sent to. `is_own`: it is the deployment's; `is_failing`: its last attempt failed."""

    id: str
    is_own: bool
    is_failing: bool


def _recipient(id: str, user_id: str | None, failing_since: object) -> _Recipient:
    return _Recipient(id, user_id is None, failing_since is not None)


class WebhookWorker:
    """Dispatches events and sends deliveries. Whatever this process loses, the next claim sends again.

    `own_urls`: the deployment's endpoints that this process sends to. `poll`: seconds between two looks at the tables.
    `first_pause`: seconds after the first failed attempt. `give_up_seconds`: for how long a delivery is attempted, and
    an endpoint may fail until it is disabled.
    """

    def __init__(
        self,
        open_sender: "Callable[[], WebhookSender]",
        secrets: EndpointSecrets,
        *,
        own_urls: Sequence[str],
        poll: float,
        first_pause: float,
        give_up_seconds: float,
    ) -> None:
        self._open_sender = open_sender
        self._secrets = secrets
        self._own_urls = own_urls
        self._poll = poll
        self._first_pause = first_pause
        self._give_up_seconds = give_up_seconds
        self._sending: dict[asyncio.Task[None], _Recipient] = {}

    @cached_property
    def _sender(self) -> "WebhookSender":
        return self._open_sender()

    async def run(self) -> None:
        """Work until canceled; then let requests finish within a grace period."""
        try:
            while True:
                try:
                    is_busy = await self.work()
                except Exception:
                    log.warning("webhooks.pass_failed", exc_info=True)  # the next pass tries again
                    is_busy = False
                if is_busy or not self._sending:
                    await asyncio.sleep(0 if is_busy else self._poll)
                else:
                    tasks = set(self._sending)
                    await asyncio.wait(tasks, timeout=self._poll, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._finish()

    async def work(self) -> bool:
        """Dispatch a batch of events and start what is due; return whether there may be more to do at once."""
        has_events, has_due = await delivery.work_to_do()
        dispatched = await outbox.dispatch(self._give_up_seconds) if has_events else 0
        is_free = len(self._sending) < _SLOTS
        started = await self._start_due() if is_free and (has_due or dispatched) else 0
        return dispatched > 0 or started > 0

    async def drain(self) -> None:
        """Do what is due now, and wait until it is done."""
        while await self.work() or self._sending:
            if self._sending:
                await asyncio.wait(set(self._sending))

    async def _start_due(self) -> int:
        started = 0
        for row in await delivery.due_endpoints(_ENDPOINTS, self._own_urls):
            free, at_once = self._room(_recipient(row["id"], row["user_id"], row["failing_since"]))
            if free <= 0:
                continue
            claims = await delivery.claim(row["id"], free, at_once)
            for claim in claims:
                task = asyncio.create_task(self._send(claim), name="webhook")
                endpoint = claim.endpoint
                self._sending[task] = _recipient(endpoint.id, endpoint.user_id, endpoint.failing_since)
                task.add_done_callback(self._done)
            started += len(claims)
        return started

    def _room(self, to: _Recipient) -> tuple[int, int]:
        """Return how many deliveries to an endpoint may be started here, and how many may run in all processes."""
        at_once = _FAILING_AT_ONCE if to.is_failing else _OWN_AT_ONCE if to.is_own else _AT_ONCE
        sending = list(self._sending.values())
        free = min(_SLOTS - len(sending), at_once - sum(each.id == to.id for each in sending))
        if to.is_own:
            free = min(free, _OWN_SLOTS - sum(each.is_own for each in sending))
        if to.is_failing:
            free = min(free, _FAILING_SLOTS - sum(each.is_failing for each in sending))
        return free, at_once

    def _done(self, task: asyncio.Task[None]) -> None:
        self._sending.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("webhooks.attempt_lost", error=error)  # the lease expires, and it is sent again

    async def _finish(self) -> None:
        if self._sending:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait(set(self._sending), timeout=_GRACE)
        for task in list(self._sending):
            task.cancel()

    async def _send(self, claim: Claim) -> None:
        """Make one attempt and record it."""
        endpoint, row = claim.endpoint, claim.delivery
        is_own = endpoint.user_id is None
        reason: DisabledReason | None
        try:
            secrets = self._secrets.of(endpoint)
        except SecretLostError:
            log.warning("webhooks.secret_lost", endpoint=endpoint.id)
            attempt, pause, reason = Attempt(datetime.now(UTC).isoformat(), 0), 0.0, DisabledReason.SECRET
        else:
            attempt, retry_after = await self._attempt(claim, secrets)
            pause = delivery.pause_after(row.attempts, self._first_pause, retry_after)
            reason = DisabledReason.GONE if attempt.status == _GONE else None
        is_delivered = reason is None and attempt.failure is None
        metric.webhook_attempts.labels(
            "deployment" if is_own else "account", "delivered" if is_delivered else "failed"
        ).inc()
        with contextlib.suppress(LeaseLostError):  # disabled, deleted, or sent again by another process
            if is_delivered:
                await delivery.record_delivered(claim, attempt)
                return
            disabled = await delivery.record_failed(
                claim, attempt, pause, give_up_seconds=self._give_up_seconds, reason=reason
            )
            log.info(
                "webhooks.attempt_failed",
                endpoint=endpoint.id,
                delivery=row.id,
                attempt=row.attempts,
                status=attempt.status,
                failure=attempt.failure,
                disabled=disabled,
            )

    async def _attempt(self, claim: Claim, secrets: tuple[str, ...]) -> tuple[Attempt, float | None]:
        """Send the request, and return what came of it, and the pause in seconds that the endpoint asks for."""
        at, started = datetime.now(UTC), time.monotonic()
        row, endpoint = claim.delivery, claim.endpoint
        headers = signed_headers(secrets, row.message_id, at, row.body)
        status, failure, excerpt, retry_after = None, None, "", None
        try:
            response = await self._sender.send(
                endpoint.url, headers, row.body.encode(), is_own=endpoint.user_id is None
            )
        except SendError as error:
            failure = error.failure
        else:
            status, excerpt, retry_after = response.status, response.excerpt, response.retry_after
            failure = None if 200 <= status < 300 else AttemptFailure.STATUS
        milliseconds = round((time.monotonic() - started) * 1000)
        return Attempt(at.isoformat(), milliseconds, status, failure, excerpt), retry_after
