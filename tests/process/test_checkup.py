"""`main.py check`, where no other process is needed to see what it says."""

import pytest

from health_check import check
from settings import Settings

pytestmark = pytest.mark.any_database


async def said(settings: Settings, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The code it ends with, and its line about payments."""
    code = await check(settings)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line[6:].startswith("payments")]
    return code, line


async def test_whatever_is_sold_needs_a_product_at_the_till(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await said(settings, capsys) == (0, "ok    payments   a page of our own that takes no money")
    some = ("credits-50=p1", "credits-200=p2", "credit-500=p3", "pro=p5")  # one of them misspelt
    at_polar = settings.model_copy(
        update={"profile": "scenes", "polar_access_token": "polar_oat_1", "polar_products": some}
    )
    code, line = await said(at_polar, capsys)
    assert (code, line[:4]) == (1, "FAIL")
    assert line.endswith(": POLAR_PRODUCTS names no product for credits-500, basic")
    named = {"polar_products": (*some, "credits-500=p4", "basic=p6")}
    assert (await said(at_polar.model_copy(update=named), capsys))[0] == 0
