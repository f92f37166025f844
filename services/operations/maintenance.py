"""Maintenance: what an operator has switched off, known to every process without asking for each request."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import structlog

from models import AuditEntry, Maintenance, User
from models.database.connection import rows, run_tx
from models.enum import AdminAction
from services.core.error import InvalidInputError, UnavailableError
from services.core.message import message
from services.core.unset import UNSET, Unset, set_fields
from services.events import account_change, audit_log
from services.events.payload import MAINTENANCE_CHANNEL
from services.events.publisher import EventPublisher
from services.integrations.messaging.bus import Bus
from services.integrations.messaging.wake_up import WAITING_CHANNEL
from telemetry import metric

log = structlog.get_logger(__name__)

POLL_SECONDS = 2.0  # seconds between looks at the row, where no message says that it has changed
MAX_CAP = 1_000_000_000.0  # US dollars


@dataclass(frozen=True)
class MaintenanceState:
    """How things stand. `daily_spend_cap` and `spent_today`: US dollars, paid to providers in this UTC day."""

    read_only: bool = False
    providers_off: tuple[str, ...] = ()
    daily_spend_cap: float | None = None
    spent_today: float = 0.0

    @property
    def is_spent(self) -> bool:
        """Whether as much was paid today as may be."""
        return self.daily_spend_cap is not None and self.spent_today >= self.daily_spend_cap


@dataclass(frozen=True)
class MaintenanceChange:
    """What an admin changes, each named as its column; UNSET: unchanged. Only `daily_spend_cap` may be None: no cap."""

    read_only: bool | Unset | None = UNSET
    providers_off: Sequence[str] | Unset | None = UNSET
    daily_spend_cap: float | Unset | None = UNSET  # US dollars in one UTC day


class MaintenanceService:
    """Knows the state, and changes it. `provider`: whom this process asks for pictures; `known`: all there can be."""

    def __init__(self, bus: Bus, events: EventPublisher, provider: str, known: Iterable[str]) -> None:
        self._bus = bus
        self._events = events
        self._provider = provider
        self._known = sorted({provider, *known})
        self._state = MaintenanceState()

    @property
    def is_read_only(self) -> bool:
        return self._state.read_only

    @property
    def is_provider_off(self) -> bool:
        """Whether what waits has to go on waiting."""
        return self._provider in self._state.providers_off

    def check_writable(self) -> None:
        """Raises UnavailableError while nobody may change anything."""
        if self._state.read_only:
            raise UnavailableError(message("We are working on this service; nothing can be changed right now."))

    def check_submission_allowed(self) -> None:
        """Raises UnavailableError while no new pictures are made: nothing is stored or charged for them."""
        if self.is_provider_off:
            raise UnavailableError(message("No pictures can be ordered right now. Please try again later."))
        if self._state.is_spent:
            raise UnavailableError(message("No more pictures can be ordered today. Please try again tomorrow."))

    async def read(self) -> MaintenanceState:
        """How things stand at this moment."""
        row = await Maintenance.get(id=1)
        return MaintenanceState(row.read_only, tuple(row.providers_off), row.daily_spend_cap, await spent_today())

    async def set(self, admin: User, change: MaintenanceChange) -> MaintenanceState:
        """Apply the change; a change to the present values is not written to the audit log.

        Raises:
            InvalidInputError: a provider that there is not, a cap below nothing, or null where only a cap may be null.
        """
        values = self._validate(change)
        act = await run_tx(self._set, admin.id, values)
        if act is not None:
            await self._look(await self.read())
            await self._bus.publish(MAINTENANCE_CHANNEL, {})
            await self._events.admin_action(None, act)
        return await self.read()

    def _validate(self, change: MaintenanceChange) -> dict[str, Any]:
        """Return the columns to write."""
        for value, field in ((change.read_only, "readOnly"), (change.providers_off, "providersOff")):
            if value is None:
                raise InvalidInputError(message("This must not be empty."), field=(field,))
        values = set_fields(change)
        if "providers_off" in values:
            values["providers_off"] = self._names(values["providers_off"])
        cap = values.get("daily_spend_cap")
        if cap is not None and not 0 <= cap <= MAX_CAP:
            text = message("This must be from 0 to {count}.", count=int(MAX_CAP))
            raise InvalidInputError(text, field=("dailySpendCap",))
        return values

    def _names(self, given: Sequence[str]) -> list[str]:
        for index, name in enumerate(given):
            if name not in self._known:
                text = message("There is no such provider. Choose of: {providers}.", providers=", ".join(self._known))
                raise InvalidInputError(text, field=("providersOff", str(index)))
        return sorted(set(given))

    @staticmethod
    async def _set(admin_id: str, changes: dict[str, Any]) -> AuditEntry | None:
        await account_change.lock_account(admin_id)
        await rows("UPDATE maintenance SET updated_at = updated_at WHERE id = 1 RETURNING id")  # one admin at a time
        row = await Maintenance.get(id=1)
        before = {name: getattr(row, name) for name in ("read_only", "providers_off", "daily_spend_cap")}
        after = before | changes
        if after == before:
            return None
        await row.update_from_dict(changes).save()
        return await audit_log.record(admin_id, AdminAction.SET_MAINTENANCE, None, before=before, after=after)

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Know the state while the body runs."""
        await self._try_to_look()
        watch = asyncio.create_task(self._watch(), name="maintenance")
        try:
            yield
        finally:
            watch.cancel()
            await asyncio.wait([watch])

    async def _watch(self) -> None:
        async with self._bus.subscribe(MAINTENANCE_CHANNEL) as messages:
            while True:
                await self._try_to_look()
                await messages.get(timeout=POLL_SECONDS)

    async def _try_to_look(self) -> None:
        try:
            row = await Maintenance.get(id=1)
            cap = row.daily_spend_cap
            spent = 0.0 if cap is None else await spent_today()  # which costs more than a look
            await self._look(MaintenanceState(row.read_only, tuple(row.providers_off), cap, spent))
        except Exception as error:  # noqa: BLE001 - a database that is away comes back; what was known stays known
            log.warning("maintenance.not_read", error=repr(error))

    async def _look(self, state: MaintenanceState) -> None:
        waited, self._state = self.is_provider_off, state
        for switch, is_on in (
            ("read_only", state.read_only),
            ("provider_off", self.is_provider_off),
            ("spent", state.is_spent),
        ):
            metric.maintenance.labels(switch).set(is_on)
        if waited and not self.is_provider_off:
            await self._bus.publish(WAITING_CHANNEL, {})  # workers here know by now that they may go on


async def spent_today() -> float:
    """US dollars that providers took for what ended in this UTC day."""
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    (found,) = await rows(
        "SELECT COALESCE(SUM(provider_cost), 0) AS spent FROM generations"
        " WHERE completed_at >= $1 AND provider_cost > 0",
        day,
    )
    return float(found["spent"])
