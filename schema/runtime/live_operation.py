"""A subscription that its transport continues without the task that opened it."""

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from schema.runtime.document import PreparedOperation
    from schema.runtime.feed import Feed
    from schema.runtime.instrumentation import Instrumentation


@dataclass(eq=False, slots=True)
class LiveOperation:
    """What a transport needs to continue a subscription, filled in while it opens."""

    prepared: "PreparedOperation | None" = None
    event_cost: int = 0  # of executing one event, in values
    feed: "Feed[Any, Any] | None" = None
    is_handed_over: bool = False  # the transport continues: the subscription must not be ended with its task
    instrumentation: "Instrumentation | None" = None  # to be ended with the stream


# Set by a transport that can continue subscriptions, for the operation that the present task runs.
live_operation: ContextVar[LiveOperation | None] = ContextVar("live_operation", default=None)
