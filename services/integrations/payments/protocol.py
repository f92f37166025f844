"""The till: where people pay, and what can be asked of it. One Protocol for every payment provider."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


class PaymentProviderError(Exception):
    """The provider did not answer in time, or refused; what was asked may or may not have been done."""


@dataclass(frozen=True)
class CheckoutSessionRequest:
    """What a person wants to pay for, and who they are to us."""

    checkout_id: str  # ours
    product_id: str  # the provider's
    slug: str
    user_id: str
    email: str | None = None  # only where it is proven to be theirs
    success_url: str | None = None
    client: str | None = None  # the address that the person asks from, for the provider's taxes


@dataclass(frozen=True)
class CheckoutSession:
    """Where the person pays."""

    provider_id: str | None
    url: str
    expires_at: datetime | None


class PaymentProvider(Protocol):
    """A payment provider. Every call ends within its own deadline; whatever goes wrong is a PaymentProviderError."""

    async def create_checkout(self, request: CheckoutSessionRequest) -> CheckoutSession:
        """Open a till."""

    def orders(self, since: datetime) -> AsyncIterator[dict[str, Any]]:
        """Every order made since then, oldest first, each as a webhook would tell it, unread."""

    def refunds(self, since: datetime) -> AsyncIterator[dict[str, Any]]:
        """Every refund made since then, of orders of any age, newest first, each as a webhook would tell it, unread."""

    async def cancel_subscription(self, subscription_id: str) -> None:
        """See to it that nothing is paid for a subscription any more; one that has ended already is as good."""

    async def portal_url(self, user_id: str) -> str:
        """Where a customer manages what they pay for every month; the address is their key to it."""
