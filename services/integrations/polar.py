"""Polar as the till, by its own client; importing that takes a second, so only who needs it imports this."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import asdict
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

import httpx
import structlog
from polar.base import PolarNetworkError, PolarRateLimitError, PolarServerError
from polar.v2026_10 import PolarAsync
from polar.v2026_10.inputs import CheckoutCreate

from services.integrations.payments import OpenTill, PaymentsError, TillRequest

log = structlog.get_logger(__name__)

_PAGE = 100  # orders in one answer, the most that Polar gives
_PATIENCE = 8.0  # seconds for one call, its repetition included
_PORTAL_PATIENCE = 3.0  # seconds; a page of the app waits for it
_LONGEST_WAIT = 2.0  # seconds that a busy Polar may ask us to wait before the one repetition
_PAUSE = 0.3  # seconds before it where Polar says nothing

_T = TypeVar("_T")


class PolarPayments:
    """Our account at Polar. `base_url`: production, its sandbox, or a stand-in."""

    def __init__(self, access_token: str, *, base_url: str, patience: float = _PATIENCE) -> None:
        self._patience = patience
        # The paths of the client begin with /v1 themselves; Polar's own pages write the address with it.
        self._polar = PolarAsync(access_token, base_url=base_url.removesuffix("/v1"), timeout=patience)

    async def __aenter__(self) -> Self:
        await self._polar.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._polar.__aexit__(kind, error, trace)

    async def create_checkout(self, request: TillRequest) -> OpenTill:
        # What is in `metadata` comes back with the order and the subscription.
        wanted: CheckoutCreate = {
            "products": [request.product_id],
            "external_customer_id": request.user_id,
            "metadata": {"user_id": request.user_id, "slug": request.slug, "checkout": request.checkout_id},
        }
        if request.email is not None:
            wanted["customer_email"] = request.email
        if request.success_url is not None:
            wanted["success_url"] = request.success_url
        if request.client is not None:
            wanted["customer_ip_address"] = request.client
        till = await self._ask("checkout", lambda: self._polar.checkouts.create(**wanted))
        return OpenTill(till.id, till.url, _moment(till.expires_at))

    async def orders(self, since: datetime) -> AsyncIterator[dict[str, Any]]:
        page, last = 0, 1
        while page < last:
            page += 1
            found = await self._ask("orders", partial(self._page, since, page))
            last = found.pagination.max_page
            for order in found.items:
                yield asdict(order)

    async def _page(self, since: datetime, number: int) -> Any:
        # Oldest first: what is ordered meanwhile comes at the end, and moves nothing from page to page.
        return await self._polar.orders.list(
            created_after=since.isoformat(), sorting=["created_at"], page=number, limit=_PAGE
        )

    async def portal_url(self, user_id: str) -> str:
        session = await self._ask(
            "portal", lambda: self._polar.customer_sessions.create(external_customer_id=user_id), _PORTAL_PATIENCE
        )
        return session.customer_portal_url

    async def _ask(self, what: str, call: Callable[[], Awaitable[_T]], patience: float | None = None) -> _T:
        """Call within one deadline, and once more where Polar certainly did nothing."""
        try:
            async with asyncio.timeout(min(patience or self._patience, self._patience)):
                try:
                    return await call()
                except (PolarNetworkError, PolarServerError, PolarRateLimitError) as error:
                    pause = _pause_before_repeating(error)
                    if pause is None:
                        raise
                    await asyncio.sleep(pause)
                    return await call()
        except Exception as error:  # whatever the client, its transport and its parser throw
            log.warning("polar.failed", call=what, error=repr(error)[:500])
            raise PaymentsError(f"{what}: {type(error).__name__}") from error


def _pause_before_repeating(error: PolarNetworkError | PolarServerError | PolarRateLimitError) -> float | None:
    """Seconds; None where the call may have been carried out, or Polar wants to be left alone for longer."""
    if isinstance(error, PolarRateLimitError):
        pause = _PAUSE if error.retry_after is None else float(error.retry_after)
        return pause if pause <= _LONGEST_WAIT else None
    if isinstance(error, PolarServerError):
        return _PAUSE if error.status_code == 503 else None
    return _PAUSE if isinstance(error.__cause__, httpx.ConnectError) else None


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise PaymentsError(f"a moment without a zone: {text}")
    return moment
