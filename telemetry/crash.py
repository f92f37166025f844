"""Crashes, reported to Sentry where the operator wants that: what broke and where, never with what."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_PATIENCE = 2.0  # seconds for what is left to be sent when the process stops


@dataclass
class _Reporting:
    client: Any = None  # a sentry_sdk.Client, whose package takes a moment to load


# Like the tracer: a process reports or does not. A client of our own, because Sentry's global one hooks into
# whatever library it finds, and sends what that was doing: statements, headers, users.
_reporting = _Reporting()


def report(error: BaseException, **tags: str) -> None:
    """Tell Sentry that this was a bug of ours; `tags`: ids under which the log has the rest."""
    if _reporting.client is None:
        return
    from sentry_sdk.utils import event_from_exception

    event, hint = event_from_exception(error, client_options=_reporting.client.options)
    event["tags"] = tags
    _reporting.client.capture_event(event, hint)


@contextlib.contextmanager
def reporting(dsn: str | None, environment: str) -> Iterator[None]:
    """Report crashes to the project at `dsn` while the body runs; None: to nobody. One that is away costs nothing."""
    if dsn is None:
        yield
        return
    import sentry_sdk  # a third of a second, for those who need it

    _reporting.client = sentry_sdk.Client(
        dsn,
        environment=environment,
        default_integrations=False,
        include_local_variables=False,
        include_source_context=False,
        max_breadcrumbs=0,
        server_name="",
        before_send=_without_words,
    )
    try:
        yield
    finally:
        client, _reporting.client = _reporting.client, None
        client.close(timeout=_PATIENCE)


def _without_words(event: Any, hint: Any) -> Any:
    """What an exception says may repeat what a person wrote: it stays in our own log, under the same reference."""
    for exception in event.get("exception", {}).get("values", []):
        exception["value"] = ""
    for name in ("request", "user", "extra", "breadcrumbs", "modules", "server_name", "logentry", "message"):
        event.pop(name, None)
    return event
