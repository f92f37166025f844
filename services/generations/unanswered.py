"""Orders whose answers were not received: a client's automatic repetition is answered by them, and charged once."""

import hashlib
from dataclasses import replace

import structlog

from models import Generation, User
from models.database.connection import rows, run_tx
from services.core import idempotency
from services.generations.specification import GenerationRequest

log = structlog.get_logger(__name__)

_OPERATION = "unansweredOrder"  # as idempotency keys name it
_KEPT = 600.0  # seconds; clients repeat within seconds


def fingerprint_of(user: User, request: GenerationRequest) -> str:
    """Return what the repetitions of a request have in common, by the same API key, or any session, of an account.

    Raises:
        InvalidInputError: it contains what no order can.
    """
    key_id = user.acting_key.id if user.acting_key else ""
    return hashlib.sha256(
        f"{key_id}:{idempotency.fingerprint(replace(request, idempotency_key=''))}".encode()
    ).hexdigest()


async def keep(user_id: str, fingerprint: str, batch_id: str) -> None:
    """Let the next repetition of an order be answered by its batch, also where the caller is canceled meanwhile.

    The account's earlier orders that answer no repetition any more are deleted. Those of an account without another
    unanswered order stay, as few as its lost answers, until idempotency keys or the account are deleted.
    """
    try:
        await run_tx(_keep, user_id, fingerprint, batch_id)
    except Exception as error:  # noqa: BLE001 - the database is away; the client is asked not to repeat it
        log.warning("order.not_kept", error=error)


async def _keep(user_id: str, fingerprint: str, batch_id: str) -> None:
    await rows(
        "DELETE FROM idempotency_keys WHERE user_id = $1 AND operation = $2 AND created_at <= LATER($3) RETURNING id",
        user_id,
        _OPERATION,
        -_KEPT,
    )
    await rows(
        "INSERT INTO idempotency_keys (user_id, operation, key, input_hash, result_id, batch_id, created_at)"
        " SELECT id, $2, $3, $4, $3, $3, NOW() FROM users WHERE id = $1 AND deleted_at IS NULL"
        " ON CONFLICT (user_id, operation, key) DO UPDATE SET created_at = excluded.created_at RETURNING id",
        user_id,
        _OPERATION,
        batch_id,
        fingerprint,
    )


async def take(user_id: str, fingerprint: str) -> list[Generation] | None:
    """Return the generations of an order of which this is a repetition, without deleted ones; None: there is none.

    Each order answers one repetition.
    """
    return await run_tx(_take, user_id, fingerprint)  # an order whose generations cannot be read is not lost


async def _take(user_id: str, fingerprint: str) -> list[Generation] | None:
    kept = await rows(
        "SELECT id, batch_id FROM idempotency_keys WHERE user_id = $1 AND operation = $2 AND input_hash = $3"
        " AND created_at > LATER($4) ORDER BY id",
        user_id,
        _OPERATION,
        fingerprint,
        -_KEPT,
    )
    for each in kept:
        # Otherwise another repetition has taken it.
        if await rows("DELETE FROM idempotency_keys WHERE id = $1 RETURNING id", each["id"]):
            return await Generation.present().filter(user_id=user_id, batch_id=each["batch_id"]).order_by("id")
    return None
