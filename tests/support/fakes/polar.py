"""A fake Polar with its API of 2026-10: checkouts, pages of orders and refunds, subscriptions, portal sessions.

async with PolarServer() as polar:
    polar.orders.append(order(...))
    ... PolarPaymentProvider(polar.token, base_url=polar.url) ...
    assert polar.calls[0].path == "/v1/checkouts/"
"""

import asyncio
import json
from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.support.fakes.polar_wire import Json, checkout, customer, session, timestamp
from tests.support.fakes.raw_server import Call, RawServer, Response, raw_response

TOKEN = "polar_oat_0123456789abcdef"


@dataclass(frozen=True)
class PolarCall(Call):
    """One received request; `path` is without its query."""

    query: dict[str, list[str]]


class PolarServer(RawServer):
    """A local server. `calls` holds every request; `fail` makes the next ones fail."""

    def __init__(self, token: str = TOKEN) -> None:
        super().__init__()
        self.token = token
        self.calls: list[PolarCall] = []
        self.orders: list[Json] = []
        self.refunds: list[Json] = []
        self.subscriptions: dict[str, Json] = {}
        self.invalid_pages: dict[int, Any] = {}  # page of orders -> what it contains instead of its rows
        self.checkouts: list[Json] = []
        self.customers: dict[str, Json] = {}  # by external id: our user id
        self.open = asyncio.Event()  # while it is cleared, no request is answered
        self.open.set()
        self._failures: deque[tuple[int, dict[str, str]]] = deque()

    def add_customer(self, user_id: str, email: str = "ada@example.com") -> None:
        """Keep a customer, as the first checkout of our account with this address does."""
        self.customers[user_id] = customer(user_id, email)

    def fail(self, *statuses: int, **headers: str) -> None:
        """Answer the next calls with these statuses, in turn."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._failures.extend((status, named) for status in statuses)

    @property
    def url(self) -> str:
        """Return the base URL of the fake."""
        return self.origin

    async def answer(self, call: Call) -> Response:
        parts = urlsplit(call.path)
        received = PolarCall(call.method, parts.path, call.headers, call.body, parse_qs(parts.query))
        self.calls.append(received)
        await self.open.wait()
        status, body, headers = self._answer(received)
        return raw_response(status, "application/json", json.dumps(body).encode(), **headers)

    def _answer(self, call: PolarCall) -> tuple[int, Any, dict[str, str]]:
        if self._failures:
            status, headers = self._failures.popleft()
            return status, {"error": "ServerError", "detail": "failure"}, headers
        if call.headers.get("authorization") != f"Bearer {self.token}":
            return 401, {"error": "Unauthorized", "detail": "The token is wrong."}, {}
        match call.method, call.path:
            case "POST", "/v1/checkouts/":
                wanted = call.body
                if not isinstance(wanted, dict) or not wanted.get("products"):
                    return 422, {"detail": [{"loc": ["body", "products"], "msg": "missing", "type": "missing"}]}, {}
                self.checkouts.append(checkout(wanted, self.url))
                return 201, self.checkouts[-1], {}
            case "GET", "/v1/orders/":
                return 200, self._orders(call.query), {}
            case "GET", "/v1/refunds/":
                assert call.query["sorting"] == ["-created_at"], "newest first, so that the client knows when to stop"
                return 200, _page(sorted(self.refunds, key=_created_at, reverse=True), call.query), {}
            case "DELETE", path if path.startswith("/v1/subscriptions/"):
                return self._revoke(path.rpartition("/")[2])
            case "POST", "/v1/customer-sessions/":
                user_id = call.body["external_customer_id"]
                found = self.customers.get(user_id)
                if found is None:
                    problem = {"loc": ["body", "external_customer_id"], "msg": "unknown", "type": "value_error"}
                    return 422, {"detail": [problem]}, {}
                return 201, session(found, self.url), {}
        return 404, {"error": "ResourceNotFound", "detail": "Not found"}, {}

    def _orders(self, query: dict[str, list[str]]) -> Json:
        assert query["sorting"] == ["created_at"], "oldest first, so that pages do not shift while orders come in"
        wanted = [order for order in self.orders if order["created_at"] > query["created_after"][0]]
        page = _page(sorted(wanted, key=_created_at), query)
        return {**page, "items": self.invalid_pages.get(int(query["page"][0]), page["items"])}

    def _revoke(self, subscription_id: str) -> tuple[int, Json, dict[str, str]]:
        found = self.subscriptions.get(subscription_id)
        if found is None:
            return 404, {"error": "ResourceNotFound", "detail": "Not found"}, {}
        if found["status"] == "canceled":
            return 403, {"error": "AlreadyCanceledSubscription", "detail": "This subscription is already canceled."}, {}
        found |= {"status": "canceled", "ended_at": timestamp(datetime.now(UTC))}
        return 200, found, {}


def _created_at(row: Json) -> str:
    return str(row["created_at"])


def _page(rows: list[Json], query: dict[str, list[str]]) -> Json:
    number, limit = int(query["page"][0]), min(int(query["limit"][0]), 100)
    items = rows[(number - 1) * limit : number * limit]
    pages = max(-(-len(rows) // limit), 1)
    return {"items": items, "pagination": {"total_count": len(rows), "max_page": pages}}
