"""`main.py webhooks`: shows the endpoints of the deployment, and sends again what was given up."""

import argparse
import sys
from typing import TYPE_CHECKING

from models import ids
from services.services import Services
from services.webhooks.delivery_log import OwnEndpoint

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_arguments(commands: "Subparsers") -> None:
    """Add the command to those of main.py."""
    webhooks = commands.add_parser("webhooks", help="show what was sent to WEBHOOK_URLS; send again what was given up")
    actions = webhooks.add_subparsers(dest="action", metavar="ACTION")
    replay = actions.add_parser("replay", help="send again what was given up, or one delivery")
    replay.add_argument("id", metavar="DELIVERY_ID", nargs="?", help="in any state; default: all that were given up")


async def execute(services: Services, arguments: argparse.Namespace) -> int:
    """Do what the command says; return 1 if the delivery does not exist."""
    if arguments.action == "replay":
        return await _replay(services, arguments.id)
    endpoints = await services.webhooks.deliveries.own()
    for endpoint in endpoints:
        print("\n".join(_lines(endpoint)))
    # Only shown: a shell may have other settings than the processes, which use the endpoints of their own.
    unused = sorted(set(services.webhooks.options.own_urls) - {endpoint.row.url for endpoint in endpoints})
    for url in unused:
        print(f"{url}: not used yet, until a server or a worker starts with it")
    if not endpoints and not unused:
        print("WEBHOOK_URLS is not set: the deployment has no endpoint.")
    return 0


def _lines(endpoint: OwnEndpoint) -> list[str]:
    row, numbers = endpoint.row, endpoint.numbers
    counted = ", ".join(f"{number} {state.lower()}" for state, number in sorted(numbers.items())) or "nothing sent yet"
    failing = f"; failing since {row.failing_since:%Y-%m-%d %H:%M:%S} UTC" if row.failing_since else ""
    unlisted = f"; in no WEBHOOK_URLS since {row.updated_at:%Y-%m-%d %H:%M:%S} UTC" if row.disabled_at else ""
    lines = [f"{row.url}: {counted}{failing}{unlisted}"]
    for delivery in endpoint.dead:
        last = delivery.attempt_log[-1] if delivery.attempt_log else {}
        reason = last.get("status") or last.get("failure") or "not attempted"
        lines.append(f"  {delivery.id} {delivery.type:24} {delivery.created_at:%Y-%m-%d %H:%M:%S} {reason}")
    return lines


async def _replay(services: Services, delivery_id: str | None) -> int:
    if delivery_id is not None and not ids.is_id(delivery_id, ids.WEBHOOK_DELIVERY):
        print(f"There is no delivery {delivery_id}.", file=sys.stderr)
        return 1
    replayed = await services.webhooks.deliveries.replay_own(delivery_id)
    for row in replayed:
        print(f"{row.id} {row.type} is sent again.")
    if not replayed:
        missing = f"There is no delivery {delivery_id} to WEBHOOK_URLS." if delivery_id else "Nothing was given up."
        print(missing, file=sys.stderr if delivery_id else sys.stdout)
    return 1 if delivery_id is not None and not replayed else 0
