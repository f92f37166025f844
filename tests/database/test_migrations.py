"""Migrations: they match the models, run once however many processes start, and convert old rows."""

import ast
import asyncio
import contextlib
import shutil
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import pytest
from aerich import Command
from tortoise import Tortoise
from tortoise.context import TortoiseContext
from tortoise.exceptions import OperationalError

from models import Album, ExternalEvent, JobRun, MailToken, SignupBonus, Style, User, ids
from models.database.connection import (
    MIGRATION_CONFIG,
    is_outage,
    is_postgres,
    migration_config,
    open_database,
    rows,
    sqlite_path,
)
from models.database.migrate import LOCATION, all_migrations, migrate, missing_migrations
from models.database.postgres import Limits
from services.core.idempotency import IdempotencyTicket, find_result
from services.operations import hourly_job
from tests.support import factories
from tests.support.factories import NOW, insert

T = TypeVar("T")
KINDS = ("sqlite", "postgres")
NAMES = all_migrations()
PROCESSES = 4

# Prints that it is ready, waits for a line, migrates, and prints what it applied.
MIGRATING = """
import asyncio, sys
from models.database.migrate import migrate
print("ready", flush=True)
sys.stdin.readline()
print(asyncio.run(migrate(sys.argv[1])))
"""


def in_new_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run in an event loop of its own, because aerich and Tortoise leave contexts behind."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@pytest.fixture(params=KINDS)
def empty(request: pytest.FixtureRequest, empty_database: Callable[[str], str]) -> str:
    """The URL of an empty database of each kind."""
    return empty_database(request.param)


async def test_migrations_match_the_models(tmp_path: Path) -> None:
    copy = tmp_path / "migrations"
    shutil.copytree(LOCATION, copy, ignore=shutil.ignore_patterns("__pycache__"))

    async def drift() -> str | None:
        command = Command(MIGRATION_CONFIG, app="models", location=str(copy))
        await command.init(offline=True)
        return await command.migrate("drift", no_input=True, offline=True)

    assert not in_new_loop(drift()), "the models have changed: run `make migration`"
    assert {path.name for path in (copy / "models").glob("[0-9]*.py")} == set(NAMES)


async def test_an_empty_database_is_migrated_once(empty: str) -> None:
    async def missing() -> list[str]:
        async with open_database(empty):
            return await missing_migrations()

    assert in_new_loop(missing()) == NAMES
    assert in_new_loop(migrate(empty)) == NAMES
    assert in_new_loop(migrate(empty)) == []
    assert in_new_loop(missing()) == []


@contextlib.asynccontextmanager
async def migrations_locked(url: str) -> AsyncIterator[None]:
    """Lock the table of migrations, so that a read of it exceeds its time limit."""
    if is_postgres(url):
        connection = await asyncpg.connect(url)
        async with connection.transaction():
            await connection.execute("LOCK TABLE aerich IN ACCESS EXCLUSIVE MODE")
            yield
        await connection.close()
        return
    await rows("PRAGMA journal_mode = DELETE")  # with a write-ahead log, readers would not wait
    await rows("PRAGMA busy_timeout = 0")
    with contextlib.closing(sqlite3.connect(sqlite_path(url), isolation_level=None)) as locking:
        locking.execute("BEGIN EXCLUSIVE")
        yield


async def test_an_unreadable_database_is_not_taken_for_an_empty_one(empty: str) -> None:
    async def locked() -> BaseException:
        async with open_database(empty, limits=Limits(lock=0.1)), migrations_locked(empty):
            with pytest.raises((asyncpg.PostgresError, OperationalError)) as failed:
                await missing_migrations()
            return failed.value

    async def unreadable() -> None:
        async with open_database(empty):
            # An error of the same class as for a missing table, on both databases.
            await rows("ALTER TABLE aerich RENAME COLUMN app TO other")
            with pytest.raises(OperationalError):
                await missing_migrations()

    in_new_loop(migrate(empty))
    assert is_outage(in_new_loop(locked()))
    in_new_loop(unreadable())


