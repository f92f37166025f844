"""Every figure that a process tells Prometheus, on one page; docs/observability.md says what each is good for.

Labels are closed sets of words. Nothing that a client chose ever becomes one: each new word is a series for ever.
"""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, PlatformCollector, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

# Ours alone: libraries keep figures of their own in the global one.
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

OTHER = "other"  # for whatever is in no closed set
_QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)  # seconds, of an answer
_SLOW = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30, 60, 120, 300)  # seconds, of a picture

http_requests = Counter(
    "darkroom_http_requests", "Answers by route, method and status.", ["route", "method", "status"], registry=REGISTRY
)
http_seconds = Histogram(
    "darkroom_http_request_seconds",
    "From a request to the end of its answer.",
    ["route"],
    buckets=_QUICK,
    registry=REGISTRY,
)
sockets_open = Gauge("darkroom_sockets_open", "WebSockets that are open.", registry=REGISTRY)

operations = Counter(
    "darkroom_graphql_operations",
    "Operations that ended, by their first root field.",
    ["operation", "type", "outcome"],
    registry=REGISTRY,
)
operation_seconds = Histogram(
    "darkroom_graphql_operation_seconds",
    "Seconds of queries and mutations, by their first root field.",
    ["operation"],
    buckets=_QUICK,
    registry=REGISTRY,
)
graphql_errors = Counter(
    "darkroom_graphql_errors", "Errors that clients were told, also in payloads, by code.", ["code"], registry=REGISTRY
)
subscriptions_open = Gauge("darkroom_subscriptions_open", "Streams that are open.", ["operation"], registry=REGISTRY)

generations_ended = Counter(
    "darkroom_generations_ended", "Generations that this process ended.", ["status", "code"], registry=REGISTRY
)
stage_seconds = Histogram(
    "darkroom_generation_stage_seconds",
    "How long generations stayed in each stage; QUEUED from the order to the claim.",
    ["stage"],
    buckets=_SLOW,
    registry=REGISTRY,
)
provider_calls = Counter(
    "darkroom_provider_calls", "Calls of providers, by how they ended.", ["provider", "outcome"], registry=REGISTRY
)
provider_seconds = Histogram(
    "darkroom_provider_seconds", "How long each call took.", ["provider"], buckets=_SLOW, registry=REGISTRY
)
provider_dollars = Counter(
    "darkroom_provider_cost_dollars", "What the providers said their work costs.", ["provider"], registry=REGISTRY
)
ledger_lines = Counter("darkroom_ledger_lines", "Lines written to the ledger.", ["type"], registry=REGISTRY)
ledger_credits = Counter(
    "darkroom_ledger_credits", "Credits that those lines moved, either way.", ["type"], registry=REGISTRY
)

bus_connected = Gauge("darkroom_bus_connected", "1 while live events reach other processes.", registry=REGISTRY)
bus_reconnects = Counter("darkroom_bus_reconnects", "How often the bus lost Redis.", registry=REGISTRY)

# What every process reads from the database, at most once in a few seconds: the same figure whoever is asked.
database_up = Gauge("darkroom_database_up", "1 where the last look at the database was answered.", registry=REGISTRY)
queue_depth = Gauge(
    "darkroom_queue_depth", "Generations that have not ended, by status.", ["status"], registry=REGISTRY
)
queue_oldest = Gauge("darkroom_queue_oldest_seconds", "How long the longest waiting one has waited.", registry=REGISTRY)
worker_slots = Gauge("darkroom_worker_slots", "Generations that all living workers make at once.", registry=REGISTRY)
spend_today = Gauge("darkroom_provider_spend_today_dollars", "Paid to providers since midnight UTC.", registry=REGISTRY)
maintenance = Gauge(
    "darkroom_maintenance",
    "1 while people are refused because of it: read_only, provider_off, spent.",
    ["switch"],
    registry=REGISTRY,
)
invariants_broken = Gauge(
    "darkroom_invariants_broken", "What breaks a promise, when last audited.", ["promise"], registry=REGISTRY
)
audit_age = Gauge(
    "darkroom_audit_age_seconds",
    "Since the last audit that anybody finished; before the first, since this process began.",
    registry=REGISTRY,
)


def exposition() -> tuple[bytes, str]:
    """All figures as Prometheus reads them, and the media type of that."""
    return generate_latest(REGISTRY), CONTENT_TYPE_LATEST
