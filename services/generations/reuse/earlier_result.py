"""Reuse: an identical request of the same account gets its earlier result at once, for a share of the price."""

from dataclasses import dataclass
from datetime import UTC, datetime

from models import Generation, User, ids
from models.accounts import ActingKey
from models.database.connection import run_tx
from models.enum import FileKind, FileState, GenerationStage, GenerationStatus, PaidBy, Quality
from services.billing import key_budget, ledger
from services.billing.entitlement import Entitlement, Entitlements
from services.billing.funding import Funding
from services.catalogue.style import reuse_price
from services.core import idempotency
from services.core.crashpoint import crashpoint
from services.core.error import ConflictError, InvalidInputError
from services.core.idempotency import IdempotencyTicket
from services.core.message import message
from services.events import account_change
from services.events.account_change import AccountChange, ChangeKind
from services.events.publisher import EventPublisher, count_end
from services.generations.specification import GenerationSpec
from services.media.quota import StorageQuota

_FIELD = ("reuseResult",)
_QUALITIES = list(Quality)  # in ascending order
_MAX_CANDIDATES = 20  # earlier requests with the same prompt, of which the variables are compared


@dataclass(frozen=True)
class Reusable:
    """An earlier result that a request may get instead of a new one."""

    generation_id: str
    cost: int  # credits
    paid_by: PaidBy
    affordable: bool
    balance_after: int


class ReuseService:
    """Finds earlier results, and makes generations of them that are completed from the beginning.

    Such a generation refers to the same files as the earlier one: a file is removed when the last generation that
    refers to it is deleted, so each can be deleted without the other, and they are stored once. Both take the account's
    lock, so that a result is not reused while it is deleted.

    An unlimited plan pays for it, else credits do. A pass does not: its places are for new images.
    """

    def __init__(self, entitlements: Entitlements, events: EventPublisher, quota: StorageQuota) -> None:
        self._entitlements = entitlements
        self._events = events
        self._quota = quota

    async def quote(
        self, user: User, entitlement: Entitlement, spec: GenerationSpec, photo: str | None
    ) -> Reusable | None:
        """Return the earlier result that this request could get, and its price; None if there is none.

        `photo`: the SHA-256 of the sanitized photo; None: the request has none.
        """
        cost = reuse_price(spec.style, spec.cost)
        found = await find_source(user.id, spec, photo) if cost is not None and spec.count == 1 else None
        if cost is None or found is None:
            return None
        funding = _funding(entitlement, cost)
        left = user.credits - funding.each
        return Reusable(
            found.id, funding.each, funding.paid_by, affordable=funding.each == 0 or left >= 0, balance_after=left
        )

    def check(self, spec: GenerationSpec) -> None:
        """Raises InvalidInputError if the collection does not offer reuse, or several images are requested."""
        if reuse_price(spec.style, spec.cost) is None:
            raise InvalidInputError(message("Earlier pictures cannot be reused here."), field=_FIELD)
        if spec.count != 1:
            raise InvalidInputError(message("One earlier picture can be reused at a time."), field=("count",))

    async def submit(
        self,
        user_id: str,
        spec: GenerationSpec,
        photo: str | None,
        ticket: IdempotencyTicket,
        key: ActingKey | None = None,
    ) -> list[Generation]:
        """Charge for the newest earlier result of this request, and write a completed generation with it.

        Raises:
            ConflictError: there is no such result, perhaps no longer; nothing is charged.
            InsufficientCreditsError, QuotaExceededError, StorageFullError, NotFoundError: nothing is charged.
            UsedKeyError: a concurrent duplicate stored the key first; see `idempotency.run_once`.
        """
        batch_id = ids.new_id(ids.BATCH)
        account = await run_tx(self._write, user_id, batch_id, spec, photo, ticket, key)
        crashpoint("generation.committed")
        await self._events.account_changed(account)
        found = await Generation.present().filter(user_id=user_id, batch_id=batch_id)
        for generation in found:
            count_end(generation)
        return found

    async def _write(
        self,
        user_id: str,
        batch_id: str,
        spec: GenerationSpec,
        photo: str | None,
        ticket: IdempotencyTicket,
        key: ActingKey | None,
    ) -> AccountChange:
        account = await account_change.bump_version(user_id)  # locks the account: deletions of results wait
        cost = reuse_price(spec.style, spec.cost)
        source = await find_source(user_id, spec, photo)
        if cost is None or source is None:
            text = message("There is no earlier picture of this request any more. Nothing was charged.")
            raise ConflictError(text, field=_FIELD)
        entitlement = await self._entitlements.of(await User.get(id=user_id))
        row = _row(user_id, batch_id, spec, _funding(entitlement, cost), source)
        if lines := ledger.deduction(row.id, row.cost, key.id if key else None):
            account = await ledger.post(user_id, lines, version_bumped=True)
            await key_budget.check(key, 0)
        await self._quota.check_generations(user_id, 1)
        await idempotency.store_result(user_id, ticket, batch_id)
        await Generation.bulk_create([row])
        crashpoint("generation.before_commit")
        return account.with_generations(ChangeKind.CREATED, [row.id])


