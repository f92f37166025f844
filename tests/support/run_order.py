"""The order of the test files in a run, and how its processes search for garbage."""

import pytest

from web.server import tune_garbage_collection

# The files that take longest run first, so that no process is left with one of them at the end.
_LONGEST = [
    "sanitizer_process", "crash", "chaos", "demo_looks", "outage", "interleavings", "gallery_changed", "cancellation",
    "multipart_upload", "worker", "idempotency", "payment", "typescript_client", "rate_limits", "ledger",
    "integrity_audit", "worker_shutdown", "provider_errors", "gallery", "share", "regeneration", "deletion",
    "worker_pool", "passes", "refund_policy", "profiles",
]  # fmt: skip


class RunOrder:
    """A pytest plugin."""

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        ranks = {name: rank for rank, name in enumerate(_LONGEST)}
        items.sort(key=lambda item: ranks.get(item.path.stem.removeprefix("test_"), len(ranks)))

    def pytest_collection_finish(self) -> None:
        tune_garbage_collection()  # as a server does; without, a tenth of the tests' CPU searches for cycles
