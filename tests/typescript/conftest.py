"""The client package, built once for all tests of this folder."""

from pathlib import Path

import pytest

from tests.support.typescript import copy_example, npm_succeeds


@pytest.fixture(scope="session")
async def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package with its generated types, as it would be published."""
    copy = copy_example(tmp_path_factory.mktemp("typescript"))
    await npm_succeeds(copy, "build")
    return copy
