"""Moderation: admins stop sharing and delete any user's generations, with a reason that the audit log keeps."""

import contextlib

from models import AuditEntry, Generation, User
from models.database.connection import rows, run_tx
from models.enum import AdminAction
from services.core.crashpoint import crashpoint
from services.core.error import NotFoundError
from services.core.text import clean_reason
from services.events import account_change, audit_log
from services.events.account_change import AccountChange, ChangeKind
from services.events.publisher import EventPublisher
from services.gallery.deletion import soft_delete
from services.generations.calls.expected_cost import ExpectedCosts
from services.generations.generation import owner_of


class _UnchangedError(Exception):
    """Rolls back a transaction that found nothing to do: without a change there is neither a version nor an entry."""


class ModerationService:
    """Stops sharing and deletes generations of any account. Repeating an action changes nothing."""

    def __init__(self, events: EventPublisher, expected_costs: ExpectedCosts) -> None:
        self._events = events
        self._expected_costs = expected_costs

    async def unshare(self, admin: User, generation_id: str, reason: str) -> Generation:
        """Revoke the share of any user's generation. Has no effect if it is not shared.

        Raises:
            InvalidInputError: the reason is invalid.
            NotFoundError: the generation does not exist or was deleted.
        """
        clean = clean_reason(reason)
        user_id = await owner_of(generation_id)
        with contextlib.suppress(_UnchangedError):
            await self._events.admin_action(*await run_tx(_unshare, admin.id, user_id, generation_id, clean))
        found = await Generation.present().get_or_none(id=generation_id)
        if found is None:
            raise NotFoundError(field=("id",))
        return found

    async def delete(self, admin: User, generation_id: str, reason: str) -> None:
        """Delete any user's generation with its files. Has no effect if it was deleted before.

        One that has not ended is canceled first, and refunded as a cancellation by its owner would be.

        Raises:
            InvalidInputError: the reason is invalid.
            NotFoundError: there has never been such a generation.
        """
        clean = clean_reason(reason)
        user_id = await owner_of(generation_id)
        try:
            canceled, account, entry = await run_tx(
                _delete, admin.id, user_id, generation_id, clean, self._expected_costs
            )
        except _UnchangedError:
            return
        crashpoint("delete.committed")
        for generation in await Generation.filter(id__in=canceled):
            await self._events.generation_canceled(generation)
        await self._events.admin_action(account, entry)


async def _unshare(admin_id: str, user_id: str, generation_id: str, reason: str) -> tuple[AccountChange, AuditEntry]:
    account = await account_change.bump_version(user_id, field=("id",))
    # Sharing and deleting a generation lock the account's row as well, so this row cannot change now.
    row = await Generation.get(id=generation_id)
    if row.share_slug is None:
        raise _UnchangedError
    await rows(
        "UPDATE generations SET share_slug = NULL, shared_at = NULL, updated_at = NOW(), version = version + 1"
        " WHERE id = $1 RETURNING id",
        generation_id,
    )
    entry = await audit_log.record(
        admin_id, AdminAction.UNSHARE_GENERATION, generation_id, user=user_id, slug=row.share_slug, reason=reason
    )
    return account.with_generations(ChangeKind.UPDATED, [generation_id]), entry


async def _delete(
    admin_id: str, user_id: str, generation_id: str, reason: str, costs: ExpectedCosts
) -> tuple[list[str], AccountChange, AuditEntry]:
    account = await account_change.bump_version(user_id, include_deleted=True)
    row = await Generation.get(id=generation_id)
    found, canceled, account = await soft_delete(account, [generation_id], costs)
    if not found:
        raise _UnchangedError
    entry = await audit_log.record(
        admin_id,
        AdminAction.DELETE_GENERATION,
        generation_id,
        user=user_id,
        status=row.status.value,
        slug=row.share_slug,
        reason=reason,
    )
    crashpoint("delete.before_commit")
    return canceled, account, entry
