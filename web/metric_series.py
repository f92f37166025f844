"""The series that are exported from the start, at 0: an alert misses the first increase of one that appears later."""

from collections.abc import Iterable

from graphql import GraphQLObjectType

from models.enum import FINAL, ErrorCode, GenerationStage, GenerationStatus, TransactionType, WebhookEventType
from schema.root import schema
from services.generations.status_message import FAILURES
from services.integrations.providers.failure_cause import FailureCause
from services.integrations.storage.measurement import initialize_series as initialize_storage
from services.operations.release import VERSION
from telemetry import metric
from telemetry.process import process_kind
from web.openai_api.endpoint import OPERATIONS
from web.openai_api.route import KIND

_SUBSCRIPTION = "subscription"
_OUTCOMES = ("ok", "refused", "failed")
_CALL_OUTCOMES = (
    "ok",
    "aborted",
    "crashed",
    *(
        code.value
        for code in (
            ErrorCode.CONTENT_REJECTED,
            ErrorCode.GENERATION_FAILED,
            ErrorCode.GENERATION_TIMEOUT,
            ErrorCode.PROVIDER_MISCONFIGURED,
            ErrorCode.PROVIDER_UNAVAILABLE,
            ErrorCode.RATE_LIMITED,
        )
    ),
)


def initialize_process(providers: Iterable[str]) -> None:
    """Export what every process counts. `providers`: those that it calls."""
    metric.build_info.labels(VERSION, process_kind()).set(1)
    initialize_storage()
    for kind in TransactionType:
        metric.ledger_lines.labels(kind.value)
        metric.ledger_credits.labels(kind.value)
    for status in FINAL - {GenerationStatus.FAILED}:
        metric.generations_ended.labels(status.value, "")
    for code in FAILURES:
        metric.generations_ended.labels(GenerationStatus.FAILED.value, code.value)
    for provider in providers:
        for outcome in _CALL_OUTCOMES:
            metric.provider_calls.labels(provider, outcome)
        for cause in FailureCause:
            metric.provider_failures.labels(provider, cause.value)
        metric.provider_seconds.labels(provider)
        metric.provider_dollars.labels(provider)
    for outcome in ("blocklist", "rejected", "accepted", "outage"):
        metric.content_checks.labels(outcome)
    for outcome in ("replica", "behind", "down", "failed"):
        metric.replica_reads.labels(outcome)
    for event in WebhookEventType:
        metric.webhook_events.labels(event.value)
    for scope in ("account", "deployment"):
        for outcome in ("delivered", "failed"):
            metric.webhook_attempts.labels(scope, outcome)
    for stage in (
        GenerationStage.QUEUED,
        GenerationStage.VALIDATING,
        GenerationStage.GENERATING,
        GenerationStage.STORING,
    ):
        metric.stage_seconds.labels(stage.value)


def initialize_server() -> None:
    """Export what a server counts: operations by their root fields, errors and responses."""
    roots = schema._schema
    for root in (roots.query_type, roots.mutation_type, roots.subscription_type):
        if isinstance(root, GraphQLObjectType):
            _initialize_operations(root)
    for path in OPERATIONS:
        for outcome in (*_OUTCOMES, "disconnected"):
            metric.operation_counter(path, KIND, outcome)
        metric.operation_timer(path)
    for code in ErrorCode:
        metric.graphql_errors.labels(code.value)
    for reason in ("client", "account", "messages", "fragments"):
        metric.sockets_refused.labels(reason)
    for status in (200, 500, 503):
        metric.response_counter("/graphql", "POST", status)


def _initialize_operations(root: GraphQLObjectType) -> None:
    kind = root.name.lower()
    for field in root.fields:
        for outcome in (*_OUTCOMES, "disconnected") if kind == _SUBSCRIPTION else _OUTCOMES:
            metric.operation_counter(field, kind, outcome)
        if kind == _SUBSCRIPTION:
            metric.subscriptions_open.labels(field)
        else:
            metric.operation_timer(field)
