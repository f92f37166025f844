"""Imports structlog without rich and greenlet. Imported first by main.py, before any other module imports structlog.

structlog takes rich and pygments (3.6 MiB) wherever they are installed, for tracebacks that logs.py does not use, and
greenlet (1.3 MiB), whose tasks no program here has.
"""

from telemetry.hidden_packages import hidden

with hidden("rich", "greenlet"):
    import structlog  # noqa: F401 - for its effect
