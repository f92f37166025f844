"""What Polar's objects say of the person who pays, beyond the ids that we need: Polar keeps it, we do not."""

from typing import Any

_IDS = ("id", "external_id")
_PEOPLE = ("customer", "user")  # objects that describe a person
_PREFIXES = ("billing_", "customer_")  # of fields that do, beside the objects
_PLAIN = ("billing_reason", "customer_id", "customer_external_id")  # those that begin alike and do not


def redact_event(event: dict[str, Any]) -> dict[str, Any]:
    """A whole event, as it was read, without names, addresses and tax ids."""
    clean = _only_ids if event["type"].startswith("customer.") else redact_customer
    return {**event, "data": clean(event["data"])}


def redact_customer(told: dict[str, Any]) -> dict[str, Any]:
    """An object without names, addresses and tax ids."""
    return {
        name: _only_ids(value) if name in _PEOPLE and isinstance(value, dict) else _inside(value)
        for name, value in told.items()
        if name in _PLAIN or not name.startswith(_PREFIXES)
    }


def _only_ids(person: dict[str, Any]) -> dict[str, Any]:
    return {name: person[name] for name in _IDS if name in person}


def _inside(value: Any) -> Any:
    if isinstance(value, dict):
        return redact_customer(value)
    return [_inside(part) for part in value] if isinstance(value, list) else value
