"""Retries by admins: a failed or canceled generation is generated again at no charge."""

from models import AuditEntry, Generation, User, ids
from models.database.connection import run_tx
from models.enum import AdminAction, FileState, GenerationStatus, PaidBy
from services.core.error import ConflictError, NotFoundError
from services.core.message import message
from services.core.text import clean_reason
from services.events import account_change, audit_log
from services.events.account_change import AccountChange, ChangeKind
from services.events.publisher import EventPublisher
from services.generations.generation import owner_of
from services.generations.specification import search_text
from services.integrations.messaging.wake_up import WakeUps
from services.operations.maintenance import MaintenanceService

_RETRIED = (GenerationStatus.FAILED, GenerationStatus.CANCELED)


class AdminRetryService:
    """Retries generations as new ones; the old one keeps its final status."""

    def __init__(self, wake_ups: WakeUps, events: EventPublisher, maintenance: MaintenanceService) -> None:
        self._wake_ups = wake_ups
        self._maintenance = maintenance
        self._events = events

    async def retry(self, admin: User, generation_id: str, reason: str) -> Generation:
        """Submit a generation without a result as a new one, with the same prompt and photo, at no charge.

        Everything is copied from the old row, so its style may no longer be offered. It may be retried again if
        its last retry has no result either.

        Raises:
            InvalidInputError: the reason is invalid.
            NotFoundError: it does not exist or was deleted, or its owner was deleted.
            ConflictError: it, or a retry of it, is in progress or has a result, or its photo was deleted.
            UnavailableError: new generations are paused.
        """
        clean = clean_reason(reason)
        self._maintenance.check_submission_allowed()
        new_id, account, entry = await run_tx(_retry, admin.id, await owner_of(generation_id), generation_id, clean)
        await self._events.admin_action(account, entry)
        await self._wake_ups.publish(new_id)
        retried = await Generation.present().get_or_none(id=new_id)
        if retried is None:  # its owner has already deleted it
            raise NotFoundError(field=("id",))
        return retried


async def _retry(admin_id: str, user_id: str, generation_id: str, reason: str) -> tuple[str, AccountChange, AuditEntry]:
    account = await account_change.bump_version(user_id, field=("id",))
    # Ending or deleting a generation locks the account's row as well: it was committed before, or waits for this.
    source = await Generation.present().get_or_none(id=generation_id)
    if source is None:
        raise NotFoundError(field=("id",))
    await _check(source)
    retried = _copy_of(source)
    await Generation.bulk_create([retried])
    entry = await audit_log.record(
        admin_id, AdminAction.RETRY_GENERATION, source.id, user=user_id, generation=retried.id, reason=reason
    )
    return retried.id, account.with_generations(ChangeKind.CREATED, [retried.id]), entry


async def _check(source: Generation) -> None:
    field = ("id",)
    if source.status not in _RETRIED:
        raise ConflictError(message("Only a failed or canceled generation can be retried."), field)
    is_deleted = source.original is not None and source.original.state is not FileState.LIVE
    if is_deleted or source.original_removed_at is not None:
        raise ConflictError(message("The photo of this generation was deleted."), field)
    # One charge pays for one result, over all retries of retries and the generation that was first retried.
    if await Generation.filter(id__in=await _retry_chain(source)).exclude(status__in=_RETRIED).exists():
        raise ConflictError(message("A retry of this generation is in progress or has succeeded."), field)


async def _retry_chain(source: Generation) -> list[str]:
    """Return the ids of the generation that the user requested and of all its retries, this one included."""
    first, parent_id = source.id, source.parent_id
    while parent_id is not None and first in await _retries_of([parent_id]):  # else a regeneration or refinement
        first = parent_id
        parent_id = (await Generation.get(id=first).only("id", "parent_id")).parent_id
    chain = newest = [first]
    while newest := await _retries_of(newest):
        chain = chain + newest
    return chain


async def _retries_of(generation_ids: list[str]) -> list[str]:
    entries = await AuditEntry.filter(action=AdminAction.RETRY_GENERATION, target__in=generation_ids)
    return [entry.detail["generation"] for entry in entries]


def _copy_of(source: Generation) -> Generation:
    """Return a generation with the same input, not yet written."""
    generation_id = ids.new_id(ids.GENERATION)
    return Generation(
        id=generation_id,
        search_text=search_text(generation_id, source.prompt, source.style_title),
        user_id=source.user_id,
        batch_id=ids.new_id(ids.BATCH),
        media=source.media,
        style_id=source.style_id,
        collection_slug=source.collection_slug,
        style_slug=source.style_slug,
        style_title=source.style_title,
        prompt=source.prompt,
        enhance_prompt=source.enhance_prompt,
        enhanced_prompt=source.enhanced_prompt,
        full_prompt=source.full_prompt,
        variables=source.variables,
        size=source.size,
        quality=source.quality,
        aspect_ratio=source.aspect_ratio,
        duration_seconds=source.duration_seconds,
        requested_model=source.requested_model,
        parent_id=source.id,
        earlier_prompts=source.earlier_prompts,
        original_id=source.original_id,
        priority=source.priority,
        cost=0,
        paid_by=PaidBy.CREDITS,
        refund_policy=source.refund_policy,
    )
