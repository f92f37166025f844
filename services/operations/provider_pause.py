"""Pauses of providers that refuse every call: what waits for them is paid for, and would only fail.

A pause is a row, which every process reads: workers call the provider no more, and all of them report it.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime

import structlog

from models.database.connection import as_datetime, placeholders, rows
from models.enum import MediaKind
from services.events.payload import PROVIDER_PAUSES_CHANNEL
from services.integrations.messaging.bus import Bus
from services.integrations.messaging.refresh import refreshing
from services.integrations.messaging.wake_up import WAITING_CHANNEL
from services.integrations.providers.failure_cause import FailureCause
from services.integrations.providers.route_table import RouteTable
from services.operations.provider_keys import OK, UNKNOWN, ProviderKeys
from telemetry import metric

log = structlog.get_logger(__name__)

_LONGEST = 60.0  # seconds between two questions about the key
# For the same reason in a row, after which nothing is tried for a while: for lack of credit, whatever the provider says
# about the key; of the key, if it cannot be asked.
_REFUSALS = 5
_HOLD_SECONDS = 30.0  # before an order is tried again that no provider without a pause could make
_MOST_HELD = 200

_PROBLEMS = {FailureCause.KEY: "the key is refused", FailureCause.CREDIT: "no credit is left"}


@dataclass(frozen=True)
class Pause:
    """A provider that is not called. `asks_in`: seconds until it is next asked about the key."""

    provider: str
    cause: FailureCause
    began_at: datetime
    seconds: float  # since then
    asks_in: float
    questions: int  # that were asked so far

    @property
    def problem(self) -> str:
        """Why, in a few words."""
        return _PROBLEMS[self.cause]


@dataclass(frozen=True)
class Claimable:
    """What may be claimed during a pause: orders of `open_models`, and those that name no known model, in `open_media`.

    `held`: ids of orders that were just handed back.
    """

    open_models: list[str]
    known_models: list[str]
    open_media: list[str]
    held: list[str]


async def read_pauses() -> dict[str, Pause]:
    """Return the pauses by provider."""
    found = await rows(
        "SELECT provider, cause, began_at, asks_at, questions, NOW() AS now FROM provider_pauses ORDER BY provider"
    )
    pauses = {}
    for row in found:
        now, began_at = as_datetime(row["now"]), as_datetime(row["began_at"])
        pauses[row["provider"]] = Pause(
            row["provider"],
            FailureCause(row["cause"]),
            began_at,
            max((now - began_at).total_seconds(), 0.0),
            (as_datetime(row["asks_at"]) - now).total_seconds(),
            int(row["questions"]),
        )
    return pauses


def paused_models(tables: Iterable[RouteTable], paused: Collection[str], provider: str) -> list[str]:
    """Return the known models of a provider whose orders wait, because all that may make them are `paused`."""
    return sorted(
        model
        for table in tables
        for model, owner in table.owners.items()
        if owner == provider and table.is_blocked(model, paused)
    )


class ProviderPauses:
    """The pauses, cached in every process, and how workers begin and end them.

    A pause ends when the provider accepts the key again and one generation has succeeded: the process that has asked
    tries one at a time. `tables`: the routes of each medium. `pause`: seconds before a provider is first asked again;
    then twice as long each time, up to a minute. `clock`: monotonic seconds. `changed`: called when this process has
    learned of the beginning or the end of a pause.
    """

    def __init__(
        self,
        bus: Bus,
        keys: ProviderKeys,
        tables: Mapping[MediaKind, RouteTable],
        pause: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
        changed: Callable[[], None] | None = None,
    ) -> None:
        self._bus = bus
        self._keys = keys
        self._tables = tables
        self._providers = {name for table in tables.values() for name in table.providers}
        self._shortest = pause
        self._clock = clock
        self._changed = changed
        self._lock = asyncio.Lock()  # of reads and writes of the rows
        self._pauses: dict[str, Pause] = {}
        self._read_at = 0.0  # when, on the clock
        self._refusals: Counter[tuple[str, FailureCause]] = Counter()  # of each provider, since its last success
        self._trying: set[str] = set()  # paused, but tried by this process
        self._held: dict[str, float] = {}  # until when, by generation
        self.epoch = 0  # moves whenever a pause begins or ends

    @property
    def present(self) -> tuple[Pause, ...]:
        """The pauses as they were read last."""
        return tuple(self._pauses.values())

    def models(self, pauses: Mapping[str, Pause], provider: str) -> list[str]:
        """Return the models of a provider whose orders wait during these pauses."""
        return paused_models(self._tables.values(), pauses, provider)

    @property
    def is_trying(self) -> bool:
        """Whether this process tries a provider, one generation at a time."""
        return bool(self._trying)

    def problem(self, provider: str) -> FailureCause | None:
        """Return why a provider must not be called by this process; None: it may."""
        found = self._pauses.get(provider)
        return found.cause if found is not None and provider not in self._trying else None

    def is_blocked(self, medium: MediaKind, model: str | None) -> bool:
        """Return whether orders of the model wait until a pause ends."""
        table = self._tables.get(medium)
        return bool(self._pauses) and table is not None and table.is_blocked(model, self._pauses)

    @property
    def claimable(self) -> Claimable | None:
        """What this process may claim; None: everything."""
        if not self._pauses:
            return None
        known = {model for table in self._tables.values() for model in table.owners}
        is_open = {
            model
            for table in self._tables.values()
            for model in table.owners
            if not table.is_blocked(model, self._untried)
        }
        media = [medium for medium, table in self._tables.items() if not table.is_blocked(None, self._untried)]
        now = self._clock()
        self._held = {id: until for id, until in self._held.items() if until > now}
        return Claimable(sorted(is_open), sorted(known), sorted(media), sorted(self._held))

    @property
    def _untried(self) -> set[str]:
        return set(self._pauses) - self._trying

    async def allowed(self, wanted: int) -> int:
        """Return how many generations may be started, at most `wanted`; once it is time, ask the provider."""
        if not self._pauses:
            return wanted
        await self._ask_due()
        found = self.claimable
        if found is not None and not found.open_models and not found.open_media:
            return 0
        return min(wanted, 1) if self._trying and await self._has_orders_for(self._trying) else wanted

    async def refused(self, provider: str, cause: FailureCause) -> bool:
        """Note a refusal of the key or the account; return whether the generation is to wait instead of failing."""
        self._refusals[provider, cause] += 1
        if self.problem(provider) is not None:
            return True
        state, in_a_row = await self._keys.ask(provider), self._refusals[provider, cause]
        is_certain = state not in (OK, UNKNOWN)
        # Otherwise it may be about one model, or about the price of one order.
        may_be_all = in_a_row >= _REFUSALS and (cause is FailureCause.CREDIT or state == UNKNOWN)
        if not is_certain and not may_be_all:
            return False
        try:
            await self._begin(provider, cause, state)
        except Exception as error:  # noqa: BLE001 - an outage of the database: the next refusal begins the pause
            log.warning("provider_pauses.write_failed", provider=provider, error=error)
        # With a key that may be good, no order may keep the queue waiting for ever.
        return is_certain or in_a_row % (2 * _REFUSALS) != 0

    def hold(self, generation_id: str) -> None:
        """Do not claim this generation for a while: it was handed back, because no provider could make it."""
        if len(self._held) < _MOST_HELD:
            self._held[generation_id] = self._clock() + _HOLD_SECONDS

    def postpone(self) -> None:
        """Stop trying until the provider is asked again, because the circuit is still open."""
        self._trying.clear()

    async def worked(self, provider: str | None) -> None:
        """Note that a provider has made something: its pause ends."""
        if provider is not None:
            for cause in FailureCause:
                self._refusals.pop((provider, cause), None)
            if provider in self._pauses:
                await self.end([provider])

    async def end(self, providers: Iterable[str]) -> list[str]:
        """End the pauses of these providers, in all processes, and return those that had one."""
        ended = []
        async with self._lock:
            for provider in providers:
                if await rows("DELETE FROM provider_pauses WHERE provider = $1 RETURNING provider", provider):
                    ended.append(provider)
                    log.warning("provider.resumed", provider=provider)
        await self.refresh()
        if ended:
            await self._bus.publish(PROVIDER_PAUSES_CHANNEL, {})
        return ended

    async def _begin(self, provider: str, cause: FailureCause, state: str) -> None:
        before = self._pauses.get(provider)
        if before is None:
            log.error("provider.paused", provider=provider, state=state, refusals=self._refusals[provider, cause])
        self._trying.discard(provider)
        async with self._lock:
            await rows(
                "INSERT INTO provider_pauses (provider, cause, began_at, asks_at, questions)"
                " VALUES ($1, $2, NOW(), LATER($3), 0)"
                " ON CONFLICT (provider) DO UPDATE SET cause = excluded.cause, asks_at = excluded.asks_at"
                " RETURNING provider",
                provider,
                cause.value,
                self._seconds(before),
            )
        await self.refresh()
        await self._bus.publish(PROVIDER_PAUSES_CHANNEL, {})

    async def _ask_due(self) -> None:
        """Ask each provider whose time has come, unless another process does; then try it, if it accepts the key."""
        elapsed = self._clock() - self._read_at
        for pause in [each for each in self._pauses.values() if each.asks_in <= elapsed]:
            if pause.provider in self._trying or not await self._take_question(pause):
                continue
            if pause.provider not in self._providers:
                await self.end([pause.provider])  # it is not used any more
                continue
            if await self._keys.ask(pause.provider) not in (OK, UNKNOWN):
                continue
            if not await self._has_orders_for([pause.provider]):
                await self.end([pause.provider])  # nothing waits that could show whether it works
                continue
            log.warning("provider.tried_again", provider=pause.provider)
            self._trying.add(pause.provider)
            self._held.clear()

    async def _has_orders_for(self, providers: Collection[str]) -> bool:
        """Return whether an order waits that one of these is the first to make: others make it only in its place."""
        tables = self._tables.items()
        owners = {model: owner for _, table in tables for model, owner in table.owners.items()}
        own = [model for model, owner in owners.items() if owner in providers]
        media = [medium for medium, table in tables if table.owner_of(None) in providers]
        in_own = placeholders(own) or "''"
        in_media = placeholders(media, first=1 + len(own)) or "''"
        in_known = placeholders(owners, first=1 + len(own) + len(media)) or "''"
        found = await rows(
            "SELECT id FROM generations WHERE status = 'PENDING' AND"  # noqa: S608 - placeholders
            f" (requested_model IN ({in_own}) OR media IN ({in_media})"
            f" AND (requested_model IS NULL OR requested_model NOT IN ({in_known}))) LIMIT 1",
            *own,
            *media,
            *owners,
        )
        return bool(found)

    async def _take_question(self, pause: Pause) -> bool:
        async with self._lock:
            taken = await rows(
                "UPDATE provider_pauses SET asks_at = LATER($2), questions = questions + 1"
                " WHERE provider = $1 AND asks_at <= NOW() RETURNING provider",
                pause.provider,
                self._seconds(pause),
            )
        await self.refresh()
        return bool(taken)

    def _seconds(self, pause: Pause | None) -> float:
        return min(self._shortest * 2.0 ** min(pause.questions if pause else 0, 10), _LONGEST)

    def watching(self) -> AbstractAsyncContextManager[None]:
        """Keep the cached pauses up to date while the body runs."""
        return refreshing(self._bus, PROVIDER_PAUSES_CHANNEL, self._refresh_or_log, "provider-pauses")

    async def _refresh_or_log(self) -> None:
        try:
            await self.refresh()
        except Exception as error:  # noqa: BLE001 - in an outage of the database the cached pauses stay
            log.warning("provider_pauses.refresh_failed", error=error)

    async def refresh(self) -> None:
        """Read the rows, export them, and wake the workers of this process if a pause has ended."""
        async with self._lock:
            before, self._pauses = self._pauses, await read_pauses()
            self._read_at = self._clock()
        self._trying &= self._pauses.keys()
        for provider in self._providers | self._pauses.keys() | before.keys():
            metric.provider_paused.labels(provider).set(provider in self._pauses)
        if before.keys() != self._pauses.keys():
            self.epoch += 1
            self._held.clear()
            if self._changed is not None:
                self._changed()
        if before.keys() - self._pauses.keys():
            await self._bus.publish(WAITING_CHANNEL, {})
