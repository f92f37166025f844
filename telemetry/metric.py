"""Every Prometheus metric; docs/observability.md explains how to use them.

Label values are closed sets. No value that a client chooses may become one: every new value is a time series for ever.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from telemetry.server_processes import ServerProcessesCollector

disable_created_metrics()  # type: ignore[no-untyped-call]  # no types here; they would be a third of all series
# Our metrics only: libraries register theirs in the global registry.
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

OTHER = "other"  # the label value for everything outside a closed set
_QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)  # seconds, of a response
# Seconds, of a generation: a wait in the queue may take an hour, and so may a video.
_SLOW = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600)

build_info = Gauge(
    "darkroom_build_info",
    "Always 1; the labels say which release runs, and as what.",
    ["version", "process"],
    registry=REGISTRY,
    multiprocess_mode="livemax",
)
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
event_streams_open = Gauge(
    "darkroom_event_streams_open", "Open event streams (SSE).", registry=REGISTRY, multiprocess_mode="livesum"
)

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
    "darkroom_generations_ended",
    "Generations that this process ended: as a worker, a sweeper, by a cancellation or by an earlier result.",
    ["status", "code"],
    registry=REGISTRY,
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
provider_failures = Counter(
    "darkroom_provider_failures",
    "Calls of providers that have failed, by cause: dns, connection_refused, certificate_expired, certificate, tls,"
    " timeout, connection, key, credit, other.",
    ["provider", "cause"],
    registry=REGISTRY,
)
provider_paused = Gauge(
    "darkroom_provider_paused",
    "1 while waiting generations are not started, because the provider refuses the key or the account.",
    ["provider"],
    registry=REGISTRY,
    multiprocess_mode="livemax",
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
webhook_events = Counter(
    "darkroom_webhook_events", "Events that became deliveries to webhook endpoints.", ["type"], registry=REGISTRY
)
webhook_attempts = Counter(
    "darkroom_webhook_attempts", "Attempts to send a webhook, by outcome.", ["scope", "outcome"], registry=REGISTRY
)
webhook_waiting = Gauge(
    "darkroom_webhook_deliveries_waiting",
    "Deliveries of webhooks that wait for an attempt, and events that wait to become some.",
    registry=REGISTRY,
    multiprocess_mode="livemax",
)
webhook_failing_seconds = Gauge(
    "darkroom_webhook_deployment_failing_seconds",
    "Seconds since an endpoint of WEBHOOK_URLS has been failing; 0: all work; of several, the worst.",
    registry=REGISTRY,
    multiprocess_mode="livemax",
)
content_checks = Counter(
    "darkroom_content_checks",
    "Users' texts by the outcome of their check: blocklist, rejected, accepted, outage.",
    ["outcome"],
    registry=REGISTRY,
)
provider_calls_running = Gauge(
    "darkroom_provider_calls_running",
    "Calls of providers that are being made.",
    ["provider"],
    registry=REGISTRY,
    multiprocess_mode="livesum",
)
provider_calls_waiting = Gauge(
    "darkroom_provider_calls_waiting",
    "Calls of providers that wait, because as many are being made as PROVIDER_MAX_CALLS allows.",
    ["provider"],
    registry=REGISTRY,
    multiprocess_mode="livesum",
)
circuit_state = Gauge(
    "darkroom_provider_circuit_state",
    "State of the circuit of a model: 0 closed, 1 trying one call, 2 open; of several processes, the worst.",
    ["provider", "model"],
    registry=REGISTRY,
    multiprocess_mode="livemax",
)
circuit_refusals = Counter(
    "darkroom_provider_circuit_refusals",
    "Calls that were not made, because the circuit of the model was open.",
    ["provider", "model"],
    registry=REGISTRY,
)
fallbacks = Counter(
    "darkroom_provider_fallbacks",
    "Generations that another model than the ordered one made.",
    ["provider", "model"],
    registry=REGISTRY,
)
provider_key_valid = Gauge(
    "darkroom_provider_key_valid",
    "1 if the provider accepted its key when it was asked last, 0 if it did not.",
    ["provider"],
    registry=REGISTRY,
    multiprocess_mode="livemostrecent",
)
provider_dollars_left = Gauge(
    "darkroom_provider_dollars_left",
    "US dollars that the provider's key may still spend; absent: no limit, or unknown.",
    ["provider"],
    registry=REGISTRY,
    multiprocess_mode="livemostrecent",
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

storage_seconds = Histogram(
    "darkroom_storage_seconds",
    "Duration of operations of the storage, failed ones included.",
    ["operation"],
    buckets=_QUICK,
    registry=REGISTRY,
)
storage_errors = Counter(
    "darkroom_storage_errors",
    "Operations that the storage refused or did not answer; missing objects are none.",
    ["operation", "cause"],
    registry=REGISTRY,
)
database_connections = Gauge(
    "darkroom_database_connections",
    "Connections of this process's pool by state: in_use, idle; waiting: callers without one.",
    ["state"],
    registry=REGISTRY,
    multiprocess_mode="livesum",
)
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


def _shared(name: str, documentation: str, labels: Sequence[str] = ()) -> Gauge:
    """Return a gauge whose newest value is that of the server: of several processes, one reads last."""
    return Gauge(name, documentation, labels, registry=REGISTRY, multiprocess_mode="livemostrecent")


# Shared values: every process reads them from the database, at most once every few seconds.
database_up = _shared("darkroom_database_up", "1 if the last read of these values succeeded.")
queue_depth = _shared("darkroom_queue_depth", "Generations that have not ended, by status.", ["status"])
queue_oldest = _shared("darkroom_queue_oldest_seconds", "Age of the oldest pending generation.")
worker_slots = _shared("darkroom_worker_slots", "Generations that all live workers can process at once.")
workers = _shared(
    "darkroom_workers", "Worker processes: live; lost: without a heartbeat, though they did not stop.", ["state"]
)
provider_recent_calls = _shared(
    "darkroom_provider_recent_calls",
    "Calls of a model in generations that ended in the last 15 minutes, the newest thousand at most.",
    ["provider", "model"],
)
provider_recent_failures = _shared(
    "darkroom_provider_recent_failures",
    "Those of them that failed, without what was rejected for its content.",
    ["provider", "model"],
)
provider_recent_seconds = _shared(
    "darkroom_provider_recent_seconds",
    "The median duration of those that made something, or of all.",
    ["provider", "model"],
)
provider_degraded = _shared(
    "darkroom_provider_degraded",
    "1 while health reports the model: calls fail, calls time out, slow.",
    ["provider", "model", "problem"],
)
payments_unsettled = _shared(
    "darkroom_payments_unsettled", "Events of the payment provider that have no effect yet, by outcome.", ["outcome"]
)
spend_today = _shared("darkroom_provider_spend_today_dollars", "Cost of providers in US dollars since midnight UTC.")
maintenance = _shared(
    "darkroom_maintenance", "1 while requests are refused because of it: read_only, provider_off, spent.", ["switch"]
)
# Not the worst of all processes: what one found that has not been asked since would stay.
part_up = _shared("darkroom_part_up", "Whether a part took a read and a write in the last check.", ["part"])
part_check_seconds = _shared("darkroom_part_check_seconds", "Duration of the last check of a part.", ["part"])
invariant_violations = _shared(
    "darkroom_invariant_violations",
    "Rows that violated an invariant in the last audit; kind: broken, or backlog if they are only late.",
    ["invariant", "kind"],
)
invariant_unknown = _shared(
    "darkroom_invariant_unknown",
    "1 if the last audit could not check this invariant, which then counts as not violated.",
    ["invariant"],
)
clock_skew = _shared(
    "darkroom_clock_skew_seconds", "By how much the clock of this process is ahead of the database's; negative: behind."
)
worker_clock_skew = _shared(
    "darkroom_worker_clock_skew_seconds",
    "The largest difference of a live worker's clock from the database's, by the workers' table.",
)
audit_age = _shared(
    "darkroom_audit_age_seconds",
    "Time since the last completed audit of any process; before the first, since this process started.",
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
