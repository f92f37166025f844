"""Imports libraries without parts that no program here uses. Imported first by main.py, before any other module.

structlog takes rich and pygments (3.6 MiB) wherever they are installed, for tracebacks that logs.py does not use, and
greenlet (1.3 MiB), whose tasks no program here has. uvicorn takes its command line, and click for it (1.3 MiB), the
client of Prometheus the servers of the standard library (0.3 MiB).
"""

from telemetry.hidden_packages import hidden, replaced

with hidden("rich", "greenlet"):
    import structlog  # noqa: F401 - for its effect

with replaced("uvicorn.main", "Server", "main", "run"):
    import uvicorn.server
uvicorn.Server = uvicorn.server.Server  # type: ignore[misc]  # uvicorn/__init__.py takes it from uvicorn.main

with (
    replaced("http.server", "BaseHTTPRequestHandler"),
    replaced("wsgiref.simple_server", "make_server", "WSGIRequestHandler", "WSGIServer"),
):
    import prometheus_client  # noqa: F401 - for its effect
