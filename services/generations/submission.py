"""Submission: a request's rows and the ledger lines that pay for them, in one transaction, once per idempotency key."""

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
from services.media.quota import UNLIMITED, StorageQuota
from services.operations.maintenance import MaintenanceService


class SubmissionService:
    """Submits generations, and notifies workers and subscribers."""

    def __init__(
        self,
        funding: FundingService,
        wake_ups: WakeUps,
        events: EventPublisher,
        maintenance: MaintenanceService,
        quota: StorageQuota = UNLIMITED,
    ) -> None:
        self._funding = funding
        self._wake_ups = wake_ups
        self._events = events
        self._maintenance = maintenance
        self._quota = quota
        self._locks = KeyLocks()

    async def run_once(
        self, user_id: str, ticket: IdempotencyTicket, submit: Callable[[], Awaitable[list[Generation]]]
    ) -> list[Generation]:
        """Return what the ticket's first use submitted, without what was deleted since; if it is new, call `submit`.

        Concurrent duplicates in this process run one after another, so a request counts once towards the rate limit.
        Between processes the slower duplicate is counted, too; the database decides which of them submits.

        Raises:
            InvalidInputError, ConflictError: the key is invalid, or was used with another input.
            Refusal: as raised by `submit`.
        """
        async with self._locks.of(user_id, ticket):
            return await idempotency.run_once(user_id, ticket, partial(self._batch, user_id), submit)

    async def check(self, user: User, spec: GenerationSpec) -> Funding:
        """Refuse early what the transaction would refuse, and return the funding source.

        Raises:
            InsufficientCreditsError, MembershipRequiredError, QuotaExceededError, InvalidInputError: no source can pay.
            StorageFullError: the account keeps as much as it may.
            UnavailableError: new generations are paused.
        """
        self._maintenance.check_submission_allowed()
        funding = await self._funding.find(user, spec.charge)
        funding.check()
        await self._quota.check_order(user.id, spec.count)
        return funding

    async def submit(
        self,
        user_id: str,
        spec: GenerationSpec,
        funding: Funding,
        ticket: IdempotencyTicket,
        lock_references: Callable[[], Awaitable[None]],
    ) -> list[Generation]:
        """Charge the account and write the rows in one transaction, then wake workers.

        `funding`: as `check` returned it. Credits are charged as found; a pass or a plan is checked again once the
        account's row is locked, and if it can no longer pay, credits do in products that sell them.
        `lock_references` checks what the rows refer to, in the transaction and with the account's row locked; if it
        raises, nothing is submitted.

        Raises:
            InsufficientCreditsError, MembershipRequiredError, QuotaExceededError, InvalidInputError,
            StorageFullError: no charge.
            UsedKeyError: a concurrent duplicate stored the key first; see `run_once`.
        """
        batch_id = ids.new_id(ids.BATCH)
        account = await run_tx(self._write, user_id, batch_id, spec, funding, ticket, lock_references)
        submitted = await self._batch(user_id, batch_id)
        crashpoint("generation.committed")
        await self._events.account_changed(account)
        await self._wake_ups.publish(*[generation.id for generation in submitted])
        crashpoint("generation.wake_up_published")
        return submitted

    async def _write(
        self,
        user_id: str,
        batch_id: str,
        spec: GenerationSpec,
        funding: Funding,
        ticket: IdempotencyTicket,
        lock_references: Callable[[], Awaitable[None]],
    ) -> AccountChange:
        account = None
        if funding.paid_by is not PaidBy.CREDITS:
            account, funding = await self._funding.reserve(user_id, spec.charge)
        submitted = [spec.new_row(user_id, batch_id, funding) for _ in range(spec.count)]
        lines = [line for row in submitted for line in ledger.deduction(row.id, row.cost)]
        if lines or account is None:
            account = await ledger.post(user_id, lines, version_bumped=account is not None)
        await self._quota.check_generations(user_id, spec.count)  # again, with the account's row locked
        await idempotency.store_result(user_id, ticket, batch_id)
        await lock_references()
        await Generation.bulk_create(submitted)
        crashpoint("generation.before_commit")
        return account.with_generations(ChangeKind.CREATED, [row.id for row in submitted])

    @staticmethod
    async def _batch(user_id: str, batch_id: str) -> list[Generation]:
        return await Generation.present().filter(user_id=user_id, batch_id=batch_id).order_by("id")
