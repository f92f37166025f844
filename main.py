"""The composition root and the command line: settings become services, services become an application."""

import argparse
import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from functools import partial

import structlog
import uvicorn

from adapters import make_mailer, make_provider, open_payments, open_rate_limiter, open_storage, products_of
from checkup import check
from logs import configure_logs
from models.database import open_database
from models.migrate import DatabaseUnreachableError, migrate
from models.postgres import PATIENT, QUICK, Limits
from services.api_key import ApiKeyService
from services.audit import Audit
from services.checkout import CheckoutService
from services.credit import CreditService
from services.crew import Crew
from services.deletion import DeletionService
from services.departure import DepartureService
from services.development_till import DevelopmentTill
from services.entitlement import Entitlements
from services.error import Refusal
from services.event import Events
from services.export import ExportService
from services.favorite import FavoriteService
from services.file import FileService, UploadLimits
from services.forecast import ForecastService
from services.gallery import GalleryService
from services.generation import GenerationService
from services.integrations.bus import Bus
from services.integrations.image_door import ImageDoor
from services.integrations.password import HASH_KIB, Passwords
from services.integrations.queue import TaskQueue
from services.locale import Translator
from services.mail import MailService
from services.membership import MembershipService
from services.own_style import OwnStyleService
from services.password_reset import PasswordResetService
from services.payer import Payers
from services.payment import PaymentService
from services.plan import PlanService
from services.profile import load_profile
from services.profile_file import ProfileError
from services.quote import QuoteService
from services.rate_limit import RateLimits
from services.reconciliation import Reconciliation
from services.referral import ReferralService
from services.regeneration import RegenerationService
from services.roster import Roster
from services.sale import Sales
from services.services import Services
from services.session import SessionService
from services.share import ShareService
from services.stats import StatsService
from services.style import StyleService
from services.subscription import SubscriptionService
from services.sweeper import Sweeper
from services.upload import UploadService
from services.user import DEMO_EMAIL, DEMO_PASSWORD, UserService
from services.verification import VerificationService
from services.webhook import UNSETTLED, WebhookService
from services.worker import GenerationWorker, Times
from setting_types import Provider
from settings import LOCALES, PROFILES, Settings, SettingsError, load_settings
from web.app import WebOptions, create_app

log = structlog.get_logger("darkroom")

STUCK_SECONDS = 300  # `verify`: after which a generation must have ended, and a file past its age be gone
SWEEP_GRACE_SECONDS = 5  # for a sweep that is under way when the process is told to stop


