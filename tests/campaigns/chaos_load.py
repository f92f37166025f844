"""Load of the chaos drills: clients that create generations and read their account, and record every response."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.support.client import Api, photo

PHOTO = photo(96, 72)
CUT = "CUT"  # no response: the connection was refused or closed
RETRYABLE = (CUT, "INTERNAL", "UNAVAILABLE", "UPLOAD_FAILED")  # retried with the same idempotency key
READ_ACCOUNT = "{ viewer { credits version generations(first: 5) { nodes { id status } } } }"
CREATE = """
mutation($input: CreateGenerationInput!) {
  createGeneration(input: $input) { generations { id } errors { code } }
}"""


@dataclass(frozen=True)
class RecordedResponse:
    """The outcome of one request, when it was sent and how long it took."""

    kind: str
    started: float  # time.time()
    seconds: float
    code: str | None  # the error code, or "HTTP 5xx"; None on success

    @property
    def ended(self) -> float:
        return self.started + self.seconds


@dataclass
class LoadClient:
    """A client signed in to one account, which uses all servers."""

    apis: Sequence[Api]
    rng: random.Random
    style: str | None = None  # with a style, half of the requests carry a photo
    pause: float = 0.03
    responses: list[RecordedResponse] = field(default_factory=list)
    accepted: dict[str, list[str]] = field(default_factory=dict)  # idempotency key -> generations

    @property
    def accepted_count(self) -> int:
        """Return how many generations the server has confirmed."""
        return sum(len(ids) for ids in self.accepted.values())

    async def run(self, stopping: asyncio.Event) -> None:
        """Create generations and read the account until `stopping` is set; retry each creation until it succeeds."""
        while not stopping.is_set():
            await self.create()
            await self.send("query", READ_ACCOUNT)
            await asyncio.sleep(self.pause)

    async def create(self, with_photo: bool | None = None, attempts: int | None = None) -> list[str]:
        """Create a batch and return its generation ids; none if it did not succeed in `attempts` attempts."""
        has_photo = self.style is not None and (self.rng.random() < 0.5 if with_photo is None else with_photo)
        key = f"{self.rng.getrandbits(64):x}"
        fields = {"styleId": self.style} if has_photo else {"prompt": "a quiet street"}
        kind = "photo" if has_photo else "text"
        while attempts is None or attempts > 0:
            attempts = None if attempts is None else attempts - 1
            files = {"input.image": PHOTO} if has_photo else None
            code, value = await self.send(kind, CREATE, files, input={**fields, "idempotencyKey": key})
            if code is None:
                self.accepted[key] = [generation["id"] for generation in value["generations"]]
                return self.accepted[key]
            assert code in RETRYABLE or code.startswith("HTTP"), code
            await asyncio.sleep(self.rng.uniform(0.02, 0.1))
        return []

    async def send(
        self, kind: str, query: str, files: dict[str, bytes] | None = None, **variables: Any
    ) -> tuple[str | None, Any]:
        """Send one operation, record the outcome, and return the error code and the value of the root field."""
        started, clock = time.time(), time.perf_counter()
        code, value = await self._send(query, files, **variables)
        self.responses.append(RecordedResponse(kind, started, time.perf_counter() - clock, code))
        return code, value

    async def _send(self, query: str, files: dict[str, bytes] | None, **variables: Any) -> tuple[str | None, Any]:
        try:
            response = await self.rng.choice(self.apis).raw(query, files, **variables)
        except httpx.TransportError:
            return CUT, None
        if response.status_code >= 500:
            return f"HTTP {response.status_code}", None
        body = response.json()
        value = next(iter(body["data"].values())) if body.get("data") else {}
        errors = body.get("errors") or (value or {}).get("errors") or []
        codes = [error.get("code") or error["extensions"]["code"] for error in errors]
        return (codes[0] if codes else None), value


def responses_of(
    clients: Iterable[LoadClient], since: float = 0.0, until: float = float("inf")
) -> list[RecordedResponse]:
    """Return the requests that were sent in this window (Unix seconds)."""
    return [response for client in clients for response in client.responses if since <= response.started < until]


def codes(found: Iterable[RecordedResponse]) -> Counter[str]:
    """Count requests by error code; successful ones by kind."""
    return Counter(response.code or response.kind for response in found)


def slowest(found: Iterable[RecordedResponse]) -> float:
    """Return the longest response time in seconds."""
    return max((response.seconds for response in found), default=0.0)


class LoadGroup:
    """Clients that produce load while the body of `async with` runs."""

    def __init__(self, clients: Sequence[LoadClient]) -> None:
        self.clients = clients
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "LoadGroup":
        self._tasks = [asyncio.create_task(client.run(self._stopping)) for client in self.clients]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stopping.set()
        if kind is not None:
            for task in self._tasks:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=kind is not None)

    @property
    def accepted(self) -> list[str]:
        """Return the ids of every generation that the server has confirmed."""
        return [id for client in self.clients for ids in client.accepted.values() for id in ids]

    def responses(self, since: float = 0.0, until: float = float("inf")) -> list[RecordedResponse]:
        return responses_of(self.clients, since, until)
