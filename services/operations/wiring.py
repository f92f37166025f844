"""Builds the services of the operations group."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

from models.database.read_only import ReadOnlyDatabase
from models.enum import MediaKind
from services.events.generation_topic import GenerationTopic
from services.events.topic import Topics
from services.events.wiring import Events
from services.integrations.wiring import Integrations
from services.operations.analytics import AnalyticsService
from services.operations.gauges import GaugeUpdater
from services.operations.integrity_audit import IntegrityAudit
from services.operations.ledger_check import LedgerCheck
from services.operations.maintenance import MaintenanceService
from services.operations.part_check import PartChecks
from services.operations.provider_keys import ProviderKeys
from services.operations.provider_pause import ProviderPauses
from services.operations.providers.recent_calls import RecentCallReports
from services.operations.query_slots import QuerySlots
from services.operations.self_check import SelfCheck
from services.operations.worker_registry import WorkerRegistry

_KEY_PAUSE = 5.0  # seconds before a provider that has refused the key is asked about it; at most the poll of workers


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
    provider_keys: ProviderKeys
    provider_pauses: ProviderPauses
    recent_calls: RecentCallReports
    part_checks: PartChecks

    @property
    def jobs(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        return (self.self_check.run, self.provider_keys.run)


def build_operations(
    integrations: Integrations,
    events: Events,
    audit: IntegrityAudit,
    read_only: ReadOnlyDatabase,
    *,
    known_providers: Iterable[str],
    heartbeat_seconds: float,
    call_deadlines: Mapping[MediaKind, float],
    has_pauses: bool,
) -> Operations:
    """Build the group. `known_providers`: all that there may be; `heartbeat_seconds`: between two of a worker.

    `call_deadlines`: seconds that the calls of each medium may take.

    `has_pauses`: whether there are pauses between the GraphQL operations of one caller.
    """
    worker_registry = WorkerRegistry(every=heartbeat_seconds)
    keys = ProviderKeys(integrations.routes.providers)
    self_check = SelfCheck(audit, events.publisher)
    pauses = ProviderPauses(
        integrations.bus,
        keys,
        integrations.route_tables,
        min(heartbeat_seconds, _KEY_PAUSE),
        changed=partial(_repeat_waiting, events.topics),
    )
    recent_calls = RecentCallReports(call_deadlines)
    return Operations(
        maintenance=MaintenanceService(
            integrations.bus,
            events.publisher,
            integrations.provider.name,
            known_providers,
            switched=partial(_repeat_waiting, events.topics),
        ),
        worker_registry=worker_registry,
        self_check=self_check,
        ledger_check=LedgerCheck(audit),
        analytics=AnalyticsService(read_only),
        gauges=GaugeUpdater(worker_registry, self_check, pauses, recent_calls),
        query_slots=QuerySlots(has_pauses=has_pauses),
        provider_keys=keys,
        provider_pauses=pauses,
        recent_calls=recent_calls,
        part_checks=PartChecks(integrations.storage, integrations.bus, integrations.limiter),
    )


def _repeat_waiting(topics: Topics) -> None:
    """Let subscribers of waiting generations have the message that says what they wait for."""
    for topic in topics.open_topics(GenerationTopic):
        topic.repeat()
