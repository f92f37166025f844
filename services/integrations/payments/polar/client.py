"""Polar as the payment provider, through its SDK. Importing the SDK takes a second: import this only where needed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import structlog
from polar.base import PolarNetworkError, PolarRateLimitError, PolarServerError, parse_response_json
from polar.v2026_10 import PolarAsync
from polar.v2026_10.errors import AlreadyCanceledSubscription, ResourceNotFound
from polar.v2026_10.inputs import CheckoutCreate

from services.integrations.payments.protocol import (
    CheckoutSession,
    CheckoutSessionRequest,
    CustomerPortal,
    PaymentProviderError,
)

log = structlog.get_logger(__name__)

_PAGE = 100  # rows of one response, Polar's maximum
_TIMEOUT = 8.0  # seconds for one call, its retry included
_SHORT_TIMEOUT = 3.0  # seconds; a user is waiting for something else
_MAX_RETRY_AFTER = 2.0  # seconds: the longest Retry-After of Polar that is waited for, before the one retry
_MAX_LOGGED = 500  # characters of a response in the log
_RETRY_PAUSE = 0.3  # seconds before the retry, if Polar does not say how long

_T = TypeVar("_T")


class PolarPaymentProvider:
    """Our account at Polar. `base_url`: production, its sandbox, or a fake."""

    def __init__(self, access_token: str, *, base_url: str, timeout: float = _TIMEOUT) -> None:
        self._timeout = timeout
        # The SDK's paths begin with /v1; Polar's documentation writes the base URL with it.
        self._polar = PolarAsync(access_token, base_url=base_url.removesuffix("/v1"), timeout=timeout)

    async def __aenter__(self) -> Self:
        await self._polar.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._polar.__aexit__(kind, error, trace)

    async def create_checkout(self, request: CheckoutSessionRequest) -> CheckoutSession:
        # `metadata` is returned with the order and the subscription.
        wanted: CheckoutCreate = {
            "products": [request.product_id],
            "external_customer_id": request.user_id,
            "metadata": {"user_id": request.user_id, "slug": request.slug, "checkout": request.checkout_id},
        }
        if request.email is not None:
            wanted["customer_email"] = request.email
        if request.success_url is not None:
            wanted["success_url"] = request.success_url
        if request.cancel_url is not None:
            wanted["return_url"] = request.cancel_url
        if request.client is not None:
            wanted["customer_ip_address"] = request.client
        checkout = await self._call("checkout", lambda: self._polar.checkouts.create(**wanted))
        return CheckoutSession(checkout.id, checkout.url, _timestamp(checkout.expires_at))

    async def orders(self, since: datetime) -> AsyncIterator[dict[str, Any]]:
        # Oldest first: orders created meanwhile come last, and shift no row to another page.
        async for order in self._list("orders", created_after=since.isoformat(), sorting=["created_at"]):
            yield order

    async def refunds(self, since: datetime) -> AsyncIterator[dict[str, Any]]:
        # The API has no filter by age. Newest first: refunds created meanwhile repeat rows, but hide none.
        async for refund in self._list("refunds", sorting=["-created_at"]):
            if _is_before(refund.get("created_at"), since):
                return
            yield refund

    async def _list(self, what: str, **query: Any) -> AsyncIterator[dict[str, Any]]:
        """Yield every row of a list. Invalid rows and pages are skipped, so that they hide no other."""
        page, last = 0, 1
        while page < last:
            page += 1
            found = await self._call(what, partial(self._page, what, {**query, "page": page, "limit": _PAGE}))
            try:
                rows, last = list(found["items"]), int(found["pagination"]["max_page"])
            except (TypeError, KeyError, ValueError):
                log.error("polar.invalid_response", call=what, page=page, answer=repr(found)[:_MAX_LOGGED])
                continue
            for row in rows:
                if isinstance(row, dict):
                    yield row
                else:
                    log.error("polar.invalid_response", call=what, page=page, row=repr(row)[:_MAX_LOGGED])

    async def _page(self, what: str, query: dict[str, Any]) -> Any:
        # The raw response: the SDK's models refuse a whole page for one row with an unknown enum value.
        client = self._polar.orders.client
        answer = await client.send_request(client.build_request("GET", f"/v1/{what}/", query_params=query))
        try:
            return parse_response_json(answer)
        except ValueError:  # not JSON
            return None

    async def cancel_subscription(self, subscription_id: str) -> None:
        async def revoke() -> None:
            with contextlib.suppress(AlreadyCanceledSubscription, ResourceNotFound):
                await self._polar.subscriptions.revoke(subscription_id)

        await self._call("revoke", revoke, _SHORT_TIMEOUT)

    async def portal(self, user_id: str) -> CustomerPortal:
        session = await self._call(
            "portal", lambda: self._polar.customer_sessions.create(external_customer_id=user_id), _SHORT_TIMEOUT
        )
        return CustomerPortal(session.customer_portal_url, session.customer.email)

    async def _call(self, what: str, call: Callable[[], Awaitable[_T]], seconds: float | None = None) -> _T:
        """Call with one deadline, and retry once if Polar certainly did nothing."""
        try:
            async with asyncio.timeout(min(seconds or self._timeout, self._timeout)):
                try:
                    return await call()
                except (PolarNetworkError, PolarServerError, PolarRateLimitError) as error:
                    pause = _retry_pause(error)
                    if pause is None:
                        raise
                    await asyncio.sleep(pause)
                    return await call()
        except Exception as error:  # anything that the SDK, its transport and its parser raise
            log.warning("polar.request_failed", call=what, error=repr(error)[:_MAX_LOGGED])
            raise PaymentProviderError(f"{what}: {type(error).__name__}") from error


def _retry_pause(error: PolarNetworkError | PolarServerError | PolarRateLimitError) -> float | None:
    """Return seconds; None if the call may have been carried out, or Polar's Retry-After is too long."""
    if isinstance(error, PolarRateLimitError):
        pause = _RETRY_PAUSE if error.retry_after is None else float(error.retry_after)
        return pause if pause <= _MAX_RETRY_AFTER else None
    if isinstance(error, PolarServerError):
        return _RETRY_PAUSE if error.status_code == 503 else None
    return _RETRY_PAUSE if isinstance(error.__cause__, httpx.ConnectError) else None


def _is_before(created_at: object, since: datetime) -> bool:
    """Whether a row was created before `since`; False if its time is missing or invalid."""
    try:
        return datetime.fromisoformat(str(created_at)) < since
    except (ValueError, TypeError):  # no timestamp, or one without a time zone
        return False


def _timestamp(text: str) -> datetime:
    timestamp = datetime.fromisoformat(text)
    if timestamp.tzinfo is None:
        raise PaymentProviderError(f"a timestamp without a time zone: {text}")
    return timestamp
