"""`main.py reset-second-factor`: remove the second factor of a user who has lost the app and the recovery codes."""

import argparse
import sys
from typing import TYPE_CHECKING

from services.core import locale
from services.core.error import Refusal
from services.services import Services

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]

NAME = "reset-second-factor"


def add_arguments(commands: "Subparsers") -> None:
    """Add the command to those of main.py."""
    command = commands.add_parser(
        "reset-second-factor", help="remove an account's second factor: its user has lost app and codes"
    )
    command.add_argument("email", metavar="EMAIL")


async def execute(services: Services, arguments: argparse.Namespace) -> int:
    """Remove the factor and print what was done; return 1 if no account has the address."""
    email = arguments.email
    language = locale.match(services.products.profile.locale) or locale.DEFAULT
    try:
        had_one = await services.accounts.second_factor.changes.reset_by_operator(email, language)
    except Refusal:
        print(f"No account has the address {email}.", file=sys.stderr)
        return 1
    print(f"The second factor of {email} is removed." if had_one else f"{email} has no second factor.")
    return 0
