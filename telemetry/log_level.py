"""Which levels are logged: asked before an event of a hot path is put together, which takes longer than to drop it."""

import logging

import structlog

# structlog makes one class for each level.
_WITHOUT_INFO = {
    structlog.make_filtering_bound_logger(level) for level in (logging.WARNING, logging.ERROR, logging.CRITICAL)
}
_WITHOUT_DEBUG = {*_WITHOUT_INFO, structlog.make_filtering_bound_logger(logging.INFO)}


def logs_info() -> bool:
    """Return whether events of the level INFO are logged."""
    return structlog.get_config()["wrapper_class"] not in _WITHOUT_INFO


def logs_debug() -> bool:
    """Return whether events of the level DEBUG are logged."""
    return structlog.get_config()["wrapper_class"] not in _WITHOUT_DEBUG