def _funding(entitlement: Entitlement, cost: int) -> Funding:
    return Funding(PaidBy.PLAN, 0) if entitlement.unlimited else Funding(PaidBy.CREDITS, cost)


def _row(user_id: str, batch_id: str, spec: GenerationSpec, funding: Funding, source: Generation) -> Generation:
    row = spec.new_row(user_id, batch_id, funding)
    row.status, row.stage, row.progress = GenerationStatus.COMPLETED, GenerationStage.COMPLETED, 1.0
    # Both at once, which says that nothing was made: statistics and estimates are of real durations, which are above 0.
    row.created_at = row.completed_at = datetime.now(UTC)  # `started_at` stays null
    row.reused_id, row.original_id, row.result_id = source.id, source.original_id, source.result_id
    row.delivered_quality = source.delivered_quality
    row.provider, row.model = source.provider, source.model  # what made it; without a cost, which was reported before
    return row


async def find_source(user_id: str, spec: GenerationSpec, photo: str | None) -> Generation | None:
    """Return the newest completed generation of the same request: neither deleted, nor made from an earlier result.

    The prompt that was sent is compared, too: a style whose template was changed since makes another picture. One that
    a text model is to enrich is not known before it is sent.
    """
    if spec.enhance_prompt:
        return None
    same = Generation.filter(
        user_id=user_id,
        style_id=spec.style.id,
        deleted_at__isnull=True,
        status=GenerationStatus.COMPLETED,
        parent_id__isnull=True,
        enhance_prompt=False,
        media=spec.media,
        size=spec.size,
        quality=spec.quality,
        full_prompt=spec.full_prompt,
        result__state=FileState.LIVE,
        **_equal("prompt", spec.prompt),
        **_equal("aspect_ratio", spec.aspect_ratio),
        **_equal("duration_seconds", spec.duration_seconds),
        **_equal("requested_model", spec.model),
    )
    if photo is None:
        same = same.filter(original_id__isnull=True, original_removed_at__isnull=True)
    else:
        same = same.filter(original__sha256=photo, original__kind=FileKind.ORIGINAL)
    candidates = await same.order_by("-id").limit(_MAX_CANDIDATES)
    return next((found for found in candidates if _is_same(found, spec)), None)


def _is_same(found: Generation, spec: GenerationSpec) -> bool:
    """Whether the variables are the same, and no smaller image came than was ordered."""
    delivered = found.delivered_quality
    is_smaller = delivered is not None and _QUALITIES.index(delivered) < _QUALITIES.index(spec.quality)
    return found.variables == dict(spec.variables) and not is_smaller


def _equal(column: str, value: str | int | None) -> dict[str, object]:
    return {column: value} if value is not None else {f"{column}__isnull": True}
