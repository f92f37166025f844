"""Maintenance: the switches that an admin has set, cached in every process."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

import structlog

from models import AuditEntry, Maintenance, User
from models.database.connection import rows, run_tx
from models.enum import AdminAction
from services.core.error import InvalidInputError, UnavailableError
from services.core.message import message
from services.core.text import clean_optional_reason
from services.core.unset import UNSET, Unset, set_fields
from services.events import account_change, audit_log
from services.events.payload import MAINTENANCE_CHANNEL
from services.events.publisher import EventPublisher
from services.integrations.messaging.bus import Bus
from services.integrations.messaging.refresh import refreshing
from services.integrations.messaging.wake_up import WAITING_CHANNEL
from telemetry import metric

log = structlog.get_logger(__name__)

MAX_CAP = 1_000_000_000.0  # US dollars


@dataclass(frozen=True)
class MaintenanceState:
    """The present state. `daily_spend_cap` and `spent_today`: US dollars, paid to providers in this UTC day."""

    read_only: bool = False
    providers_off: tuple[str, ...] = ()
    daily_spend_cap: float | None = None
    spent_today: float = 0.0

    @property
    def is_spent(self) -> bool:
        """Whether the daily cap is reached."""
        return self.daily_spend_cap is not None and self.spent_today >= self.daily_spend_cap


@dataclass(frozen=True)
class ProviderSwitch:
    """One provider that is switched off or on."""

    name: str
    is_off: bool


@dataclass(frozen=True)
class MaintenanceChange:
    """What an admin changes, most named as their columns; UNSET: unchanged. Only `daily_spend_cap` may be None: no cap.

    `provider`: the others stay as they are in the database, whatever the admin has seen.
    """

    read_only: bool | Unset | None = UNSET
    providers_off: Sequence[str] | Unset | None = UNSET
    provider: ProviderSwitch | Unset | None = UNSET
    daily_spend_cap: float | Unset | None = UNSET  # US dollars in one UTC day


class MaintenanceService:
    """Caches the state, and changes it. `provider`: the one that this process calls; `known`: all possible ones.

    `switched`: called when this process has learned that its provider was switched off, or on again.
    """

    def __init__(
        self,
        bus: Bus,
        events: EventPublisher,
        provider: str,
        known: Iterable[str],
        switched: Callable[[], None] | None = None,
    ) -> None:
        self._switched = switched
        self.epoch = 0  # moves whenever its provider is switched off or on
        self._bus = bus
        self._events = events
        self._provider = provider
        self._known = sorted({provider, *known})
        self._state = MaintenanceState()

    @property
    def providers(self) -> list[str]:
        """All providers that can be switched off."""
        return self._known

    @property
    def is_read_only(self) -> bool:
        return self._state.read_only

    @property
    def is_provider_off(self) -> bool:
        """Whether pending generations have to wait."""
        return self.is_off(self._provider)

    @property
    def accepts_generations(self) -> bool:
        """Whether new generations are accepted."""
        return not self.is_provider_off and not self._state.is_spent

    def is_off(self, provider: str) -> bool:
        """Return whether a provider must not be called, also in place of another one."""
        return provider in self._state.providers_off

    def check_writable(self) -> None:
        """Raises UnavailableError while the service is read-only."""
        if self._state.read_only:
            raise UnavailableError(message("The service is under maintenance; nothing can be changed right now."))

    def check_submission_allowed(self) -> None:
        """Raises UnavailableError while no new generations are accepted, before anything is stored or charged."""
        if self.is_provider_off:
            raise UnavailableError(message("New pictures are unavailable right now. Please try again later."))
        if self._state.is_spent:
            raise UnavailableError(message("No more pictures can be made today. Please try again tomorrow."))

    async def read(self) -> MaintenanceState:
        """Return the present state from the database."""
        row = await Maintenance.get(id=1)
        return MaintenanceState(row.read_only, tuple(row.providers_off), row.daily_spend_cap, await spent_today())

    async def set(self, admin: User, change: MaintenanceChange, reason: str | None = None) -> MaintenanceState:
        """Apply the change; a change to the present values is not written to the audit log.

        Raises:
            InvalidInputError: an unknown provider, a negative cap, null where only the cap may be null, or the reason.
        """
        values = self._validate(change)
        entry = await run_tx(self._set, admin.id, values, clean_optional_reason(reason))
        if entry is not None:
            await self._apply(await self.read())
            await self._bus.publish(MAINTENANCE_CHANNEL, {})
            await self._events.admin_action(None, entry)
        return await self.read()

    def _validate(self, change: MaintenanceChange) -> dict[str, Any]:
        """Return what is set, validated."""
        for value, field in (
            (change.read_only, "readOnly"),
            (change.providers_off, "providersOff"),
            (change.provider, "provider"),
        ):
            if value is None:
                raise InvalidInputError(message("This must not be empty."), field=(field,))
        values = set_fields(change)
        if "providers_off" in values:
            for index, name in enumerate(values["providers_off"]):
                self._check_known(name, ("providersOff", str(index)))
            values["providers_off"] = sorted(set(values["providers_off"]))
        if "provider" in values:
            self._check_known(values["provider"].name, ("provider", "name"))
        cap = values.get("daily_spend_cap")
        if cap is not None and not 0 <= cap <= MAX_CAP:
            text = message("This must be from 0 to {count}.", count=int(MAX_CAP))
            raise InvalidInputError(text, field=("dailySpendCap",))
        return values

    def _check_known(self, name: str, field: tuple[str, ...]) -> None:
        if name not in self._known:
            text = message("Unknown provider. Choose from: {providers}.", providers=", ".join(self._known))
            raise InvalidInputError(text, field=field)

    @staticmethod
    async def _set(admin_id: str, changes: dict[str, Any], reason: str | None) -> AuditEntry | None:
        await account_change.lock_account(admin_id)
        await rows("UPDATE maintenance SET updated_at = updated_at WHERE id = 1 RETURNING id")  # one admin at a time
        row = await Maintenance.get(id=1)
        before = {name: getattr(row, name) for name in ("read_only", "providers_off", "daily_spend_cap")}
        after = before | {name: value for name, value in changes.items() if name in before}
        if (switch := changes.get("provider")) is not None:
            others = set(after["providers_off"]) - {switch.name}
            after["providers_off"] = sorted(others | {switch.name} if switch.is_off else others)
        if after == before:
            return None
        await row.update_from_dict(after).save()
        return await audit_log.record(
            admin_id, AdminAction.SET_MAINTENANCE, None, before=before, after=after, reason=reason
        )

    def watching(self) -> AbstractAsyncContextManager[None]:
        """Keep the cached state up to date while the body runs."""
        return refreshing(self._bus, MAINTENANCE_CHANNEL, self._refresh, "maintenance")

    async def _refresh(self) -> None:
        try:
            row = await Maintenance.get(id=1)
            cap = row.daily_spend_cap
            spent = 0.0 if cap is None else await spent_today()  # which costs more than reading the row
            await self._apply(MaintenanceState(row.read_only, tuple(row.providers_off), cap, spent))
        except Exception as error:  # noqa: BLE001 - in an outage of the database the cached state stays
            log.warning("maintenance.refresh_failed", error=error)

    async def _apply(self, state: MaintenanceState) -> None:
        was_off, self._state = self.is_provider_off, state
        for switch, is_on in (
            ("read_only", state.read_only),
            ("provider_off", self.is_provider_off),
            ("spent", state.is_spent),
        ):
            metric.maintenance.labels(switch).set(is_on)
        if was_off != self.is_provider_off:
            self.epoch += 1
            if self._switched is not None:
                self._switched()
        if was_off and not self.is_provider_off:
            await self._bus.publish(WAITING_CHANNEL, {})  # the workers of this process have the new state by now


async def spent_today() -> float:
    """Return the US dollars that providers charged for generations that ended in this UTC day."""
    (found,) = await rows(
        "SELECT COALESCE(SUM(provider_cost), 0) AS spent FROM generations"
        " WHERE completed_at >= TODAY() AND provider_cost > 0"
    )
    return float(found["spent"])
