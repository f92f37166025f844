"""The command line. Each command opens what it needs and closes it again."""

from telemetry.lean_loader import use_lean_loader

if __name__ in ("__main__", "__mp_main__"):  # the process, and each that it spawns; not where tests import it
    use_lean_loader()

# isort: split
import telemetry.lean_imports  # noqa: F401 - before all others, whose imports it makes smaller

# isort: split
import argparse
import asyncio
import contextlib
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import structlog
import uvicorn
from uvicorn.config import STARTUP_FAILURE

from adapters import check_usable, server_limits
from commands import backup, queue, second_factor, webhooks
from commands.whole_number import whole_number
from composition import build_audit, open_server, open_services, running_worker, web_options
from logs import configure_logs
from models.database.connection import is_damaged, is_lost_database
from models.database.migrate import DatabaseUnreachableError, MigrationError, migrate
from models.database.postgres import MIGRATION_LIMITS
from models.enum import Role
from provider_adapters import load_product
from services.accounts.user import DEMO_EMAIL, DEMO_PASSWORD
from services.core.error import Refusal
from services.operations.integrity_audit import IntegrityAudit
from services.operations.release import VERSION
from services.payments.webhook import UNSETTLED
from services.products.model import load_models
from services.products.toml_file import SHARED, ProfileError
from services.services import Services
from setting_types import LogLevel, Provider
from settings import PROFILES, Settings, SettingsError, load_settings
from telemetry.process import name_process
from web.app import create_app
from web.metrics import MetricsPortError, serving_metrics
from web.open_connections import raise_descriptor_limit
from web.server import tune_garbage_collection, uvicorn_options

log = structlog.get_logger("darkroom")

ServiceCommand = Callable[[Services, argparse.Namespace], Awaitable[int]]


async def prepare(settings: Settings) -> None:
    """Migrate, seed the catalogue and appoint configured admins; in development also create the demo account."""
    for name in await migrate(settings.database):
        log.info("migration.applied", name=name)
    async with open_services(settings) as services:
        await services.catalogue.styles.seed()
        await services.billing.plans.seed()
        await services.accounts.roles.apply_admin_emails_to_all()
        await services.webhooks.synchronize_own()
        if not settings.is_production:
            await services.accounts.users.ensure_demo_account()


@contextlib.asynccontextmanager
async def _open_process(settings: Settings) -> AsyncIterator[Services]:
    async with open_server(settings) as services:
        tune_garbage_collection()
        yield services


def server_config(settings: Settings) -> uvicorn.Config:
    """Return the configuration of one server process, within the limits of this process."""
    limits = server_limits(settings, raise_descriptor_limit())
    log.info(
        "server.starting",
        address=settings.address,
        database=settings.database.split("://")[0],
        max_connections=limits.total,
    )
    return uvicorn.Config(
        create_app(partial(_open_process, settings), web_options(settings)),
        host=settings.host,
        port=settings.port,
        timeout_graceful_shutdown=5,
        **uvicorn_options(settings.address, limits),
    )


def process_config() -> uvicorn.Config:
    """Return the same for one of several processes, in that process."""
    settings = load_settings()
    name_process("server")
    configure_logs(settings, has_processes=True)
    return server_config(settings)


def serve(settings: Settings, workers: int) -> int:
    """Serve until stopped, by `workers` processes; return the exit code."""
    if workers > 1 and settings.redis_url is None:
        problem = f"serve --workers {workers} requires REDIS_URL: processes pass live events and wake-ups over Redis"
        print(problem, file=sys.stderr)
        return 2
    asyncio.run(prepare(settings))
    if settings.provider is Provider.DEMO:
        log.warning(
            "provider.demo",
            hint="the demo provider makes the pictures; OPENROUTER_API_KEY or HUGGINGFACE_API_KEY selects a real model",
        )
    if not settings.has_mail:
        log.warning("mail.not_configured", hint=settings.mail_summary)
    if workers > 1:
        from web.processes import serve_with_processes  # and with it click, which one process does not need

        return serve_with_processes(workers, settings.host, settings.port, process_config)
    server = uvicorn.Server(server_config(settings))
    with contextlib.suppress(KeyboardInterrupt):
        server.run()
    return 0 if server.started else STARTUP_FAILURE


async def run_worker(settings: Settings, concurrency: int) -> None:
    await prepare(settings)
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    limits = server_limits(settings, raise_descriptor_limit())
    port, token = settings.worker_metrics_port, settings.metrics_token
    async with (
        open_services(settings, with_provider=True) as services,
        serving_metrics(services, settings.host, port, token, uvicorn_options(settings.address, limits)),
        running_worker(services, concurrency),
    ):
        log.info("worker.started", name=services.generations.worker.name, concurrency=concurrency, version=VERSION)
        await stop.wait()
        log.info("worker.stopping")


