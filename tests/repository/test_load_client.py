"""The load of `make load`, as its own process against a running server."""

import asyncio
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from models import User
from setting_types import Switch
from settings import Settings
from tests.conftest import Running, running
from tests.support.client import PATIENCE
from tests.support.server_process import free_port
from tools.load import is_own, quantile

pytestmark = pytest.mark.any_database

ROOT = Path(__file__).parents[2]


@dataclass
class Run:
    """The result of one run. `rows`: the numbers of the table, by operation: ok, ..., limited, refused, failed."""

    code: int
    out: str
    rows: dict[str, list[str]]

    def count(self, column: int) -> int:
        """Return the sum of a column over all operations."""
        return sum(int(row[column]) for row in self.rows.values())


OK, LIMITED, REFUSED, FAILED = 0, 5, 6, 7


async def load(address: str, *arguments: str) -> Run:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "tools" / "load.py"),
        f"--address={address}",
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 3 * PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
    out = output.decode()
    assert process.returncode is not None
    assert "Traceback" not in out, out
    found = re.findall(r"^((?:sign |\w)\w+) +(\d+) +([-.\d]+) +(.+)$", out, re.MULTILINE)
    return Run(process.returncode, out, {name: [ok, per_second, *rest.split()] for name, ok, per_second, rest in found})


async def test_load_uses_a_server_as_an_app_does_and_leaves_no_account(settings: Settings) -> None:
    async with running(settings.model_copy(update={"signup_credits": 1000})) as server:
        found = await load(server.settings.address, "--seconds=2", "--rate=40", "--users=2", "--orders=4", "--seed=1")
        assert found.code == 0, found.out
        assert {"sign up", "sign in", "page", "quote", "order", "picture"} <= found.rows.keys(), found.out
        assert (found.rows["sign up"][OK], found.rows["picture"][OK]) == ("2", found.rows["order"][OK])
        assert 1 <= int(found.rows["order"][OK]) <= 4
        assert (found.count(LIMITED), found.count(REFUSED), found.count(FAILED)) == (0, 0, 0), found.out
        assert await User.filter(email__startswith="load-").count() == 0


async def test_load_counts_what_a_server_limits(settings: Settings) -> None:
    changes = {"rate_limits": Switch.ON, "signup_credits": 1000, "rate_limit_generations_per_minute": 1}
    async with running(settings.model_copy(update=changes)) as server:
        found = await load(server.settings.address, "--seconds=2", "--rate=40", "--users=1", "--orders=9", "--seed=1")
        assert found.count(LIMITED) > 0, found.out
        assert (found.code, found.count(FAILED)) == (0, 0), found.out


async def test_load_signs_in_to_an_account_and_keeps_it(server: Running, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("correct horse\n")
    ada = await server.api.sign_up("ada@example.com", "correct horse")
    arguments = ("--seconds=1", "--rate=10", "--orders=1", "--email=ada@example.com")
    found = await load(server.settings.address, *arguments, f"--password-file={password}")
    assert (found.code, "sign up" in found.rows) == (0, False), found.out
    assert await ada.is_signed_in()
    password.write_text("incorrect horse")
    wrong = await load(server.settings.address, *arguments, f"--password-file={password}")
    assert (wrong.code, "cannot be used" in wrong.out) == (1, True), wrong.out


async def test_load_refuses_hosts_of_others_and_reports_a_server_that_is_not_there() -> None:
    refused = await load("https://8.8.8.8")
    assert refused.code == 2
    assert "neither this machine nor in a private network; --confirm 8.8.8.8" in refused.out
    assert (await load("https://8.8.8.8", "--confirm=8.8.4.4")).code == 2
    assert (await load("ftp://127.0.0.1")).code == 2
    assert (await load("http://127.0.0.1", "--rate=501")).code == 2
    assert (await load("http://127.0.0.1", "--email=ada@example.com")).code == 2
    missing = await load(f"http://127.0.0.1:{free_port()}")
    assert (missing.code, "cannot be used: ConnectError" in missing.out) == (1, True), missing.out


def test_only_this_machine_and_private_networks_need_no_confirmation() -> None:
    assert [is_own(host) for host in ("localhost", "127.0.0.1", "::1", "10.1.2.3", "192.168.7.7")] == [True] * 5
    assert [is_own(host) for host in ("8.8.8.8", "2001:4860:4860::8888", "no-such-host.invalid")] == [False] * 3


def test_quantiles_are_values_that_were_measured() -> None:
    values = [float(number) for number in range(1, 101)]
    assert (quantile(values, 0.5), quantile(values, 0.95), quantile(values, 0.99)) == (51.0, 96.0, 100.0)
    assert quantile([7.0], 0.99) == 7.0
