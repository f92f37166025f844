"""The command line: output and exit codes of real processes.

Commands that end by themselves run in forks of a process that has imported everything; server and worker start afresh.
"""

import asyncio
import contextlib
import json
import re
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from main import parse_arguments, replay
from models import ExternalEvent
from models.database.connection import open_database, rows
from models.database.migrate import all_migrations
from settings import Settings
from tests.process.conftest import Commands
from tests.support.client import PATIENCE
from tests.support.fakes.polar_wire import event, order
from tests.support.server_process import free_port

KINDS = ("sqlite", "postgres")
MIGRATIONS = all_migrations()
DEMO = "The demo account is demo@example.com, password darkroom-demo.\n"


@pytest.fixture(params=KINDS)
def empty(request: pytest.FixtureRequest, empty_database: Callable[[str], str]) -> str:
    """The URL of an empty database of each kind."""
    return empty_database(request.param)


async def test_invalid_settings_stop_a_command_with_one_line_per_problem(main: Commands) -> None:
    commands = [(), ("worker",), ("make-admin", "ada@example.com")]
    wrong = {"PORT": "eighty", "REDIS_URL": "localhost", "PROFILE": "missing"}
    for ended in await asyncio.gather(*(main.run(*command, **wrong) for command in commands)):
        assert (ended.code, ended.out) == (2, "")
        assert [line.partition(":")[0] for line in ended.err.splitlines()] == ["PORT", "REDIS_URL", "PROFILE"]
    assert list(main.folder.iterdir()) == []


async def test_production_without_a_mail_server_says_at_start_what_does_not_work(main: Commands) -> None:
    production = {"ENVIRONMENT": "production", "IMAGE_PROVIDER": "demo", "SECRET_KEY": "0123456789abcdef" * 2}
    async with main.running(until="mail.not_configured", PORT=str(free_port()), **production):
        pass
    ended = await main.run("check", **production)
    assert "SMTP_URL is not set: addresses cannot be verified, passwords cannot be reset" in ended.out


async def test_production_without_secrets_does_not_start(main: Commands) -> None:
    ended = await main.run("serve", ENVIRONMENT="production")
    assert (ended.code, ended.out) == (2, "")
    assert [line.split()[0] for line in ended.err.splitlines()] == ["SECRET_KEY", "OPENROUTER_API_KEY"]


async def test_unknown_command_lists_the_known_ones(main: Commands) -> None:
    ended, help = await asyncio.gather(main.run("fly"), main.run("--help"))
    assert (ended.code, help.code) == (2, 0)
    for name in ("serve", "worker", "migrate", "seed", "make-admin", "check"):
        assert re.search(rf"^ +{name}( |$)", help.out, re.MULTILINE), name
        assert name in ended.err


