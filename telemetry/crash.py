"""Crash reports to Sentry, if configured: the error's type and traceback, never its data."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from telemetry.process import process_kind

_CLOSE_TIMEOUT = 2.0  # seconds to send pending reports when the process stops


@dataclass
class _Reporting:
    client: Any = None  # a sentry_sdk.Client, which is imported only when needed


# Process-wide, like tracing. A client of our own, because Sentry's global one hooks into every library it finds and
# sends their data: statements, headers, users.
_reporting = _Reporting()


def report(error: BaseException, **tags: str) -> None:
    """Report a bug to Sentry; `tags`: the ids under which the log has the details."""
    if _reporting.client is None:
        return
    from sentry_sdk.utils import event_from_exception

    event, hint = event_from_exception(error, client_options=_reporting.client.options)
    event["tags"] = {"process": process_kind(), **tags}
    _reporting.client.capture_event(event, hint)


@contextlib.contextmanager
def reporting(dsn: str | None, environment: str, version: str) -> Iterator[None]:
    """Report crashes to the project at `dsn` while the body runs; None disables it. Failures to send are ignored.

    `version`: the release that Sentry names.
    """
    if dsn is None:
        yield
        return
    import sentry_sdk  # a slow import: 0.3 s

    _reporting.client = sentry_sdk.Client(
        dsn,
        environment=environment,
        release=f"darkroom@{version}",
        default_integrations=False,
        include_local_variables=False,
        include_source_context=False,
        max_breadcrumbs=0,
        server_name="",
        before_send=_remove_data,
    )
    try:
        yield
    finally:
        client, _reporting.client = _reporting.client, None
        client.close(timeout=_CLOSE_TIMEOUT)


def _remove_data(event: Any, hint: Any) -> Any:
    """Remove exception messages, which may quote user input; our own log has them under the same reference."""
    for exception in event.get("exception", {}).get("values", []):
        exception["value"] = ""
    for name in ("request", "user", "extra", "breadcrumbs", "modules", "server_name", "logentry", "message"):
        event.pop(name, None)
    return event
