"""Reconciliation: every hour one worker asks Polar for orders and refunds, and settles what no webhook has told."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import structlog

from models.database.connection import is_outage
from services.billing.referral import ReferralService
from services.integrations.payments.polar.payload import InvalidPayloadError, Order, Refund, subscription_of
from services.integrations.payments.protocol import PaymentProvider
from services.operations import hourly_job
from services.payments.payment import PaymentService
from services.payments.subscription import SubscriptionService
from services.payments.subscription_cancellation import SubscriptionCancellation

log = structlog.get_logger(__name__)

JOB = "reconciliation"

_OVERLAP = timedelta(days=3)  # orders are paid and told of some time after they were made
_FIRST = timedelta(days=30)  # how far back the first run looks
_REFUNDS = timedelta(days=30)  # how far back every run looks for refunds: a bank takes its time


class Reconciliation:
    """Pulls orders. The hour's row is the lease: whoever writes it does the work, and nobody else."""

    def __init__(
        self,
        provider: PaymentProvider | None,
        payments: PaymentService,
        subscriptions: SubscriptionService,
        ends: SubscriptionCancellation,
        referrals: ReferralService,
    ) -> None:
        self._provider = provider
        self._payments = payments
        self._subscriptions = subscriptions
        self._ends = ends
        self._referrals = referrals

    async def run(self) -> None:
        """Reconcile every hour until cancelled; for every worker."""
        if self._provider is not None:
            await hourly_job.run_every_hour(JOB, self.reconcile_when_due)

    async def reconcile_when_due(self, now: datetime) -> int | None:
        """Do this hour's run, unless somebody has begun it: how many orders and refunds changed anything; None: not
        ours to do.

        A run that did not come to its end is made up for by the next one, which begins where the last good one began.
        One order or refund that cannot be read or settled is logged, and stops no other.

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
            await self._ends.cancel_all()
            await self._referrals.settle_all()  # where a process died between an order and what it brings to others
            seen, changed = await self._pull(self._provider, since, now - _REFUNDS)
        except Exception as error:
            await hourly_job.fail(run, error)
            raise
        await hourly_job.complete(
            run, {"since": since.isoformat(), "until": now.isoformat(), "seen": seen, "changed": changed}
        )
        log.info("reconciliation.done", since=since.isoformat(), seen=seen, changed=changed)
        return changed

    @staticmethod
    async def _since(now: datetime) -> datetime:
        last = await hourly_job.last_completed(JOB)
        return datetime.fromisoformat(last.result["until"]) - _OVERLAP if last and last.result else now - _FIRST

    async def _pull(self, provider: PaymentProvider, since: datetime, refunded_since: datetime) -> tuple[int, int]:
        """How many orders and refunds there were, and how many of them changed anything."""
        seen = changed = 0
        for told, settle in (
            (provider.orders(since), self._order),
            (provider.refunds(refunded_since), self._refund),
        ):
            async for data in told:
                seen += 1
                changed += await _settle_one(settle, data)
        return seen, changed

    async def _order(self, data: dict[str, Any]) -> bool:
        order, verdict = Order.of(data), None
        if order.is_paid:
            verdict = await self._payments.record_order(order, pays=True)
        if (subscription := subscription_of(order)) is not None:
            await self._subscriptions.record(subscription)
        return verdict is not None and verdict.account is not None

    async def _refund(self, data: dict[str, Any]) -> bool:
        refund = Refund.of(data)
        return refund.has_succeeded and (await self._payments.record_refund(refund)).account is not None


async def _settle_one(settle: Callable[[dict[str, Any]], Awaitable[bool]], data: dict[str, Any]) -> bool:
    """Settle one of many: what is wrong with it is logged, and stops no other."""
    try:
        return await settle(data)
    except InvalidPayloadError as error:
        log.error("reconciliation.senseless", told=str(data.get("id")), problem=str(error))
    except Exception as error:
        if is_outage(error):
            raise
        log.exception("reconciliation.unsettled", told=str(data.get("id")))
    return False
