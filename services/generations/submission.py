"""Sales: an order becomes rows and the lines that pay for them in one transaction, once for each idempotency key."""

from collections.abc import Awaitable, Callable
from functools import partial

from models import Generation, User, ids
from models.database.connection import run_tx
from models.enum import PaidBy
from services.billing import ledger
from services.billing.funding import Funding, FundingService
from services.core import idempotency
from services.core.crashpoint import crashpoint
from services.core.idempotency import IdempotencyTicket, KeyLocks
from services.events.account_change import AccountChange, ChangeKind
from services.events.publisher import EventPublisher
from services.generations.specification import GenerationSpec
from services.integrations.messaging.wake_up import WakeUps
from services.operations.maintenance import MaintenanceService


class SubmissionService:
    """Sells orders, and tells workers and subscribers."""

    def __init__(
        self, payers: FundingService, wake_ups: WakeUps, events: EventPublisher, maintenance: MaintenanceService
    ) -> None:
        self._payers = payers
        self._wake_ups = wake_ups
        self._events = events
        self._maintenance = maintenance
        self._locks = KeyLocks()

    async def once(
        self, user_id: str, ticket: IdempotencyTicket, sell: Callable[[], Awaitable[list[Generation]]]
    ) -> list[Generation]:
        """What the ticket's first use sold, without what was deleted since; for a new one, what `sell` sells now.

        Twins that meet in this process go one after another: an order counts once towards the limit of rate. Between
        processes the slower one of twins is counted, too; which of them sells, the database alone decides.

        Raises:
            InvalidInputError, ConflictError: the key is no key, or came with another input before.
            Refusal: whatever `sell` refuses.
        """
        async with self._locks.of(user_id, ticket):
            return await idempotency.run_once(user_id, ticket, partial(self._batch, user_id), sell)

    async def check(self, user: User, order: GenerationSpec) -> Funding:
        """Refuse early what the sale's transaction would refuse; else, who is going to pay.

        Raises:
            InsufficientCreditsError, MembershipRequiredError, QuotaExceededError, InvalidInputError: nobody pays.
            UnavailableError: no new pictures are made right now.
        """
        self._maintenance.check_submission_allowed()
        payment = await self._payers.find(user, order.bill)
        payment.check()
        return payment

    async def sell(
        self,
        user_id: str,
        order: GenerationSpec,
        payment: Funding,
        ticket: IdempotencyTicket,
        hold: Callable[[], Awaitable[None]],
    ) -> list[Generation]:
        """Let somebody pay and write the rows in one transaction, then ring for workers.

        `payment`: as `check` found it. Credits then do pay; whether a pass or a plan still does is seen when the
        account's row is taken, and if it does not, credits do where they are sold.
        `hold` makes sure of what the rows refer to, inside the transaction and with the account's row taken; where it
        refuses, nothing is sold.

        Raises:
            InsufficientCreditsError, MembershipRequiredError, QuotaExceededError, InvalidInputError: nothing is spent.
            UsedKeyError: a twin was faster; see `once`.
        """
        batch_id = ids.new_id(ids.BATCH)
        account = await run_tx(self._write, user_id, batch_id, order, payment, ticket, hold)
        sold = await self._batch(user_id, batch_id)
        crashpoint("generation.committed")
        await self._events.account_changed(account)
        await self._wake_ups.publish(*[generation.id for generation in sold])
        crashpoint("generation.wake_up_published")
        return sold

    async def _write(
        self,
        user_id: str,
        batch_id: str,
        order: GenerationSpec,
        payment: Funding,
        ticket: IdempotencyTicket,
        hold: Callable[[], Awaitable[None]],
    ) -> AccountChange:
        account = None
        if payment.paid_by is not PaidBy.CREDITS:
            account, payment = await self._payers.reserve(user_id, order.bill)
        made = [order.row(user_id, batch_id, payment) for _ in range(order.count)]
        lines = [line for row in made for line in ledger.deduction(row.id, row.cost)]
        if lines or account is None:
            account = await ledger.post(user_id, lines, version_bumped=account is not None)
        await idempotency.store_result(user_id, ticket, batch_id)
        await hold()
        await Generation.bulk_create(made)
        crashpoint("generation.before_commit")
        return account.with_generations(ChangeKind.CREATED, [row.id for row in made])

    @staticmethod
    async def _batch(user_id: str, batch_id: str) -> list[Generation]:
        return await Generation.present().filter(user_id=user_id, batch_id=batch_id).order_by("id")
