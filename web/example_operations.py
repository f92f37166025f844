"""The operations that GraphiQL opens with: each with what it is for, in the reader's language, and its variables."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from services.core.message import Message, message

FOLDER = Path(__file__).parent / "graphiql" / "tabs"  # {audience}/{place}-{name}.graphql, and .json with the variables

# Broken as an editor of half a window shows them.
_ABOUT: Mapping[str, Message] = {
    "who-am-i": message(
        "Who you are, and what you have.\nSign in at the top right. Ctrl-Enter runs it.\n"
        "The tabs beside this one are the main job."
    ),
    "quote": message("What a picture costs before it is ordered.\n$style is filled in: one that you can order now."),
    "create": message(
        "Order a picture. It is paid for here, and made\nin the background: watch it in the next tab.\n"
        "Choose a photo at the top, and it is $uploadId;\nstyles with referenceImage REQUIRED want one."
    ),
    "progress": message(
        "Watch it develop, over a WebSocket. $generation\nis what the tab before this one ordered.\n"
        "The picture is below the answer."
    ),
    "gallery": message("Your pictures, newest first. $after takes the\nendCursor of the page before this one."),
    "find-user": message(
        "Find accounts by any part of their address.\nWhere there is just one, the next tabs get its id."
    ),
    "ledger": message("Every credit that came or went, with the balance\nafter it, and the pictures it went on."),
    "adjust-credits": message(
        "Give credits, or take some with a negative amount.\nThe person sees it at once, and reads the reason.\n"
        "With a key, twice adjusts once."
    ),
    "refund": message("Give back what a picture cost.\n$generation: an id out of the ledger's tab."),
    "suspend": message(
        "Suspend an account: its sign-ins and sockets end\nwithin seconds. With false, it is let in again."
    ),
    "figures": message(
        "The figures since midnight. Any window will do:\n$today is where it begins, $to where it ends.\n"
        "providerCost is in US dollars."
    ),
    "live-activity": message("What happens, as it happens. Ctrl-Enter stops it."),
}


def example_operations(audience: str, translate: Callable[[Message], str]) -> Iterator[dict[str, str | None]]:
    """The operations for `audience` (everyone, admin), in order, as `translate` puts it into words."""
    for path in sorted((FOLDER / audience).glob("*.graphql")):
        name = path.stem.partition("-")[2]
        about = "".join(f"# {line}\n" for line in translate(_ABOUT[name]).splitlines())
        variables = path.with_suffix(".json")
        yield {
            "name": name,
            "query": about + path.read_text(encoding="utf-8"),
            "variables": variables.read_text(encoding="utf-8") if variables.exists() else None,
        }
