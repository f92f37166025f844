"""What OpenRouter says about the key: whether it is valid, and what is left of its credit limit (GET /key)."""

from services.integrations.providers.json_body import amount_of, read_object
from services.integrations.providers.openrouter.connection import Connection
from services.integrations.providers.openrouter.error import error_object, status_error
from services.integrations.providers.protocol import KeyStatus

_SECONDS = 10.0  # for the whole answer
_REFUSED = (401, 403)


async def ask_about_key(connection: Connection) -> KeyStatus:
    """Return what `{"data": {"limit_remaining": 74.5, ...}}` says; null there: the key has no limit of its own.

    Raises:
        ProviderError: it could not be asked.
    """
    if not connection.has_key:
        return KeyStatus(is_valid=False)
    status, headers, body = await connection.get("/key", seconds=_SECONDS)
    if status in _REFUSED:
        return KeyStatus(is_valid=False)
    answer = read_object(body) or {}
    data = answer.get("data")
    if status != 200 or not isinstance(data, dict):
        raise status_error(status, headers, error_object(answer), connection.secrets(""))
    left = data.get("limit_remaining")
    is_overdrawn = isinstance(left, int | float) and left < 0
    return KeyStatus(is_valid=True, dollars_left=0.0 if is_overdrawn else amount_of(left))
