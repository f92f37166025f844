"""Reconciliation: every hour one worker asks Polar for its orders, and settles what no webhook has told."""

import asyncio
from datetime import UTC, datetime, timedelta

import structlog
from tortoise.exceptions import IntegrityError

from models import ExternalEvent
from models.enum import EventOutcome
from services.integrations.payments import Payments, PaymentsError
from services.integrations.polar_event import Order, SenselessError, subscription_of
from services.payment import PaymentService
from services.referral import ReferralService
from services.subscription import SubscriptionService

log = structlog.get_logger(__name__)

SOURCE = "reconciliation"  # its runs are kept beside the events that they make up for
EVERY = timedelta(hours=1)

_OVERLAP = timedelta(days=3)  # orders are paid, refunded and told of some time after they were made
_FIRST = timedelta(days=30)  # how far back the first run looks
_KEPT = timedelta(days=30)  # how long runs are remembered
_LOOK = 60.0  # seconds between two looks at whether an hour has begun
_LONGEST_PROBLEM = 500  # characters


class Reconciliation:
    """Pulls orders. The hour's row is the lease: whoever writes it does the work, and nobody else."""

    def __init__(
        self,
        provider: Payments | None,
        payments: PaymentService,
        subscriptions: SubscriptionService,
        referrals: ReferralService,
    ) -> None:
        self._provider = provider
        self._payments = payments
        self._subscriptions = subscriptions
        self._referrals = referrals

    async def run(self) -> None:
        """Reconcile every hour until cancelled; for every worker."""
        while self._provider is not None:
            try:
                await self.reconcile_when_due(datetime.now(UTC))
            except Exception:
                log.warning("reconciliation.failed", exc_info=True)
            await asyncio.sleep(_LOOK)

    async def reconcile_when_due(self, now: datetime) -> int | None:
        """Do this hour's run, unless somebody has begun it: how many orders changed anything; None: not ours to do.

        A run that did not come to its end is made up for by the next one, which begins where the last good one began.

        Raises:
            PaymentsError: the provider does not answer.
        """
        if self._provider is None:
            return None
        hour = now.replace(minute=0, second=0, microsecond=0)
        since = await self._since(now)
        run = ExternalEvent(
            source=SOURCE, event_id=hour.isoformat(), type=SOURCE, data={"since": since.isoformat()}, attempts=1
        )
        if await ExternalEvent.exists(source=SOURCE, event_id=run.event_id):
            return None
        try:
            await run.save(force_create=True)
        except IntegrityError:  # another worker was faster
            return None
        try:
            seen, changed = await self._pull(self._provider, since)
            await self._referrals.settle_all()  # where a process died between an order and what it brings to others
        except PaymentsError as error:
            await ExternalEvent.filter(id=run.id).update(
                outcome=EventOutcome.FAILED, problem=repr(error)[:_LONGEST_PROBLEM], handled_at=datetime.now(UTC)
            )
            raise
        await ExternalEvent.filter(id=run.id).update(
            outcome=EventOutcome.HANDLED,
            data={"since": since.isoformat(), "until": now.isoformat(), "orders": seen, "changed": changed},
            handled_at=datetime.now(UTC),
        )
        await ExternalEvent.filter(source=SOURCE, received_at__lt=now - _KEPT).delete()
        log.info("reconciliation.done", since=since.isoformat(), orders=seen, changed=changed)
        return changed

    @staticmethod
    async def _since(now: datetime) -> datetime:
        last = await ExternalEvent.filter(source=SOURCE, outcome=EventOutcome.HANDLED).order_by("-received_at").first()
        return datetime.fromisoformat(last.data["until"]) - _OVERLAP if last else now - _FIRST

    async def _pull(self, provider: Payments, since: datetime) -> tuple[int, int]:
        seen = changed = 0
        async for data in provider.orders(since):
            seen += 1
            try:
                order = Order.of(data)
                if order.is_paid:
                    verdict = await self._payments.order_told(order, pays=True)
                    changed += verdict.account is not None
                if (subscription := subscription_of(order)) is not None:
                    await self._subscriptions.told(subscription)
            except SenselessError as error:
                log.error("reconciliation.senseless", order=str(data.get("id")), problem=str(error))
        return seen, changed
