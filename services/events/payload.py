"""Bus messages: the channels, and decoding a message back into rows; one of another release decodes to None."""

from datetime import datetime
from operator import itemgetter
from typing import Any

from models import CreditTransaction
from models.enum import GenerationStage, GenerationStatus, TransactionStatus, TransactionType
from models.generation_row import GENERATIONS, GenerationRow
from services.events.account_change import ChangeKind, GenerationChange

# The fields in a message about a generation: everything that changes while it is processed, by us and by its owner.
GENERATION_FIELDS = (
    "version",
    "status",
    "stage",
    "progress",
    "preview",
    "is_loading",
    "attempts",
    "provider",
    "model",
    "enhanced_prompt",
    "provider_path",
    "provider_cost",
    "is_favorite",
    "share_slug",
)
GENERATION_TIMES = ("started_at", "updated_at")
_FIELDS = GENERATION_FIELDS + GENERATION_TIMES
# Those that the messages of earlier releases lack; what they say about the others is still shown at once.
ADDED_FIELDS = frozenset({"is_loading", "enhanced_prompt", "provider_path", "provider_cost"})
_KNOWN = frozenset({"id", *_FIELDS})
_fields_of = itemgetter(*_FIELDS)
_first_fields_of = itemgetter(*[name for name in _FIELDS if name not in ADDED_FIELDS])
_UNFINISHED = frozenset(status.value for status in GenerationStatus if not status.is_final)
_STAGES = frozenset(stage.value for stage in GenerationStage)
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
JOBS_CHANNEL = "jobs"  # for workers: the job of a waiting video is due
MAINTENANCE_CHANNEL = "maintenance"  # a maintenance switch was changed
PROVIDER_PAUSES_CHANNEL = "provider-pauses"  # the pause of a provider has begun or ended
SIGN_INS_CHANNEL = "sign-ins"  # an account's sign-ins have ended, or its role has changed


def generation_channel(generation_id: str) -> str:
    """Return the channel of one generation's changes."""
    return f"generation:{generation_id}"


def account_channel(user_id: str) -> str:
    """Return the channel of one account's changes."""
    return f"account:{user_id}"


def updated_columns(payload: dict[str, Any]) -> dict[str, Any] | None:
    """Return the columns of a generation in a message, which may be the message; None if the row itself must be read.

    A final status needs the row, which has more fields than the message. Other messages are applied directly: reading
    the row instead would skip stages that have passed meanwhile.
    """
    try:
        if payload["status"] not in _UNFINISHED or payload["stage"] not in _STAGES:
            return None
        if not isinstance(payload["version"], int):
            return None
        if len(payload) < len(_FIELDS) or not payload.keys() >= ADDED_FIELDS:  # the first is quicker
            _first_fields_of(payload)
            payload = {"is_loading": False, **payload}
            return payload if payload.keys() <= _KNOWN else {name: payload[name] for name in payload.keys() & _KNOWN}
        found = _fields_of(payload)
        # A dictionary of these takes three times as long as a copy of the message.
        has_others = len(payload) > len(_FIELDS) + ("id" in payload)
        return dict(zip(_FIELDS, found, strict=True)) if has_others else payload
    except _OTHER_RELEASE:
        return None


def apply_update(generation: GenerationRow, payload: dict[str, Any]) -> GenerationRow | None:
    """Return `generation` with a message's values; None if the row itself must be read, as above."""
    columns = updated_columns(payload)
    try:
        return GENERATIONS.updated_row(generation, columns, GENERATION_TIMES) if columns else None
    except _OTHER_RELEASE:
        return None


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
