"""Builds the clients of external systems from settings: bus, storage, provider, payments, mail, rate limiter.

The modules that import vendors' SDKs are imported where the settings choose them: a server that does not use one pays
neither its memory nor its time.
"""

import contextlib
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from provider_adapters import make_enhancer, make_moderator, make_route_tables, make_routes, make_video_routes
from services.integrations.identity.issuer import Issuer
from services.integrations.images.formats import PngStorage
from services.integrations.images.sanitizer import Sanitizers
from services.integrations.mail.console import ConsoleMailer
from services.integrations.mail.protocol import Mailer
from services.integrations.messaging.bus import Bus
from services.integrations.messaging.wake_up import WakeUps
from services.integrations.password_hashing import Passwords
from services.integrations.payments.development import DevelopmentPaymentProvider
from services.integrations.payments.protocol import PaymentProvider
from services.integrations.persisted_documents import MAX_DOCUMENTS, PersistedDocuments
from services.integrations.providers.protocol import ImageProvider
from services.integrations.providers.routing import Routes
from services.integrations.providers.unused import UnusedProvider
from services.integrations.rate_limiter import RateLimiter
from services.integrations.storage.local import LocalStorage
from services.integrations.storage.protocol import Storage
from services.integrations.trusted_documents import ManifestError, load_manifests
from services.integrations.videos.refusal import VideoLimits
from services.integrations.videos.sanitizer import VideoSanitizer
from services.integrations.wiring import Integrations
from services.products.profile import Profile
from setting_types import Switch, TrustedDocuments, UploadMethod
from settings import Settings, SettingsError
from web.open_connections import ServerLimits, max_backlog, max_connections

if TYPE_CHECKING:
    from services.integrations.identity.sign_in_page import SignInPages
    from services.integrations.identity.token_verifier import TokenVerifier
    from services.integrations.webhooks.sender import WebhookSender

_UPLOAD_WAIT = 20.0  # seconds that a picture waits for its turn to be decoded; then it is refused


def make_sanitizers(settings: Settings) -> Sanitizers:
    """Return the sanitizers of uploads and of results; without rate limits, an upload waits for any time."""
    max_wait = None if settings.rate_limits is Switch.OFF else _UPLOAD_WAIT
    return Sanitizers.of(
        settings.image_processes,
        max_wait=max_wait,
        max_pixels=settings.image_max_megapixels * 1_000_000,
        png_results_as=PngStorage(settings.png_results),
    )


def make_video_sanitizer(settings: Settings, sanitizers: Sanitizers) -> VideoSanitizer:
    """Return the sanitizer of videos, whose posters are decoded as other results."""
    limits = VideoLimits(bytes=settings.video_max_mib << 20, seconds=float(settings.video_max_seconds))
    return VideoSanitizer(sanitizers.results, limits)


def make_mailer(settings: Settings) -> Mailer | None:
    """Return the configured SMTP server; without one, the log in development and None in production."""
    if settings.smtp_url is not None and settings.mail_from is not None:
        from services.integrations.mail.smtp import SmtpMailer

        return SmtpMailer(settings.smtp_url, settings.mail_from)
    return None if settings.is_production else ConsoleMailer()


def make_token_verifier(settings: Settings) -> "TokenVerifier | None":
    """Return what verifies the tokens of OIDC_ISSUERS; None without any."""
    if not settings.oidc_issuers:
        return None
    from services.integrations.identity.token_verifier import TokenVerifier

    return TokenVerifier(_issuers(settings))


def make_sign_in_pages(settings: Settings) -> "SignInPages | None":
    """Return the pages of OIDC_ISSUERS where users sign in; None without any."""
    if not any(one.client_id for one in settings.oidc_issuers):
        return None
    from services.integrations.identity.sign_in_page import SignInPages

    return SignInPages(_issuers(settings))


