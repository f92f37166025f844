"""The composition root: settings become integrations, integrations become services."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog

from adapters import open_integrations, product_ids
from models.database.connection import open_database, rows
from models.database.postgres import REQUEST_LIMITS, Limits
from models.database.read_only import ReadOnlyDatabase
from schema.runtime.access import Audience
from services.accounts.wiring import AccountOptions, build_accounts
from services.background.wiring import build_background
from services.billing.wiring import build_billing
from services.catalogue.wiring import build_catalogue
from services.core.locale import Translator
from services.core.rate_limit import RateLimits
from services.core.wiring import Core
from services.events.wiring import build_events
from services.gallery.wiring import build_gallery
from services.generations.wiring import WorkerOptions, build_generations
from services.generations.worker import Times
from services.integrations.images.sanitizer import ImageSanitizer
from services.integrations.password_hashing import HASH_KIB
from services.integrations.storage.protocol import Storage
from services.integrations.wiring import Integrations
from services.media.file import UploadLimits
from services.media.wiring import build_media
from services.operations.integrity_audit import IntegrityAudit
from services.operations.wiring import build_operations
from services.payments.wiring import build_payments
from services.products.profile import Profile, load_profile
from services.products.wiring import Products
from services.services import Services
from setting_types import Access, Provider
from settings import LOCALES, PROFILES, Settings
from telemetry import crash
from telemetry.trace import tracing
from web.app import WebOptions

log = structlog.get_logger(__name__)

READ_ONLY_SECONDS = 60.0  # for each statement of the hourly audit, and of an admin's analytics
LISTING_SECONDS = 600.0  # for the audit's listing of the storage, a page of a thousand objects at a time
STUCK_SECONDS = 300  # after which a generation must have ended, and a file past its age be gone
SIGN_IN_SECONDS = 2.0  # between checks of the sign-ins of open sockets and streams, which end within five
SWEEP_GRACE_SECONDS = 5  # for a sweep that is under way when the process is told to stop
_AUDIENCES = {Access.ON: Audience.EVERYONE, Access.ADMINS: Audience.ADMINS, Access.OFF: Audience.NONE}


@contextlib.asynccontextmanager
async def open_services(
    settings: Settings,
    database_limits: Limits = REQUEST_LIMITS,
    *,
    hash_kib: int = HASH_KIB,
    shared_sanitizer: ImageSanitizer | None = None,
) -> AsyncIterator[Services]:
    """Connect everything, and close it in the reverse order.

    `database_limits`: how long PostgreSQL may take; `hash_kib`: memory of one password hash in KiB;
    `shared_sanitizer`: one that the caller closes.
    """
    async with contextlib.AsyncExitStack() as stack:
        # Here, not in main: uvicorn re-raises the signal that stopped it, so nothing in main runs after it.
        stack.enter_context(tracing(settings.otel_exporter_otlp_endpoint))
        stack.enter_context(crash.reporting(settings.sentry_dsn, settings.environment.value))
        database = open_database(settings.database, pool_size=settings.database_pool_size, limits=database_limits)
        await stack.enter_async_context(database)
        opening = open_integrations(settings, hash_kib=hash_kib, shared_sanitizer=shared_sanitizer)
        services = build_services(settings, await stack.enter_async_context(opening))
        await stack.enter_async_context(services.operations.maintenance.watching())
        stack.push_async_callback(services.accounts.mail.aclose)
        stack.push_async_callback(services.accounts.connections.aclose)
        yield services


def build_services(settings: Settings, outside: Integrations) -> Services:
    """Put the groups together, each from those above it."""
    profile = load_profile(PROFILES / f"{settings.profile}.toml")
    bus, storage = outside.bus, outside.storage
    worker_options = _worker_options(settings)
    read_only = ReadOnlyDatabase(settings.database, READ_ONLY_SECONDS)
    products = Products(profile)
    core = Core(Translator(LOCALES), RateLimits(outside.limiter, _generations_per_minute(settings, profile)))
    events = build_events(bus, settings.subscription_reread_seconds)
    operations = build_operations(
        bus,
        events,
        build_audit(settings, storage, read_only),
        read_only,
        provider=outside.provider.name,
        providers=Provider,
        report_seconds=settings.generation_sweep_seconds,
    )
    billing = build_billing(events, products, secret=settings.secret())
    payments = build_payments(
        core,
        events,
        billing,
        outside.payments,
        product_ids=product_ids(settings, profile),
        webhook_secrets=settings.polar_webhook_secret,
        origins=(settings.address, settings.app_address, *settings.cors_origins),
        has_development_checkout=settings.has_development_checkout,
    )
    media = build_media(
        storage,
        outside.sanitizer,
        _upload_limits(settings, profile),
        upload_seconds=settings.upload_seconds,
        orphan_seconds=settings.file_orphan_seconds,
    )
    catalogue = build_catalogue(events, products)
    generations = build_generations(
        core, events, products, operations, billing, media, catalogue, outside, worker_options
    )
    gallery = build_gallery(events, storage, address=settings.address)
    accounts = build_accounts(
        core, events, billing, payments, media, gallery, outside, _account_options(settings, profile)
    )
    # The order of the chores is that of a pass: what was paid, then leases and memberships, then files.
    background = build_background(
        chores=(*payments.chores, *generations.chores, *billing.chores, *accounts.chores, *media.chores),
        jobs=(*payments.jobs, *operations.jobs),
        every=settings.generation_sweep_seconds,
    )
    return Services(
        integrations=outside,
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
        background=background,
    )


def _generations_per_minute(settings: Settings, profile: Profile) -> int | None:
    chosen = settings.rate_limit_generations_per_minute
    return profile.limits.generations_per_minute if chosen is None else chosen


def _upload_limits(settings: Settings, profile: Profile) -> UploadLimits:
    return UploadLimits(
        max_bytes=settings.upload_max_bytes or profile.upload.max_bytes,
        formats=frozenset(settings.upload_formats or profile.upload.formats),
    )


def _worker_options(settings: Settings) -> WorkerOptions:
    times = Times(
        lease=settings.generation_lease_seconds,
        heartbeat=settings.heartbeat_seconds,
        deadline=settings.generation_deadline_seconds,
        storage=settings.storage_patience_seconds,
    )
    return WorkerOptions(
        times=times,
        per_user=settings.generation_user_concurrency,
        poll=settings.generation_sweep_seconds,
        grace=settings.stop_grace_seconds,
    )


def _account_options(settings: Settings, profile: Profile) -> AccountOptions:
    return AccountOptions(
        secret=settings.secret(),
        app_address=settings.app_address,
        admin_emails=settings.admin_emails,
        signup_credits=profile.signup_credits if settings.signup_credits is None else settings.signup_credits,
        session_days=settings.session_days,
        sign_in_check_seconds=min(settings.subscription_reread_seconds, SIGN_IN_SECONDS),
        export_seconds=settings.data_export_seconds,
        lease_seconds=settings.generation_lease_seconds,
    )


def build_audit(settings: Settings, storage: Storage, read_only: ReadOnlyDatabase | None = None) -> IntegrityAudit:
    """Return the audit of every invariant; with `read_only` beside the work, with deadlines, else without any."""
    return IntegrityAudit(
        storage.keys,
        stuck=STUCK_SECONDS,
        unsettled=settings.file_orphan_seconds + STUCK_SECONDS,
        sent_ahead=settings.upload_seconds + STUCK_SECONDS,
        ask=read_only.rows if read_only else rows,
        listing=LISTING_SECONDS if read_only else None,
    )


@contextlib.asynccontextmanager
async def running_worker(services: Services, concurrency: int) -> AsyncIterator[None]:
    """Make generations and sweep while the body runs; then let what is under way finish, within its grace."""
    sweeping = asyncio.create_task(services.background.sweeper.run(), name="sweeper")
    try:
        async with services.generations.worker_pool.working(services.generations.worker, concurrency):
            yield
    finally:
        sweeping.cancel()
        await asyncio.wait([sweeping], timeout=SWEEP_GRACE_SECONDS)


@contextlib.asynccontextmanager
async def open_server(
    settings: Settings, *, hash_kib: int = HASH_KIB, shared_sanitizer: ImageSanitizer | None = None
) -> AsyncIterator[Services]:
    """The services of a server; without Redis, it also does the work of a worker."""
    opening = open_services(settings, hash_kib=hash_kib, shared_sanitizer=shared_sanitizer)
    async with opening as services, contextlib.AsyncExitStack() as stack:
        if settings.redis_url is None:
            await stack.enter_async_context(running_worker(services, settings.worker_concurrency))
        log.info("server.started")
        stack.callback(log.info, "server.stopping")
        yield services


def web_options(settings: Settings) -> WebOptions:
    """What the settings say about the web layer."""
    return WebOptions(
        graphiql=_AUDIENCES[settings.graphiql_access],
        introspection=_AUDIENCES[settings.introspection_access],
        address=settings.address,
        cors_origins=settings.cors_origins,
        trusted_proxies=settings.trusted_proxies,
        metrics_token=settings.metrics_token,
    )