@pytest.mark.parametrize(
    ("arguments", "limits"),
    [
        (("queue", "--limit", "-1"), "1 to 10000"),
        (("queue", "--limit", "9223372036854775808"), "1 to 10000"),
        (("orphans", "--remove", "-1"), "0 to 1000000000"),
        (("worker", "--concurrency", "0"), "1 to 256"),
        (("serve", "--workers", "two"), "1 to 256"),
    ],
)
def test_number_that_cannot_be_meant_is_refused(
    arguments: tuple[str, str, str], limits: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        parse_arguments(list(arguments))
    problem = f"argument {arguments[1]}: {arguments[2]!r} is no whole number from {limits}\n"
    assert capsys.readouterr().err.endswith(problem)


async def test_check_fails_until_the_database_is_migrated(main: Commands, empty: str) -> None:
    before = await main.run("check", DATABASE_URL=empty)
    assert before.code == 1
    (broken,) = [line for line in before.out.splitlines() if not line.startswith(("ok ", "none "))]
    assert broken.startswith("FAIL  database ")
    assert broken.endswith(f"migrations are missing, run `main.py migrate`: {', '.join(MIGRATIONS)}")

    migrated = await main.run("migrate", DATABASE_URL=empty)
    assert (migrated.code, migrated.out.split()) == (0, MIGRATIONS)

    after = await main.run("check", DATABASE_URL=empty)
    assert (after.code, after.err) == (0, "")
    parts = [line.split()[:2] for line in after.out.splitlines()]
    named = {
        "settings",
        "database",
        "storage",
        "uploads",
        "redis",
        "pictures",
        "provider",
        "routes",
        "prompts",
        "payments",
        "mail",
    }
    assert {part for status, part in parts if status == "ok"} - {"clients"} == named


async def test_concurrent_seeds_create_one_catalogue_and_one_demo_account(main: Commands, empty: str) -> None:
    for ended in await asyncio.gather(*(main.run("seed", DATABASE_URL=empty) for _ in range(2))):
        assert (ended.code, ended.out.splitlines(keepends=True)[-1]) == (0, DEMO), ended.err
    async with open_database(empty):
        (demo,) = await rows("SELECT email, is_member, credits, ledger_sequence FROM users")
        assert (demo["email"], bool(demo["is_member"]), demo["ledger_sequence"]) == ("demo@example.com", True, 1)
        duplicates = "SELECT collection_id, slug FROM styles GROUP BY collection_id, slug HAVING count(*) > 1"
        assert await rows(duplicates) == []
        (counted,) = await rows("SELECT count(*) AS collections FROM collections")
        assert counted["collections"] == 4
        await rows(
            "INSERT INTO users (id, email, password_hash, role, is_member, credits, overdraft_allowed, version,"
            " ledger_sequence, created_at, updated_at) SELECT 'usr_ada', 'ada@example.com', '-', role, is_member, 0,"
            " overdraft_allowed, 0, 0, created_at, updated_at FROM users RETURNING id"
        )
    again = await main.run("seed", DATABASE_URL=empty, SIGNUP_CREDITS="7")
    assert again.out == f"The catalogue matches the profile. Missing sign-up bonuses granted: 1.\n{DEMO}"
    async with open_database(empty):
        assert (await rows("SELECT credits FROM users WHERE id = 'usr_ada'"))[0]["credits"] == 7


async def test_production_has_no_demo_account(main: Commands) -> None:
    secrets = {"SECRET_KEY": "0123456789abcdef" * 2, "IMAGE_PROVIDER": "demo"}
    ended = await main.run("seed", ENVIRONMENT="production", **secrets)
    assert (ended.code, "demo account" in ended.out) == (0, False)
    async with open_database(f"sqlite://{main.folder}/data/darkroom.sqlite3"):
        assert await rows("SELECT id FROM users") == []


@pytest.mark.any_database
async def test_make_admin_changes_the_role_of_an_existing_account(main: Commands, database: str) -> None:
    made, missing = [
        await main.run("make-admin", email, DATABASE_URL=database) for email in ("Demo@Example.com", "eve@example.com")
    ]
    assert (made.code, made.out, made.err) == (0, "demo@example.com is ADMIN.\n", "")
    assert (missing.code, missing.out) == (1, "")
    assert missing.err == "No account has the address eve@example.com. Sign up first.\n"
    async with open_database(database):
        assert await rows("SELECT email FROM users WHERE role = 'ADMIN'") == [{"email": "demo@example.com"}]

    promoted, again = [
        await main.run("make-admin", "demo@example.com", *more, DATABASE_URL=database) for more in (["--super"], [])
    ]
    assert (promoted.out, again.out) == ("demo@example.com is SUPER_ADMIN.\n",) * 2, "the role is not lowered"


async def test_replay_handles_one_event_or_all_unhandled_ones(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, because importing Polar's client takes each command a second."""

    async def run_replay(*arguments: str, **products: str) -> tuple[int, list[list[str]]]:
        sold = tuple(f"{slug}={product}" for slug, product in products.items())
        changes = {"polar_access_token": "polar_oat_1", "polar_products": sold}
        code = await replay(settings.model_copy(update=changes), parse_arguments(["replay", *arguments]).event)
        printed = [line for line in capsys.readouterr().out.splitlines() if not re.match(r"\d{4}-", line)]  # not logged
        return code, [line.split(maxsplit=4) for line in printed]

    async with open_database(settings.database):
        (demo,) = await rows("SELECT id, credits FROM users")
        for name, product, outcome in (
            ("broken", "known", "FAILED"),
            ("unmatched", "unknown", "PARKED"),
            ("lost", "known", "RECEIVED"),
            ("done", "known", "HANDLED"),  # without its credits, which a replay of failed events must not grant
        ):
            data = json.loads(event("order.paid", order(demo["id"], product)))
            await ExternalEvent.create(source="polar", event_id=name, type=data["type"], data=data, outcome=outcome)
    known, more = {"credits-50": "known"}, {"credits-50": "known", "credits-200": "unknown"}

    code, lines = await run_replay("--failed", **known)
    assert code == 1, "one event still needs review"
    broken, unmatched, lost = lines
    assert [broken[0], unmatched[0], lost[0]] == ["HANDLED", "PARKED", "HANDLED"]
    assert [line[3].rstrip(":") for line in lines] == ["broken", "unmatched", "lost"]
    assert unmatched[4] == "its product 'unknown' is unknown"
    assert await run_replay(unmatched[1], **more) == (0, [["HANDLED", unmatched[1], "order.paid", "unmatched"]]), (
        "by our id"
    )
    assert await run_replay("missing", **more) == (1, [["There", "is", "no", "event", "missing."]])
    assert await run_replay("--failed", **more) == (0, [["There", "are", "no", "events", "to handle."]])
    assert await _credits(settings) == demo["credits"] + 50 + 50 + 200
    for _ in range(2):
        code, lines = await run_replay("done", **more)
        assert (code, [line[0] for line in lines]) == (0, ["HANDLED"]), "by its sender's id"
    assert await _credits(settings) == demo["credits"] + 50 + 50 + 200 + 50
    with pytest.raises(SystemExit):
        parse_arguments(["replay"])


async def _credits(settings: Settings) -> int:
    async with open_database(settings.database):
        return int((await rows("SELECT credits FROM users"))[0]["credits"])


async def test_migrate_does_nothing_on_an_up_to_date_database(main: Commands, templates: Path) -> None:
    file = shutil.copy(templates, main.folder / "test.sqlite3")
    ended = await main.run("migrate", DATABASE_URL=f"sqlite://{file}")
    assert (ended.code, ended.out, ended.err) == (0, "The database is up to date.\n", "")


async def test_check_names_every_unreachable_part(main: Commands) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    ended = await main.run(
        "check", DATABASE_URL=f"postgresql://ada:hush@{nowhere}/x", REDIS_URL=f"redis://:hush@{nowhere}"
    )
    assert (ended.code, ended.err) == (1, "")
    statuses = {line.split()[1]: line.split()[0] for line in ended.out.splitlines()}
    del statuses["clients"]  # it depends on this machine's limits
    assert statuses == {
        "settings": "ok",
        "uploads": "ok",
        "pictures": "ok",
        "database": "FAIL",
        "storage": "ok",
        "redis": "FAIL",
        "provider": "ok",
        "routes": "ok",
        "moderation": "none",
        "prompts": "ok",
        "payments": "ok",
        "mail": "ok",
    }
    assert "hush" not in ended.out


@pytest.mark.parametrize("command", ["serve", "migrate"])
async def test_unreachable_database_is_reported_in_one_line(main: Commands, command: str) -> None:
    ended = await main.run(command, DATABASE_URL=f"postgresql://ada:hush@127.0.0.1:{free_port()}/x")
    assert (ended.code, ended.out) == (1, "")
    (line,) = ended.err.splitlines()
    assert line.startswith("DATABASE_URL: the database cannot be opened: ")
    assert "hush" not in line


@pytest.mark.any_database
async def test_worker_starts_and_stops_on_sigterm(main: Commands, database: str) -> None:
    started = "concurrency=3"
    async with main.running("worker", "--concurrency", "3", until=started, DATABASE_URL=database) as process:
        process.terminate()
        async with asyncio.timeout(PATIENCE):
            _, err = await process.communicate()
        assert process.returncode == 0
        assert "worker.stopping" in err.decode()
        assert "Traceback" not in err.decode()


async def test_server_starts_without_settings_and_stops_on_sigterm(main: Commands) -> None:
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
        assert process.returncode in (0, -signal.SIGTERM)  # uvicorn re-raises the signal once everything is closed
        assert "Traceback" not in err.decode()
        assert "server.started" in err.decode()
        assert "server.stopping" in err.decode(), "the log distinguishes a stop from a crash"
    assert (main.folder / "data" / "darkroom.sqlite3").exists()