async def seed(settings: Settings) -> None:
    """Do what every start does, and grant sign-up bonuses that are missing."""
    await prepare(settings)
    async with open_services(settings) as services:
        granted = await services.billing.signup_bonuses.grant_missing()
        print(f"The catalogue matches the profile. Missing sign-up bonuses granted: {granted}.")
    if not settings.is_production:
        print(f"The demo account is {DEMO_EMAIL}, password {DEMO_PASSWORD}.")


async def make_admin(settings: Settings, email: str, role: Role) -> int:
    await migrate(settings.database)
    async with open_services(settings) as services:
        try:
            user = await services.accounts.roles.set_by_operator(email, role)
        except Refusal:
            print(f"No account has the address {email}. Sign up first.", file=sys.stderr)
            return 1
    print(f"{user.address} is {user.role}.")
    return 0


async def verify(settings: Settings) -> int:
    """Print one line per invariant; return 1 if any is violated, unless it is only late. The server may be running."""
    await migrate(settings.database)
    async with open_services(settings, MIGRATION_LIMITS) as services:
        return await print_audit(build_audit(settings, services.integrations.storage))


async def print_audit(audit: IntegrityAudit) -> int:
    """Print each result as soon as it is known; return 1 if any invariant is violated that is no backlog."""
    code = 0
    started = time.monotonic()
    async for result in audit.results():
        ids = ", ".join(result.violations[:10]) + (", ..." if len(result.violations) > 10 else "")
        violations = f": {len(result.violations)} violations: {ids}" if result.violations else ""
        seconds = f"  ({time.monotonic() - started:.1f} s)" if sys.stdout.isatty() else ""
        state = ("late" if result.is_backlog else "FAIL") if violations else "ok"
        print(f"{state:5} {result.name:3} {result.statement}{violations}{seconds}", flush=True)
        code = 1 if state == "FAIL" else code
    return code


async def run_with_services(settings: Settings, command: ServiceCommand, arguments: argparse.Namespace) -> int:
    """Run a command of commands/ that needs the services; return its exit code."""
    await migrate(settings.database)
    async with open_services(settings) as services:
        return await command(services, arguments)


async def replay(settings: Settings, event_id: str | None) -> int:
    """Handle stored webhook events again; return 1 if the event does not exist or any is still not handled."""
    await migrate(settings.database)
    async with open_services(settings) as services:
        events = await services.payments.webhooks.replay(event_id)
    for event in events:
        problem = f": {event.problem}" if event.problem else ""
        print(f"{event.outcome:8} {event.id} {event.type} {event.event_id}{problem}")
    if not events:
        print(f"There is no event {event_id}." if event_id else "There are no events to handle.")
    missing = event_id is not None and not events
    return 1 if missing or any(event.outcome in UNSETTLED for event in events) else 0


async def refresh_models(base_url: str, folder: Path, key: str | None = None) -> int:
    """Update the catalogue of OpenRouter's models in `folder`, and print each change; return 1 if it cannot be."""
    from services.integrations.providers.openrouter.discovery import DiscoveryError, discover
    from services.integrations.providers.openrouter.video_discovery import discover_videos
    from services.products.model_refresh import refresh

    known = [model.id for model in load_models(folder).values() if model.provider == Provider.OPENROUTER]
    path = folder / "openrouter.toml"
    before = path.read_bytes()
    try:
        images, videos = await discover(base_url, known), await discover_videos(base_url, key)
        lines = refresh(path, images, videos)
        load_models(folder)
    except (DiscoveryError, ProfileError) as error:
        path.write_bytes(before)  # what does not load stops every start
        print(f"The models were not refreshed: {error}", file=sys.stderr)
        return 1
    if videos is None:
        print("OpenRouter lists no videos here: their models are left as they are.", file=sys.stderr)
    print("\n".join(lines) or "The catalogue is up to date.")
    return 0


