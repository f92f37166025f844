"""Whether the process lives and whether it can do its work."""

from collections.abc import Callable
from pathlib import Path

import pytest

from client import Api
from conftest import Running, quick_settings, running


async def test_a_server_that_can_work_says_so_without_a_sign_in(api: Api) -> None:
    live, ready = await api.http.get("/health/live"), await api.http.get("/health/ready")
    assert (live.status_code, live.json()) == (200, {"status": "ok"})
    assert (ready.status_code, ready.json()) == (200, {"status": "ok", "database": "ok", "storage": "ok"})


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
async def test_a_database_without_migrations_lives_but_is_not_ready(
    kind: str, empty_database: Callable[[str], str], tmp_path: Path
) -> None:
    async with running(quick_settings(empty_database(kind), tmp_path)) as server:
        assert (await server.api.http.get("/health/live")).status_code == 200
        ready = await server.api.http.get("/health/ready")
    assert ready.status_code == 503
    assert ready.json() == {"status": "unavailable", "database": "unavailable", "storage": "ok"}


async def test_a_storage_that_takes_nothing_is_not_ready(server: Running) -> None:
    folder = server.settings.data_dir / "files"
    folder.rename(folder.with_name("files-elsewhere"))
    folder.write_bytes(b"a file where the folder should be")
    ready = await server.api.http.get("/health/ready")
    assert ready.status_code == 503
    assert ready.json() == {"status": "unavailable", "database": "ok", "storage": "unavailable"}
