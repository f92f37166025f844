"""Imports structlog without rich. Imported first by main.py, before any other module imports structlog.

structlog takes rich and pygments (3.6 MiB) wherever they are installed, for tracebacks that logs.py does not use.
"""

from telemetry.hidden_packages import hidden

with hidden("rich"):
    import structlog  # noqa: F401 - for its effect
