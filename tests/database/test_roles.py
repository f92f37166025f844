"""deploy/postgres/*.sql: one role owns the tables, and what serves has one that changes rows only."""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from commands.backup import execute
from main import parse_arguments, prepare
from models.database.migrate import DatabaseUnreachableError, MigrationError, all_migrations, migrate
from settings import ROOT, Settings
from tests.conftest import quick_settings, running
from tests.support.client import photo
from tests.support.integrity import assert_invariants
from tests.support.servers import PostgresServer
from tools.partition_by_account import partition_sql

pytestmark = [pytest.mark.postgres_only, pytest.mark.timeout(300)]

SHARE = "mutation($id: ID!) { shareGeneration(id: $id) { errors { code } } }"
DELETE = "mutation($ids: [ID!]!) { deleteGenerations(ids: $ids) { errors { code } } }"
LEAVE = """mutation($email: String!) {
  deleteAccount(input: {password: "correct horse", confirmEmail: $email}) { errors { code } } }"""


@dataclass(frozen=True)
class Cluster:
    """A PostgreSQL of its own, with the roles and the database that the files of deploy/postgres make."""

    server: PostgresServer

    def url(self, role: str, database: str = "darkroom") -> str:
        return self.server.url(database).replace("//postgres@", f"//{role}@")

    @asynccontextmanager
    async def connected(self, role: str, database: str = "darkroom") -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(self.url(role, database))
        try:
            yield connection
        finally:
            await connection.close()

    async def run_file(self, name: str, database: str) -> None:
        """Run each statement of a file by itself, as psql does."""
        text = (ROOT / "deploy" / "postgres" / name).read_text(encoding="utf-8")
        async with self.connected("postgres", database) as connection:
            for statement in re.sub(r"--.*", "", text).split(";"):
                if statement.strip():
                    await connection.execute(statement)


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer(own=True)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def cluster(postgres: PostgresServer) -> AsyncIterator[Cluster]:
    cluster = Cluster(postgres)
    await cluster.run_file("1-roles.sql", "postgres")
    await cluster.run_file("2-rights.sql", "darkroom")
    yield cluster
    async with cluster.connected("postgres", "postgres") as connection:
        await connection.execute("DROP DATABASE darkroom WITH (FORCE)")
        await connection.execute("DROP ROLE darkroom")
        await connection.execute("DROP ROLE darkroom_owner")


async def use(settings: Settings, name: str) -> None:
    """Do with a server, a worker and the sweeper what writes to every kind of table."""
    await prepare(settings)
    async with running(settings) as server:
        ada = await server.api.sign_up(f"{name}@example.com")
        style = await ada.style("cute", "plushify")
        (kept,) = (await ada.create(photo(), styleId=style))["generations"]
        (gone,) = (await ada.create(prompt="A red boat"))["generations"]
        assert {end["status"] for end in await ada.wait_for_all([kept["id"], gone["id"]])} == {"COMPLETED"}
        assert (await ada.one(SHARE, id=kept["id"]))["errors"] == []
        assert (await ada.one(DELETE, ids=[gone["id"]]))["errors"] == []
        eve = await server.api.sign_up(f"eve-{name}@example.com")
        assert (await eve.one(LEAVE, email=eve.user["email"]))["errors"] == []
        await server.services.background.sweeper.sweep()
        assert (await server.api.http.get("/health")).json()["status"] == "ok"
        await assert_invariants(server.services)


async def run(settings: Settings, *arguments: str) -> int:
    return await execute(settings, parse_arguments(list(arguments)))


async def test_everything_but_migrations_and_restores_works_with_the_limited_role(
    cluster: Cluster, tmp_path: Path
) -> None:
    limited = quick_settings(cluster.url("darkroom"), tmp_path)
    owner = limited.model_copy(update={"database_url": cluster.url("darkroom_owner")})
    with pytest.raises(MigrationError, match="permission denied for schema public"):
        await migrate(limited.database)
    assert await migrate(owner.database) == all_migrations()
    await use(limited, "first")

    backup = str(tmp_path / "backup")
    assert await run(limited, "backup", backup) == 0
    async with cluster.connected("darkroom_owner") as connection:
        await connection.execute(await partition_sql(connection, 4))
    await use(limited, "partitioned")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with cluster.connected("darkroom") as connection:
            await connection.execute("TRUNCATE users CASCADE")


async def test_a_restore_is_made_by_the_owner_and_then_served_with_the_limited_role(
    cluster: Cluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limited = quick_settings(cluster.url("darkroom"), tmp_path)
    owner = limited.model_copy(update={"database_url": cluster.url("darkroom_owner")})
    await migrate(owner.database)
    await use(limited, "first")
    backup = str(tmp_path / "backup")
    assert await run(limited, "backup", backup) == 0
    files = limited.data_dir / "files"
    files.rename(tmp_path / "lost")
    for refused in (limited, limited.model_copy(update={"database_url": cluster.url("darkroom", "postgres")})):
        capsys.readouterr()
        assert await run(refused, "restore", backup, "--force") == 1
        assert capsys.readouterr().err.startswith("restore: darkroom may not create tables: ")
    assert [path for path in files.rglob("*") if path.is_file()] == [], "nothing was stored"
    assert await run(owner, "restore", backup, "--force") == 0
    await use(limited, "restored")


@pytest.mark.parametrize("table", ["users", "aerich"])
async def test_backup_without_the_right_to_read_a_table_says_so(
    cluster: Cluster, tmp_path: Path, table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    limited = quick_settings(cluster.url("darkroom"), tmp_path)
    await migrate(cluster.url("darkroom_owner"))
    async with cluster.connected("darkroom_owner") as connection:
        await connection.execute(f"REVOKE SELECT ON {table} FROM darkroom")  # noqa: S608 - one of the two above
    if table == "aerich":  # which every command reads first; main prints it
        with pytest.raises(DatabaseUnreachableError, match="permission denied for table aerich"):
            await run(limited, "backup", str(tmp_path / "backup"))
    else:
        assert await run(limited, "backup", str(tmp_path / "backup")) == 1
        problem = "backup: the database cannot be copied: permission denied for table users.\n"
        assert capsys.readouterr().err == problem
    assert not (tmp_path / "backup").exists()


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE mine (id int)",
        "CREATE SCHEMA mine",
        "CREATE TEMP TABLE mine (id int)",
        "DROP TABLE users",
        "ALTER TABLE users ADD COLUMN mine int",
        "ALTER TABLE credit_transactions DISABLE TRIGGER ALL",
        "TRUNCATE credit_transactions",
        "CREATE FUNCTION mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "SET ROLE darkroom_owner",
    ],
)
async def test_limited_role_changes_no_structure(cluster: Cluster, statement: str) -> None:
    await migrate(cluster.url("darkroom_owner"))
    async with cluster.connected("darkroom") as connection:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)


async def test_other_roles_do_not_get_in(cluster: Cluster) -> None:
    async with cluster.connected("postgres", "postgres") as connection:
        await connection.execute("CREATE ROLE other LOGIN")
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with cluster.connected("other"):
                pass
    finally:
        async with cluster.connected("postgres", "postgres") as connection:
            await connection.execute("DROP ROLE other")
