"""The composition root: settings become parts, parts become services."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog

from adapters import make_mailer, make_provider, open_payments, open_rate_limiter, open_storage, products_of
from models.database.connection import open_database, rows
from models.database.postgres import QUICK, Limits
from models.database.read_only import ReadOnlyDatabase
from schema.runtime.access import Audience
from services.accounts.account_deletion import AccountDeletionService
from services.accounts.api_key import ApiKeyService
from services.accounts.connection_registry import ConnectionRegistry
from services.accounts.credential import clean_email
from services.accounts.data_export import ExportService
from services.accounts.email_verification import VerificationService
from services.accounts.mail import MailService
from services.accounts.password_reset import PasswordResetService
from services.accounts.role import RoleService
from services.accounts.session import SessionService
from services.accounts.suspension import SuspensionService
from services.accounts.user import UserService
from services.accounts.user_lookup import UserLookup
from services.background.sweeper import Sweeper
from services.billing.admin_adjustment import AdminAdjustmentService
from services.billing.admin_grant import AdminGrantService
from services.billing.entitlement import Entitlements
from services.billing.funding import FundingService
from services.billing.ledger import LedgerService
from services.billing.membership import MembershipService
from services.billing.plan import PlanService
from services.billing.referral import ReferralService
from services.catalogue.custom_style import CustomStyleService
from services.catalogue.import_export import CatalogueService
from services.catalogue.style import StyleService
from services.core.locale import Translator
from services.core.rate_limit import RateLimits
from services.events.audit_log import AuditLog
from services.events.publisher import EventPublisher
from services.gallery.deletion import DeletionService
from services.gallery.favorite import FavoriteService
from services.gallery.gallery import GalleryService
from services.gallery.share import ShareService
from services.gallery.user_stats import StatsService
from services.generations.admin_refund import AdminRefundService
from services.generations.admin_retry import AdminRetryService
from services.generations.generation import GenerationService
from services.generations.queue_estimate import QueueEstimator
from services.generations.quote import QuoteService
from services.generations.regeneration import RegenerationService
from services.generations.submission import SubmissionService
from services.generations.worker import GenerationWorker, Times
from services.generations.worker_pool import WorkerPool
from services.integrations.images.sanitizer import ImageSanitizer
from services.integrations.messaging.bus import Bus
from services.integrations.messaging.queue import TaskQueue
from services.integrations.password_hashing import HASH_KIB, Passwords
from services.integrations.storage.protocol import Storage
from services.media.file import FileService, UploadLimits
from services.media.upload import UploadService
from services.operations.analytics import AnalyticsService
from services.operations.gauges import GaugeUpdater
from services.operations.integrity_audit import IntegrityAudit
from services.operations.ledger_check import LedgerCheck
from services.operations.maintenance import MaintenanceService
from services.operations.self_check import SelfCheck
from services.operations.worker_registry import WorkerRegistry
from services.payments.checkout import CheckoutService
from services.payments.development_checkout import DevelopmentCheckout
from services.payments.payment import PaymentService
from services.payments.reconciliation import Reconciliation
from services.payments.subscription import SubscriptionService
from services.payments.subscription_cancellation import SubscriptionCancellation
from services.payments.webhook import WebhookService
from services.products.profile import load_profile
from services.services import Services
from setting_types import Access, Provider
from settings import LOCALES, PROFILES, Settings
from telemetry import crash
from telemetry.trace import tracing
from web.app import WebOptions

log = structlog.get_logger(__name__)

SURVEY_SECONDS = 60.0  # for each statement of the hourly audit, and of an admin's figures
LISTING_SECONDS = 600.0  # for its look at the storage, a page of a thousand objects at a time
STUCK_SECONDS = 300  # after which a generation must have ended, and a file past its age be gone
_AUDIENCES = {Access.ON: Audience.EVERYBODY, Access.ADMINS: Audience.ADMINS, Access.OFF: Audience.NOBODY}
SIGN_IN_SECONDS = 2.0  # between looks at the sign-ins of open sockets and streams, which end within five
SWEEP_GRACE_SECONDS = 5  # for a sweep that is under way when the process is told to stop


@contextlib.asynccontextmanager
async def open_services(
    settings: Settings,
    database_limits: Limits = QUICK,
    *,
    hash_kib: int = HASH_KIB,
    shared_door: ImageSanitizer | None = None,
) -> AsyncIterator[Services]:
    """Connect everything, and give it back in the reverse order.

    `database_limits`: how long PostgreSQL may take; `shared_door`: one that somebody else closes.
    """
    profile = load_profile(PROFILES / f"{settings.profile}.toml")
    signup_credits = profile.signup_credits if settings.signup_credits is None else settings.signup_credits
    translator = Translator(LOCALES)
    limits = UploadLimits(
        max_bytes=settings.upload_max_bytes or profile.upload.max_bytes,
        formats=frozenset(settings.upload_formats or profile.upload.formats),
    )
    times = Times(
        lease=settings.generation_lease_seconds,
        heartbeat=settings.heartbeat_seconds,
        deadline=settings.generation_deadline_seconds,
        storage=settings.storage_patience_seconds,
    )
    async with contextlib.AsyncExitStack() as stack:
        # Here, not in main: uvicorn ends the process by the signal that stopped it, and main says no last word.
        stack.enter_context(tracing(settings.otel_exporter_otlp_endpoint))
        stack.enter_context(crash.reporting(settings.sentry_dsn, settings.environment.value))
        database = open_database(settings.database, pool_size=settings.database_pool_size, limits=database_limits)
        await stack.enter_async_context(database)
        storage = await stack.enter_async_context(open_storage(settings))
        bus = await stack.enter_async_context(Bus.open(settings.redis_url))
        queue = await stack.enter_async_context(TaskQueue(settings.redis_url))
        door = shared_door or ImageSanitizer(processes=settings.image_processes)
        if door is not shared_door:
            stack.push_async_callback(door.aclose)
        provider = make_provider(settings)
        stack.push_async_callback(provider.aclose)
        limiter = await stack.enter_async_context(open_rate_limiter(settings))
        per_minute = settings.rate_limit_generations_per_minute
        rates = RateLimits(limiter, profile.limits.generations_per_minute if per_minute is None else per_minute)
        events = EventPublisher(bus)
        maintenance = MaintenanceService(bus, events, provider.name, Provider)
        await stack.enter_async_context(maintenance.watching())
        files = FileService(storage, door, limits)
        uploads = UploadService(storage, limits, settings.upload_seconds)
        sessions, passwords = SessionService(settings.session_days), Passwords(hash_kib)
        mail = MailService(make_mailer(settings), translator, settings.app_address)
        stack.push_async_callback(mail.aclose)
        referrals = ReferralService(profile.referral, settings.secret(), events)
        roles = RoleService(events, map(clean_email, settings.admin_emails))
        verification = VerificationService(mail, events, rates, referrals, roles)
        plans = PlanService(profile)
        till = await stack.enter_async_context(open_payments(settings))
        products = products_of(settings, profile)
        payments = PaymentService({product: slug for slug, product in products.items()}, referrals, events)
        memberships = MembershipService(profile.membership.grace_days, events)
        subscriptions = SubscriptionService(payments, memberships, events)
        webhooks = WebhookService(payments, subscriptions, settings.polar_webhook_secret)
        subscription_ends = SubscriptionCancellation(till)
        reconciliation = Reconciliation(till, payments, subscriptions, subscription_ends, referrals)
        entitlements = Entitlements(profile)
        api_keys = ApiKeyService(settings.secret(), events, entitlements)
        looks = min(settings.subscription_reread_seconds, SIGN_IN_SECONDS)
        presences = ConnectionRegistry(bus, sessions, api_keys, every=looks)
        stack.push_async_callback(presences.aclose)
        styles = StyleService(profile)
        payers = FundingService(entitlements, sells_credits=profile.sells_credits)
        sales = SubmissionService(payers, queue, events, maintenance)
        roster = WorkerRegistry(every=settings.generation_sweep_seconds)
        generations = GenerationService(styles, entitlements, files, sales, events, profile.limits, uploads, rates)
        deletion = DeletionService(events)
        departures = AccountDeletionService(passwords, deletion, uploads, subscription_ends, events)
        survey = ReadOnlyDatabase(settings.database, SURVEY_SECONDS)
        audit = make_audit(settings, storage, survey)
        self_check = SelfCheck(audit, events)
        exports = ExportService(storage, seconds=settings.data_export_seconds, lease=times.lease)
        yield Services(
            profile=profile,
            translator=translator,
            bus=bus,
            queue=queue,
            storage=storage,
            door=door,
            provider=provider,
            events=events,
            rates=rates,
            files=files,
            uploads=uploads,
            sessions=sessions,
            api_keys=api_keys,
            users=UserService(passwords, sessions, events, verification, rates, referrals, roles, signup_credits),
            maintenance=maintenance,
            catalogue=CatalogueService(events),
            roles=roles,
            suspensions=SuspensionService(sessions, events),
            presences=presences,
            referrals=referrals,
            verification=verification,
            password_resets=PasswordResetService(mail, passwords, sessions, events, rates, roles),
            credits=LedgerService(),
            entitlements=entitlements,
            memberships=memberships,
            styles=styles,
            own_styles=CustomStyleService(profile.limits, events),
            plans=plans,
            payments=payments,
            checkouts=CheckoutService(
                till, products, (settings.address, settings.app_address, *settings.cors_origins), plans, rates
            ),
            webhooks=webhooks,
            reconciliation=reconciliation,
            development_till=DevelopmentCheckout(payments, webhooks) if settings.takes_no_money else None,
            quotes=QuoteService(styles, entitlements, payers),
            generations=generations,
            regenerations=RegenerationService(generations, styles, entitlements, sales, profile.limits, rates),
            deletion=deletion,
            departures=departures,
            exports=exports,
            gallery=GalleryService(),
            favorites=FavoriteService(events),
            stats=StatsService(),
            shares=ShareService(storage, events, settings.address),
            forecast=QueueEstimator(roster),
            roster=roster,
            worker=GenerationWorker(
                provider, files, door, events, times, maintenance, per_user=settings.generation_user_concurrency
            ),
            crew=WorkerPool(
                queue, bus, roster, poll=settings.generation_sweep_seconds, grace=settings.stop_grace_seconds
            ),
            sweeper=Sweeper(
                queue,
                files,
                uploads,
                sessions,
                departures,
                exports,
                webhooks,
                reconciliation,
                memberships,
                self_check,
                events,
                every=settings.generation_sweep_seconds,
                lease=times.lease,
                orphan_age=settings.file_orphan_seconds,
            ),
            directory=UserLookup(),
            adjustments=AdminAdjustmentService(events),
            refunds=AdminRefundService(events),
            retries=AdminRetryService(queue, events, maintenance),
            grants=AdminGrantService(plans, events),
            load=GaugeUpdater(roster, self_check),
            self_check=self_check,
            audit_log=AuditLog(),
            ledger_check=LedgerCheck(audit),
            metrics=AnalyticsService(survey),
            reread_seconds=settings.subscription_reread_seconds,
        )


def make_audit(settings: Settings, storage: Storage, survey: ReadOnlyDatabase | None = None) -> IntegrityAudit:
    """What checks every promise; with `survey` beside the work, with deadlines, else as long as it takes."""
    return IntegrityAudit(
        storage.keys,
        stuck=STUCK_SECONDS,
        unsettled=settings.file_orphan_seconds + STUCK_SECONDS,
        sent_ahead=settings.upload_seconds + STUCK_SECONDS,
        ask=survey.rows if survey else rows,
        listing=LISTING_SECONDS if survey else None,
    )


@contextlib.asynccontextmanager
async def working(services: Services, concurrency: int) -> AsyncIterator[None]:
    """Make generations and sweep while the body runs; then let what is under way finish, within its grace."""
    sweeping = asyncio.create_task(services.sweeper.run(), name="sweeper")
    try:
        async with services.crew.working(services.worker, concurrency):
            yield
    finally:
        sweeping.cancel()
        await asyncio.wait([sweeping], timeout=SWEEP_GRACE_SECONDS)


@contextlib.asynccontextmanager
async def open_server(
    settings: Settings, *, hash_kib: int = HASH_KIB, shared_door: ImageSanitizer | None = None
) -> AsyncIterator[Services]:
    """The services of a server; without Redis, it also does the work of a worker."""
    opening = open_services(settings, hash_kib=hash_kib, shared_door=shared_door)
    async with opening as services, contextlib.AsyncExitStack() as stack:
        if settings.redis_url is None:
            await stack.enter_async_context(working(services, settings.worker_concurrency))
        log.info("server.started")
        stack.callback(log.info, "server.stopping")
        yield services


def web_options(settings: Settings) -> WebOptions:
    """What the settings say about the doors."""
    return WebOptions(
        graphiql=_AUDIENCES[settings.graphiql_access],
        introspection=_AUDIENCES[settings.introspection_access],
        address=settings.address,
        cors_origins=settings.cors_origins,
        trusted_proxies=settings.trusted_proxies,
        metrics_token=settings.metrics_token,
    )
