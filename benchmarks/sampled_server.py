"""A server that notes where its CPU time goes: `python -m benchmarks.sampled_server FILE serve`.

A timer of CPU time interrupts it; the stack then names the layer. On SIGUSR1 it forgets the samples; on SIGUSR2 it
writes their numbers by layer as JSON into the file.
"""

import json
import signal
import sys
from collections import Counter
from functools import lru_cache
from pathlib import Path
from types import FrameType

import main

_INTERVAL = 0.001  # seconds of CPU time; the kernel's tick may be longer
LOOP, LOG = "event loop", "log and metrics"
# By the end of a path, then the function if it has one; the first that fits. The innermost frame with a layer counts,
# so libraries count for the code that calls them.
_LAYERS: tuple[tuple[str, str, str], ...] = (
    ("schema/runtime/context.py", "authenticate", "session look-up"),
    ("services/accounts/", "", "session look-up"),
    ("services/gallery/", "", "page: SQL and rows"),
    ("web/graphql_response.py", "", "encoding"),
    ("schema/runtime/instrumentation.py", "", LOG),
    ("telemetry/", "", LOG),
    ("structlog/", "", LOG),
    ("prometheus_client/", "", LOG),
    ("schema/runtime/pipeline.py", "", "document and guards"),
    ("schema/runtime/document.py", "", "document and guards"),
    ("schema/runtime/compilation/plans.py", "", "document and guards"),
    ("services/operations/", "", "document and guards"),
    ("schema/", "", "execution"),
    ("resolvers/", "", "execution"),
    ("<operation", "", "execution"),
    ("web/http_protocol.py", "", "HTTP protocol"),
    ("web/http_exchange.py", "", "HTTP protocol"),
    ("web/open_connections.py", "", "HTTP protocol"),
    ("uvicorn/", "", "HTTP protocol"),
    ("web/", "", "middleware and request"),
    ("starlette/", "", "middleware and request"),
)
_STARTERS = ("uvicorn/server.py", "uvicorn/_compat.py")  # which run the event loop


@lru_cache(4096)
def _layer_of(path: str, function: str) -> str | None:
    for part, name, layer in _LAYERS:
        if part in path and (not name or name == function) and not path.endswith(_STARTERS):
            return layer
    return None


def layer(frame: FrameType | None) -> str:
    """Return the layer of a stack."""
    while frame is not None:
        found = _layer_of(frame.f_code.co_filename, frame.f_code.co_name)
        if found is not None:
            return found
        frame = frame.f_back
    return LOOP


def run() -> int:
    path = Path(sys.argv.pop(1))
    samples: Counter[str] = Counter()
    signal.signal(signal.SIGPROF, lambda _, frame: samples.update((layer(frame),)))
    signal.signal(signal.SIGUSR1, lambda *_: samples.clear())
    signal.signal(signal.SIGUSR2, lambda *_: write(samples, path))
    signal.setitimer(signal.ITIMER_PROF, _INTERVAL, _INTERVAL)
    return main.main()


def write(samples: Counter[str], path: Path) -> None:
    """Write the samples, so that the file is never seen incomplete."""
    path.with_suffix(".new").write_text(json.dumps(samples))
    path.with_suffix(".new").rename(path)


if __name__ == "__main__":
    sys.exit(run())
