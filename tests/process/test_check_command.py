"""The lines of `main.py check`, without starting a process."""

import pytest

from health_check import check, connections_line
from setting_types import Switch, UploadMethod
from settings import Settings
from tests.media.test_upload_method import at_store
from tests.support.fakes.signed_store import signed_store

pytestmark = pytest.mark.any_database


async def run_check(settings: Settings, capsys: pytest.CaptureFixture[str], part: str = "payments") -> tuple[int, str]:
    """Return the exit code, and the line about a part."""
    code = await check(settings)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line[6:].startswith(part)]
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


async def test_check_tries_uploads_and_names_the_setting_that_works(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run_check(settings, capsys, "uploads") == (0, "ok    uploads    post")
    async with signed_store() as store:
        code, line = await run_check(at_store(settings, store), capsys, "uploads")
        problem = "the store does not take it (HTTP 501), set S3_UPLOAD_METHOD=put"
        assert (code, line) == (1, f"FAIL  uploads    post: {problem}")
        mended = at_store(settings, store, UploadMethod.PUT)
        assert await run_check(mended, capsys, "uploads") == (0, "ok    uploads    put")
        wrong = mended.model_copy(update={"aws_secret_access_key": "another"})
        code, line = await run_check(wrong, capsys, "uploads")
        assert (code, line) == (1, "FAIL  uploads    put: the store takes no uploads: put: HTTP 403, post: HTTP 501")
        assert store.objects == {}
    async with signed_store(has_forms=True) as store:
        assert await run_check(at_store(settings, store), capsys, "uploads") == (0, "ok    uploads    post")
        assert store.objects == {}


@pytest.mark.parametrize(
    ("endpoint", "chosen", "method"),
    [
        (None, None, "post"),
        ("https://0123456789abcdef.r2.cloudflarestorage.com", None, "put"),
        ("https://0123456789abcdef.eu.r2.cloudflarestorage.com", None, "put"),
        ("https://r2.cloudflarestorage.com.example.org", None, "post"),
        ("https://0123456789abcdef.r2.cloudflarestorage.com", UploadMethod.POST, "post"),
        (None, UploadMethod.PUT, "put"),
    ],
)
def test_upload_method_is_the_setting_or_what_the_store_is_known_to_take(
    settings: Settings, endpoint: str | None, chosen: UploadMethod | None, method: str
) -> None:
    update = {"s3_endpoint_url": endpoint, "s3_upload_method": chosen}
    assert settings.model_copy(update=update).upload_method == method
