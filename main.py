"""The command line: each command opens what it needs and closes it again."""

import argparse
import asyncio
import signal
import sys
from functools import partial

import structlog
import uvicorn

from composition import build_audit, open_server, open_services, running_worker, web_options
from health_check import check
from logs import configure_logs
from models.database.migrate import DatabaseUnreachableError, migrate
from models.database.postgres import MIGRATION_LIMITS
from models.enum import Role
from services.accounts.user import DEMO_EMAIL, DEMO_PASSWORD
from services.core.error import Refusal
from services.payments.webhook import UNSETTLED
from services.products.profile import load_profile
from services.products.toml_file import ProfileError
from setting_types import Provider
from settings import PROFILES, Settings, SettingsError, load_settings
from web.app import create_app
from web.metrics import serving_metrics

log = structlog.get_logger("darkroom")


async def prepare(settings: Settings) -> None:
    """Migrate and fill the catalogue, in development with the demo account too: what every start does first."""
    for name in await migrate(settings.database):
        log.info("migration.applied", name=name)
    async with open_services(settings) as services:
        await services.catalogue.styles.seed()
        await services.billing.plans.seed()
        await services.accounts.roles.apply_admin_emails_to_all()
        if not settings.is_production:
            await services.accounts.users.ensure_demo_account()


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


async def run_worker(settings: Settings, concurrency: int) -> None:
    await prepare(settings)
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    port, token = settings.worker_metrics_port, settings.metrics_token
    async with (
        open_services(settings) as services,
        serving_metrics(services, settings.host, port, token),
        running_worker(services, concurrency),
    ):
        log.info("worker.started", name=services.generations.worker.name, concurrency=concurrency)
        await stop.wait()
        log.info("worker.stopping")


async def seed(settings: Settings) -> None:
    """What every start does, and sign-up bonuses that were never paid."""
    await prepare(settings)
    async with open_services(settings) as services:
        granted = await services.billing.ledger.grant_missing_signup_bonuses(services.accounts.users.signup_credits)
        print(f"The catalogue is in step with the profile; missing sign-up bonuses paid: {granted}.")
    if not settings.is_production:
        print(f"The demo account is {DEMO_EMAIL}, password {DEMO_PASSWORD}.")


async def make_admin(settings: Settings, email: str, role: Role) -> int:
    await migrate(settings.database)
    async with open_services(settings) as services:
        try:
            user = await services.accounts.roles.set_by_operator(email, role)
        except Refusal:
            print(f"Nobody has the address {email}; sign up first.", file=sys.stderr)
            return 1
    print(f"{user.email} is {user.role}.")
    return 0


async def verify(settings: Settings) -> int:
    """One line per promise; 1 when one is broken. The server may be running."""
    await migrate(settings.database)
    async with open_services(settings, MIGRATION_LIMITS) as services:
        verdicts = await build_audit(settings, services.integrations.storage).run()
    for verdict in verdicts:
        named = ", ".join(verdict.violations[:10]) + (", ..." if len(verdict.violations) > 10 else "")
        broken = f": {len(verdict.violations)} break it: {named}" if verdict.violations else ""
        print(f"{'FAIL' if broken else 'ok':5} {verdict.name:3} {verdict.promise}{broken}")
    return 1 if any(verdict.violations for verdict in verdicts) else 0


async def replay(settings: Settings, event_id: str | None) -> int:
    """Handle stored webhooks again; 1 when there is no such event, or one came to no good end."""
    await migrate(settings.database)
    async with open_services(settings) as services:
        events = await services.payments.webhooks.replay(event_id)
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
    admin = commands.add_parser("make-admin", help="give an account the ADMIN role, or SUPER_ADMIN")
    admin.add_argument("email", metavar="EMAIL")
    admin.add_argument("--super", action="store_true", help="SUPER_ADMIN, who also says who is an admin")
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
            asyncio.run(run_worker(settings, arguments.concurrency or settings.worker_concurrency))
        case "migrate":
            print("\n".join(asyncio.run(migrate(settings.database))) or "Nothing to do.")
        case "seed":
            asyncio.run(seed(settings))
        case "make-admin":
            return asyncio.run(
                make_admin(settings, arguments.email, Role.SUPER_ADMIN if arguments.super else Role.ADMIN)
            )
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