@contextlib.asynccontextmanager
async def open_services(
    settings: Settings, database_limits: Limits = QUICK, hash_kib: int = HASH_KIB
) -> AsyncIterator[Services]:
    """Connect everything, and give it back in the reverse order; `database_limits`: how long PostgreSQL may take."""
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
        database = open_database(settings.database, pool_size=settings.database_pool_size, limits=database_limits)
        await stack.enter_async_context(database)
        storage = await stack.enter_async_context(open_storage(settings))
        bus = await stack.enter_async_context(Bus.open(settings.redis_url))
        queue = await stack.enter_async_context(TaskQueue(settings.redis_url))
        door = await stack.enter_async_context(ImageDoor(processes=settings.image_processes))
        provider = make_provider(settings)
        stack.push_async_callback(provider.aclose)
        limiter = await stack.enter_async_context(open_rate_limiter(settings))
        per_minute = settings.rate_limit_generations_per_minute
        rates = RateLimits(limiter, profile.limits.generations_per_minute if per_minute is None else per_minute)
        events = Events(bus)
        files = FileService(storage, door, limits)
        uploads = UploadService(storage, limits, settings.upload_seconds)
        sessions, passwords = SessionService(settings.session_days), Passwords(hash_kib)
        mail = MailService(make_mailer(settings), translator, settings.app_address)
        stack.push_async_callback(mail.aclose)
        referrals = ReferralService(profile.referral, settings.secret(), events)
        verification = VerificationService(mail, events, rates, referrals)
        plans = PlanService(profile)
        till = await stack.enter_async_context(open_payments(settings))
        products = products_of(settings, profile)
        payments = PaymentService({product: slug for slug, product in products.items()}, referrals, events)
        memberships = MembershipService(profile.membership.grace_days, events)
        subscriptions = SubscriptionService(payments, memberships, events)
        webhooks = WebhookService(payments, subscriptions, settings.polar_webhook_secret)
        reconciliation = Reconciliation(till, payments, subscriptions, referrals)
        entitlements = Entitlements(profile)
        styles = StyleService(profile)
        payers = Payers(entitlements, sells_credits=profile.sells_credits)
        sales = Sales(payers, queue, events)
        roster = Roster(every=settings.generation_sweep_seconds)
        generations = GenerationService(styles, entitlements, files, sales, events, profile.limits, uploads, rates)
        deletion = DeletionService(events)
        departures = DepartureService(passwords, deletion, uploads, events)
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
            api_keys=ApiKeyService(settings.secret(), events, entitlements),
            users=UserService(passwords, sessions, events, verification, rates, referrals, signup_credits),
            referrals=referrals,
            verification=verification,
            password_resets=PasswordResetService(mail, passwords, sessions, events, rates),
            credits=CreditService(),
            entitlements=entitlements,
            memberships=memberships,
            styles=styles,
            own_styles=OwnStyleService(profile.limits),
            plans=plans,
            payments=payments,
            checkouts=CheckoutService(
                till, products, (settings.address, settings.app_address, *settings.cors_origins), plans, rates
            ),
            webhooks=webhooks,
            reconciliation=reconciliation,
            development_till=DevelopmentTill(payments, webhooks) if settings.takes_no_money else None,
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
            forecast=ForecastService(roster),
            roster=roster,
            worker=GenerationWorker(
                provider, files, door, events, times, per_user=settings.generation_user_concurrency
            ),
            crew=Crew(queue, bus, roster, poll=settings.generation_sweep_seconds, grace=settings.stop_grace_seconds),
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
                events,
                every=settings.generation_sweep_seconds,
                lease=times.lease,
                orphan_age=settings.file_orphan_seconds,
            ),
            reread_seconds=settings.subscription_reread_seconds,
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
async def open_server(settings: Settings, hash_kib: int = HASH_KIB) -> AsyncIterator[Services]:
    """The services of a server; without Redis, it also does the work of a worker."""
    async with open_services(settings, hash_kib=hash_kib) as services, contextlib.AsyncExitStack() as stack:
        if settings.redis_url is None:
            await stack.enter_async_context(working(services, settings.worker_concurrency))
        yield services


def web_options(settings: Settings) -> WebOptions:
    """What the settings say about the doors."""
    return WebOptions(
        graphiql=settings.shows_graphiql,
        introspection=settings.allows_introspection,
        address=settings.address,
        cors_origins=settings.cors_origins,
        trusted_proxies=settings.trusted_proxies,
    )


async def prepare(settings: Settings) -> None:
    """Migrate and fill the catalogue, in development with the demo account too: what every start does first."""
    for name in await migrate(settings.database):
        log.info("migration.applied", name=name)
    async with open_services(settings) as services:
        await services.styles.seed()
        await services.plans.seed()
        if not settings.is_production:
            await services.users.ensure_demo_account()


def serve(settings: Settings) -> None:
    asyncio.run(prepare(settings))
    if settings.provider is Provider.DEMO:
        log.warning(
            "provider.demo", hint="pictures are made by the demo provider; set OPENROUTER_API_KEY for real ones"
        )
    log.info("server.starting", address=settings.address, database=settings.database.split("://")[0])
    uvicorn.run(
        create_app(partial(open_server, settings), web_options(settings)),
        host=settings.host,
        port=settings.port,
        http="httptools",
        ws="websockets-sansio",
        ws_max_size=64 * 1024,
        ws_ping_interval=20,
        timeout_graceful_shutdown=5,
        server_header=False,
        proxy_headers=False,  # TRUSTED_PROXIES says whom to believe; uvicorn would believe whoever is on this machine
        log_config=None,
        access_log=False,
    )


async def work(settings: Settings, concurrency: int) -> None:
    await prepare(settings)
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with open_services(settings) as services, working(services, concurrency):
        log.info("worker.started", name=services.worker.name, concurrency=concurrency)
        await stop.wait()
        log.info("worker.stopping")


async def fill(settings: Settings) -> None:
    """What every start does, and sign-up bonuses that were never paid."""
    await prepare(settings)
    async with open_services(settings) as services:
        granted = await services.credits.grant_missing_signup_bonuses(services.users.signup_credits)
        print(f"The catalogue is in step with the profile; missing sign-up bonuses paid: {granted}.")
    if not settings.is_production:
        print(f"The demo account is {DEMO_EMAIL}, password {DEMO_PASSWORD}.")


