"""Submission: a request's rows and the ledger lines that pay for them, in one transaction, once per idempotency key."""

import functools
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from tortoise.exceptions import IntegrityError

from models import Generation, Style, User, ids
from models.database.connection import dialect, rows, run_tx
from models.database.model_row import column_names, column_values, typed_places
from models.enum import PaidBy
from services.billing import key_budget, ledger
from services.billing.funding import Funding, FundingService
from services.core import idempotency
from services.core.crashpoint import crashpoint, in_flight
from services.core.idempotency import IdempotencyTicket, KeyLocks
from services.events.account_change import AccountChange, ChangeKind
from services.events.publisher import EventPublisher
from services.generations.quote import Terms
from services.generations.specification import GenerationSpec
from services.integrations.messaging.wake_up import WakeUps
from services.media.quota import UNLIMITED, StorageQuota
from services.operations.maintenance import MaintenanceService


class DeletedStyleError(Exception):
    """The style was deleted after the request was checked."""


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
        self.quota = quota
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
        await self.quota.check_order(user.id, spec.count)
        return funding

    async def check_terms(self, user: User, spec: GenerationSpec, terms: Terms) -> Funding:
        """Check as `check`, by what was read together with the style.

        Raises:
            InsufficientCreditsError, MembershipRequiredError, QuotaExceededError, InvalidInputError, StorageFullError,
            UnavailableError: as `check`.
        """
        self._maintenance.check_submission_allowed()
        funding = await self._funding.choose(user, spec.charge, terms.active_pass)
        funding.check()
        self.quota.check_usage(terms.usage, spec.count)
        return funding

    async def submit(
        self,
        user_id: str,
        spec: GenerationSpec,
        funding: Funding,
        ticket: IdempotencyTicket,
        lock_references: Callable[[], Awaitable[None]] | None,
    ) -> list[Generation]:
        """Charge the account and write the rows in one transaction, then wake workers.

        `funding`: as `check` returned it. Credits are charged as found; a pass or a plan is checked again once the
        account's row is locked, and if it can no longer pay, credits do in products that sell them.
        `lock_references` checks what the rows refer to, in the transaction and with the account's row locked; if it
        raises, nothing is submitted. None: they refer to no file and no other generation.

        Raises:
            InsufficientCreditsError, MembershipRequiredError, QuotaExceededError, InvalidInputError,
            StorageFullError: no charge.
            UsedKeyError: a concurrent duplicate stored the key first; see `run_once`.
            DeletedStyleError: no charge.
        """
        try:
            return await self._submit(user_id, spec, funding, ticket, lock_references)
        except IntegrityError:
            if spec.style is not None and not await Style.exists(id=spec.style.id):
                raise DeletedStyleError from None
            raise

    async def _submit(
        self,
        user_id: str,
        spec: GenerationSpec,
        funding: Funding,
        ticket: IdempotencyTicket,
        lock_references: Callable[[], Awaitable[None]] | None,
    ) -> list[Generation]:
        batch_id = ids.new_id(ids.BATCH)
        accepted = None
        is_plain = (
            lock_references is None and funding.paid_by is PaidBy.CREDITS and funding.each and not funding.uses_grants
        )
        is_capped = funding.key is not None and funding.key.monthly_credits is not None
        if is_plain and not is_capped and not funding.uses_grants and dialect() == "postgres":
            new_rows = [spec.new_row(user_id, batch_id, funding) for _ in range(spec.count)]
            accepted = await accept(user_id, new_rows, ticket, self.quota.max_generations, funding.key_id)
        if accepted is not None:
            account, submitted = accepted, [_with_relations(row, spec) for row in new_rows]
        else:  # what the statement does not do; and this says why a request is refused
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
        lock_references: Callable[[], Awaitable[None]] | None,
    ) -> AccountChange:
        account = None
        if funding.paid_by is not PaidBy.CREDITS:
            account, funding = await self._funding.reserve(user_id, spec.charge, funding.key)
        submitted = [spec.new_row(user_id, batch_id, funding) for _ in range(spec.count)]
        lines = [line for row in submitted for line in ledger.deduction(row.id, row.cost, funding.key_id)]
        if lines or account is None:
            account = await ledger.post(user_id, lines, version_bumped=account is not None)
            await key_budget.check(funding.key if lines else None, 0)
        await self.quota.check_generations(user_id, spec.count)  # again, with the account's row locked
        await idempotency.store_result(user_id, ticket, batch_id)
        if lock_references is not None:
            await lock_references()
        await Generation.bulk_create(submitted)
        crashpoint("generation.before_commit")
        return account.with_generations(ChangeKind.CREATED, [row.id for row in submitted])

    @staticmethod
    async def _batch(user_id: str, batch_id: str) -> list[Generation]:
        return await Generation.present().filter(user_id=user_id, batch_id=batch_id).order_by("id")


