"""The address of the documentation site before it is built."""

from pathlib import Path

import pytest

from settings import Settings
from tests.conftest import running


@pytest.mark.any_database
async def test_site_that_is_not_built_says_how(settings: Settings, tmp_path: Path) -> None:
    async with running(settings, idle=True, documentation_files=tmp_path / "none") as server:
        for path in ("/docs/", "/docs/api/"):
            response = await server.api.http.get(path, headers={"accept": "text/html"})
            assert response.status_code == 404
            assert "make docs" in response.text
