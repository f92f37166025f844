"""Simulates another process on the same database, whose bus messages are not received here."""

import contextlib
from collections.abc import AsyncIterator

from services.billing.funding import FundingService
from services.events.publisher import EventPublisher
from services.generations.claim import Claim
from services.generations.generation import GenerationService
from services.generations.reuse.earlier_result import ReuseService
from services.generations.specification import GenerationRequest
from services.generations.submission import SubmissionService
from services.integrations.messaging.bus import Bus
from services.integrations.messaging.wake_up import WakeUps
from services.operations.maintenance import MaintenanceService
from services.services import Services
from tests.support.client import Api


@contextlib.asynccontextmanager
async def another_process(services: Services) -> AsyncIterator[GenerationService]:
    """Return a generation service on the same database, with its own bus: its messages are not received here."""
    funding = FundingService(services.billing.entitlements, sells_credits=services.products.profile.sells_credits)
    async with Bus.open(None) as bus:
        yield GenerationService(
            services.catalogue.models,
            services.billing.entitlements,
            services.media.files,
            services.media.pictures,
            SubmissionService(
                funding,
                WakeUps(bus),
                EventPublisher(bus),
                MaintenanceService(bus, EventPublisher(bus), services.integrations.provider.name, ()),
            ),
            ReuseService(services.billing.entitlements, EventPublisher(bus), services.media.quota),
            EventPublisher(bus),
            services.products.profile.limits,
            services.core.rates,
            content=services.products.content,
        )


async def create_in_another_process(services: Services, client: Api) -> str:
    """Create a generation without messages or wake-ups in this process; return its id."""
    user = await services.accounts.users.get(client.user["id"])
    async with another_process(services) as generations:
        (generation,) = await generations.create(user, GenerationRequest(prompt="A red boat"))
    return generation.id


async def claim_in_another_process(generation_id: str) -> Claim:
    claim = await Claim.take(generation_id, "a worker elsewhere", 600.0, 4)
    assert claim is not None
    return claim
