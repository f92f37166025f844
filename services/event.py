"""What is told on the bus after a commit: hints that save a read, never the truth itself."""

import copy
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from models import AuditEntry, CreditTransaction, Generation
from models.enum import GenerationStage, GenerationStatus, TransactionStatus, TransactionType
from services import activity
from services.activity import Activity, ActivityKind
from services.credit import Account
from services.gallery_news import ChangeKind, GalleryNews
from services.integrations.bus import Bus
from services.message import Message
from telemetry import metric

# What a message about a generation carries: everything that moves while it is worked on, by us and by its owner.
_LIVE_FIELDS = (
    "version",
    "status",
    "stage",
    "progress",
    "preview",
    "attempts",
    "provider",
    "model",
    "is_favorite",
    "share_slug",
)
_LIVE_MOMENTS = ("started_at", "updated_at")
_LINE_FIELDS = (
    "id",
    "user_id",
    "sequence",
    "type",
    "status",
    "amount",
    "balance",
    "account_version",
    "reference",
    "generation_id",
    "price",
    "currency",
    "metadata",
)

# While servers are updated one by one, messages of another release arrive: a field is missing, a state is unknown.
_OTHER_RELEASE = (KeyError, ValueError, TypeError)

CANCELED_CHANNEL = "canceled"  # for workers: somebody has called a generation off
MAINTENANCE_CHANNEL = "maintenance"  # something was switched off or on
SIGN_INS_CHANNEL = "sign-ins"  # an account's sign-ins have ended, or its role has changed
WAITING_CHANNEL = "waiting"  # for workers: a full one heard of something that waits


def generation_channel(generation_id: str) -> str:
    """The channel of one generation's changes."""
    return f"generation:{generation_id}"


def account_channel(user_id: str) -> str:
    """The channel of one account's changes."""
    return f"account:{user_id}"


def overlay(generation: Generation, news: dict[str, Any]) -> Generation | None:
    """`generation` as a message says it looks now; None where the row itself must be read: the end has more to tell.

    The beginning does not: a subscriber who read the row instead would miss stages that have passed meanwhile.
    """
    try:
        status = GenerationStatus(news["status"])
        if status.is_final:
            return None
        told = copy.copy(generation)
        values = {**news, "status": status, "stage": GenerationStage(news["stage"])}
        for name in _LIVE_FIELDS:
            setattr(told, name, values[name])
        for name in _LIVE_MOMENTS:
            setattr(told, name, datetime.fromisoformat(news[name]) if news[name] else None)
    except _OTHER_RELEASE:
        return None
    return told


def told_lines(news: dict[str, Any], seen: int) -> list[CreditTransaction] | None:
    """The lines after number `seen` as a message about an account tells them; None where the ledger must be read."""
    try:
        newest = int(news["sequence"])
        if newest <= seen:
            return []
        lines = [
            CreditTransaction(
                **{name: line[name] for name in _LINE_FIELDS}
                | {
                    "type": TransactionType(line["type"]),
                    "status": TransactionStatus(line["status"]),
                    "created_at": datetime.fromisoformat(line["created_at"]),
                }
            )
            for line in news["lines"]
        ]
    except _OTHER_RELEASE:
        return None
    return lines if [line.sequence for line in lines] == list(range(seen + 1, newest + 1)) else None


def told_generations(news: dict[str, Any]) -> tuple[GalleryNews, ...] | None:
    """The generations that a message about an account tells of; None where the gallery must be read."""
    try:
        return tuple(
            GalleryNews(ChangeKind(change["kind"]), str(change["id"]), bool(change["favorite"]))
            for change in news["generations"]
        )
    except _OTHER_RELEASE:
        return None


def told_entitlements(news: dict[str, Any], known: int) -> bool | None:
    """Whether a message about an account tells of entitlements newer than version `known`; None: they must be read."""
    try:
        changed, version = news["entitlements"], int(news["version"])
    except _OTHER_RELEASE:
        return None
    return bool(changed) and version > known


class Events:
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

    async def account_changed(self, account: Account) -> None:
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

    async def signed_up(self, account: Account) -> None:
        """Say that there is a new account, to admins alone: nobody else can watch it yet."""
        await self._tell_admins(lambda: [Activity(ActivityKind.SIGN_UP, account.user_id), *_movements(account)])

    async def payment(self, account: Account, minor: int, currency: str | None) -> None:
        """Tell admins that an order was paid, or that money was given back where `minor` is negative.

        `minor`: in minor units of `currency`, ISO 4217; None where no currency was told.
        """
        await self._tell_admins(lambda: [Activity.payment(account.user_id, account.lines, minor, currency)])

    async def admin_act(self, entry: AuditEntry) -> None:
        """Tell admins what one of them did, after its commit."""
        await self._tell_admins(lambda: [Activity.act(entry)])

    async def acted(self, account: Account, entry: AuditEntry) -> None:
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


def _movements(account: Account) -> list[Activity]:
    """What admins are told of a commit to an account: the generations that it made, the lines that it wrote."""
    made = [change.generation_id for change in account.generations if change.kind is ChangeKind.CREATED]
    return [Activity.created(account.user_id, id) for id in made] + [Activity.line(line) for line in account.lines]
