"""The shape of messages on a socket."""

from typing import Any

from web.persisted import EXTENSION, with_named_document

_MAX_ID = 255  # characters of an operation's id, which every message about it repeats


def is_message(message: Any) -> bool:
    """Return whether the message has the shape that the specification requires for its type.

    The rules are those of graphql-ws, and one more: ids have a maximum length.
    """
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        return False
    payload = message.get("payload")
    if message["type"] == "subscribe":
        if isinstance(payload, dict):
            payload = message["payload"] = with_named_document(payload)
        return (
            _is_id(message.get("id"))
            and isinstance(payload, dict)
            and (isinstance(payload.get("query"), str) or _names_document(payload))
            and isinstance(payload.get("variables"), dict | None)
            and isinstance(payload.get("operationName"), str | None)
            and isinstance(payload.get("extensions"), dict | None)
        )
    if message["type"] == "complete":
        return _is_id(message.get("id"))
    return isinstance(payload, dict | None)


def _names_document(payload: dict[str, Any]) -> bool:
    extensions = payload.get("extensions")
    return payload.get("query") is None and isinstance(extensions, dict) and EXTENSION in extensions


def _is_id(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _MAX_ID
