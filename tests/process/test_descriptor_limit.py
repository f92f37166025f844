"""A server process with few file descriptors, and a client that opens more connections than it has."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from settings import ROOT, Settings
from tests.support.client import until
from tests.support.raw_http import VIEWER_REQUEST, RawConnection, connection
from tests.support.server_process import free_port

pytestmark = pytest.mark.any_database

DESCRIPTORS = 300
ATTACKER = "127.0.0.2"


@contextlib.asynccontextmanager
async def limited_server(settings: Settings, folder: Path, port: int) -> AsyncIterator[None]:
    """Run `main.py serve` under a hard limit of file descriptors."""
    program = f"ulimit -n {DESCRIPTORS}; exec '{sys.executable}' '{ROOT / 'main.py'}' serve"
    process = await asyncio.create_subprocess_exec(
        "sh",
        "-c",
        program,
        cwd=folder,
        env={"PATH": os.defpath, "PORT": str(port), "DATABASE_URL": settings.database},
        stderr=asyncio.subprocess.DEVNULL,
    )

    async def is_listening() -> bool:
        assert process.returncode is None
        with contextlib.suppress(OSError):
            async with connection(f"http://127.0.0.1:{port}"):
                return True
        return False

    try:
        await until(is_listening)
        yield
    finally:
        process.kill()
        await process.wait()


async def test_silent_connections_beyond_the_descriptors_stop_no_server(settings: Settings, tmp_path: Path) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    async with limited_server(settings, tmp_path, port), contextlib.AsyncExitStack() as stack:
        for count in range(3):
            silent: list[RawConnection] = []
            for _ in range(DESCRIPTORS // 2):
                silent.append(await stack.enter_async_context(connection(address, ATTACKER)))
            async with connection(address) as raw:
                await raw.send(VIEWER_REQUEST)
                assert (await raw.answer()).status == 200, count
        assert (await silent[0].answer()).status == 503
