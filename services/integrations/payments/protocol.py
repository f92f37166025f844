"""The interface of payment providers."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol


class PaymentProviderError(Exception):
    """The provider did not answer in time, or refused; the request may or may not have been carried out."""


@dataclass(frozen=True)
class CheckoutSessionRequest:
    """What a user wants to pay for, and their account."""

    checkout_id: str  # ours
    product_id: str  # the provider's
    slug: str
    user_id: str
    email: str | None = None  # only if verified
    success_url: str | None = None
    client: str | None = None  # IP address, from which the provider derives taxes
    cancel_url: str | None = None


@dataclass(frozen=True)
class CheckoutSession:
    """A payment page of the provider."""

    provider_id: str | None
    url: str
    expires_at: datetime | None


@dataclass(frozen=True)
class CustomerPortal:
    """The page where a customer manages their subscriptions. The address grants access by itself."""

    url: str
    email: str | None  # the customer's, which need not be the one of our account


class PaymentProvider(Protocol):
    """A payment provider. Every call ends within its own deadline; every failure is a PaymentProviderError."""

    async def create_checkout(self, request: CheckoutSessionRequest) -> CheckoutSession:
        """Open a payment page."""

    def orders(self, since: datetime) -> AsyncIterator[dict[str, Any]]:
        """Yield every order created since then, oldest first, as a webhook's raw payload."""

    def refunds(self, since: datetime) -> AsyncIterator[dict[str, Any]]:
        """Yield every refund created since then, newest first, of orders of any age, as a webhook's raw payload."""

    async def cancel_subscription(self, subscription_id: str) -> None:
        """Cancel a subscription at once. Succeeds if it has ended already."""

    async def portal(self, user_id: str) -> CustomerPortal:
        """Open the page where the customer with this account manages their subscriptions."""
