"""Retries: what failed or was called off is made anew for nothing, because an admin says so."""

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
    """Makes new generations of old ones; an end is never left again."""

    def __init__(self, wake_ups: WakeUps, events: EventPublisher, maintenance: MaintenanceService) -> None:
        self._wake_ups = wake_ups
        self._maintenance = maintenance
        self._events = events

    async def retry(self, admin: User, generation_id: str, reason: str) -> Generation:
        """Let a generation that brought no picture be made again as a new one: the same words and photo, for nothing.

        All that it needs is in the old row, so a style that is no longer offered is no obstacle. It may be retried
        again when its last retry has brought no picture either.

        Raises:
            InvalidInputError: of the reason.
            NotFoundError: there is none, it was deleted, or its owner is gone.
            ConflictError: it brought a picture or is under way, a retry of the same did or is, or its photo is gone.
            UnavailableError: no new pictures are made right now.
        """
        words = clean_reason(reason)
        self._maintenance.check_submission_allowed()
        new_id, account, act = await run_tx(_retry, admin.id, await owner_of(generation_id), generation_id, words)
        await self._events.admin_action(account, act)
        await self._wake_ups.publish(new_id)
        made = await Generation.present().get_or_none(id=new_id)
        if made is None:  # its owner was quick to delete it
            raise NotFoundError(field=("id",))
        return made


async def _retry(admin_id: str, user_id: str, generation_id: str, reason: str) -> tuple[str, AccountChange, AuditEntry]:
    account = await account_change.bump_version(user_id, field=("id",))
    # Whoever ends or deletes generations takes the account's row as well: they were faster, or wait for this.
    source = await Generation.present().get_or_none(id=generation_id)
    if source is None:
        raise NotFoundError(field=("id",))
    await _check(source)
    made = _again(source)
    await Generation.bulk_create([made])
    act = await audit_log.record(
        admin_id, AdminAction.RETRY_GENERATION, source.id, user=user_id, generation=made.id, reason=reason
    )
    return made.id, account.with_generations(ChangeKind.CREATED, [made.id]), act


async def _check(source: Generation) -> None:
    field = ("id",)
    if source.status not in _RETRIED:
        raise ConflictError(message("Only a generation that failed or was canceled can be made again."), field)
    if source.original is not None and source.original.state is not FileState.LIVE:
        raise ConflictError(message("The photo of this generation is gone."), field)
    # Once paid for, one picture: retries of retries count, and those of what this is a retry of.
    if await Generation.filter(id__in=await _retry_chain(source)).exclude(status__in=_RETRIED).exists():
        raise ConflictError(message("This generation is being made again, or has been."), field)


async def _retry_chain(source: Generation) -> list[str]:
    """The generation that somebody ordered, and all that admins have made of it, this one among them."""
    first, parent_id = source.id, source.parent_id
    while parent_id is not None and first in await _retries_of([parent_id]):  # else it was regenerated or refined
        first = parent_id
        parent_id = (await Generation.get(id=first).only("id", "parent_id")).parent_id
    family = newest = [first]
    while newest := await _retries_of(newest):
        family = family + newest
    return family


async def _retries_of(generation_ids: list[str]) -> list[str]:
    acts = await AuditEntry.filter(action=AdminAction.RETRY_GENERATION, target__in=generation_ids)
    return [act.detail["generation"] for act in acts]


def _again(source: Generation) -> Generation:
    """The row of a generation that asks for the same, not yet written."""
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
        full_prompt=source.full_prompt,
        variables=source.variables,
        size=source.size,
        quality=source.quality,
        aspect_ratio=source.aspect_ratio,
        requested_model=source.requested_model,
        parent_id=source.id,
        earlier_prompts=source.earlier_prompts,
        original_id=source.original_id,
        priority=source.priority,
        cost=0,
        paid_by=PaidBy.CREDITS,
        refund_policy=source.refund_policy,
    )