def _issuers(settings: Settings) -> list[Issuer]:
    return [
        Issuer(
            one.issuer,
            audiences=one.audience,
            parties=one.authorized_parties,
            algorithm=one.algorithm,
            jwks_url=one.jwks_url,
            claims={str(name): path for name, path in one.claims.items()},
            links_by_email=one.link_by_email,
            client_id=one.client_id,
            name=one.name,
            authorization_endpoint=one.authorization_endpoint,
        )
        for one in settings.oidc_issuers
    ]


def make_webhook_sender(settings: Settings) -> "WebhookSender":
    """Return what sends webhooks; in development also to this machine."""
    from services.integrations.webhooks.sender import WebhookSender

    return WebhookSender(is_development=not settings.is_production)


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


def check_usable(settings: Settings, *, with_documents: bool) -> None:
    """Check what only those who use it can: the options in REDIS_URL, and the manifests of trusted documents.

    `with_documents`: of a server, which alone reads the manifests.

    Raises:
        SettingsError: with one line per problem.
    """
    problems = []
    try:
        if with_documents:
            _trusted_documents(settings)
    except SettingsError as error:
        problems += error.problems
    if settings.redis_url is not None:
        from services.integrations.redis_client import find_url_problem

        problems += [f"REDIS_URL: {problem}"] if (problem := find_url_problem(settings.redis_url)) else []
    if problems:
        raise SettingsError(problems)


def _trusted_documents(settings: Settings) -> dict[str, str]:
    try:
        return load_manifests(map(Path, settings.trusted_documents_files))
    except ManifestError as error:
        raise SettingsError([f"TRUSTED_DOCUMENTS_FILES: {error}"]) from None


@contextlib.asynccontextmanager
async def open_documents(settings: Settings) -> AsyncIterator[PersistedDocuments]:
    """Open the documents that requests can name.

    Raises:
        SettingsError: a manifest of trusted documents cannot be used.
    """
    trusted = _trusted_documents(settings)
    max_bytes, is_only = settings.persisted_operations_mib * 2**20, settings.trusted_documents is TrustedDocuments.ONLY
    refuses_others = is_only and settings.is_production
    shared = None
    if settings.redis_url is not None and max_bytes and not refuses_others:
        from services.integrations.shared_documents import SharedDocuments

        shared = SharedDocuments(settings.redis_url, most=MAX_DOCUMENTS, max_bytes=max_bytes)
    try:
        yield PersistedDocuments(
            max_bytes, shared, trusted=trusted, refuses_others=refuses_others, warns_of_others=is_only
        )
    finally:
        if shared is not None:
            await shared.aclose()


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
        unused = UnusedProvider(settings.provider)
        routes: Routes[ImageProvider] = make_routes(settings) if with_provider else Routes([unused])
        stack.push_async_callback(routes.aclose)
        enhancer = make_enhancer(settings) if with_provider else None
        if enhancer is not None:
            stack.push_async_callback(enhancer.aclose)
        moderator = make_moderator(settings)
        if moderator is not None:
            stack.push_async_callback(moderator.aclose)
        if (video_routes := make_video_routes(settings, routes.slots) if with_provider else None) is not None:
            stack.push_async_callback(video_routes.aclose)
        tokens = make_token_verifier(settings)
        if tokens is not None:
            stack.push_async_callback(tokens.aclose)
        sign_in_pages = make_sign_in_pages(settings)
        if sign_in_pages is not None:
            stack.push_async_callback(sign_in_pages.aclose)
        yield Integrations(
            bus=bus,
            wake_ups=WakeUps(bus),
            storage=storage,
            sanitizers=sanitizers,
            videos=make_video_sanitizer(settings, sanitizers),
            routes=routes,
            route_tables=make_route_tables(settings),
            enhancer=enhancer,
            moderator=moderator,
            video_routes=video_routes,
            payments=await stack.enter_async_context(open_payments(settings)),
            mailer=make_mailer(settings),
            limiter=await stack.enter_async_context(open_rate_limiter(settings)),
            documents=await stack.enter_async_context(open_documents(settings)),
            passwords=Passwords(hash_kib),
            webhook_sender=partial(make_webhook_sender, settings),
            tokens=tokens,
            sign_in_pages=sign_in_pages,
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
