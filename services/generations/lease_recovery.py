"""Recovery of generations whose worker stopped renewing its lease."""

import structlog

from services.core.crashpoint import crashpoint
from services.core.lease import LeaseLostError
from services.events.publisher import EventPublisher
from services.generations.calls.expected_cost import ExpectedCosts
from services.generations.claim import Claim
from services.generations.claim_statement import expired_leases
from services.integrations.messaging.wake_up import WakeUps

log = structlog.get_logger(__name__)


class LeaseRecovery:
    """Takes over generations with an expired lease. `lease`: seconds until the takeover itself expires.

    `expected_costs`: of calls whose answers are lost.
    """

    def __init__(
        self, wake_ups: WakeUps, events: EventPublisher, expected_costs: ExpectedCosts, *, lease: float
    ) -> None:
        self._expected_costs = expected_costs
        self._wake_ups = wake_ups
        self._events = events
        self._lease = lease

    async def find(self, limit: int) -> list[str]:
        """Return the ids of generations whose lease has expired, `limit` at most."""
        return await expired_leases(limit)

    async def recover(self, generation_id: str) -> bool:
        """Return a generation to the queue if its provider was not called, else fail it and refund by policy."""
        claim = await Claim.take_over(generation_id, self._lease)
        if claim is None:
            return True
        crashpoint("sweeper.claimed")
        try:
            row = await claim.release_or_fail(died=True, expected=self._expected_costs)
        except LeaseLostError:  # canceled by a concurrent request
            return True
        crashpoint("sweeper.settled")
        log.warning("generation.abandoned", generation=row.id, status=row.status, refunded=row.refunded)
        await self._events.status_changed(row)
        if claim.account is not None:
            await self._events.account_changed(claim.account)
        if not row.status.is_final:
            await self._wake_ups.publish(row.id)
        return True
