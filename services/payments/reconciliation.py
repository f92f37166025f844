"""Reconciliation: once an hour a worker lists Polar's orders and refunds, and settles what no webhook reported."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import structlog

from models.database.connection import is_outage
from models.enum import EventOutcome
from services.billing.referral import ReferralService
from services.integrations.payments.polar.payload import InvalidPayloadError, Order, Refund, subscription_of
from services.integrations.payments.protocol import PaymentProvider
from services.operations import hourly_job
from services.payments.payment import PaymentService
from services.payments.subscription import SubscriptionService
from services.payments.subscription_cancellation import SubscriptionCancellation
from services.payments.webhook import WebhookService

log = structlog.get_logger(__name__)

JOB = "reconciliation"

_OVERLAP = timedelta(days=3)  # orders may be paid, and reported, some time after they were created
_FIRST_WINDOW = timedelta(days=30)  # how far back the first run lists orders
_REFUND_WINDOW = timedelta(days=30)  # how far back every run lists refunds, which banks may report late


class Reconciliation:
    """Pulls orders and refunds. The hour's row is the claim: the worker that inserts it does the run."""

    def __init__(
        self,
        provider: PaymentProvider | None,
        payments: PaymentService,
        subscriptions: SubscriptionService,
        cancellation: SubscriptionCancellation,
        webhooks: WebhookService,
        referrals: ReferralService,
    ) -> None:
        self._provider = provider
        self._payments = payments
        self._subscriptions = subscriptions
        self._cancellation = cancellation
        self._webhooks = webhooks
        self._referrals = referrals

    async def run(self) -> None:
        """Reconcile every hour until canceled. Every worker runs this."""
        if self._provider is not None:
            await hourly_job.run_every_hour(JOB, self.reconcile_when_due, at_once=True)

    async def reconcile_when_due(self, now: datetime) -> int | None:
        """Do this hour's run, and return how many orders and refunds changed anything; None if it is claimed already.

        The next run makes up for one that failed: it begins where the last completed one began.
        An order or refund that cannot be read or settled is logged, and does not stop the others.

        Raises:
            PaymentProviderError: the provider does not answer.
        """
        if self._provider is None:
            return None
        since = await self._since(now)
        run = await hourly_job.claim(JOB, now)
        if run is None:
            return None
        try:
            await self._cancellation.cancel_all()
            await self._referrals.settle_all()  # if a process died between an order and its referral bonus
            seen, changed = await self._pull(self._provider, since, now - _REFUND_WINDOW)
        except Exception as error:
            await hourly_job.fail(run, error)
            raise
        await hourly_job.complete(
            run, {"since": since.isoformat(), "until": now.isoformat(), "seen": seen, "changed": changed}
        )
        log.info("reconciliation.completed", since=since.isoformat(), seen=seen, changed=changed)
        return changed

    @staticmethod
    async def _since(now: datetime) -> datetime:
        last = await hourly_job.last_completed(JOB)
        return datetime.fromisoformat(last.result["until"]) - _OVERLAP if last and last.result else now - _FIRST_WINDOW

    async def _pull(self, provider: PaymentProvider, since: datetime, refunded_since: datetime) -> tuple[int, int]:
        """Return how many orders and refunds were listed, and how many of them changed anything."""
        seen = changed = 0
        for payloads, settle in (
            (provider.orders(since), self._settle_order),
            (provider.refunds(refunded_since), self._settle_refund),
        ):
            async for data in payloads:
                seen += 1
                changed += await _settle_one(settle, data)
        return seen, changed

    async def _settle_order(self, data: dict[str, Any]) -> bool:
        order, settlement = Order.of(data), None
        if order.is_paid:
            settlement = await self._payments.record_order(order, pays=True)
            if settlement.outcome is EventOutcome.PARKED:
                await self._webhooks.store_for_review(order, settlement.problem)
        is_dismissed = settlement is not None and settlement.outcome is EventOutcome.IGNORED
        if not is_dismissed and (subscription := subscription_of(order)) is not None:
            await self._subscriptions.record(subscription)
        return settlement is not None and settlement.account is not None

    async def _settle_refund(self, data: dict[str, Any]) -> bool:
        refund = Refund.of(data)
        return refund.has_succeeded and (await self._payments.record_refund(refund)).account is not None


async def _settle_one(settle: Callable[[dict[str, Any]], Awaitable[bool]], data: dict[str, Any]) -> bool:
    """Settle one payload, and return whether anything changed. Errors are logged, but for an outage of the database."""
    try:
        return await settle(data)
    except InvalidPayloadError as error:
        log.error("reconciliation.invalid_payload", id=str(data.get("id")), problem=str(error))
    except Exception as error:
        if is_outage(error):
            raise
        log.exception("reconciliation.settle_failed", id=str(data.get("id")))
    return False
