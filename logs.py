"""Logging: one event per line on standard error, from our code and every library, with secrets redacted."""

import contextlib
import functools
import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from structlog.typing import EventDict, Processor

from models.database.connection import is_lost_database
from secret_files import ADDRESS_FIELDS, SECRET_FIELDS, SECRET_LISTS
from services.integrations.mail.console import MAIL_PRINTED
from services.integrations.mail.protocol import MailError
from services.integrations.payments.protocol import PaymentProviderError
from services.integrations.providers.protocol import ProviderError
from services.integrations.storage.protocol import MissingObjectError, StorageError, TooLargeError
from settings import Settings, SettingsError
from telemetry import log_fields, outage
from telemetry.outage import Outage
from telemetry.redaction import Redactor

# Our own event names are constants, so there is nothing in them to redact.
_EVENT_NAME = re.compile(r"[a-z_]+(\.[a-z_]+)+")
_JSON = json.JSONEncoder(default=str)
# Fields that the processors below set, not the caller.
_STANDARD_FIELDS = {"event", "level", "timestamp", "logger"}
_MAX_FIELD = 2000  # characters of a text in an event
_MAX_TRACEBACK = 20_000  # characters of a traceback, of which the end says most
_TRACEBACKS = {"exception", "stack"}
# Faults of what others run: where they are noticed says nothing, and an alert says it if a person must act.
_FAULTS = (StorageError, ProviderError, PaymentProviderError, MailError)
# Events that only an outage of Redis causes, with errors of several kinds.
_OF_REDIS = {
    "bus.publish_failed",
    "bus.disconnected",
    "bus.cluster_unavailable",
    "rate_limit.redis_unavailable",
    "documents.redis_unavailable",
}
# Controls, line separators and what reverses text: with them, a client could forge lines or hide what follows.
_CONTROLS = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]")


def configure_logs(settings: Settings, *, has_processes: bool = False) -> Redactor:
    """Configure structlog and the standard library's logging; return the redactor that both use.

    `has_processes`: whether several processes of one server write to the same log; each event then has a process id.
    """
    level = logging.getLevelName(settings.log_level.upper())
    redactor = Redactor(configured_secrets(settings))
    first: list[Processor] = [
        log_fields.merge,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _shorten_outage,
        # Plain tracebacks: rich ones show local variables, including passwords and tokens.
        structlog.processors.format_exc_info,
        _redact(redactor),
        _limit,
        *([_add_process] if has_processes else []),
    ]
    last: Processor = (
        _render_json
        if settings.logs_json
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        processors=[_leave_out_outage, *first, last],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    _configure_libraries(level, first, last)
    return redactor


def _configure_libraries(level: int, first: list[Processor], last: Processor) -> None:
    """Send the records of uvicorn and other libraries the same way, from WARNING upwards."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *first],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(max(level, logging.WARNING))


def _error_of(event: EventDict) -> BaseException | None:
    """Return the exception that an event reports."""
    raised = event.get("exc_info")
    if raised is True:
        raised = sys.exc_info()
    if isinstance(raised, tuple):
        raised = raised[1]
    found = raised or event.get("error")
    return found if isinstance(found, BaseException) else None


def _outage_of(error: BaseException | None) -> Outage | None:
    """Return the service whose outage has caused an error."""
    if error is None:
        return None
    if isinstance(error, StorageError) and not isinstance(error, MissingObjectError | TooLargeError):
        return outage.STORAGE
    return outage.DATABASE if is_lost_database(error) else None


def _leave_out_outage(logger: Any, method: str, event: EventDict) -> EventDict:
    """Drop what fails because of an outage that the log has reported; `outage.ended` gives the numbers."""
    if event["event"] in _OF_REDIS:
        found: Outage | None = outage.REDIS
    elif event["event"] == "health.check_failed":
        found = outage.SERVICES.get(event["part"])
    else:
        found = _outage_of(_error_of(event))
    if found is not None and found.is_on:
        found.leave_out(str(event["event"]))
        raise structlog.DropEvent
    return event


def _shorten_outage(logger: Any, method: str, event: EventDict) -> EventDict:
    """Write errors as text; expected ones as warnings without the traceback, which shows only where it was noticed."""
    error = _error_of(event)
    is_fault = isinstance(error, _FAULTS) or _outage_of(error) is not None
    if error is not None and (isinstance(event.get("error"), BaseException) or is_fault):
        event["error"] = repr(error)
    if is_fault:
        event.pop("exc_info", None)
        if event.get("level") == "error":
            event["level"] = "warning"
    return event


def _add_process(logger: Any, method: str, event: EventDict) -> EventDict:
    return {**event, "process": os.getpid()}


def _redact(redactor: Redactor) -> Processor:
    def process(logger: Any, method: str, event: EventDict) -> Mapping[str, Any]:
        if event.get("event") == MAIL_PRINTED:
            return event  # development reads its mails in the log, including their links
        standard: dict[str, Any] = {}
        fields: dict[str, Any] = {}
        for name, value in event.items():
            (standard if name in _STANDARD_FIELDS or name.startswith("_") else fields)[name] = value
        text = str(standard.get("event", ""))
        standard["event"] = text if _is_event_name(text) else redactor.error_text(text)
        return {**standard, **redactor.fields(fields)}

    return process


@functools.lru_cache(512)
def _is_event_name(text: str) -> bool:
    return _EVENT_NAME.fullmatch(text) is not None


def _render_json(logger: Any, method: str, event: EventDict) -> str:
    return _JSON.encode(event)


def _limit(logger: Any, method: str, event: EventDict) -> Mapping[str, Any]:
    """Cut long texts and escape control characters, because a client may have written them."""
    if event.get("event") == MAIL_PRINTED:
        return event
    return {name: value if name.startswith("_") else _limited(value, name) for name, value in event.items()}


def _limited(value: Any, name: str = "") -> Any:
    if not isinstance(value, str):
        if value is None or isinstance(value, int | float):
            return value
        if isinstance(value, list | tuple):
            return [_limited(inner) for inner in value]
        return {key: _limited(inner) for key, inner in value.items()} if isinstance(value, Mapping) else value
    if name in _TRACEBACKS:
        text = value if len(value) <= _MAX_TRACEBACK else "[...]\n" + value[-_MAX_TRACEBACK:]
        return "\n".join(_escaped(line) for line in text.split("\n"))
    return _escaped(value if len(value) <= _MAX_FIELD else value[:_MAX_FIELD] + "[...]")


def _escaped(text: str) -> str:
    if text.isascii() and text.isprintable():
        return text
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def configured_secrets(settings: Settings) -> list[str]:
    """Return every secret in the settings: keys, and the passwords in URLs."""
    found = [getattr(settings, name) for name in SECRET_FIELDS]
    for name in SECRET_LISTS:
        found += getattr(settings, name)
    for name in ADDRESS_FIELDS:
        address = getattr(settings, name)
        with contextlib.suppress(ValueError):
            parts = urlsplit(address or "")
            # In a DSN the key is in the place of the user name.
            password = parts.username if name == "sentry_dsn" else parts.password
            found += [password, unquote(password)] if password else []
    with contextlib.suppress(SettingsError):  # the generated key cannot be written: its first user reports that
        found.append(settings.secret())
    return [secret for secret in found if secret]