async def test_exactly_one_of_concurrent_processes_migrates(empty: str) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", MIGRATING, empty,
            cwd=LOCATION.parent, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(PROCESSES)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout
        assert await process.stdout.readline() == b"ready\n"
    outputs = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    assert [process.returncode for process in processes] == [0] * PROCESSES
    applied = sorted(ast.literal_eval(out.decode()) for out, _ in outputs)
    assert applied == [[]] * (PROCESSES - 1) + [NAMES]

    async def recorded() -> list[str]:
        async with open_database(empty):
            return [row["version"] for row in await rows("SELECT version FROM aerich ORDER BY id")]

    assert in_new_loop(recorded()) == NAMES


Columns = dict[str, dict[str, tuple[Any, ...]]]  # table -> column -> type and nullability
Indexes = set[tuple[str, tuple[str, ...], bool]]  # table, columns, unique


async def columns_of_postgres() -> Columns:
    found = await rows(
        "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable"
        " FROM information_schema.columns WHERE table_schema = 'public'"
    )
    tables: Columns = {}
    for row in found:
        column = (row["data_type"], row["character_maximum_length"], row["is_nullable"])
        tables.setdefault(row["table_name"], {})[row["column_name"]] = column
    return tables


async def columns_of_sqlite() -> Columns:
    names = await rows("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    tables: Columns = {}
    for name in (row["name"] for row in names):
        found = await rows(f"SELECT name, type, \"notnull\" FROM pragma_table_info('{name}')")  # noqa: S608 - our own tables
        tables[name] = {row["name"]: (row["type"], row["notnull"]) for row in found}
    return tables


async def indexes_of_postgres() -> Indexes:
    found = await rows(
        "SELECT t.relname AS t, i.indisunique AS u,"
        " (SELECT array_agg(a.attname ORDER BY k.n) FROM unnest(i.indkey) WITH ORDINALITY AS k(c, n)"
        "  JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.c) AS c"
        " FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid"
        " JOIN pg_namespace s ON s.oid = t.relnamespace"
        " WHERE s.nspname = 'public' AND i.indexprs IS NULL"  # an index over a function has no columns
    )
    return {(row["t"], tuple(row["c"]), row["u"]) for row in found}


async def indexes_of_sqlite() -> Indexes:
    found = await rows(
        'SELECT t, u, group_concat(c) AS c FROM (SELECT t.name AS t, l.name AS l, l."unique" AS u, c.name AS c'
        " FROM sqlite_master t JOIN pragma_index_list(t.name) l JOIN pragma_index_info(l.name) c"
        " WHERE t.type = 'table' ORDER BY l.name, c.seqno) GROUP BY t, l"
    )
    return {(row["t"], tuple(row["c"].split(",")), bool(row["u"])) for row in found}


async def described(url: str) -> tuple[Columns, Indexes]:
    async with open_database(url):
        if is_postgres(url):
            return await columns_of_postgres(), await indexes_of_postgres()
        return await columns_of_sqlite(), await indexes_of_sqlite()


async def migrated_before(url: str, name: str, folder: Path) -> None:
    """Apply the migrations that come before `name`, from a copy of them in `folder`."""
    before = NAMES[: NAMES.index(name)]
    (folder / "models").mkdir(parents=True)
    for file in before:
        shutil.copy(LOCATION / "models" / file, folder / "models" / file)
    async with Command(migration_config(url), app="models", location=str(folder)) as command:
        assert await command.upgrade(run_in_transaction=True) == before


async def test_migration_moves_job_runs_and_copies_idempotency_results(empty: str, tmp_path: Path) -> None:
    migration, job, noon = "12_20261128150000_job_runs.py", "reconciliation", datetime(2026, 11, 21, 12, tzinfo=UTC)
    handled = {"outcome": "HANDLED", "handled_at": NOW}
    failed = {"outcome": "FAILED", "handled_at": NOW, "problem": "an outage"}
    old_key, new_key = (factories.idempotency_key("", batch_id=ids.new_id(ids.BATCH)) for _ in range(2))

    async def write_old_rows() -> None:
        async with open_database(empty):
            old_key["user_id"] = new_key["user_id"] = (await insert("users", factories.user()))["id"]
            await insert("idempotency_keys", {name: old_key[name] for name in old_key if name != "result_id"})
            for hour, source, changes in (
                (0, job, handled | {"data": '{"until": "2026-11-21T12:00:30+00:00", "seen": 1}'}),
                (0, "self-check", handled | {"data": '{"broken": {"M1": 2}, "unknown": []}'}),
                (1, job, failed | {"data": "{}"}),
                (2, job, {"outcome": "RECEIVED", "data": "{}"}),
                (2, "polar", {"outcome": "RECEIVED", "data": "{}"}),
            ):
                event_id = (noon + timedelta(hours=hour)).isoformat()
                await insert("external_events", factories.external_event(source=source, event_id=event_id, **changes))

    async def check_new_rows() -> None:
        async with open_database(empty):
            last, audit = [await hourly_job.last_completed(name) for name in (job, "self-check")]
            assert last
            assert audit
            assert (last.hour, last.result) == (noon, {"until": "2026-11-21T12:00:30+00:00", "seen": 1})
            assert (audit.hour, audit.result) == (noon, {"broken": {"M1": 2}, "unknown": []})
            found = await JobRun.filter(job=job).order_by("hour")
            assert [(run.state, run.problem) for run in found] == [
                ("COMPLETED", None),
                ("FAILED", "an outage"),
                ("RUNNING", None),
            ]
            assert [event.source for event in await ExternalEvent.all()] == ["polar"]
            for hour in range(3):
                assert await hourly_job.claim(job, noon + timedelta(hours=hour, minutes=5)) is None, "claimed before"
            assert await hourly_job.claim(job, noon + timedelta(hours=3))
            # A server of the previous release knows neither `result_id` nor the new table.
            await insert("idempotency_keys", {name: new_key[name] for name in new_key if name != "result_id"})
            await insert("external_events", factories.external_event(source=job, event_id=noon.isoformat()))
            for key in (old_key, new_key):
                user, operation, name, digest = (key[c] for c in ("user_id", "operation", "key", "input_hash"))
                assert await find_result(user, IdempotencyTicket(operation, name, digest)) == key["batch_id"]

    in_new_loop(migrated_before(empty, migration, tmp_path / "before"))
    in_new_loop(write_old_rows())
    assert in_new_loop(migrate(empty)) == NAMES[NAMES.index(migration) :]
    in_new_loop(check_new_rows())


async def test_migration_keeps_bonuses_for_the_sweeper_to_hash(empty: str, tmp_path: Path) -> None:
    migration = next(name for name in NAMES if name.endswith("_signup_bonuses.py"))
    paid, unpaid, deleted = (
        factories.user(deleted_at=NOW if name == "deleted" else None) for name in ("", "", "deleted")
    )

    async def write_old_rows() -> None:
        async with open_database(empty):
            for user in (paid, unpaid, deleted):
                await insert("users", user)
                if user is not unpaid:
                    await insert(
                        "credit_transactions", factories.ledger_line(user["id"], 1, reference=f"signup:{user['id']}")
                    )

    async def recorded() -> list[tuple[str, str | None]]:
        async with open_database(empty):
            return await SignupBonus.all().values_list("user_id", "identity")

    in_new_loop(migrated_before(empty, migration, tmp_path / "before"))
    in_new_loop(write_old_rows())
    assert migration in in_new_loop(migrate(empty))
    assert in_new_loop(recorded()) == [(paid["id"], None)]


async def test_migration_makes_keys_of_addresses_that_are_not_ascii(empty: str, tmp_path: Path) -> None:
    migration = next(name for name in NAMES if name.endswith("_mail_address.py"))
    old = [
        "ada@example.com",
        "o'neil@例子.广告",
        "strasse@example.com",
        "änne@example.com",
        "o'neil@xn--fsqu00a.xn--4rr70v",
    ]
    new = [(email, None) for email in old]
    key = "用户@xn--fsqu00a.xn--4rr70v"

    async def write_old_rows() -> None:
        async with open_database(empty):
            for email in (*old, "用户@例子.广告"):
                user = await insert("users", factories.user(email=email))
                await insert("mail_tokens", factories.mail_token(user["id"], email=email))

    async def check_new_rows() -> None:
        async with open_database(empty):
            found = await User.all().order_by("id").values_list("email", "mail_address")
            assert set(found) == {*new, (key, "用户@例子.广告")}, "the key of o'neil is in use, so the row stays"
            assert await MailToken.filter(email=key).count() == 1

    in_new_loop(migrated_before(empty, migration, tmp_path / "before"))
    in_new_loop(write_old_rows())
    assert migration in in_new_loop(migrate(empty))
    in_new_loop(check_new_rows())


async def test_migration_marks_the_categories_of_styles_and_composes_what_is_searched(
    empty: str, tmp_path: Path
) -> None:
    migration = next(name for name in NAMES if name.endswith("_style_categories.py"))
    collection = factories.collection()
    whole, plain, deleted = (
        factories.style(collection["id"], search_text=text, category=category)
        for text, category in (
            ("\nheroes\ncafe\u0301\nheroes\n夜  景\n", '{"en": "Heroes", "fr": "Cafe\\u0301", "zh": "夜 景"}'),
            ("\nrain\n", None),
            ("", None),
        )
    )

    async def write_old_rows() -> None:
        async with open_database(empty):
            await insert("collections", collection)
            for style in (whole, plain, deleted):
                await insert("styles", style)

    async def check_new_rows() -> None:
        async with open_database(empty):
            found = {style.id: style.search_text for style in await Style.all()}
            assert found[whole["id"]] == "\nheroes\ncafé\nheroes\n夜  景\n\theroes\n\tcafé\n\t夜 景\n"
            assert (found[plain["id"]], found[deleted["id"]]) == ("\nrain\n", "")

    in_new_loop(migrated_before(empty, migration, tmp_path / "before"))
    in_new_loop(write_old_rows())
    assert migration in in_new_loop(migrate(empty))
    in_new_loop(check_new_rows())


async def test_migration_gives_albums_their_places(empty: str, tmp_path: Path) -> None:
    migration = next(name for name in NAMES if name.endswith("_merged_guests.py"))
    old = {"ada": [("a", 3), ("b", 0), ("c", 3)], "eve": [("a", 0), ("b", 1)]}

    async def write_old_rows() -> None:
        async with open_database(empty):
            for name, albums in old.items():
                user = await insert("users", factories.user(email=f"{name}@example.com"))
                for album, position in albums:
                    sql = (
                        "INSERT INTO albums (id, user_id, name, name_key, position, size, created_at, updated_at)"
                        " VALUES ($1, $2, $3, $3, $4, 0, NOW(), NOW()) RETURNING id"
                    )
                    await rows(sql, f"alb_{name}_{album}", user["id"], album, position)

    async def places() -> list[tuple[str, int]]:
        async with open_database(empty):
            return await Album.all().order_by("id").values_list("id", "position")

    in_new_loop(migrated_before(empty, migration, tmp_path / "before"))
    in_new_loop(write_old_rows())
    assert migration in in_new_loop(migrate(empty))
    assert in_new_loop(places()) == [
        ("alb_ada_a", 1), ("alb_ada_b", 0), ("alb_ada_c", 2), ("alb_eve_a", 0), ("alb_eve_b", 1),
    ]  # fmt: skip


async def generated(url: str) -> None:
    """Create the tables from the models alone."""
    async with TortoiseContext() as context:
        await context.init(migration_config(url))
        await Tortoise.generate_schemas(safe=False)


@pytest.mark.parametrize("kind", KINDS)
async def test_migrated_tables_equal_those_generated_from_the_models(
    kind: str, empty_database: Callable[[str], str]
) -> None:
    migrated, made = empty_database(kind), empty_database(kind)
    in_new_loop(migrate(migrated))
    in_new_loop(generated(made))
    (tables, indexes), (expected_tables, expected_indexes) = (
        in_new_loop(described(migrated)),
        in_new_loop(described(made)),
    )
    assert len(tables) >= 8
    assert tables == expected_tables
    assert expected_indexes - indexes == set(), "a migration lacks an index or a unique constraint"
