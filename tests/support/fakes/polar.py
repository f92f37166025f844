"""A fake Polar with its API of 2026-10: checkouts, pages of orders and refunds, subscriptions, portal sessions.

async with PolarServer() as polar:
    polar.orders.append(order(...))
    ... PolarPaymentProvider(polar.token, base_url=polar.url) ...
    assert polar.calls[0].path == "/v1/checkouts/"
"""

import asyncio
import json
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.support.fakes.polar_wire import Json, checkout, session, timestamp

TOKEN = "polar_oat_0123456789abcdef"


@dataclass(frozen=True)
class Call:
    """One received request."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]  # names in lower case
    body: Any


class PolarServer:
    """A local server. `calls` holds every request; `fail` makes the next ones fail."""

    def __init__(self, token: str = TOKEN) -> None:
        self.token = token
        self.calls: list[Call] = []
        self.orders: list[Json] = []
        self.refunds: list[Json] = []
        self.subscriptions: dict[str, Json] = {}
        self.invalid_pages: dict[int, Any] = {}  # page of orders -> what it contains instead of its rows
        self.checkouts: list[Json] = []
        self.customers: set[str] = set()  # by external id: our user id
        self.open = asyncio.Event()  # while it is cleared, no request is answered
        self.open.set()
        self._failures: deque[tuple[int, dict[str, str]]] = deque()
        self._connections: set[asyncio.Task[None]] = set()

    def fail(self, *statuses: int, **headers: str) -> None:
        """Answer the next calls with these statuses, in turn."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._failures.extend((status, named) for status in statuses)

    @property
    def url(self) -> str:
        """Return the base URL of the fake."""
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for connection in self._connections:
            connection.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                call = await _read(reader)
                self.calls.append(call)
                await self.open.wait()
                status, body, headers = self._answer(call)
                text = json.dumps(body).encode()
                head = {"content-type": "application/json", "content-length": str(len(text)), "connection": "close"}
                lines = "".join(f"{name}: {value}\r\n" for name, value in {**head, **headers}.items())
                writer.write(f"HTTP/1.1 {status} Said\r\n{lines}\r\n".encode() + text)
                await writer.drain()
        finally:
            self._connections.discard(task)
            writer.close()

    def _answer(self, call: Call) -> tuple[int, Any, dict[str, str]]:
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
                if user_id not in self.customers:
                    problem = {"loc": ["body", "external_customer_id"], "msg": "unknown", "type": "value_error"}
                    return 422, {"detail": [problem]}, {}
                return 201, session(user_id, self.url), {}
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


async def _read(reader: asyncio.StreamReader) -> Call:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, target, _ = head[0].split(" ", 2)
    fields = (line.split(":", 1) for line in head[1:] if line)
    headers = {name.strip().lower(): value.strip() for name, value in fields}
    raw = await reader.readexactly(int(headers.get("content-length", "0")))
    parts = urlsplit(target)
    return Call(method, parts.path, parse_qs(parts.query), headers, json.loads(raw) if raw else None)
