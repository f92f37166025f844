"""The command line: real processes, what they print and how they end.

Those that end by themselves are forks of one that has imported everything; a server and a worker start from nothing.
"""

import asyncio
import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from main import parse_arguments, replay
from models import ExternalEvent
from models.database.connection import open_database, rows
from models.database.migrate import all_migrations
from settings import ROOT, Settings
from tests.campaigns.command_server import Command
from tests.campaigns.fork_server import ForkClient
from tests.support.client import PATIENCE
from tests.support.fakes.polar_wire import event, order
from tests.support.server_process import free_port

KINDS = ("sqlite", "postgres")
MIGRATIONS = all_migrations()
DEMO = "The demo account is demo@example.com, password darkroom-demo.\n"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int | None
    out: str
    err: str


@dataclass(frozen=True)
class Commands:
    """`main.py` in a working directory of its own, with nothing in the environment but what a test says."""

    folder: Path
    fork_client: ForkClient
    said: Path  # a folder for what they print
    numbers: Iterator[int] = field(default_factory=itertools.count)

    async def start(self, *arguments: str, **variables: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            str(ROOT / "main.py"),
            *arguments,
            cwd=self.folder,
            env={"PATH": os.defpath, **variables},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *arguments: str, **variables: str) -> Ended:
        number = next(self.numbers)
        out, err = self.said / f"{number}.out", self.said / f"{number}.err"
        variables = {"PATH": os.defpath, **variables}
        process = await self.fork_client.fork(Command(list(arguments), str(self.folder), str(out), str(err), variables))
        try:
            async with asyncio.timeout(PATIENCE):
                code = await process.exit_code
        finally:
            if not process.exit_code.done():
                process.send(signal.SIGKILL)
        ended = Ended(code, out.read_text(), err.read_text())
        assert "Traceback" not in ended.err, ended.err
        return ended

    @contextlib.asynccontextmanager
    async def running(self, *arguments: str, until: str, **variables: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """A process that has said `until`; it is gone when the body ends."""
        process = await self.start(*arguments, **variables)
        assert process.stderr
        try:
            async with asyncio.timeout(PATIENCE):
                said = ""
                while until not in said:
                    line = await process.stderr.readline()
                    assert line, said
                    said += line.decode()
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@pytest.fixture(scope="module")
async def fork_client() -> AsyncIterator[ForkClient]:
    async with ForkClient("command_server.py").running() as found:
        yield found


@pytest.fixture
def main(fork_client: ForkClient, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Commands:
    return Commands(tmp_path, fork_client, tmp_path_factory.mktemp("said"))


@pytest.fixture(params=KINDS)
def empty(request: pytest.FixtureRequest, empty_database: Callable[[str], str]) -> str:
    """The URL of an empty database of each kind."""
    return empty_database(request.param)


async def test_wrong_settings_stop_a_command_with_a_line_each(main: Commands) -> None:
    commands = [(), ("worker",), ("make-admin", "ada@example.com")]
    wrong = {"PORT": "eighty", "REDIS_URL": "localhost", "PROFILE": "missing"}
    for ended in await asyncio.gather(*(main.run(*command, **wrong) for command in commands)):
        assert (ended.code, ended.out) == (2, "")
        assert [line.partition(":")[0] for line in ended.err.splitlines()] == ["PORT", "REDIS_URL", "PROFILE"]
    assert list(main.folder.iterdir()) == []


async def test_production_without_its_secrets_does_not_start(main: Commands) -> None:
    ended = await main.run("serve", ENVIRONMENT="production")
    assert (ended.code, ended.out) == (2, "")
    assert [line.split()[0] for line in ended.err.splitlines()] == ["SECRET_KEY", "OPENROUTER_API_KEY"]


async def test_what_is_no_command_is_told_with_those_there_are(main: Commands) -> None:
    ended, help = await asyncio.gather(main.run("fly"), main.run("--help"))
    assert (ended.code, help.code) == (2, 0)
    for name in ("serve", "worker", "migrate", "seed", "make-admin", "check"):
        assert re.search(rf"^ +{name}( |$)", help.out, re.MULTILINE), name
        assert name in ended.err


async def test_a_database_is_checked_migrated_and_checked_again(main: Commands, empty: str) -> None:
    before = await main.run("check", DATABASE_URL=empty)
    assert before.code == 1
    (broken,) = [line for line in before.out.splitlines() if not line.startswith("ok ")]
    assert broken.startswith("FAIL  database ")
    assert broken.endswith(f"migrations are missing, run `main.py migrate`: {', '.join(MIGRATIONS)}")

    migrated = await main.run("migrate", DATABASE_URL=empty)
    assert (migrated.code, migrated.out.split()) == (0, MIGRATIONS)

    after = await main.run("check", DATABASE_URL=empty)
    assert (after.code, after.err) == (0, "")
    parts = [line.split()[:2] for line in after.out.splitlines()]
    named = ("settings", "database", "storage", "redis", "provider", "payments", "mail")
    assert parts == [["ok", part] for part in named]


async def test_processes_that_seed_at_once_make_one_catalogue_and_one_demo_account(main: Commands, empty: str) -> None:
    for ended in await asyncio.gather(*(main.run("seed", DATABASE_URL=empty) for _ in range(2))):
        assert (ended.code, ended.out.splitlines(keepends=True)[-1]) == (0, DEMO), ended.err
    async with open_database(empty):
        (demo,) = await rows("SELECT email, is_member, credits, ledger_sequence FROM users")
        assert (demo["email"], bool(demo["is_member"]), demo["ledger_sequence"]) == ("demo@example.com", True, 1)
        twins = "SELECT collection_id, slug FROM styles GROUP BY collection_id, slug HAVING count(*) > 1"
        assert await rows(twins) == []
        (there,) = await rows("SELECT count(*) AS collections FROM collections")
        assert there["collections"] == 4
        await rows(
            "INSERT INTO users (id, email, password_hash, role, is_member, credits, overdraft_allowed, version,"
            " ledger_sequence, created_at, updated_at) SELECT 'usr_ada', 'ada@example.com', '-', role, is_member, 0,"
            " overdraft_allowed, 0, 0, created_at, updated_at FROM users RETURNING id"
        )
    again = await main.run("seed", DATABASE_URL=empty, SIGNUP_CREDITS="7")
    assert again.out == f"The catalogue is in step with the profile; missing sign-up bonuses paid: 1.\n{DEMO}"
    async with open_database(empty):
        assert (await rows("SELECT credits FROM users WHERE id = 'usr_ada'"))[0]["credits"] == 7


async def test_production_has_no_demo_account(main: Commands) -> None:
    secrets = {"SECRET_KEY": "0123456789abcdef" * 2, "IMAGE_PROVIDER": "demo"}
    ended = await main.run("seed", ENVIRONMENT="production", **secrets)
    assert (ended.code, "demo account" in ended.out) == (0, False)
    async with open_database(f"sqlite://{main.folder}/data/darkroom.sqlite3"):
        assert await rows("SELECT id FROM users") == []


@pytest.mark.any_database
async def test_an_account_becomes_admin_by_its_address(main: Commands, database: str) -> None:
    made, nobody = [
        await main.run("make-admin", email, DATABASE_URL=database) for email in ("Demo@Example.com", "eve@example.com")
    ]
    assert (made.code, made.out, made.err) == (0, "demo@example.com is ADMIN.\n", "")
    assert (nobody.code, nobody.out) == (1, "")
    assert nobody.err == "Nobody has the address eve@example.com; sign up first.\n"
    async with open_database(database):
        assert await rows("SELECT email FROM users WHERE role = 'ADMIN'") == [{"email": "demo@example.com"}]

    above, again = [
        await main.run("make-admin", "demo@example.com", *more, DATABASE_URL=database) for more in (["--super"], [])
    ]
    assert (above.out, again.out) == ("demo@example.com is SUPER_ADMIN.\n",) * 2, "nobody loses by it"


async def test_events_are_handled_again_one_by_one_or_all_that_failed(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, which has Polar's client in memory: reading it takes each command a second."""

    async def again(*words: str, **products: str) -> tuple[int, list[list[str]]]:
        sold = tuple(f"{slug}={product}" for slug, product in products.items())
        changes = {"polar_access_token": "polar_oat_1", "polar_products": sold}
        code = await replay(settings.model_copy(update=changes), parse_arguments(["replay", *words]).event)
        said = [line for line in capsys.readouterr().out.splitlines() if not re.match(r"\d{4}-", line)]  # the log
        return code, [line.split(maxsplit=4) for line in said]

    async with open_database(settings.database):
        (demo,) = await rows("SELECT id, credits FROM users")
        for name, product, outcome in (
            ("broken", "known", "FAILED"),
            ("parked", "unknown", "PARKED"),
            ("lost", "known", "RECEIVED"),
            ("done", "known", "HANDLED"),  # with nothing granted, to see that it is left alone
        ):
            told = json.loads(event("order.paid", order(demo["id"], product)))
            await ExternalEvent.create(source="polar", event_id=name, type=told["type"], data=told, outcome=outcome)
    known, more = {"credits-50": "known"}, {"credits-50": "known", "credits-200": "unknown"}

    code, told = await again("--failed", **known)
    assert code == 1, "one is parked still"
    broken, parked, lost = told
    assert [broken[0], parked[0], lost[0]] == ["HANDLED", "PARKED", "HANDLED"]
    assert [line[3].rstrip(":") for line in told] == ["broken", "parked", "lost"]
    assert parked[4] == "nobody knows its product 'unknown'"
    assert await again(parked[1], **more) == (0, [["HANDLED", parked[1], "order.paid", "parked"]]), "by our id"
    assert await again("nobody", **more) == (1, [["There", "is", "no", "event", "nobody."]])
    assert await again("--failed", **more) == (0, [["Nothing", "has", "failed."]])
    assert await _credits(settings) == demo["credits"] + 50 + 50 + 200
    for _ in range(2):
        code, told = await again("done", **more)
        assert (code, [line[0] for line in told]) == (0, ["HANDLED"]), "by its sender's id"
    assert await _credits(settings) == demo["credits"] + 50 + 50 + 200 + 50
    with pytest.raises(SystemExit):
        parse_arguments(["replay"])


async def _credits(settings: Settings) -> int:
    async with open_database(settings.database):
        return int((await rows("SELECT credits FROM users"))[0]["credits"])


async def test_on_a_database_that_is_up_to_date_there_is_nothing_to_do(main: Commands, templates: Path) -> None:
    file = shutil.copy(templates, main.folder / "test.sqlite3")
    ended = await main.run("migrate", DATABASE_URL=f"sqlite://{file}")
    assert (ended.code, ended.out, ended.err) == (0, "Nothing to do.\n", "")


async def test_check_names_every_part_that_cannot_be_reached(main: Commands) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    ended = await main.run(
        "check", DATABASE_URL=f"postgresql://ada:hush@{nowhere}/x", REDIS_URL=f"redis://:hush@{nowhere}"
    )
    assert (ended.code, ended.err) == (1, "")
    verdicts = {line.split()[1]: line.split()[0] for line in ended.out.splitlines()}
    assert verdicts == {
        "settings": "ok",
        "database": "FAIL",
        "storage": "ok",
        "redis": "FAIL",
        "provider": "ok",
        "payments": "ok",
        "mail": "ok",
    }
    assert "hush" not in ended.out


@pytest.mark.parametrize("command", ["serve", "migrate"])
async def test_a_database_that_cannot_be_opened_is_one_line(main: Commands, command: str) -> None:
    ended = await main.run(command, DATABASE_URL=f"postgresql://ada:hush@127.0.0.1:{free_port()}/x")
    assert (ended.code, ended.out) == (1, "")
    (line,) = ended.err.splitlines()
    assert line.startswith("DATABASE_URL: the database cannot be opened: ")
    assert "hush" not in line


@pytest.mark.any_database
async def test_a_worker_starts_and_stops_when_it_is_told(main: Commands, database: str) -> None:
    told = "concurrency=3"
    async with main.running("worker", "--concurrency", "3", until=told, DATABASE_URL=database) as process:
        process.terminate()
        async with asyncio.timeout(PATIENCE):
            _, err = await process.communicate()
        assert process.returncode == 0
        assert "worker.stopping" in err.decode()
        assert "Traceback" not in err.decode()


async def test_a_server_needs_nothing_and_stops_when_it_is_told(main: Commands) -> None:
    port = free_port()
    async with main.running(until="server.starting", PORT=str(port)) as process:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http, asyncio.timeout(PATIENCE):
            while True:
                with contextlib.suppress(httpx.ConnectError):
                    answer = await http.post("/graphql", json={"query": "{ collections { slug } }"})
                    break
                await asyncio.sleep(0.05)
        assert len(answer.json()["data"]["collections"]) == 4
        process.terminate()
        async with asyncio.timeout(PATIENCE):
            _, err = await process.communicate()
        assert process.returncode in (0, -signal.SIGTERM)  # uvicorn ends by the signal it was sent, once all is closed
        assert "Traceback" not in err.decode()
        assert "server.started" in err.decode()
        assert "server.stopping" in err.decode(), "one who reads the log knows that it was told to"
    assert (main.folder / "data" / "darkroom.sqlite3").exists()
