"""People who order and look at their account all the time, at whichever server answers, and write down every answer."""

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
CUT = "CUT"  # no answer: the connection was refused or ended
AGAIN = (CUT, "INTERNAL", "UNAVAILABLE", "UPLOAD_FAILED")  # after these people try again, with the same key
LOOK = "{ viewer { credits version generations(first: 5) { nodes { id status } } } }"
ORDER = """
mutation($input: CreateGenerationInput!) {
  createGeneration(input: $input) { generations { id } errors { code } }
}"""


@dataclass(frozen=True)
class Answer:
    """What came back, when it was asked for and after how long."""

    kind: str
    started: float  # time.time()
    seconds: float
    code: str | None  # None: what was asked for; HTTP 5xx stands for itself

    @property
    def ended(self) -> float:
        return self.started + self.seconds


@dataclass
class Person:
    """One account at one device, which knows all servers."""

    apis: Sequence[Api]
    dice: random.Random
    style: str | None = None  # whoever has one sends a photo with half of the orders
    pause: float = 0.03
    answers: list[Answer] = field(default_factory=list)
    accepted: dict[str, list[str]] = field(default_factory=dict)  # idempotency key -> generations

    @property
    def bought(self) -> int:
        """How many generations this person was told of."""
        return sum(len(ids) for ids in self.accepted.values())

    async def shop(self, closing: asyncio.Event) -> None:
        """Order and look until the shop closes; every order is brought to its answer."""
        while not closing.is_set():
            await self.order()
            await self.ask("query", LOOK)
            await asyncio.sleep(self.pause)

    async def order(self, with_photo: bool | None = None, tries: int | None = None) -> list[str]:
        """The generations of one order; none if `tries` did not bring it to its end."""
        sends = self.style is not None and (self.dice.random() < 0.5 if with_photo is None else with_photo)
        key = f"{self.dice.getrandbits(64):x}"
        wanted = {"styleId": self.style} if sends else {"prompt": "a quiet street"}
        kind = "photo" if sends else "text"
        while tries is None or tries > 0:
            tries = None if tries is None else tries - 1
            files = {"input.image": PHOTO} if sends else None
            code, value = await self.ask(kind, ORDER, files, input={**wanted, "idempotencyKey": key})
            if code is None:
                self.accepted[key] = [generation["id"] for generation in value["generations"]]
                return self.accepted[key]
            assert code in AGAIN or code.startswith("HTTP"), code
            await asyncio.sleep(self.dice.uniform(0.02, 0.1))
        return []

    async def ask(
        self, kind: str, query: str, files: dict[str, bytes] | None = None, **variables: Any
    ) -> tuple[str | None, Any]:
        """The answer's code and the value of its root field, written down."""
        started, clock = time.time(), time.perf_counter()
        code, value = await self._ask(query, files, **variables)
        self.answers.append(Answer(kind, started, time.perf_counter() - clock, code))
        return code, value

    async def _ask(self, query: str, files: dict[str, bytes] | None, **variables: Any) -> tuple[str | None, Any]:
        try:
            response = await self.dice.choice(self.apis).raw(query, files, **variables)
        except httpx.TransportError:
            return CUT, None
        if response.status_code >= 500:
            return f"HTTP {response.status_code}", None
        body = response.json()
        value = next(iter(body["data"].values())) if body.get("data") else {}
        errors = body.get("errors") or (value or {}).get("errors") or []
        codes = [error.get("code") or error["extensions"]["code"] for error in errors]
        return (codes[0] if codes else None), value


def answers(people: Iterable[Person], since: float = 0.0, until: float = float("inf")) -> list[Answer]:
    """Everything that was asked for in that time."""
    return [answer for person in people for answer in person.answers if since <= answer.started < until]


def codes(found: Iterable[Answer]) -> Counter[str]:
    """How many of each; good ones by their kind."""
    return Counter(answer.code or answer.kind for answer in found)


def slowest(found: Iterable[Answer]) -> float:
    """Seconds."""
    return max((answer.seconds for answer in found), default=0.0)


class Crowd:
    """People who shop while the body of `async with` runs."""

    def __init__(self, people: Sequence[Person]) -> None:
        self.people = people
        self._closing = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Crowd":
        self._tasks = [asyncio.create_task(person.shop(self._closing)) for person in self.people]
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._closing.set()
        if kind is not None:
            for task in self._tasks:
                task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=kind is not None)

    @property
    def accepted(self) -> list[str]:
        """Every generation that somebody was told of."""
        return [id for person in self.people for ids in person.accepted.values() for id in ids]

    def answers(self, since: float = 0.0, until: float = float("inf")) -> list[Answer]:
        return answers(self.people, since, until)
