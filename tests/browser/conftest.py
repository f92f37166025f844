"""A browser for the tests of one file, and the switch for pictures of the documentation."""

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

from tests.support.graphiql_page import GraphiqlPage, open_browser
from tests.support.studio_page import StudioPage

if TYPE_CHECKING:
    from playwright.async_api import Browser


@pytest.fixture(scope="module")
async def chromium() -> AsyncIterator["Browser"]:
    async with open_browser() as found:
        yield found


@pytest.fixture(scope="module", autouse=True)
def takes_pictures(pytestconfig: pytest.Config) -> bool:
    """Return whether pictures are taken, which --pictures says."""
    is_on = bool(pytestconfig.getoption("--pictures"))
    StudioPage.takes_pictures = GraphiqlPage.takes_pictures = is_on
    return is_on
