"""Builds the services of the operations group."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from models.database.read_only import ReadOnlyDatabase
from services.events.wiring import Events
from services.integrations.messaging.bus import Bus
from services.operations.analytics import AnalyticsService
from services.operations.gauges import GaugeUpdater
from services.operations.integrity_audit import IntegrityAudit
from services.operations.ledger_check import LedgerCheck
from services.operations.maintenance import MaintenanceService
from services.operations.query_slots import QuerySlots
from services.operations.self_check import SelfCheck
from services.operations.worker_registry import WorkerRegistry


@dataclass(frozen=True)
class Operations:
    """Services for running the deployment: maintenance, workers, hourly audit, analytics, gauges, query slots."""

    maintenance: MaintenanceService
    worker_registry: WorkerRegistry
    self_check: SelfCheck
    ledger_check: LedgerCheck
    analytics: AnalyticsService
    gauges: GaugeUpdater
    query_slots: QuerySlots

    @property
    def jobs(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        return (self.self_check.run,)


def build_operations(
    bus: Bus,
    events: Events,
    audit: IntegrityAudit,
    read_only: ReadOnlyDatabase,
    *,
    provider: str,
    providers: Iterable[str],
    heartbeat_seconds: float,
    has_pauses: bool,
) -> Operations:
    """Build the group. `provider`: the one in use, of `providers`; `heartbeat_seconds`: between two of a worker.

    `has_pauses`: whether there are pauses between the GraphQL operations of one caller.
    """
    worker_registry = WorkerRegistry(every=heartbeat_seconds)
    self_check = SelfCheck(audit, events.publisher)
    return Operations(
        maintenance=MaintenanceService(bus, events.publisher, provider, providers),
        worker_registry=worker_registry,
        self_check=self_check,
        ledger_check=LedgerCheck(audit),
        analytics=AnalyticsService(read_only),
        gauges=GaugeUpdater(worker_registry, self_check),
        query_slots=QuerySlots(has_pauses=has_pauses),
    )
