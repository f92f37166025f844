"""What a server imports: no package that its settings do not use."""

import asyncio
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tortoise.exceptions import FieldError

from models import User
from models.database.connection import open_database
from settings import ROOT
from telemetry.hidden_packages import replaced
from telemetry.lean_loader import without_docstrings
from tests.support.client import PATIENCE
from tests.support.server_process import free_port
from tests.support.servers import RedisServer

# Runs `main.py serve`, and lists the imported packages and modules when it ends.
LISTING = """
import json, runpy, sys
sys.argv = ["main.py", "serve"]
try:
    runpy.run_path("main.py", run_name="__main__")
finally:
    assert sys.modules["starlette.applications"].Starlette.add_middleware.__doc__ is None
    print(json.dumps(sorted(sys.modules)))
"""
# Of the migrations, the demo provider, SDKs that the settings switch off, and what libraries take if it is installed.
NEVER = {
    "aerich",
    "asyncclick",
    "PIL",
    "av",
    "rich",
    "pygments",
    "attr",
    "jinja2",
    "opentelemetry.sdk",
    "opentelemetry.metrics",
    "greenlet",
    "babel",
    "openai",
    "huggingface_hub",
    "tqdm",
    "yaml",
    "httpx2",
    "httpx",
    "interlock",
    "statistics",
    "click",
    "uvicorn.supervisors",
    "http.server",
    "wsgiref.simple_server",
}
NEVER |= {
    "sentry_sdk",
    "aioboto3",
    "botocore",
    "aiohttp",
    "polar_sdk",
    "aiosmtplib",
    "cryptography",
    "unittest",
    "pytest",
}
PRODUCTION = {
    "ENVIRONMENT": "production",
    "SECRET_KEY": "0123456789abcdef" * 2,
    "OPENROUTER_API_KEY": "sk-or-v1-0123456789abcdef",
}

DOCUMENTED = '''
"""Of the module."""
def function(value=1):
    "Of the function."
    text = lambda: "of no function"
    return [("of no list", text()) for _ in range(value)]
class Kind:
    "Of the class."
    def method(self):
        """Of the method."""
    async def plain(self):
        return "plain"
class Bare:
    text = "of no class"
'''

# What `multiprocessing` does in a process that it spawns, as `serve --workers` does.
SPAWNED = """
import runpy
runpy.run_path("main.py", run_name="__mp_main__")
from starlette.applications import Starlette
from settings import Settings
from services.core.message import Message
assert Starlette.add_middleware.__doc__ is None
assert Message.__repr__.__module__ == "telemetry.lean_dataclasses"
"""

# Lists the files whose source was read while the models were imported.
READ_SOURCES = "import json, linecache, models; print(json.dumps(list(linecache.cache)))"


async def modules_of_server(folder: Path, **variables: str) -> set[str]:
    """Start a server, stop it once it serves, and return the names of all modules that it imported."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", LISTING),
        cwd=ROOT,
        env={"PATH": os.defpath, "DATA_DIR": str(folder), "PORT": str(free_port()), **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr
    log = ""
    async with asyncio.timeout(PATIENCE):
        while "server.started" not in log:
            line = await process.stderr.readline()
            assert line, log
            log += line.decode()
        process.send_signal(signal.SIGINT)
        output, _ = await process.communicate()
    return set(json.loads(output))


@pytest.mark.any_database
async def test_server_on_defaults_imports_no_package_that_it_does_not_use(tmp_path: Path) -> None:
    found = await modules_of_server(tmp_path)
    assert found & (NEVER | {"redis"}) == set()
    assert {"strawberry", "tortoise", "aiosqlite", "structlog"} <= found


@pytest.mark.any_database
async def test_server_in_production_imports_no_package_that_only_workers_use(
    tmp_path: Path, empty_database: Callable[[str], str], shared_redis: RedisServer
) -> None:
    found = await modules_of_server(
        tmp_path, DATABASE_URL=empty_database("postgres"), REDIS_URL=shared_redis.url, **PRODUCTION
    )
    assert found & ((NEVER | {"sqlite3", "aiosqlite"}) - {"cryptography"}) == set()
    assert {"redis", "asyncpg"} <= found


@pytest.mark.any_database
def test_spawned_server_process_imports_in_the_same_way() -> None:
    subprocess.run([sys.executable, "-c", SPAWNED], cwd=ROOT, check=True)  # noqa: S603 - our own program


@pytest.mark.any_database
def test_import_of_models_parses_no_source() -> None:
    found = subprocess.run([sys.executable, "-c", READ_SOURCES], cwd=ROOT, check=True, capture_output=True)  # noqa: S603 - our own program
    assert [path for path in json.loads(found.stdout) if "tortoise" in path or "models" in path] == []


@pytest.mark.any_database
def test_replaced_module_can_be_imported_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "wsgiref.types", raising=False)
    with replaced("wsgiref.types", "Base"):
        left_out = importlib.import_module("wsgiref.types").Base
        assert type("Derived", (left_out,), {})
        with pytest.raises(NotImplementedError, match="wsgiref"):
            left_out()
    assert not hasattr(importlib.import_module("wsgiref.types"), "Base")
    with replaced("wsgiref.types", "Base"):  # is imported by now
        assert not hasattr(importlib.import_module("wsgiref.types"), "Base")


async def test_filter_that_no_query_has_is_refused(database: str) -> None:
    async with open_database(database):
        assert await User.filter(email__startswith="ada@", credits__gte=1) == []
        for unused in ({"email__icontains": "ada@"}, {"plan_id__range": ("plan_1", "plan_2")}):
            with pytest.raises(FieldError):
                await User.filter(**unused)


def test_lean_loader_leaves_out_docstrings_alone() -> None:
    found: dict[str, Any] = {}
    exec(without_docstrings(compile(DOCUMENTED, "documented.py", "exec")), found)  # noqa: S102 - the text above
    function, kind = found["function"], found["Kind"]
    assert (found["__doc__"], kind.__doc__, found["Bare"].__doc__) == (None, " ", None)
    assert [each.__doc__ for each in (function, kind.method, kind.plain)] == [None] * 3
    assert function() == [("of no list", "of no function")]
    assert found["Bare"].text == "of no class"
    assert kind.method.__qualname__ == "Kind.method"
    assert asyncio.run(kind().plain()) == "plain"
    assert function.__code__.co_firstlineno == 3
