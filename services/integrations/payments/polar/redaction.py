"""Removes the customer's personal data from Polar's payloads: only the ids are kept, Polar has the rest."""

from typing import Any

_IDS = ("id", "external_id")
_CUSTOMER_OBJECTS = ("customer", "user")  # fields that hold a customer
_PREFIXES = ("billing_", "customer_")  # of other fields with personal data
_KEPT = ("billing_reason", "customer_id", "customer_external_id")  # fields with such a prefix and no personal data


def redact_event(event: dict[str, Any]) -> dict[str, Any]:
    """Return a whole event without names, addresses and tax ids."""
    clean = _only_ids if event["type"].startswith("customer.") else redact_customer
    return {**event, "data": clean(event["data"])}


def redact_customer(value: dict[str, Any]) -> dict[str, Any]:
    """Return an object without names, addresses and tax ids."""
    return {
        name: _only_ids(value) if name in _CUSTOMER_OBJECTS and isinstance(value, dict) else _redact(value)
        for name, value in value.items()
        if name in _KEPT or not name.startswith(_PREFIXES)
    }


def _only_ids(customer: dict[str, Any]) -> dict[str, Any]:
    return {name: customer[name] for name in _IDS if name in customer}


def _redact(value: Any) -> Any:
    if isinstance(value, dict):
        return redact_customer(value)
    return [_redact(part) for part in value] if isinstance(value, list) else value
