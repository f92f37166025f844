"""The lines of `main.py check`, without starting a process."""

import pytest

from health_check import check, connections_line
from setting_types import Switch
from settings import Settings

pytestmark = pytest.mark.any_database


async def run_check(settings: Settings, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Return the exit code, and the line about payments."""
    code = await check(settings)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line[6:].startswith("payments")]
    return code, line


async def test_check_fails_if_a_sold_item_has_no_product_at_the_payment_provider(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run_check(settings, capsys) == (0, "ok    payments   development checkout, nothing is charged")
    products = ("credits-50=p1", "credits-200=p2", "credit-500=p3", "pro=p5")  # one is misspelled
    at_polar = settings.model_copy(
        update={"profile": "scenes", "polar_access_token": "polar_oat_1", "polar_products": products}
    )
    code, line = await run_check(at_polar, capsys)
    assert (code, line[:4]) == (1, "FAIL")
    assert line.endswith(": POLAR_PRODUCTS has no product for credits-500, basic")
    complete = {"polar_products": (*products, "credits-500=p4", "basic=p6")}
    assert (await run_check(at_polar.model_copy(update=complete), capsys))[0] == 0


def test_check_reports_how_many_connections_the_file_descriptors_allow(settings: Settings) -> None:
    unlimited = "ok    clients    at most 10000 connections, any number per client; 65536 file descriptors"
    assert connections_line(settings, 65_536) == unlimited
    limited = settings.model_copy(update={"rate_limits": Switch.ON})
    low = "low   clients    at most 384 connections, 256 per client; 1024 file descriptors: MAX_CONNECTIONS=10000 needs"
    assert connections_line(limited, 1024).startswith(low)
