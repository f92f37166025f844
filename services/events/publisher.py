"""What is told on the bus after a commit: hints that save a read, never the truth itself."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from models import AuditEntry, Generation
from services.core.message import Message
from services.events import activity
from services.events.account_change import AccountChange, ChangeKind
from services.events.activity import Activity, ActivityKind
from services.events.payload import (
    _LINE_FIELDS,
    _LIVE_FIELDS,
    _LIVE_MOMENTS,
    CANCELED_CHANNEL,
    SIGN_INS_CHANNEL,
    account_channel,
    generation_channel,
)
from services.integrations.messaging.bus import Bus
from telemetry import metric


class EventPublisher:
    """Tells subscribers; an outage of the bus costs only time, because they re-read when it is quiet."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def generation_changed(self, generation: Generation) -> None:
        """Say how a generation looks now."""
        payload: dict[str, Any] = {name: getattr(generation, name) for name in _LIVE_FIELDS}
        for name in _LIVE_MOMENTS:
            moment: datetime | None = getattr(generation, name)
            payload[name] = moment.isoformat() if moment else None
        await self._bus.publish(generation_channel(generation.id), payload)

    async def status_changed(self, generation: Generation) -> None:
        """Say how a generation looks whose status has just changed; to admins, too, where it has ended."""
        await self.generation_changed(generation)
        if generation.status.is_final:
            await self._tell_admins(lambda: [Activity.finished(generation)])

    async def generation_canceled(self, generation: Generation) -> None:
        """Say that a generation is canceled, to subscribers and to the worker that may be making it."""
        await self.status_changed(generation)
        await self._bus.publish(CANCELED_CHANNEL, {"id": generation.id})

    async def account_changed(self, account: AccountChange) -> None:
        """Say how an account looks now, which lines were written, which generations and entitlements were changed."""
        lines = [
            {name: getattr(line, name) for name in _LINE_FIELDS} | {"created_at": line.created_at.isoformat()}
            for line in account.lines
        ]
        payload = {
            "credits": account.credits,
            "version": account.version,
            "sequence": account.sequence,
            "lines": lines,
            "entitlements": account.entitlements,
            "generations": [
                {"kind": change.kind, "id": change.generation_id, "favorite": change.favorite}
                for change in account.generations
            ],
        }
        for line in account.lines:
            metric.ledger_lines.labels(line.type.value).inc()
            metric.ledger_credits.labels(line.type.value).inc(abs(line.amount))
        await self._bus.publish(account_channel(account.user_id), payload)
        await self._tell_admins(lambda: _movements(account))

    async def sign_ins_changed(self, user_id: str) -> None:
        """Say that sign-ins of an account have ended, or its role is another: whoever is connected is looked at."""
        await self._bus.publish(SIGN_INS_CHANNEL, {"user": user_id})

    async def signed_up(self, account: AccountChange) -> None:
        """Say that there is a new account, to admins alone: nobody else can watch it yet."""
        await self._tell_admins(lambda: [Activity(ActivityKind.SIGN_UP, account.user_id), *_movements(account)])

    async def payment(self, account: AccountChange, minor: int, currency: str | None) -> None:
        """Tell admins that an order was paid, or that money was given back where `minor` is negative.

        `minor`: in minor units of `currency`, ISO 4217; None where no currency was told.
        """
        await self._tell_admins(lambda: [Activity.payment(account.user_id, account.lines, minor, currency)])

    async def admin_act(self, entry: AuditEntry) -> None:
        """Tell admins what one of them did, after its commit."""
        await self._tell_admins(lambda: [Activity.act(entry)])

    async def acted(self, account: AccountChange, entry: AuditEntry) -> None:
        """Say how an account looks now that an admin has acted on it, and tell admins of the act."""
        await self.account_changed(account)
        await self.admin_act(entry)

    async def alert(self, text: Message) -> None:
        """Tell admins that somebody should look: `text` is translated by each reader, and holds nothing secret."""
        await self._tell_admins(lambda: [Activity.alert(text)])

    async def _tell_admins(self, what: Callable[[], Sequence[Activity]]) -> None:
        """One message for all that one commit did; where nobody can hear it, it is not even made."""
        if self._bus.is_heard(activity.CHANNEL) and (told := what()):
            await self._bus.publish(activity.CHANNEL, {"told": told})


def _movements(account: AccountChange) -> list[Activity]:
    """What admins are told of a commit to an account: the generations that it made, the lines that it wrote."""
    made = [change.generation_id for change in account.generations if change.kind is ChangeKind.CREATED]
    return [Activity.created(account.user_id, id) for id in made] + [Activity.line(line) for line in account.lines]
