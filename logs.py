"""Logs: events as lines on standard error, our own and those of every library, without secrets."""

import contextlib
import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from structlog.typing import EventDict, Processor

from services.integrations.mail.console import MAIL_PRINTED
from settings import Settings
from telemetry.redaction import Redactor

# An event of ours: a name that is always the same, in every line, so that there is nothing in it to look for.
_NAME = re.compile(r"[a-z_]+(\.[a-z_]+)+")
# Fields that are made here and not by whoever logs.
_OURS = {"event", "level", "timestamp", "logger"}


def configure_logs(settings: Settings) -> Redactor:
    """Events as lines on standard error: for people in development, JSON in production. The answer hides secrets."""
    level = logging.getLevelName(settings.log_level.upper())
    redactor = Redactor(configured_secrets(settings))
    first: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # Plain tracebacks: the pretty ones show local variables, passwords and tokens among them.
        structlog.processors.format_exc_info,
        _without_secrets(redactor),
    ]
    last: Processor = (
        structlog.processors.JSONRenderer(default=str)
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
    """What uvicorn and the others log goes the same way; below warnings they have nothing to say to an operator."""
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


def _without_secrets(redactor: Redactor) -> Processor:
    def process(logger: Any, method: str, event: EventDict) -> Mapping[str, Any]:
        if event.get("event") == MAIL_PRINTED:
            return event  # in development, what is mailed is read here, its links included
        found: MutableMapping[str, Any] = redactor.fields(
            {name: value for name, value in event.items() if not name.startswith("_") and name not in _OURS}
        )
        kept = {name: value for name, value in event.items() if name.startswith("_") or name in _OURS}
        said = str(kept.get("event", ""))
        kept["event"] = said if _NAME.fullmatch(said) else redactor.said(said)
        return {**kept, **found}

    return process


def configured_secrets(settings: Settings) -> list[str]:
    """Everything in the settings that must never be told: keys, and the passwords in addresses."""
    found = [getattr(settings, name) for name in SECRET_FIELDS]
    found += settings.polar_webhook_secret
    for name in ADDRESS_FIELDS:
        address = getattr(settings, name)
        with contextlib.suppress(ValueError):
            parts = urlsplit(address or "")
            # A DSN's key stands where another address has a user.
            password = parts.username if name == "sentry_dsn" else parts.password
            found += [password, unquote(password)] if password else []
    with contextlib.suppress(OSError):  # whoever needs the made-up one will say that it cannot be kept
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
ADDRESS_FIELDS = ("database_url", "redis_url", "smtp_url", "sentry_dsn")
