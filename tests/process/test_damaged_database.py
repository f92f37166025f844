"""Commands whose SQLite file cannot be used: one line with the reason, and an exit code."""

import asyncio
import contextlib
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from models.database.migrate import all_migrations, migrate
from settings import ROOT
from tests.operations.test_backup_failures import damage
from tests.process.conftest import Commands
from tests.support.client import PATIENCE
from tests.support.server_process import free_port

COMMANDS = [
    ("serve",), ("worker",), ("migrate",), ("seed",), ("make-admin", "demo@example.com"), ("verify",),
    ("replay", "--failed"), ("queue", "failed"), ("backup", "copy"),
]  # fmt: skip


def make_unusable(file: Path, kind: str) -> str:
    """Make a file that is no database; return what SQLite says about it."""
    file.parent.mkdir()
    if kind == "folder":
        file.mkdir()
        return "OperationalError: unable to open database file"
    file.write_bytes(os.urandom(5000))
    return "DatabaseError: file is not a database"


@pytest.mark.parametrize("kind", ["folder", "random bytes"])
async def test_file_that_is_no_database_ends_every_command_with_one_line(main: Commands, kind: str) -> None:
    problem = make_unusable(main.folder / "data" / "darkroom.sqlite3", kind)
    for ended in await asyncio.gather(*(main.run(*command, PORT=str(free_port())) for command in COMMANDS)):
        assert (ended.code, ended.out) == (1, "")
        assert ended.err == f"DATA_DIR: the database cannot be opened: {problem}\n"
    orphans, check = await main.run("orphans"), await main.run("check")
    assert (orphans.code, len(orphans.err.splitlines()), problem in orphans.err) == (1, 1, True), orphans.err
    assert (check.code, check.err) == (1, "")
    (line,) = [line for line in check.out.splitlines() if line.startswith("FAIL")]
    assert problem in line


@pytest.mark.parametrize("kind", ["folder", "random bytes"])
async def test_process_that_applies_migrations_ends_with_the_reason(tmp_path: Path, kind: str) -> None:
    """As if the file had been damaged after the start has looked at it."""
    problem = make_unusable(tmp_path / "data" / "darkroom.sqlite3", kind)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "models.database.upgrade"),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    given = {"url": f"sqlite://{tmp_path}/data/darkroom.sqlite3", "only": None}
    try:
        async with asyncio.timeout(PATIENCE):
            out, _ = await process.communicate(json.dumps(given).encode())
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    assert (process.returncode, json.loads(out)) == (0, {"unreachable": problem})


async def test_database_with_a_damaged_table_ends_a_start_with_one_line(main: Commands, templates: Path) -> None:
    file = main.folder / "test.sqlite3"
    shutil.copy(templates, file)
    damage(file)
    for command in ("serve", "worker", "seed", "verify"):
        ended = await main.run(command, DATABASE_URL=f"sqlite://{file}", PORT=str(free_port()))
        problem = "DATABASE_URL: the database cannot be used: DatabaseError: database disk image is malformed"
        assert (ended.code, ended.err.splitlines()[-1]) == (1, problem)


async def test_backup_of_another_release_names_the_newest_migration(main: Commands, tmp_path: Path) -> None:
    url, names = f"sqlite://{tmp_path}/old.sqlite3", all_migrations()
    await migrate(url, only=names[:9])
    ended = await main.run("backup", "copy", DATABASE_URL=url)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err == f"backup: the database has not {names[-1]}: use the release that runs on it.\n"
