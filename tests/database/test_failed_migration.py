"""A migration that fails: one line with its name, and what to do about it is in docs/operating.md."""

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from models.database.connection import open_database, rows
from models.database.migrate import MigrationError, all_migrations, applied_migrations, migrate
from settings import ROOT

(NAME,) = (name for name in all_migrations() if name.endswith("_loading_models.py"))  # it adds `is_loading`
BEFORE = all_migrations()[: all_migrations().index(NAME)]


@pytest.fixture(params=["sqlite", "postgres"])
async def broken(request: pytest.FixtureRequest, empty_database: Callable[[str], str]) -> str:
    """A database to which a migration cannot be applied: it adds a column that is there already."""
    url = empty_database(request.param)
    await migrate(url, only=BEFORE)
    async with open_database(url):
        await rows("ALTER TABLE generations ADD COLUMN is_loading INT")
    return url


async def test_failed_migration_is_named_in_one_line_and_not_recorded(broken: str, tmp_path: Path) -> None:
    with pytest.raises(MigrationError) as found:
        await migrate(broken)
    message = str(found.value)
    assert message.startswith(f"migration {NAME} failed: ")
    assert "is_loading" in message
    assert "\n" not in message
    assert NAME not in await applied_migrations(broken)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(ROOT / "main.py"), "migrate"),
        cwd=tmp_path,
        env={"PATH": os.defpath, "DATABASE_URL": broken},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()
    assert (process.returncode, out.decode()) == (1, "")
    assert error.decode().splitlines() == [f"The database was not migrated: {message}."]
