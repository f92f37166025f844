"""Bus messages: the channels, and how a message is decoded back into rows; a message of another release is refused."""

import copy
from datetime import datetime
from typing import Any

from models import CreditTransaction, Generation
from models.enum import GenerationStage, GenerationStatus, TransactionStatus, TransactionType
from services.events.account_change import ChangeKind, GenerationChange

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


def generation_channel(generation_id: str) -> str:
    """The channel of one generation's changes."""
    return f"generation:{generation_id}"


def account_channel(user_id: str) -> str:
    """The channel of one account's changes."""
    return f"account:{user_id}"


def apply_update(generation: Generation, news: dict[str, Any]) -> Generation | None:
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


def decode_lines(news: dict[str, Any], seen: int) -> list[CreditTransaction] | None:
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


def decode_generations(news: dict[str, Any]) -> tuple[GenerationChange, ...] | None:
    """The generations that a message about an account tells of; None where the gallery must be read."""
    try:
        return tuple(
            GenerationChange(ChangeKind(change["kind"]), str(change["id"]), bool(change["favorite"]))
            for change in news["generations"]
        )
    except _OTHER_RELEASE:
        return None


def decode_entitlements(news: dict[str, Any], known: int) -> bool | None:
    """Whether a message about an account tells of entitlements newer than version `known`; None: they must be read."""
    try:
        changed, version = news["entitlements"], int(news["version"])
    except _OTHER_RELEASE:
        return None
    return bool(changed) and version > known
