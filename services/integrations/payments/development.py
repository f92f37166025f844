"""A simulated payment provider for development, which charges nothing; its payment page is served by this server."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from services.integrations.payments.protocol import (
    CheckoutSession,
    CheckoutSessionRequest,
    CustomerPortal,
    PaymentProviderError,
)

SUCCESS, CANCEL = "success_url", "cancel_url"  # in the page's query: where the user goes on

_NOTHING: tuple[dict[str, Any], ...] = ()


class DevelopmentPaymentProvider:
    """Opens the development checkout page. `address`: the base URL of this server."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def create_checkout(self, request: CheckoutSessionRequest) -> CheckoutSession:
        addresses = {SUCCESS: request.success_url, CANCEL: request.cancel_url}
        query = urlencode({name: url for name, url in addresses.items() if url is not None})
        url = f"{self._address}/checkout/{request.checkout_id}" + (f"?{query}" if query else "")
        return CheckoutSession(provider_id=None, url=url, expires_at=None)

    async def orders(self, since: datetime) -> AsyncIterator[dict[str, Any]]:
        """Yield none: every order is reported when it is created."""
        for order in _NOTHING:
            yield order

    async def refunds(self, since: datetime) -> AsyncIterator[dict[str, Any]]:
        """Yield none: nothing was paid."""
        for refund in _NOTHING:
            yield refund

    async def cancel_subscription(self, subscription_id: str) -> None:
        """Do nothing: nothing is paid for it."""

    async def portal(self, user_id: str) -> CustomerPortal:
        raise PaymentProviderError("nothing is paid here, so there is nothing to manage")
