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

from services.integrations.mail.console import MAIL_PRINTED
from settings import Settings
from telemetry.redaction import Redactor

# Our own event names are constants, so there is nothing in them to redact.
_EVENT_NAME = re.compile(r"[a-z_]+(\.[a-z_]+)+")
_JSON = json.JSONEncoder(default=str)
# Fields that the processors below set, not the caller.
_STANDARD_FIELDS = {"event", "level", "timestamp", "logger"}
_MAX_FIELD = 2000  # characters of a text in an event
_MAX_TRACEBACK = 20_000  # characters of a traceback, of which the end says most
_TRACEBACKS = {"exception", "stack"}
# Controls, line separators and what reverses text: with them, a client could forge lines or hide what follows.
_CONTROLS = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028-\\u202e\\u2066-\\u2069\\ud800-\\udfff]")


def configure_logs(settings: Settings, *, has_processes: bool = False) -> Redactor:
    """Configure structlog and the standard library's logging; return the redactor that both use.

    `has_processes`: whether several processes of one server write to the same log; each event then has a process id.
    """
    level = logging.getLevelName(settings.log_level.upper())
    redactor = Redactor(configured_secrets(settings))
    first: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
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
        processors=[*first, last],
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
    found += settings.polar_webhook_secret
    for name in ADDRESS_FIELDS:
        address = getattr(settings, name)
        with contextlib.suppress(ValueError):
            parts = urlsplit(address or "")
            # In a DSN the key is in the place of the user name.
            password = parts.username if name == "sentry_dsn" else parts.password
            found += [password, unquote(password)] if password else []
    with contextlib.suppress(OSError):  # the generated key cannot be written: its first user reports that
        found.append(settings.secret())
    return [secret for secret in found if secret]


SECRET_FIELDS = (
    "secret_key",
    "openrouter_api_key",
    "aws_secret_access_key",
    "aws_session_token",
    "polar_access_token",
    "metrics_token",
)
ADDRESS_FIELDS = ("database_url", "database_replica_url", "redis_url", "smtp_url", "sentry_dsn")
