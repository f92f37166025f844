"""Builds the services of the generations group."""

from dataclasses import dataclass

from services.billing.wiring import Billing
from services.catalogue.wiring import Catalogue
from services.core.chore import Chore, Lane, chore_for_each
from services.core.wiring import Core
from services.events.wiring import Events
from services.generations.admin_refund import AdminRefundService
from services.generations.admin_retry import AdminRetryService
from services.generations.calls.expected_cost import ExpectedCosts
from services.generations.generation import GenerationService
from services.generations.lease_recovery import LeaseRecovery
from services.generations.prompts.enhancement import PromptEnhancement
from services.generations.queue.estimate import QueueEstimator
from services.generations.quote import QuoteService
from services.generations.regeneration import RegenerationService
from services.generations.reuse.earlier_result import ReuseService
from services.generations.submission import SubmissionService
from services.generations.videos.callback import VideoCallbackService
from services.generations.worker import GenerationWorker, Times
from services.generations.worker_pool import WorkerPool
from services.integrations.providers.openrouter.video_callback import OpenRouterCallbacks
from services.integrations.wiring import Integrations
from services.media.wiring import Media
from services.operations.wiring import Operations
from services.products.wiring import Products


@dataclass(frozen=True)
class Generations:
    """Requests for generations, and the workers that run them."""

    requests: GenerationService
    regenerations: RegenerationService
    quotes: QuoteService
    queue_estimates: QueueEstimator
    admin_refunds: AdminRefundService
    admin_retries: AdminRetryService
    worker: GenerationWorker
    worker_pool: WorkerPool
    video_callbacks: VideoCallbackService
    lease_recovery: LeaseRecovery
    expected_costs: ExpectedCosts

    @property
    def chores(self) -> tuple[Chore, ...]:
        # Waiting generations need no chore: every worker pool polls for them.
        recovery = self.lease_recovery
        return (chore_for_each("expired_leases", Lane.SETTLEMENT, recovery.find, recovery.recover),)


@dataclass(frozen=True)
class WorkerOptions:
    """Options of the workers; times in seconds."""

    times: Times
    per_user: int  # generations of one account that run at once, in all workers together
    poll: float  # between two polls of the table
    grace: float  # for running generations to finish when the process stops
    callback_secrets: tuple[str, ...] = ()  # of OpenRouter's callbacks


def build_generations(
    core: Core,
    events: Events,
    products: Products,
    operations: Operations,
    billing: Billing,
    media: Media,
    catalogue: Catalogue,
    integrations: Integrations,
    options: WorkerOptions,
) -> Generations:
    publisher, limits, maintenance = events.publisher, products.profile.limits, operations.maintenance
    styles, models = catalogue.styles, catalogue.models
    entitlements, wake_ups = billing.entitlements, integrations.wake_ups
    submissions = SubmissionService(billing.funding, wake_ups, publisher, maintenance, media.quota)
    reuse, costs = ReuseService(entitlements, publisher, media.quota), ExpectedCosts(products.profile.known_models)
    requests = GenerationService(
        models,
        entitlements,
        media.files,
        media.pictures,
        submissions,
        reuse,
        publisher,
        limits,
        core.rates,
        content=products.content,
        enhances_prompts=products.enhances_prompts,
        expected_costs=costs,
    )
    return Generations(
        requests=requests,
        regenerations=RegenerationService(
            requests, styles, models, entitlements, submissions, limits, core.rates, products.content
        ),
        quotes=QuoteService(styles, models, entitlements, billing.funding, media.pictures, reuse, limits),
        queue_estimates=QueueEstimator(operations.worker_registry, operations.provider_pauses, operations.maintenance),
        admin_refunds=AdminRefundService(publisher),
        admin_retries=AdminRetryService(wake_ups, publisher, maintenance),
        worker=GenerationWorker(
            integrations.routes,
            media.files,
            integrations.sanitizers.results,
            publisher,
            options.times,
            maintenance,
            operations.provider_pauses,
            enhancement=PromptEnhancement(integrations.enhancer, is_blocked=products.content.is_blocked),
            per_user=options.per_user,
            video_routes=integrations.video_routes,
            video_sanitizer=integrations.videos,
            expected_costs=costs,
        ),
        worker_pool=WorkerPool(
            wake_ups, integrations.bus, operations.worker_registry, poll=options.poll, grace=options.grace
        ),
        video_callbacks=VideoCallbackService(OpenRouterCallbacks(options.callback_secrets), integrations.bus),
        lease_recovery=LeaseRecovery(wake_ups, publisher, costs, lease=options.times.lease),
        expected_costs=costs,
    )
