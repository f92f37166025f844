"""`main.py queue`: shows the queue, pauses and resumes it, and retries or cancels single generations."""

import argparse
import sys
from typing import TYPE_CHECKING

import structlog

from commands.whole_number import whole_number
from models import User
from models.enum import Role
from services.accounts.credential import find_user, parse_email
from services.core.error import Refusal
from services.operations.maintenance import MaintenanceChange, ProviderSwitch
from services.operations.queue_report import failed_generations, waiting_accounts, waiting_generations
from services.services import Services

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

log = structlog.get_logger(__name__)

_ADMINS = (Role.ADMIN, Role.SUPER_ADMIN)
_SHOWN, _MOST = 20, 10_000  # rows of each table: unless --limit is given, and what it may be


def add_arguments(commands: "Subparsers") -> None:
    """Add the command to those of main.py."""
    queue = commands.add_parser("queue", help="show what waits and what failed; pause, resume, retry, cancel")
    limit = whole_number(1, _MOST)
    queue.add_argument("--limit", metavar="N", type=limit, default=_SHOWN, help="rows of each table (default: 20)")
    actions = queue.add_subparsers(dest="action", metavar="ACTION")
    failed = actions.add_parser("failed", help="generations that failed in the last 24 hours, and why")
    # Without a default of its own, which would replace what is given before the action.
    failed.add_argument("--limit", metavar="N", type=limit, default=argparse.SUPPRESS, help="rows (default: 20)")
    for name, about in (
        ("pause", "accept no new generations, and let those that wait wait; running ones end"),
        ("resume", "undo pause, and call providers again that have refused the key or had no credit left"),
        ("retry", "generate a failed or canceled generation again, at no charge"),
        ("cancel", "cancel a generation, which is refunded if nothing was sent to its provider"),
    ):
        action = actions.add_parser(name, help=about)
        if name in ("retry", "cancel"):
            action.add_argument("id", metavar="GENERATION_ID")
            action.add_argument("--reason", metavar="TEXT", required=name == "retry", help="for the audit log")
        action.add_argument("--as", dest="admin", metavar="EMAIL", required=True, help="the admin in the audit log")


async def execute(services: Services, arguments: argparse.Namespace) -> int:
    """Do what the command says; return 1 if it was refused."""
    try:
        if arguments.action == "failed":
            await _print_failed(arguments.limit)
        elif arguments.action is None:
            await _print_queue(services, arguments.limit)
        else:
            await _act(services, arguments, await _find_admin(arguments.admin))
    except Refusal as refusal:
        print(refusal.message.text.format(**refusal.message.values), file=sys.stderr)
        return 1
    except LookupError as error:
        print(error.args[0], file=sys.stderr)
        return 1
    return 0


async def _find_admin(email: str) -> User:
    """Return the admin with this address. Raises LookupError."""
    user = await find_user(parse_email(email))
    if user is None or user.role not in _ADMINS:
        raise LookupError(f"No admin has the address {email}. `main.py make-admin` appoints one.")
    return user


async def _act(services: Services, arguments: argparse.Namespace, admin: User) -> None:
    maintenance, provider = services.operations.maintenance, services.integrations.provider.name
    if arguments.action in ("pause", "resume"):
        switch = ProviderSwitch(provider, is_off=arguments.action == "pause")
        await maintenance.set(admin, MaintenanceChange(provider=switch))
        if arguments.action == "resume":
            await _end_pauses(services, admin)
        print(f"{provider} is {'paused' if arguments.action == 'pause' else 'in use'}.")
    elif arguments.action == "retry":
        retried = await services.generations.admin_retries.retry(admin, arguments.id, arguments.reason)
        print(f"{arguments.id} is generated again as {retried.id}.")
    else:
        canceled = await services.generations.requests.cancel_as_admin(admin, arguments.id, arguments.reason)
        print(f"{canceled.id} is {canceled.status}{', and refunded' if canceled.refunded else ''}.")


async def _end_pauses(services: Services, admin: User) -> None:
    pauses = services.operations.provider_pauses
    for provider in await pauses.end([pause.provider for pause in pauses.present]):
        log.info("queue.pause_ended", provider=provider, admin=admin.id)
        print(f"{provider} is called again.")


async def _print_queue(services: Services, limit: int) -> None:
    summary = await services.operations.gauges.summary()
    state = await services.operations.maintenance.read()
    slots = sum(worker["slots"] for worker in summary["workers"])
    paused = f"; paused: {', '.join(state.providers_off)}" if state.providers_off else ""
    print(
        f"{summary['waiting']} waiting, {summary['in_progress']} in progress,"
        f" {slots} slots of {len(summary['workers'])} workers{paused}"
    )
    for pause in summary["providers_paused"]:
        print(
            f"  {pause['provider']}: {pause['problem']}, for {pause['seconds']} s; what waits for it is not started,"
            f" and it is asked again in {pause['asked_again_in_seconds']} s"
        )
    for worker in summary["workers"]:
        lives = "" if worker["live_seconds"] is None else f", live for {worker['live_seconds']} s"
        print(f"  {worker['name']}: {worker['slots']} slots, seen {worker['seen_seconds_ago']:.0f} s ago{lives}")
    if accounts := await waiting_accounts(limit):
        print(f"\n{'account':32} {'waiting':>7} {'running':>7} {'oldest':>10}")
    for account in accounts:
        waiting, running = account.waiting, account.in_progress
        print(f"{account.user_id:32} {waiting:7} {running:7} {account.oldest_seconds:8.0f} s")
    if generations := await waiting_generations(limit):
        print(f"\n{'generation':32} {'account':32} {'media':6} {'priority':>8} {'claims':>6} {'waiting':>10}")
    for row in generations:
        print(
            f"{row.id:32} {row.user_id:32} {row.media:6} {row.priority:8} {row.attempts:6} {row.waiting_seconds:8.0f} s"
        )


async def _print_failed(limit: int) -> None:
    failed = await failed_generations(limit)
    if not failed:
        print("No generation has failed in the last 24 hours.")
        return
    print(f"{'generation':32} {'account':32} {'ended':20} {'code':24} {'claims':>6} {'calls':>5} refunded")
    for row in failed:
        ended = f"{row.ended_at:%Y-%m-%d %H:%M:%S}"
        refunded = "yes" if row.is_refunded else "no"
        print(
            f"{row.id:32} {row.user_id:32} {ended:20} {row.code:24} {row.attempts:6} {row.provider_calls:5} {refunded}"
        )
