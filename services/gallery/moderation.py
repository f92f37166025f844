"""Moderation: admins stop sharing and delete any user's generations, with a reason that the audit log keeps."""

import contextlib

from tortoise.expressions import Q

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
from services.gallery.selection import MAX_PER_REQUEST
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

    async def delete(self, admin: User, generation_id: str, reason: str, *, every_use: bool = False) -> list[str]:
        """Delete any user's generation with its files; return what was deleted. No effect if it was deleted before.

        One that has not ended is canceled first, and refunded as a cancellation by its owner would be. `every_use`:
        also delete the account's other generations that use one of its files, because of which the file would stay,
        in transactions of at most MAX_PER_REQUEST.

        Raises:
            InvalidInputError: the reason is invalid.
            NotFoundError: there has never been such a generation.
        """
        clean = clean_reason(reason)
        uses = _Uses(generation_id, every_use=every_use)
        deleted: list[str] = []
        while not uses.ended:
            user_id = await owner_of(generation_id)  # each time: a guest may be merged meanwhile
            with contextlib.suppress(_UnchangedError):
                deleted += await self._delete(admin.id, user_id, uses, clean)
        return [generation_id, *(id for id in deleted if id != generation_id)]

    async def _delete(self, admin_id: str, user_id: str, uses: "_Uses", reason: str) -> list[str]:
        canceled, account, entries = await run_tx(_delete, admin_id, user_id, uses, reason, self._expected_costs)
        crashpoint("delete.committed")
        for generation in await Generation.filter(id__in=canceled):
            await self._events.generation_canceled(generation)
        first, *others = entries
        await self._events.admin_action(account, first)
        for entry in others:
            await self._events.admin_action(None, entry)
        return [str(entry.target) for entry in entries]


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
    admin_id: str, user_id: str, uses: "_Uses", reason: str, costs: ExpectedCosts
) -> tuple[list[str], AccountChange, list[AuditEntry]]:
    account = await account_change.bump_version(user_id, include_deleted=True)
    deleted = await uses.next()
    found, canceled, account = await soft_delete(account, [one.id for one in deleted], costs)
    if not found:
        raise _UnchangedError
    entries = [
        await audit_log.record(
            admin_id,
            AdminAction.DELETE_GENERATION,
            one.id,
            user=user_id,
            status=one.status.value,
            slug=one.share_slug,
            reason=reason,
        )
        for one in deleted
        if one.id in found
    ]
    crashpoint("delete.before_commit")
    return canceled, account, entries


class _Uses:
    """A generation and, with `every_use`, the account's others that use a file of it: its photo, or its result.

    They come in batches, so that no transaction holds the account's lock for long, and the generation itself with the
    last: only through it are the others found, so that a deletion that was interrupted goes on when it is repeated.
    """

    def __init__(self, generation_id: str, *, every_use: bool) -> None:
        self.ended = False
        self._id = generation_id
        self._every_use = every_use
        self._files: set[str] = set()  # remembered: once the generation's owner has deleted it, it names none any more

    async def next(self) -> list[Generation]:
        """Return the next batch, in the transaction that deletes it; the same again if that is repeated."""
        row = await Generation.get(id=self._id)
        self._files |= {id for id in (row.original_id, row.result_id) if id is not None}
        others = await self._others(row.user_id) if self._every_use and self._files else []
        self.ended = len(others) < MAX_PER_REQUEST
        return [*others, row] if self.ended else others

    async def _others(self, user_id: str) -> list[Generation]:
        using = Q(original_id__in=self._files) | Q(result_id__in=self._files)
        found = Generation.present().filter(using, user_id=user_id).exclude(id=self._id)
        return await found.order_by("id").limit(MAX_PER_REQUEST)
