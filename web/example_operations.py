"""The example operations of GraphiQL's tabs, each with a comment in the reader's language and its variables."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from services.core.message import Message, message

FOLDER = Path(__file__).parent / "graphiql" / "tabs"  # {audience}/{position}-{name}.graphql, and .json for variables

# Line breaks fit the editor in half of a window 1280 pixels wide: 48 characters.
_COMMENTS: Mapping[str, Message] = {
    "who-am-i": message(
        "Your account and its credits. Sign in at the top\n"
        "right. Ctrl-Enter runs a tab. The next tabs\n"
        "create a picture and list your pictures."
    ),
    "quote": message("The price of a picture, before you create it.\n$style is filled in with an available style."),
    "create": message(
        "Create a picture. Credits are spent now, and it\n"
        "is made in the background. Follow it in the next\n"
        "tab. A photo chosen at the top fills in\n"
        "$uploadId; styles with referenceImage REQUIRED\n"
        "need one."
    ),
    "progress": message(
        "Follow a generation over a WebSocket.\n"
        "$generation is filled in by the previous tab.\n"
        "The picture appears below the response."
    ),
    "gallery": message("Your pictures, newest first. Set $after to the\nendCursor of the previous page."),
    "find-user": message(
        "Find users by any part of their e-mail address.\nA single match fills in $user in the next tabs."
    ),
    "ledger": message("A user's credit transactions with the balance\nafter each, and their latest generations."),
    "adjust-credits": message(
        "Add credits, or remove some with a negative\n"
        "amount. The user sees the change at once, with\n"
        "the reason. Requests with the same\n"
        "idempotencyKey apply once."
    ),
    "refund": message("Refund the credits of a generation. Take\n$generation from the Ledger tab."),
    "suspend": message(
        "Suspend an account: its sessions and sockets end\nwithin seconds. Set $suspended to false to\nrestore it."
    ),
    "metrics": message(
        "Statistics since midnight, or of any other\nwindow from $today to $to. providerCost is in US\ndollars."
    ),
    "set-up-app": message(
        "Set up an authenticator app: type the secret\n"
        "into it, or show uri as a QR code. It works for\n"
        "15 minutes after signing in."
    ),
    "confirm-app": message(
        "Enter the first code of the app. Keep the\n"
        "recovery codes. Then reload this page: it opens\n"
        "the operations of admins."
    ),
    "enter-code": message(
        "This account has a second factor. Enter a code\n"
        "of the app, or a recovery code. Then reload this\n"
        "page: it opens the operations of admins."
    ),
    "live-activity": message("Activity of all users, live. Ctrl-Enter stops\nit."),
}


def example_operations(audience: str, translate: Callable[[Message], str]) -> Iterator[dict[str, str | None]]:
    """Yield the operations of `audience`, a folder of FOLDER, in order, with translated comments."""
    for path in sorted((FOLDER / audience).glob("*.graphql")):
        name = path.stem.partition("-")[2]
        comment = "".join(f"# {line}\n" for line in translate(_COMMENTS[name]).splitlines())
        variables = path.with_suffix(".json")
        yield {
            "name": name,
            "query": comment + path.read_text(encoding="utf-8"),
            "variables": variables.read_text(encoding="utf-8") if variables.exists() else None,
        }