async def make_admin(settings: Settings, email: str) -> int:
    await migrate(settings.database)
    async with open_services(settings) as services:
        try:
            user = await services.users.make_admin(email)
        except Refusal:
            print(f"Nobody has the address {email}; sign up first.", file=sys.stderr)
            return 1
    print(f"{user.email} is {user.role}.")
    return 0


async def verify(settings: Settings) -> int:
    """One line per promise; 1 when one is broken. The server may be running."""
    await migrate(settings.database)
    async with open_services(settings, PATIENT) as services:
        unsettled = settings.file_orphan_seconds + STUCK_SECONDS
        sent_ahead = settings.upload_seconds + STUCK_SECONDS
        audit = Audit(services.storage.keys, stuck=STUCK_SECONDS, unsettled=unsettled, sent_ahead=sent_ahead)
        verdicts = await audit.run()
    for verdict in verdicts:
        named = ", ".join(verdict.offenders[:10]) + (", ..." if len(verdict.offenders) > 10 else "")
        broken = f": {len(verdict.offenders)} break it: {named}" if verdict.offenders else ""
        print(f"{'FAIL' if broken else 'ok':5} {verdict.name:3} {verdict.promise}{broken}")
    return 1 if any(verdict.offenders for verdict in verdicts) else 0


async def replay(settings: Settings, event_id: str | None) -> int:
    """Handle stored webhooks again; 1 when there is no such event, or one came to no good end."""
    await migrate(settings.database)
    async with open_services(settings) as services:
        events = await services.webhooks.replay(event_id)
    for event in events:
        problem = f": {event.problem}" if event.problem else ""
        print(f"{event.outcome:8} {event.id} {event.type} {event.event_id}{problem}")
    if not events:
        print(f"There is no event {event_id}." if event_id else "Nothing has failed.")
    missing = event_id is not None and not events
    return 1 if missing or any(event.outcome in UNSETTLED for event in events) else 0


def parse_arguments(words: list[str] | None = None) -> argparse.Namespace:
    """What the command line says; `words` instead of what this process was called with."""
    parser = argparse.ArgumentParser(prog="main.py", description="Darkroom, the backend for AI image apps.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("serve", help="migrate, seed and serve; works too, unless REDIS_URL is set (the default)")
    worker = commands.add_parser("worker", help="process generations until stopped")
    worker.add_argument("--concurrency", metavar="N", type=int, choices=range(1, 257), help="instead of the setting")
    commands.add_parser("migrate", help="bring the database up to date")
    commands.add_parser("seed", help="fill the catalogue, pay missing sign-up bonuses, make the demo account")
    commands.add_parser("make-admin", help="give an account the ADMIN role").add_argument("email", metavar="EMAIL")
    commands.add_parser("check", help="look at settings and connections, one line per part")
    commands.add_parser("verify", help="audit ledger, generations and files, one line per promise")
    again = commands.add_parser("replay", help="handle stored webhooks of payments again")
    which = again.add_mutually_exclusive_group(required=True)
    which.add_argument("event", metavar="EVENT_ID", nargs="?", help="ours, or its sender's")
    which.add_argument("--failed", action="store_true", help="everything that was parked, failed or not handled yet")
    return parser.parse_args(words)


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Do what the command says; the exit code."""
    match arguments.command:
        case "worker":
            asyncio.run(work(settings, arguments.concurrency or settings.worker_concurrency))
        case "migrate":
            print("\n".join(asyncio.run(migrate(settings.database))) or "Nothing to do.")
        case "seed":
            asyncio.run(fill(settings))
        case "make-admin":
            return asyncio.run(make_admin(settings, arguments.email))
        case "check":
            return asyncio.run(check(settings))
        case "verify":
            return asyncio.run(verify(settings))
        case "replay":
            return asyncio.run(replay(settings, arguments.event))
        case _:
            serve(settings)
    return 0


def main() -> int:
    arguments = parse_arguments()
    try:
        settings = load_settings()
        load_profile(PROFILES / f"{settings.profile}.toml")
    except (SettingsError, ProfileError) as error:
        print("\n".join(error.problems), file=sys.stderr)
        return 2
    configure_logs(settings)
    try:
        return run(arguments, settings)
    except DatabaseUnreachableError as error:
        place = "DATABASE_URL" if settings.database_url else "DATA_DIR"
        print(f"{place}: the database cannot be opened: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
