"""The audit log: every action of an admin is one entry, written in the transaction that performs it."""

from typing import Any

from tortoise.expressions import Q

from models import AuditEntry, User
from models.database.json_text import JsonText
from models.enum import AdminAction, Role
from services.core.error import ForbiddenError
from services.core.pagination import Page, PageRequest, paginate, replica_page


async def record(actor_id: str | None, action: AdminAction, target: str | None, **detail: Any) -> AuditEntry:
    """Write one entry, inside the transaction of the action.

    `actor_id`: None for the command line and the settings; `target`: the id of what was changed; `detail`: the
    request, the reason, and the earlier state: plain values, nothing secret. Of what belongs to an account, `user` is
    its id. A `reason` of None, where the action needs none, is left out.

    Raises:
        ForbiddenError: the actor is no longer an admin; the transaction must end. One request may hold several actions,
            and its permissions were checked when it began.
    """
    if actor_id is not None:
        admins = User.filter(id=actor_id, suspended_at__isnull=True, deleted_at__isnull=True).exclude(role=Role.USER)
        if not await admins.exists():
            raise ForbiddenError
    if detail.get("reason", "") is None:
        del detail["reason"]
    return await AuditEntry.create(actor_id=actor_id, action=action, target=target, detail=detail)


class AuditLog:
    """Reads the audit log."""

    async def entries(self, request: PageRequest[str], account: str | None = None) -> Page[AuditEntry, str]:
        """A page of the entries, newest first; with `account`, of those about it, its generations and payments.

        What was done to a guest stays under the guest's id, and is part of the account that it was merged into.
        """

        async def read() -> Page[AuditEntry, str]:
            query = AuditEntry.all()
            if account is not None:
                merged = await User.filter(merged_into_id=account).values_list("id", flat=True)
                accounts = [account, *(str(id) for id in merged)]
                query = query.filter(Q(target__in=accounts) | JsonText("detail", "user", accounts))
            return await paginate(query, request, key="id", descending=True)

        return await replica_page(read)

    async def by_ids(self, entry_ids: list[str]) -> dict[str, AuditEntry]:
        """Return the entries with these ids, by id; unknown ids are left out."""
        return {entry.id: entry for entry in await AuditEntry.filter(id__in=entry_ids)}