def parse_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    """Parse `arguments`, by default the process's own."""
    parser = argparse.ArgumentParser(prog="main.py", description="Darkroom, the backend for AI image apps.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    server = commands.add_parser(
        "serve", help="migrate, seed and serve (the default command); without REDIS_URL, also process generations"
    )
    server.add_argument(
        "--workers",
        metavar="N",
        type=whole_number(1, 256),
        default=1,
        help="server processes on the port; more than one requires REDIS_URL",
    )
    worker = commands.add_parser("worker", help="migrate, seed, and process generations until stopped")
    worker.add_argument(
        "--concurrency",
        metavar="N",
        type=whole_number(1, 256),
        help="generations at once, instead of WORKER_CONCURRENCY",
    )
    commands.add_parser("migrate", help="apply missing database migrations")
    commands.add_parser(
        "seed", help="seed the catalogue, grant missing sign-up bonuses, create the demo account (not in production)"
    )
    admin = commands.add_parser("make-admin", help="give an account the role ADMIN or SUPER_ADMIN")
    admin.add_argument("email", metavar="EMAIL")
    admin.add_argument("--super", action="store_true", help="SUPER_ADMIN, who may also change roles")
    commands.add_parser("check", help="check settings and connections, one line per part")
    commands.add_parser("refresh-models", help="update shared/models/openrouter.toml from what OpenRouter says")
    commands.add_parser("verify", help="audit the ledger, generations and files, one line per invariant")
    replay_parser = commands.add_parser("replay", help="handle stored payment webhooks again")
    selection = replay_parser.add_mutually_exclusive_group(required=True)
    selection.add_argument("event", metavar="EVENT_ID", nargs="?", help="the row's id or the sender's event id")
    selection.add_argument("--failed", action="store_true", help="all events that need review, failed or are unhandled")
    queue.add_arguments(commands)
    second_factor.add_arguments(commands)
    webhooks.add_arguments(commands)
    backup.add_arguments(commands)
    return parser.parse_args(arguments)


def run_command(arguments: argparse.Namespace, settings: Settings) -> int:
    """Run the command and return its exit code."""
    match arguments.command:
        case "worker":
            name_process("worker")
            asyncio.run(run_worker(settings, arguments.concurrency or settings.worker_concurrency))
        case "migrate":
            print("\n".join(asyncio.run(migrate(settings.database))) or "The database is up to date.")
        case "seed":
            asyncio.run(seed(settings))
        case "make-admin":
            return asyncio.run(
                make_admin(settings, arguments.email, Role.SUPER_ADMIN if arguments.super else Role.ADMIN)
            )
        case "check":
            from health_check import check  # with an HTTP client and Redis's, which the other commands do not need

            return asyncio.run(check(settings))
        case "refresh-models":
            folder, key = PROFILES / SHARED / "models", settings.openrouter_api_key
            return asyncio.run(refresh_models(settings.openrouter_base_url, folder, key))
        case "verify":
            return asyncio.run(verify(settings))
        case "replay":
            return asyncio.run(replay(settings, arguments.event))
        case second_factor.NAME:
            return asyncio.run(run_with_services(settings, second_factor.execute, arguments))
        case "queue":
            return asyncio.run(run_with_services(settings, queue.execute, arguments))
        case "webhooks":
            return asyncio.run(run_with_services(settings, webhooks.execute, arguments))
        case name if name in backup.NAMES:
            return asyncio.run(backup.execute(settings, arguments))
        case _:
            name_process("server")
            return serve(settings, getattr(arguments, "workers", 1))  # absent if no command is given
    return 0


def main() -> int:
    sys.path_importer_cache.clear()  # lists of the files in each folder that was searched for modules: 0.3 MiB
    arguments = parse_arguments()
    try:
        settings = load_settings()
        load_product(settings)
        check_usable(settings, with_documents=arguments.command in (None, "serve", "check"))
    except (SettingsError, ProfileError) as error:
        print("\n".join(error.problems), file=sys.stderr)
        return 2
    # The lines of `check` say themselves what is away.
    configure_logs(
        settings.model_copy(update={"log_level": LogLevel.ERROR}) if arguments.command == "check" else settings
    )
    database = "DATABASE_URL" if settings.database_url else "DATA_DIR"
    try:
        return run_command(arguments, settings)
    except SettingsError as error:  # of a file that has changed since
        print("\n".join(error.problems), file=sys.stderr)
        return 2
    except MetricsPortError as error:
        print(f"WORKER_METRICS_PORT: {error}", file=sys.stderr)
        return STARTUP_FAILURE
    except DatabaseUnreachableError as error:
        problem = f"{database}: the database cannot be opened: {error}"
    except MigrationError as error:
        problem = f"The database was not migrated: {error}."
    except Exception as error:
        if not (is_lost_database(error) or is_damaged(error)):
            raise
        problem = f"{database}: the database cannot be used: {DatabaseUnreachableError(error)}"
    print(problem, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
