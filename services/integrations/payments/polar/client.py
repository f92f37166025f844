"""Polar as the till, by its own client; importing that takes a second, so only who needs it imports this."""

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

from services.integrations.payments.protocol import CheckoutSession, CheckoutSessionRequest, PaymentProviderError

log = structlog.get_logger(__name__)

_PAGE = 100  # rows in one answer, the most that Polar gives
_PATIENCE = 8.0  # seconds for one call, its repetition included
_SHORT_PATIENCE = 3.0  # seconds; a person waits for it who wants something else
_LONGEST_WAIT = 2.0  # seconds that a busy Polar may ask us to wait before the one repetition
_LONGEST_SHOWN = 500  # characters of an answer in the log
_PAUSE = 0.3  # seconds before it where Polar says nothing

_T = TypeVar("_T")


class PolarPaymentProvider:
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

    async def create_checkout(self, request: CheckoutSessionRequest) -> CheckoutSession:
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
        return CheckoutSession(till.id, till.url, _moment(till.expires_at))

    async def orders(self, since: datetime) -> AsyncIterator[dict[str, Any]]:
        # Oldest first: what is ordered meanwhile comes at the end, and moves nothing from page to page.
        async for order in self._walk("orders", created_after=since.isoformat(), sorting=["created_at"]):
            yield order

    async def refunds(self, since: datetime) -> AsyncIterator[dict[str, Any]]:
        # They cannot be asked for by their age. Newest first, what comes meanwhile repeats some, and hides none.
        async for refund in self._walk("refunds", sorting=["-created_at"]):
            if _is_before(refund.get("created_at"), since):
                return
            yield refund

    async def _walk(self, what: str, **query: Any) -> AsyncIterator[dict[str, Any]]:
        """Every row of a list. What is no row, or no page, is passed over: it must not hide all that come after it."""
        page, last = 0, 1
        while page < last:
            page += 1
            found = await self._ask(what, partial(self._page, what, {**query, "page": page, "limit": _PAGE}))
            try:
                rows, last = list(found["items"]), int(found["pagination"]["max_page"])
            except (TypeError, KeyError, ValueError):
                log.error("polar.senseless", call=what, page=page, answer=repr(found)[:_LONGEST_SHOWN])
                continue
            for row in rows:
                if isinstance(row, dict):
                    yield row
                else:
                    log.error("polar.senseless", call=what, page=page, row=repr(row)[:_LONGEST_SHOWN])

    async def _page(self, what: str, query: dict[str, Any]) -> Any:
        # The client's own request, unread: its models refuse a whole page for one row with a word that is new to them.
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

        await self._ask("revoke", revoke, _SHORT_PATIENCE)

    async def portal_url(self, user_id: str) -> str:
        session = await self._ask(
            "portal", lambda: self._polar.customer_sessions.create(external_customer_id=user_id), _SHORT_PATIENCE
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
            log.warning("polar.failed", call=what, error=repr(error)[:_LONGEST_SHOWN])
            raise PaymentProviderError(f"{what}: {type(error).__name__}") from error


def _pause_before_repeating(error: PolarNetworkError | PolarServerError | PolarRateLimitError) -> float | None:
    """Seconds; None where the call may have been carried out, or Polar wants to be left alone for longer."""
    if isinstance(error, PolarRateLimitError):
        pause = _PAUSE if error.retry_after is None else float(error.retry_after)
        return pause if pause <= _LONGEST_WAIT else None
    if isinstance(error, PolarServerError):
        return _PAUSE if error.status_code == 503 else None
    return _PAUSE if isinstance(error.__cause__, httpx.ConnectError) else None


def _is_before(told: object, since: datetime) -> bool:
    """Whether a row is older than that; one that does not say how old it is, is not."""
    try:
        return datetime.fromisoformat(str(told)) < since
    except (ValueError, TypeError):  # no moment, or one without a zone
        return False


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise PaymentProviderError(f"a moment without a zone: {text}")
    return moment
