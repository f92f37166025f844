"""Builds the clients of external systems from settings: bus, storage, provider, payments, mail, rate limiter.

The modules that import vendors' SDKs are imported where the settings choose them: a server that does not use one pays
neither its memory nor its time.
"""

import contextlib
from collections.abc import AsyncIterator

from services.integrations.images.formats import PngStorage
from services.integrations.images.sanitizer import Sanitizers
from services.integrations.mail.console import ConsoleMailer
from services.integrations.mail.protocol import Mailer
from services.integrations.messaging.bus import Bus
from services.integrations.messaging.wake_up import WakeUps
from services.integrations.password_hashing import Passwords
from services.integrations.payments.development import DevelopmentPaymentProvider
from services.integrations.payments.protocol import PaymentProvider
from services.integrations.providers.protocol import ImageProvider
from services.integrations.providers.unused import UnusedProvider
from services.integrations.rate_limiter import RateLimiter
from services.integrations.storage.local import LocalStorage
from services.integrations.storage.protocol import Storage
from services.integrations.wiring import Integrations
from services.products.profile import Profile, load_profile
from setting_types import Provider, Switch, UploadMethod
from settings import PROFILES, Settings
from web.open_connections import ServerLimits, max_backlog, max_connections

_UPLOAD_WAIT = 20.0  # seconds that a picture waits for its turn to be decoded; then it is refused


def make_provider(settings: Settings) -> ImageProvider:
    """Return the configured image provider."""
    if settings.provider is Provider.DEMO:
        from services.integrations.providers.demo.provider import DemoProvider

        return DemoProvider(settings.demo_seconds)
    from services.integrations.providers.openrouter.client import OpenRouterProvider
    from services.integrations.providers.openrouter.model import ModelLimits
    from services.integrations.providers.safe_fetch import SafeFetch

    profile = load_profile(PROFILES / f"{settings.profile}.toml")
    hosts = frozenset(settings.provider_image_hosts)
    return OpenRouterProvider(
        settings.openrouter_api_key or "",
        base_url=settings.openrouter_base_url,
        model=settings.openrouter_model,
        app_url=settings.address,
        fetch=SafeFetch(hosts) if hosts else None,
        limits={
            model: ModelLimits(reference=rules.reference_max_bytes, request=rules.request_max_bytes)
            for model, rules in profile.model_limits.items()
        },
    )


def make_sanitizers(settings: Settings) -> Sanitizers:
    """Return the sanitizers of uploads and of results; without rate limits, an upload waits for any time."""
    max_wait = None if settings.rate_limits is Switch.OFF else _UPLOAD_WAIT
    return Sanitizers.of(
        settings.image_processes,
        max_wait=max_wait,
        max_pixels=settings.image_max_megapixels * 1_000_000,
        png_results_as=PngStorage(settings.png_results),
    )


def make_mailer(settings: Settings) -> Mailer | None:
    """Return the configured SMTP server; without one, the log in development and None in production."""
    if settings.smtp_url is not None and settings.mail_from is not None:
        from services.integrations.mail.smtp import SmtpMailer

        return SmtpMailer(settings.smtp_url, settings.mail_from)
    return None if settings.is_production else ConsoleMailer()


@contextlib.asynccontextmanager
async def open_rate_limiter(settings: Settings) -> AsyncIterator[RateLimiter | None]:
    """Open the rate limiter; None if rate limits are switched off."""
    if settings.rate_limits is Switch.OFF:
        yield None
        return
    limiter = RateLimiter(settings.redis_url)
    try:
        yield limiter
    finally:
        await limiter.aclose()


@contextlib.asynccontextmanager
async def open_payments(settings: Settings) -> AsyncIterator[PaymentProvider | None]:
    """Open Polar; without its token, the development checkout, or None in production."""
    if settings.polar_access_token is None:
        yield DevelopmentPaymentProvider(settings.address) if settings.has_development_checkout else None
        return
    from services.integrations.payments.polar.client import PolarPaymentProvider

    async with PolarPaymentProvider(settings.polar_access_token, base_url=settings.polar_base_url) as payments:
        yield payments


def product_ids(settings: Settings, profile: Profile) -> dict[str, str]:
    """Return the payment provider's product ids by slug; the development checkout uses the slugs themselves."""
    if settings.has_development_checkout:
        slugs = [package.slug for package in profile.packages] + [plan.slug for plan in profile.plans]
        return {slug: slug for slug in slugs}
    return dict(pair.split("=") for pair in settings.polar_products)


@contextlib.asynccontextmanager
async def open_storage(settings: Settings) -> AsyncIterator[Storage]:
    """Open the configured storage: S3, or a local folder."""
    if settings.s3_bucket is None:
        yield LocalStorage(
            settings.data_dir / "files",
            address=settings.address,
            secret=settings.secret(),
            link_seconds=settings.file_url_seconds,
            puts_uploads=settings.upload_method is UploadMethod.PUT,
        )
        return
    from services.integrations.storage.s3 import S3Storage

    async with S3Storage(
        settings.s3_bucket,
        region=settings.s3_region,
        prefix=settings.s3_prefix,
        link_seconds=settings.file_url_seconds,
        endpoint_url=settings.s3_endpoint_url,
        public_url=settings.s3_public_url,
        access_key_id=settings.aws_access_key_id,
        secret_access_key=settings.aws_secret_access_key,
        session_token=settings.aws_session_token,
        puts_uploads=settings.upload_method is UploadMethod.PUT,
    ) as storage:
        yield storage


@contextlib.asynccontextmanager
async def open_integrations(
    settings: Settings, *, with_provider: bool, hash_kib: int, shared_sanitizers: Sanitizers | None = None
) -> AsyncIterator[Integrations]:
    """Connect every external system but the database, and close them in reverse order.

    `with_provider`: whether this process may process generations. `hash_kib`: memory of one password hash in KiB;
    `shared_sanitizers`: those that the caller closes.
    """
    async with contextlib.AsyncExitStack() as stack:
        storage = await stack.enter_async_context(open_storage(settings))
        bus = await stack.enter_async_context(Bus.open(settings.redis_url))
        sanitizers = shared_sanitizers or make_sanitizers(settings)
        if sanitizers is not shared_sanitizers:
            stack.push_async_callback(sanitizers.aclose)
        provider = make_provider(settings) if with_provider else UnusedProvider(settings.provider)
        stack.push_async_callback(provider.aclose)
        yield Integrations(
            bus=bus,
            wake_ups=WakeUps(bus),
            storage=storage,
            sanitizers=sanitizers,
            provider=provider,
            payments=await stack.enter_async_context(open_payments(settings)),
            mailer=make_mailer(settings),
            limiter=await stack.enter_async_context(open_rate_limiter(settings)),
            passwords=Passwords(hash_kib),
        )


def server_limits(settings: Settings, descriptors: int) -> ServerLimits:
    """Return the limits of a process that may open `descriptors` files."""
    return ServerLimits(
        total=min(settings.max_connections, max_connections(descriptors, settings.database_pool_size)),
        per_client=settings.max_connections_per_client if settings.rate_limits is Switch.ON else None,
        trusted_proxies=settings.trusted_proxies,
        idle=settings.keep_alive_seconds,
        backlog=max_backlog(descriptors),
    )
