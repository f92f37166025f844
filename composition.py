"""The composition root: builds integrations from settings, and services from integrations."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog

from adapters import open_integrations, product_ids
from models.database.connection import open_database, rows
from models.database.postgres import REQUEST_LIMITS, Limits
from models.database.read_only import ReadOnlyDatabase
from models.database.replica import ReadReplica, open_replica
from provider_adapters import call_deadlines, load_product
from schema.runtime.access import Audience
from services.accounts.result_mail.wiring import ResultMailOptions
from services.accounts.sign_ins.origin import KeptPlace
from services.accounts.wiring import AccountOptions, build_accounts
from services.background.wiring import build_background
from services.billing.wiring import BillingOptions, build_billing
from services.catalogue.wiring import build_catalogue
from services.core.locale import Translator
from services.core.rate_limit import RateLimits
from services.core.wiring import Core
from services.events.wiring import build_events
from services.gallery.archive import ArchiveLimits
from services.gallery.wiring import GalleryOptions, build_gallery
from services.generations.wiring import WorkerOptions, build_generations
from services.generations.worker import Times
from services.integrations.images.sanitizer import SanitizerBusyError, Sanitizers, SanitizerUnavailableError
from services.integrations.moderation.protocol import Moderator
from services.integrations.password_hashing import HASH_KIB
from services.integrations.rate_limiter import RateLimiter
from services.integrations.storage.protocol import Storage
from services.integrations.wiring import Integrations
from services.media.file import UploadLimits
from services.media.quota import StorageQuota
from services.media.wiring import build_media
from services.operations.integrity_audit import IntegrityAudit
from services.operations.release import VERSION
from services.operations.retention import Retention
from services.operations.wiring import build_operations
from services.payments.wiring import PaymentOptions, build_payments
from services.products.blocklist import Blocklist
from services.products.content_check import ContentCheck
from services.products.profile import Profile
from services.products.style_picture import ShippedPictures
from services.products.wiring import Products
from services.services import Services
from services.webhooks.wiring import WebhookOptions, build_webhooks
from setting_types import Access, AdminSecondFactor, ModerationOutage, Provider, SignupVerification, Switch
from settings import LOCALES, PROFILES, Settings
from telemetry import crash
from telemetry.trace import tracing
from web.app import WebOptions
from web.connection_limit import ConnectionLimits, Pace
from web.metric_series import initialize_process, initialize_server
from web.upload_slots import ReceivingLimits

log = structlog.get_logger(__name__)

READ_ONLY_SECONDS = 60.0  # timeout of each statement of the hourly audit and of admin analytics
LISTING_SECONDS = 600.0  # timeout of the audit's storage listing, which has a thousand objects per page
STUCK_SECONDS = 300  # past the time by which a generation must end, or a file be removed: the audit then reports it
SESSION_CHECK_SECONDS = 2.0  # between checks of open connections: those of ended sessions close within 5 s
WEBHOOK_POLL_SECONDS = 1.0  # between two looks at the outbox
SWEEP_GRACE_SECONDS = 5  # that a running sweep gets to finish when the process stops
_AUDIENCES = {Access.ON: Audience.EVERYONE, Access.ADMINS: Audience.ADMINS, Access.OFF: Audience.NONE}


@contextlib.asynccontextmanager
async def open_services(
    settings: Settings,
    database_limits: Limits = REQUEST_LIMITS,
    *,
    with_provider: bool = False,
    hash_kib: int = HASH_KIB,
    shared_sanitizers: Sanitizers | None = None,
) -> AsyncIterator[Services]:
    """Connect everything, and close it in reverse order.

    `database_limits`: PostgreSQL's timeouts; `with_provider`: for `running_worker`; `hash_kib`: memory of one
    password hash in KiB; `shared_sanitizers`: those that the caller closes.
    """
    async with contextlib.AsyncExitStack() as stack:
        # Not in main: uvicorn re-raises the signal that stopped it, so nothing in main would run after it.
        stack.enter_context(tracing(settings.otel_exporter_otlp_endpoint))
        stack.enter_context(crash.reporting(settings.sentry_dsn, settings.environment.value, VERSION))
        database = open_database(
            settings.database,
            pool_size=settings.database_pool_size,
            group_size=settings.database_group_size,
            limits=database_limits,
        )
        await stack.enter_async_context(database)
        opening = open_integrations(
            settings, with_provider=with_provider, hash_kib=hash_kib, shared_sanitizers=shared_sanitizers
        )
        integrations = await stack.enter_async_context(opening)
        replica = open_replica(settings.database_replica_url, settings.database_pool_size)
        services = build_services(settings, integrations, await stack.enter_async_context(replica))
        initialize_process({provider.name for provider in integrations.routes.providers})
        await stack.enter_async_context(services.operations.maintenance.watching())
        await stack.enter_async_context(services.operations.provider_pauses.watching())
        await stack.enter_async_context(services.operations.gauges.watching())
        stack.push_async_callback(services.accounts.mail.aclose)
        stack.push_async_callback(services.accounts.connections.aclose)
        stack.push_async_callback(services.events.topics.aclose)
        yield services


def build_services(settings: Settings, integrations: Integrations, replica: ReadReplica | None = None) -> Services:
    """Build the groups of services, each from those above it."""
    profile = load_product(settings)
    bus, storage = integrations.bus, integrations.storage
    read_only = ReadOnlyDatabase(settings.database, READ_ONLY_SECONDS)
    core = Core(Translator(LOCALES), _rate_limits(settings, profile, integrations.limiter), replica)
    products = _products(settings, profile, integrations.moderator, core.rates)
    events = build_events(bus, settings.subscription_reread_seconds)
    operations = build_operations(
        integrations,
        events,
        build_audit(settings, storage, read_only),
        ReadOnlyDatabase(settings.database, READ_ONLY_SECONDS, replica),
        known_providers=Provider,
        heartbeat_seconds=settings.generation_sweep_seconds,
        call_deadlines=call_deadlines(settings),
        has_pauses=settings.rate_limits is Switch.ON,
    )
    billing = build_billing(events, products, _billing_options(settings, profile))
    payments = build_payments(core, events, billing, integrations.payments, _payment_options(settings, profile))
    media = build_media(
        core,
        storage,
        integrations.sanitizers.uploads,
        _upload_limits(settings, profile),
        _storage_quota(profile),
        upload_seconds=settings.upload_seconds,
        orphan_seconds=settings.file_orphan_seconds,
        claim_seconds=settings.generation_lease_seconds / 2,
    )
    catalogue = build_catalogue(core, events, products, integrations, settings.address, settings.file_orphan_seconds)
    generations = build_generations(
        core, events, products, operations, billing, media, catalogue, integrations, _worker_options(settings)
    )
    gallery = build_gallery(core, events, integrations, generations, settings.address, _gallery_options(settings))
    accounts = build_accounts(
        core, events, operations, billing, payments, media, gallery, integrations, _account_options(settings, profile)
    )
    webhooks = build_webhooks(core, events, accounts, integrations, _webhook_options(settings, profile))
    # Chores run in this order: paid events, then leases and memberships, then files.
    chores = (*payments.chores, *generations.chores, *billing.chores, *accounts.chores, *gallery.chores)
    chores = (*chores, *catalogue.chores, *media.chores, *webhooks.chores, *_retention(settings).chores)
    jobs = (*payments.jobs, *operations.jobs, *webhooks.jobs)
    background = build_background(chores, jobs, every=settings.generation_sweep_seconds)
    return Services(
        integrations=integrations,
        core=core,
        events=events,
        products=products,
        operations=operations,
        billing=billing,
        payments=payments,
        media=media,
        catalogue=catalogue,
        generations=generations,
        gallery=gallery,
        accounts=accounts,
        webhooks=webhooks,
        background=background,
    )


def _retention(settings: Settings) -> Retention:
    return Retention(
        idempotency_keys=settings.idempotency_key_days,
        job_runs=settings.job_run_days,
        expired_sessions=settings.expired_session_days,
        webhooks=settings.webhook_days,
        parked_events=settings.parked_event_days,
        webhook_deliveries=settings.webhook_delivery_days,
    )


def _billing_options(settings: Settings, profile: Profile) -> BillingOptions:
    requires_verification = settings.signup_verification is SignupVerification.REQUIRED
    return BillingOptions(
        secret=settings.secret(),
        signup_credits=profile.signup_credits if settings.signup_credits is None else settings.signup_credits,
        requires_verification=requires_verification or profile.signup_credits_require_verification,
    )


def _webhook_options(settings: Settings, profile: Profile) -> WebhookOptions:
    return WebhookOptions(
        key=settings.secret(),
        own_urls=settings.webhook_urls,
        own_secrets=settings.webhook_secret,
        credits_low=profile.limits.credits_low,
        poll=min(settings.generation_sweep_seconds, WEBHOOK_POLL_SECONDS),
        first_pause=settings.webhook_retry_seconds,
        give_up_seconds=settings.webhook_give_up_seconds,
        is_development=not settings.is_production,
    )


def _rate_limits(settings: Settings, profile: Profile, limiter: RateLimiter | None) -> RateLimits:
    limits, generations = profile.limits, settings.rate_limit_generations_per_minute
    refused = settings.rate_limit_refused_pictures
    return RateLimits(
        limiter,
        generations_per_minute=limits.generations_per_minute if generations is None else generations,
        refused_pictures=limits.refused_pictures if refused is None else refused,
    )


def _products(settings: Settings, profile: Profile, moderator: Moderator | None, rates: RateLimits) -> Products:
    content = ContentCheck(
        Blocklist(profile.moderation.blocklist),
        moderator,
        rates,
        accepts_unchecked=settings.moderation_outage is ModerationOutage.OPEN,
        seconds=settings.moderation_seconds,
    )
    return Products(
        profile,
        content,
        ShippedPictures.load(PROFILES),
        enhances_prompts=profile.enhances_prompts and settings.has_text_model,
    )


def _payment_options(settings: Settings, profile: Profile) -> PaymentOptions:
    return PaymentOptions(
        product_ids=product_ids(settings, profile),
        webhook_secrets=settings.polar_webhook_secret,
        origins=(settings.address, settings.app_address, *settings.cors_origins),
        has_development_checkout=settings.has_development_checkout,
    )


def _gallery_options(settings: Settings) -> GalleryOptions:
    return GalleryOptions(
        unused_photo_seconds=settings.unused_photo_seconds,
        archives=ArchiveLimits(pictures=settings.archive_max_pictures, mib=settings.archive_max_mib),
    )


def _upload_limits(settings: Settings, profile: Profile) -> UploadLimits:
    return UploadLimits(
        max_bytes=settings.upload_max_bytes or profile.upload.max_bytes,
        formats=frozenset(settings.upload_formats or profile.upload.formats),
    )


def _storage_quota(profile: Profile) -> StorageQuota:
    limits = profile.limits
    return StorageQuota(max_bytes=limits.max_stored_bytes, max_generations=limits.max_kept_generations)


def _worker_options(settings: Settings) -> WorkerOptions:
    times = Times(
        lease=settings.generation_lease_seconds,
        heartbeat=settings.heartbeat_seconds,
        deadline=settings.generation_deadline_seconds,
        storage=settings.storage_patience_seconds,
        video_deadline=settings.video_deadline_seconds,
        video_poll=settings.video_poll_seconds,
    )
    return WorkerOptions(
        times=times,
        per_user=settings.generation_user_concurrency,
        poll=settings.generation_sweep_seconds,
        grace=settings.stop_grace_seconds,
        callback_secrets=settings.openrouter_webhook_secret,
    )


def _account_options(settings: Settings, profile: Profile) -> AccountOptions:
    return AccountOptions(
        secret=settings.secret(),
        app_address=settings.app_address,
        result_mail=ResultMailOptions(
            secret=settings.secret(),
            address=settings.address,
            app_address=settings.app_address,
            per_hour=settings.result_mails_per_hour,
            seconds=settings.result_mail_seconds,
        ),
        admin_emails=settings.admin_emails,
        session_days=settings.session_days,
        session_max_days=settings.session_max_days,
        session_place=KeptPlace(settings.session_place.value),
        guests=profile.guests,
        requires_verification=settings.signup_verification is SignupVerification.REQUIRED,
        max_subscriptions=profile.limits.subscriptions_per_account if settings.rate_limits is Switch.ON else None,
        sign_in_check_seconds=min(settings.subscription_reread_seconds, SESSION_CHECK_SECONDS),
        export_seconds=settings.data_export_seconds,
        lease_seconds=settings.generation_lease_seconds,
        requires_admin_factor=settings.admin_second_factor is AdminSecondFactor.REQUIRED,
        is_demo=settings.demo_mode is Switch.ON,
    )


def build_audit(settings: Settings, storage: Storage, read_only: ReadOnlyDatabase | None = None) -> IntegrityAudit:
    """Return the audit of every invariant; with `read_only` it has timeouts, for running beside normal traffic."""
    return IntegrityAudit(
        storage.keys,
        generation_seconds=STUCK_SECONDS,
        video_seconds=settings.video_deadline_seconds + STUCK_SECONDS,
        file_seconds=settings.file_orphan_seconds + STUCK_SECONDS,
        upload_seconds=settings.upload_seconds + STUCK_SECONDS,
        query=read_only.rows if read_only else rows,
        listing_timeout=LISTING_SECONDS if read_only else None,
    )


@contextlib.asynccontextmanager
async def running_worker(services: Services, concurrency: int) -> AsyncIterator[None]:
    """Process generations and sweep while the body runs; then let running work finish within its grace period."""
    sweeping = asyncio.create_task(services.background.sweeper.run(), name="sweeper")
    try:
        async with services.generations.worker_pool.working(services.generations.worker, concurrency):
            yield
    finally:
        sweeping.cancel()
        await asyncio.wait([sweeping], timeout=SWEEP_GRACE_SECONDS)


async def _log_missing_decoders(services: Services) -> None:
    """Log the formats that clients may send and that cannot be decoded here."""
    with contextlib.suppress(SanitizerUnavailableError, SanitizerBusyError):
        missing = await services.integrations.sanitizers.results.missing_formats()
        if formats := sorted(missing & services.media.files.limits.formats):
            log.warning("decoder.missing", formats=formats, hint="install pillow-heif for HEIC; clients get a refusal")


@contextlib.asynccontextmanager
async def open_server(
    settings: Settings,
    *,
    with_provider: bool = False,
    hash_kib: int = HASH_KIB,
    shared_sanitizers: Sanitizers | None = None,
) -> AsyncIterator[Services]:
    """Open the services of a server; without Redis, the server is also the worker."""
    is_worker = settings.redis_url is None
    opening = open_services(
        settings, with_provider=with_provider or is_worker, hash_kib=hash_kib, shared_sanitizers=shared_sanitizers
    )
    async with opening as services, contextlib.AsyncExitStack() as stack:
        await _log_missing_decoders(services)
        if is_worker:
            await stack.enter_async_context(running_worker(services, settings.worker_concurrency))
        initialize_server()
        log.info("server.started", version=VERSION)
        stack.callback(log.info, "server.stopping")
        yield services


def web_options(settings: Settings) -> WebOptions:
    """Return the settings of the web layer."""
    return WebOptions(
        graphiql=_AUDIENCES[settings.graphiql_access],
        studio=settings.studio is Switch.ON,
        introspection=_AUDIENCES[settings.introspection_access],
        address=settings.address,
        cors_origins=settings.cors_origins,
        is_development=not settings.is_production,
        trusted_proxies=settings.trusted_proxies,
        metrics_token=settings.metrics_token,
        connection_limits=ConnectionLimits(settings.max_sockets_per_client, Pace())
        if settings.rate_limits is Switch.ON
        else ConnectionLimits.off(),
        socket_max_seconds=settings.socket_max_seconds,
        order_seconds=settings.order_seconds,
        receiving=ReceivingLimits() if settings.rate_limits is Switch.ON else ReceivingLimits(None, None),
        compiles_operations=settings.compiled_operations is Switch.ON,
        answers_json=settings.json_fast_path is Switch.ON,
        kept_answers_bytes=settings.kept_answers_mib * 2**20,
    )
