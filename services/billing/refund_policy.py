"""The refund policy: whether a generation without a result is refunded."""

from models.enum import RefundPolicy


def is_refunded(policy: RefundPolicy, *, called: bool, canceled: bool) -> bool:
    """Return whether a generation that ended without a result is refunded.

    `called`: a request has, or may have, left for the provider.
    """
    if policy is RefundPolicy.NEVER:
        return False
    return not called or (policy is RefundPolicy.ON_FAILURE and not canceled)