def _with_relations(row: Generation, spec: GenerationSpec) -> Generation:
    row.style, row.original, row.result = spec.style, None, None
    return row


# $1: account, $2: credits for each generation, $3: their number, $4: how many the account may keep (0: any number), $5:
# the time, $6: the API key that requests them. The columns of the idempotency key, if there is one, and of each
# generation follow.
#
# The account's row is written first, if it can pay; everything else follows from that. Generations kept were counted in
# the version `seen`: if another transaction changed the account meanwhile, nothing is accepted.
# Where credits of the account expire, the transaction of several statements decides which of them pay.
_ACCEPT = """
WITH seen AS MATERIALIZED (
    SELECT version AS counted, CASE WHEN $4 = 0 THEN 0 ELSE
        (SELECT COUNT(*) FROM generations WHERE user_id = $1 AND deleted_at IS NULL) END AS kept
    FROM users WHERE id = $1),
charged AS (
    UPDATE users SET credits = credits - $2::bigint * $3, overdraft_allowed = FALSE,
        ledger_sequence = ledger_sequence + $3, version = version + 1, updated_at = NOW()
    FROM seen WHERE id = $1 AND credits >= $2::bigint * $3 AND deleted_at IS NULL AND NOT has_grants
        AND ($4 = 0 OR kept + $3 <= $4 AND version = counted)
    RETURNING id AS account_id, credits, version, ledger_sequence),
{key}
made AS (INSERT INTO generations {generations})
INSERT INTO credit_transactions (id, user_id, sequence, type, status, amount, balance, account_version, reference,
    generation_id, created_at, api_key_id)
SELECT line.id, account_id, ledger_sequence - $3 + number, 'DEDUCTION', 'COMPLETED', -$2::bigint,
    credits + $2::bigint * ($3 - number), version, 'deduct:' || line.generation_id, line.generation_id, $5::timestamptz,
    $6::varchar
FROM charged, (VALUES {lines}) AS line (number, id, generation_id)
RETURNING sequence, balance, account_version"""

_KEY = (
    "stored AS (INSERT INTO idempotency_keys (user_id, operation, key, input_hash, result_id, batch_id, created_at)"
    " SELECT account_id, $7, $8, $9, $10, $10, $5::timestamptz FROM charged),"
)


async def accept(
    user_id: str,
    submitted: Sequence[Generation],
    ticket: IdempotencyTicket,
    max_kept: int,
    api_key_id: str | None = None,
) -> AccountChange | None:
    """Charge the account, and write the key and the rows, in one statement of PostgreSQL; None if nothing was accepted.

    `submitted`: new rows of one batch, with the same cost. `max_kept`: as in `StorageQuota.max_generations`.
    `api_key_id`: the key that requests them, which has no monthly cap.

    Raises:
        IntegrityError: the key is stored already, or a style was deleted.
    """
    now = datetime.now(UTC)
    deductions = [line for row in submitted for line in ledger.deduction(row.id, row.cost, api_key_id)]
    lines = [ledger.new_row(user_id, line, now) for line in deductions]
    values: list[Any] = [user_id, submitted[0].cost, len(submitted), max_kept, now, api_key_id]
    if ticket.key is not None:
        values += [ticket.operation, ticket.key, ticket.fingerprint, submitted[0].batch_id]
    for row, line in zip(submitted, lines, strict=True):
        values += [line.id, row.id, *column_values(row)]
    statement = _accept_statement(len(submitted), keyed=ticket.key is not None)
    found = await in_flight("generation.before_commit", rows(statement, *values))
    if not found:
        return None
    written = sorted(found, key=lambda each: int(each["sequence"]))
    for line, each in zip(lines, written, strict=True):
        line.sequence, line.balance = int(each["sequence"]), int(each["balance"])
        line.account_version = int(each["account_version"])
    newest = lines[-1]
    account = AccountChange(user_id, newest.balance, newest.account_version, newest.sequence, tuple(lines))
    return account.with_generations(ChangeKind.CREATED, [row.id for row in submitted])


@functools.cache
def _accept_statement(count: int, *, keyed: bool) -> str:
    """Return the statement for a number of generations. The ids of a line and its generation precede its columns."""
    width = 2 + len(Generation._meta.fields_db_projection)
    starts = [(11 if keyed else 7) + number * width for number in range(count)]
    lines = ", ".join(f"({number}, ${start}::varchar, ${start + 1}::varchar)" for number, start in enumerate(starts, 1))
    made = ", ".join(f"({typed_places(Generation, start + 2)})" for start in starts)
    generations = f"({column_names(Generation)}) SELECT made.* FROM charged, (VALUES {made}) AS made"  # noqa: S608 - our columns
    return _ACCEPT.format(key=_KEY if keyed else "", generations=generations, lines=lines)
