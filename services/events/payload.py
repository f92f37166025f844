"""Bus messages: the channels, and decoding a message back into rows; one of another release decodes to None."""

from datetime import datetime
from typing import Any

from models import CreditTransaction, Generation
from models.enum import GenerationStage, GenerationStatus, TransactionStatus, TransactionType
from services.events.account_change import ChangeKind, GenerationChange

# The fields in a message about a generation: everything that changes while it is processed, by us and by its owner.
GENERATION_FIELDS = (
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
GENERATION_TIMES = ("started_at", "updated_at")
LINE_FIELDS = (
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

# During a rolling update, messages of another release arrive: a field is missing, a state is unknown.
_OTHER_RELEASE = (KeyError, ValueError, TypeError)
CANCELED_CHANNEL = "canceled"  # for workers: a generation was canceled
MAINTENANCE_CHANNEL = "maintenance"  # a maintenance switch was changed
SIGN_INS_CHANNEL = "sign-ins"  # an account's sign-ins have ended, or its role has changed


def generation_channel(generation_id: str) -> str:
    """Return the channel of one generation's changes."""
    return f"generation:{generation_id}"


def account_channel(user_id: str) -> str:
    """Return the channel of one account's changes."""
    return f"account:{user_id}"


def apply_update(generation: Generation, payload: dict[str, Any]) -> Generation | None:
    """Return a copy of `generation` with a message's values; None if the row itself must be read.

    A final status needs the row, which has more fields than the message. Other messages are applied directly: reading
    the row instead would skip stages that have passed meanwhile.
    """
    try:
        status = GenerationStatus(payload["status"])
        if status.is_final:
            return None
        values = {name: payload[name] for name in GENERATION_FIELDS}
        values["status"], values["stage"] = status, GenerationStage(payload["stage"])
        for name in GENERATION_TIMES:
            values[name] = datetime.fromisoformat(payload[name]) if payload[name] else None
    except _OTHER_RELEASE:
        return None
    # Not copy.copy and setattr, with which Tortoise notes what to save: half of the work of a delivery.
    updated = object.__new__(type(generation))
    updated.__dict__.update(generation.__dict__)
    updated.__dict__.update(values)
    return updated


def decode_lines(payload: dict[str, Any], seen: int) -> list[CreditTransaction] | None:
    """Decode the ledger lines after number `seen` from a message about an account; None: the ledger must be read."""
    try:
        newest = int(payload["sequence"])
        if newest <= seen:
            return []
        lines = [
            CreditTransaction(
                **{name: line[name] for name in LINE_FIELDS}
                | {
                    "type": TransactionType(line["type"]),
                    "status": TransactionStatus(line["status"]),
                    "created_at": datetime.fromisoformat(line["created_at"]),
                }
            )
            for line in payload["lines"]
        ]
    except _OTHER_RELEASE:
        return None
    return lines if [line.sequence for line in lines] == list(range(seen + 1, newest + 1)) else None


def decode_generations(payload: dict[str, Any]) -> tuple[GenerationChange, ...] | None:
    """Decode the changed generations from a message about an account; None: the gallery must be read."""
    try:
        return tuple(
            GenerationChange(ChangeKind(change["kind"]), str(change["id"]), bool(change["favorite"]))
            for change in payload["generations"]
        )
    except _OTHER_RELEASE:
        return None


def decode_entitlements(payload: dict[str, Any], known: int) -> bool | None:
    """Whether a message about an account changes entitlements after version `known`; None: they must be read."""
    try:
        changed, version = payload["entitlements"], int(payload["version"])
    except _OTHER_RELEASE:
        return None
    return bool(changed) and version > known
