"""Every Prometheus metric; docs/observability.md explains how to use them.

Label values are closed sets. No value that a client chooses may become one: every new value is a time series for ever.
"""

from dataclasses import dataclass
from functools import lru_cache

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from telemetry.server_processes import ServerProcessesCollector

# Our metrics only: libraries register theirs in the global registry.
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

OTHER = "other"  # the label value for everything outside a closed set
_QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)  # seconds, of a response
_SLOW = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300)  # seconds, of a generation

http_requests = Counter(
    "darkroom_http_requests", "Responses by route, method and status.", ["route", "method", "status"], registry=REGISTRY
)
http_seconds = Histogram(
    "darkroom_http_request_seconds",
    "Seconds from a request to the end of its response.",
    ["route"],
    buckets=_QUICK,
    registry=REGISTRY,
)
connections_refused = Counter(
    "darkroom_connections_refused",
    "Connections and requests that a limit of number, size or time refused before the application.",
    ["reason"],
    registry=REGISTRY,
)
sockets_refused = Counter(
    "darkroom_sockets_refused",
    "WebSockets and event streams that a limit of their client, account or messages refused or closed.",
    ["reason"],
    registry=REGISTRY,
)
sockets_open = Gauge("darkroom_sockets_open", "Open WebSockets.", registry=REGISTRY, multiprocess_mode="livesum")

operations = Counter(
    "darkroom_graphql_operations",
    "Finished operations, by their first root field.",
    ["operation", "type", "outcome"],
    registry=REGISTRY,
)
operation_seconds = Histogram(
    "darkroom_graphql_operation_seconds",
    "Duration of queries and mutations, by their first root field.",
    ["operation"],
    buckets=_QUICK,
    registry=REGISTRY,
)
graphql_errors = Counter(
    "darkroom_graphql_errors", "Errors sent to clients, also in payloads, by code.", ["code"], registry=REGISTRY
)
subscriptions_open = Gauge(
    "darkroom_subscriptions_open", "Open subscriptions.", ["operation"], registry=REGISTRY, multiprocess_mode="livesum"
)

generations_ended = Counter(
    "darkroom_generations_ended", "Generations that ended in this process.", ["status", "code"], registry=REGISTRY
)
stage_seconds = Histogram(
    "darkroom_generation_stage_seconds",
    "Seconds that generations spent in each stage; QUEUED is from creation to claim.",
    ["stage"],
    buckets=_SLOW,
    registry=REGISTRY,
)
provider_calls = Counter(
    "darkroom_provider_calls", "Calls to providers, by outcome.", ["provider", "outcome"], registry=REGISTRY
)
provider_seconds = Histogram(
    "darkroom_provider_seconds", "Duration of calls to providers.", ["provider"], buckets=_SLOW, registry=REGISTRY
)
provider_dollars = Counter(
    "darkroom_provider_cost_dollars",
    "Cost of generations in US dollars, as reported by the providers.",
    ["provider"],
    registry=REGISTRY,
)
ledger_lines = Counter(
    "darkroom_ledger_lines", "Credit transactions written to the ledger.", ["type"], registry=REGISTRY
)
ledger_credits = Counter(
    "darkroom_ledger_credits",
    "Credits that transactions added or removed, as absolute amounts.",
    ["type"],
    registry=REGISTRY,
)

bus_connected = Gauge(
    "darkroom_bus_connected",
    "1 while the event bus is connected to Redis.",
    registry=REGISTRY,
    multiprocess_mode="livemin",
)
bus_reconnects = Counter("darkroom_bus_reconnects", "Connections to Redis that the event bus lost.", registry=REGISTRY)

replica_lost = Gauge(
    "darkroom_database_replica_lost",
    "1 while the read replica does not respond, so that the primary serves its reads.",
    registry=REGISTRY,
    multiprocess_mode="livemax",
)
replica_lag = Gauge(
    "darkroom_database_replica_lag_seconds",
    "Seconds by which the read replica lags, at most.",
    registry=REGISTRY,
    multiprocess_mode="livemax",
)
replica_reads = Counter(
    "darkroom_database_replica_reads",
    "Reads for the replica by outcome: replica, or why the primary served them: behind, down, failed.",
    ["outcome"],
    registry=REGISTRY,
)

# Shared values: every process reads them from the database, at most once every few seconds.
database_up = Gauge(
    "darkroom_database_up",
    "1 if the last read of these values succeeded.",
    registry=REGISTRY,
    multiprocess_mode="livemostrecent",
)
queue_depth = Gauge(
    "darkroom_queue_depth",
    "Generations that have not ended, by status.",
    ["status"],
    registry=REGISTRY,
    multiprocess_mode="livemostrecent",
)
queue_oldest = Gauge(
    "darkroom_queue_oldest_seconds",
    "Age of the oldest pending generation.",
    registry=REGISTRY,
    multiprocess_mode="livemostrecent",
)
worker_slots = Gauge(
    "darkroom_worker_slots",
    "Generations that all live workers can process at once.",
    registry=REGISTRY,
    multiprocess_mode="livemostrecent",
)
spend_today = Gauge(
    "darkroom_provider_spend_today_dollars",
    "Cost of providers in US dollars since midnight UTC.",
    registry=REGISTRY,
    multiprocess_mode="livemostrecent",
)
maintenance = Gauge(
    "darkroom_maintenance",
    "1 while requests are refused because of it: read_only, provider_off, spent.",
    ["switch"],
    registry=REGISTRY,
    multiprocess_mode="livemostrecent",
)
invariant_violations = Gauge(
    "darkroom_invariant_violations",
    "Rows that violated an invariant in the last audit.",
    ["invariant"],
    registry=REGISTRY,
    multiprocess_mode="livemostrecent",
)
audit_age = Gauge(
    "darkroom_audit_age_seconds",
    "Time since the last completed audit of any process; before the first, since this process started.",
    registry=REGISTRY,
    multiprocess_mode="livemostrecent",
)


@lru_cache(1024)
def operation_counter(field: str, kind: str, outcome: str) -> Counter:
    """Return the counter of these labels, which takes longer to find than to increment."""
    return operations.labels(field, kind, outcome)


@lru_cache(256)
def operation_timer(field: str) -> Histogram:
    """Return the histogram of an operation."""
    return operation_seconds.labels(field)


@lru_cache(1024)
def response_counter(route: str, method: str, status: int) -> Counter:
    """Return the counter of these responses; the status 0 is that of none."""
    return http_requests.labels(route, method, str(status or OTHER))


@lru_cache(256)
def response_timer(route: str) -> Histogram:
    """Return the histogram of a route."""
    return http_seconds.labels(route)


@dataclass
class _Sharing:
    folder: str | None = None


# Process-wide, like the registry itself.
_sharing = _Sharing()


def share_with_processes(folder: str) -> None:
    """Return the metrics of all processes of this server from now on; each writes its own to files in `folder`."""
    _sharing.folder = folder


def forget_process(pid: int, folder: str) -> None:
    """Leave out what a process that has ended had open. Its counters stay, because counters never decrease."""
    mark_process_dead(pid, folder)  # type: ignore[no-untyped-call]  # the library has no types here


def exposition() -> tuple[bytes, str]:
    """Return all metrics in Prometheus's text format, and its media type."""
    registry = REGISTRY
    if _sharing.folder is not None:
        registry = CollectorRegistry()
        MultiProcessCollector(registry, _sharing.folder)  # type: ignore[no-untyped-call]  # as above
        registry.register(ServerProcessesCollector(_sharing.folder))
        PlatformCollector(registry=registry)
    return generate_latest(registry), CONTENT_TYPE_LATEST
