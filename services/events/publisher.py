"""Publishes changes on the bus after a commit: hints that save subscribers a read, never the source of truth."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from models import AuditEntry, Generation
from services.core.message import Message
from services.events import activity
from services.events.account_change import AccountChange, ChangeKind
from services.events.activity import Activity, ActivityKind
from services.events.missed_changes import kept_text
from services.events.payload import (
    CANCELED_CHANNEL,
    GENERATION_FIELDS,
    GENERATION_TIMES,
    LINE_FIELDS,
    SIGN_INS_CHANNEL,
    account_channel,
    generation_channel,
)
from services.integrations.messaging.bus import Bus
from telemetry import metric
from telemetry.created import note_created


class EventPublisher:
    """Publishes to subscribers. An outage of the bus only delays them: without messages they read the rows again."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def generation_changed(self, generation: Generation) -> None:
        """Publish the present state of a generation."""
        payload: dict[str, Any] = {name: getattr(generation, name) for name in ("id", *GENERATION_FIELDS)}
        for name in GENERATION_TIMES:
            moment: datetime | None = getattr(generation, name)
            payload[name] = moment.isoformat() if moment else None
        await self._bus.post(generation_channel(generation.id), payload)

    async def status_changed(self, generation: Generation) -> None:
        """Publish a generation whose status has just changed; if it has ended, also to admins, and count it."""
        await self.generation_changed(generation)
        if generation.status.is_final:
            count_end(generation)
            await self._notify_admins(lambda: [Activity.finished(generation)])

    async def generation_canceled(self, generation: Generation) -> None:
        """Publish that a generation is canceled, to subscribers and to the worker that may be processing it."""
        await self.status_changed(generation)
        await self._bus.post(CANCELED_CHANNEL, {"id": generation.id})

    async def account_changed(self, account: AccountChange) -> None:
        """Publish an account's present state, its new ledger lines, and its changed generations and entitlements."""
        lines = [
            {name: getattr(line, name) for name in LINE_FIELDS} | {"created_at": line.created_at.isoformat()}
            for line in account.lines
        ]
        changes = [
            {"kind": change.kind, "id": change.generation_id, "favorite": change.favorite}
            for change in account.generations
        ]
        payload = {
            "credits": account.credits,
            "version": account.version,
            "sequence": account.sequence,
            "lines": lines,
            "entitlements": account.entitlements,
            "generations": None if account.has_new_gallery else changes,
        }
        note_created(change.generation_id for change in account.generations if change.kind is ChangeKind.CREATED)
        for line in account.lines:
            metric.ledger_lines.labels(line.type.value).inc()
            metric.ledger_credits.labels(line.type.value).inc(abs(line.amount))
        await self._bus.post(account_channel(account.user_id), payload, kept_text(account))
        await self._notify_admins(lambda: _account_activities(account))

    async def sign_ins_changed(self, user_id: str) -> None:
        """Publish that sessions of an account have ended or its role has changed: open connections are checked."""
        await self._bus.post(SIGN_INS_CHANNEL, {"user": user_id})

    async def signed_up(self, account: AccountChange) -> None:
        """Publish a new account, to admins only: it has no other subscribers yet."""
        note_created([account.user_id])
        await self._notify_admins(
            lambda: [Activity(ActivityKind.SIGN_UP, account.user_id), *_account_activities(account)]
        )

    async def payment(self, account: AccountChange, minor: int, currency: str | None) -> None:
        """Publish to admins that an order was paid, or refunded if `minor` is negative.

        `minor`: in minor units of `currency`, ISO 4217; None where the provider reported no currency.
        """
        await self._notify_admins(lambda: [Activity.payment(account.user_id, account.lines, minor, currency)])

    async def admin_action(self, account: AccountChange | None, entry: AuditEntry) -> None:
        """Publish an admin's action after its commit: the account that it changed, if any, and the entry to admins."""
        if account is not None:
            await self.account_changed(account)
        await self._notify_admins(lambda: [Activity.admin_action(entry)])

    async def alert(self, text: Message) -> None:
        """Alert admins: `text` is translated for each reader, and holds nothing secret."""
        await self._notify_admins(lambda: [Activity.alert(text)])

    async def _notify_admins(self, make: Callable[[], Sequence[Activity]]) -> None:
        """Publish one message for all that one commit did; without subscribers `make` is not even called."""
        if self._bus.may_have_subscribers(activity.CHANNEL) and (activities := make()):
            await self._bus.post(activity.CHANNEL, {activity.ACTIVITIES: activities})


def count_end(generation: Generation) -> None:
    """Count the end of a generation, after the commit that wrote it."""
    code = generation.error_code.value if generation.error_code else ""
    metric.generations_ended.labels(generation.status.value, code).inc()


def _account_activities(account: AccountChange) -> list[Activity]:
    """Return the activities of a commit to an account: generations that it created, ledger lines that it wrote."""
    created = [change.generation_id for change in account.generations if change.kind is ChangeKind.CREATED]
    return [Activity.created(account.user_id, id) for id in created] + [
        Activity.ledger_line(line) for line in account.lines
    ]
