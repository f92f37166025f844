"""Logs: events as lines on standard error."""

import logging
import sys

import structlog

from settings import Settings


def configure_logs(settings: Settings) -> None:
    """Events as lines on standard error: for people in development, JSON in production."""
    level = logging.getLevelName(settings.log_level.upper())
    logging.basicConfig(level=max(level, logging.WARNING), format="%(levelname)s %(name)s %(message)s")
    # Plain tracebacks: the pretty ones show local variables, passwords and tokens among them.
    console = structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
    )
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(level),
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *(
                [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
                if settings.logs_json
                else [console]
            ),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
