"""The lines of `main.py check`, without starting a process."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from redis import Redis

from health_check import check, connections_line, settings_lines
from main import main, verify
from models.database.connection import database_time, rows
from models.enum import MediaKind
from provider_adapters import load_product
from secret_files import IN_FILES
from services.integrations.providers.failure_cause import FailureCause
from services.integrations.providers.route_table import RouteTable
from services.operations.provider_pause import Pause
from services.operations.self_check import AuditResult
from services.operations.worker_registry import Worker
from setting_types import ModerationOutage, Provider, Switch, UploadMethod
from settings import Settings, SettingsError
from state_check import audit_line, clock_lines, paused_lines, workers_lines
from tests.conftest import running
from tests.media.test_upload_method import at_store
from tests.support.fakes import openrouter_response as answer
from tests.support.fakes.openrouter import KEY, ScriptedOpenRouter
from tests.support.fakes.openrouter_response import status
from tests.support.fakes.signed_store import signed_store
from tests.support.servers import RedisServer

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
        assert list(store.objects) == ["darkroom/health/probe"]
    async with signed_store(has_forms=True) as store:
        assert await run_check(at_store(settings, store), capsys, "uploads") == (0, "ok    uploads    post")
        assert list(store.objects) == ["darkroom/health/probe"]


async def test_check_fails_if_no_message_arrives_over_redis(
    settings: Settings, redis: RedisServer, capsys: pytest.CaptureFixture[str]
) -> None:
    redis.start()
    address = settings.model_copy(update={"redis_url": redis.url})
    place = redis.url.split("@")[-1]
    assert await run_check(address, capsys, "redis") == (0, f"ok    redis      {place}")
    with Redis.from_url(redis.url) as client:
        client.execute_command("ACL", "SETUSER", "default", "-publish")
        try:
            code, line = await run_check(address, capsys, "redis")
        finally:
            client.execute_command("ACL", "SETUSER", "default", "+publish")
    assert (code, line.startswith(f"FAIL  redis      {place}: "), "NoPermission" in line) == (1, True, True), line


async def test_check_asks_the_provider_about_its_key(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter, capsys: pytest.CaptureFixture[str]
) -> None:
    valid = "ok    provider   openrouter (API key is valid, 74.50 US dollars left)"
    assert await run_check(scripted_settings, capsys, "provider") == (0, valid)
    openrouter.limit_remaining = None
    assert await run_check(scripted_settings, capsys, "provider") == (
        0,
        "ok    provider   openrouter (API key is valid)",
    )
    openrouter.limit_remaining = 0
    empty = "FAIL  provider   openrouter: no credit is left"
    assert await run_check(scripted_settings, capsys, "provider") == (1, empty)
    wrong = scripted_settings.model_copy(update={"openrouter_api_key": KEY.replace("0", "9")})
    refused = "FAIL  provider   openrouter: the key is refused"
    assert await run_check(wrong, capsys, "provider") == (1, refused)
    unreachable = scripted_settings.model_copy(update={"openrouter_base_url": "http://127.0.0.1:9/api/v1"})
    code, line = await run_check(unreachable, capsys, "provider")
    assert (code, line[:47]) == (1, "FAIL  provider   openrouter: cannot be asked: P")
    assert KEY not in line
    assert openrouter.calls == openrouter.text_calls  # the questions about the key cost nothing


async def test_check_shows_what_is_tried_and_when_it_is_left_alone(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await run_check(settings, capsys, "provider") == (0, "ok    provider   demo (no API key needed)")
    only = "the ordered model only; a circuit opens for 30 s if 50% of 10 calls or more in 60 s fail"
    assert await run_check(settings, capsys, "routes") == (0, f"ok    routes     {only}; any number of calls at once")
    more = settings.model_copy(update={"fallback_models": ("demo:demo",), "provider_max_calls": 6})
    _, line = await run_check(more, capsys, "routes")
    assert line.startswith("ok    routes     the ordered model, then demo:demo; ")
    assert line.endswith("; 6 calls at once")


async def test_check_asks_the_text_models(
    scripted_settings: Settings, openrouter: ScriptedOpenRouter, capsys: pytest.CaptureFixture[str]
) -> None:
    off = scripted_settings.model_copy(update={"profile": "scenes"})
    assert await run_check(off, capsys, "moderation") == (0, "none  moderation texts are not checked")
    assert await run_check(off, capsys, "prompts") == (0, "none  prompts    are not enhanced: scenes does not offer it")
    demo = scripted_settings.model_copy(update={"openrouter_api_key": None})
    assert await run_check(demo, capsys, "prompts") == (0, "ok    prompts    enhanced by the demo provider")
    assert openrouter.text_calls == []
    checked = scripted_settings.model_copy(update={"moderation_model": "example/judge"})
    place = f"example/judge at {openrouter.base_url}"
    enhanced = f"enhanced by {scripted_settings.openrouter_text_model}"
    no_credit = status(402, "payment_required")
    for outage, failed in ((ModerationOutage.CLOSED, "FAIL"), (ModerationOutage.OPEN, "low ")):
        tried = checked.model_copy(update={"moderation_outage": outage})
        openrouter.script_texts(answer.message(content='{"rejected": []}'), answer.message(content="A fox."))
        await check(tried)
        lines = capsys.readouterr().out.splitlines()
        assert f"ok    moderation {place}, {outage} during its outage" in lines
        assert f"ok    prompts    {enhanced}" in lines
        openrouter.script_texts(no_credit, no_credit)
        assert await check(tried) == int(failed == "FAIL")
        found = {line[:4]: line for line in capsys.readouterr().out.splitlines() if line[6:16] == "moderation"}
        assert found[failed].startswith(f"{failed}  moderation {place}, {outage} during its outage: PROVIDER_MISCONFIG")
    assert KEY not in str(found)


@pytest.mark.parametrize("profile", ["avenger", "plushify", "plushify-quality", "scenes"])
def test_product_without_a_model_of_the_provider_names_the_key_that_it_needs(settings: Settings, profile: str) -> None:
    key = {"huggingface_api_key": "hf_0123456789"}
    for more, wanted in (
        ({}, "set OPENROUTER_API_KEY"),
        ({"image_provider": Provider.HUGGINGFACE}, "set OPENROUTER_API_KEY and no IMAGE_PROVIDER"),
        ({"image_provider": Provider.HUGGINGFACE, "openrouter_api_key": KEY}, "set IMAGE_PROVIDER=openrouter"),
    ):
        with pytest.raises(SettingsError) as raised:
            load_product(settings.model_copy(update={"profile": profile, **key, **more}))
        assert raised.value.problems == [f"PROFILE: {profile} has no model of huggingface: {wanted}"]


@pytest.mark.parametrize("command", ["serve", "worker", "check"])
def test_no_command_starts_with_a_misspelt_fallback_model(
    command: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right, wrong = "google/gemini-2.5-flash-image", ("google/gemini-2.5-flash", "black-forest-labs/FLUX.1-schnell")
    monkeypatch.setenv("OPENROUTER_API_KEY", KEY)
    monkeypatch.setenv("FALLBACK_MODELS", ",".join(f"openrouter:{one}" for one in (right, *wrong)))
    monkeypatch.setattr("sys.argv", ["main.py", command])
    assert main() == 2
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" is in no catalogue file. There are: ")[0] for line in lines] == [
        f"FALLBACK_MODELS: openrouter:{one}" for one in wrong
    ]
    assert all(f"openrouter:{right}" in line and "huggingface:" not in line for line in lines)


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


def test_check_warns_of_misspelt_settings_and_of_settings_that_contradict_each_other(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings_lines(settings)[1:] == []
    for name in IN_FILES:
        monkeypatch.setenv(f"{name.upper()}_FILE", "/run/secrets/one")
    assert settings_lines(settings)[1:] == []
    monkeypatch.setenv("POLAR_WEBHOOK_SECRETS_FILE", "/run/secrets/one")
    monkeypatch.setenv("SUBSCRIPTION_REREAD_SECOND", "5")
    monkeypatch.setenv("DATABASE_URL_OLD", "kept for later")
    (tmp_path / ".env").write_text("# WORKER_CONCURENCY=3\nexport WORKER_CONCURRENY=3\nPORT=8000\n")
    assert settings_lines(settings)[1:] == [
        "low   settings   POLAR_WEBHOOK_SECRETS_FILE is no setting: POLAR_WEBHOOK_SECRET_FILE is meant?",
        "low   settings   SUBSCRIPTION_REREAD_SECOND is no setting: SUBSCRIPTION_REREAD_SECONDS is meant?",
        "low   settings   WORKER_CONCURRENY is no setting: WORKER_CONCURRENCY is meant?",
    ]
    changes = {"generation_sweep_seconds": 90.0, "generation_lease_seconds": 60.0, "socket_max_seconds": 5.0}
    changes |= {"order_seconds": 60.0, "generation_deadline_seconds": 60.0}
    (*_, sweep, age, order) = settings_lines(settings.model_copy(update=changes))
    assert "a dead worker is noticed late" in sweep
    assert "SOCKET_MAX_SECONDS is below 60" in age
    assert "slow orders of /v1 get a timeout" in order


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])  # noqa: S104 - nothing is bound here
def test_check_warns_of_links_that_other_machines_cannot_follow(settings: Settings, host: str) -> None:
    without = settings.model_copy(update={"public_url": None, "port": 8000})
    assert settings_lines(without)[1:] == []
    (line,) = settings_lines(without.model_copy(update={"host": host}))[1:]
    problem = "PUBLIC_URL is not set: for other machines, links to http://localhost:8000 lead nowhere"
    assert line == f"low   settings   {problem}"
    named = settings.model_copy(update={"host": host, "public_url": "http://192.168.1.7:8000"})
    assert settings_lines(named)[1:] == []


def test_check_says_how_many_workers_live_and_since_when(settings: Settings) -> None:
    one, two = Worker("one:1", 4, 2.1, 90.0, 0.4), Worker("two:1", 8, 6.9, 3 * 3600.0, -0.3)
    assert workers_lines(settings, [one, two]) == [
        "ok    workers    2 with 12 slots, live for 90 s to 3 h, all seen in the last 7 s"
    ]
    before = Worker("one:1", 4, 2.1)
    assert workers_lines(settings, [before]) == ["ok    workers    1 with 4 slots, all seen in the last 2 s"]
    cluster = settings.model_copy(update={"redis_url": "redis://localhost"})
    assert workers_lines(cluster, []) == ["low   workers    start one: orders only wait"]


def test_check_names_lost_workers_and_wrong_clocks(settings: Settings) -> None:
    ahead = Worker("one:1", 4, 2.1, 90.0, 600.2)
    _, *problems = workers_lines(settings, [ahead], lost=2)
    assert problems == [
        "low   workers    2 were killed or hang: what they had started is recovered when its lease ends",
        "low   clock      one:1: 600 s ahead of the database's: set it by NTP",
    ]
    assert clock_lines(0.7) == []
    assert clock_lines(-30.0) == ["low   clock      this machine: 30 s behind the database's: set it by NTP"]


def test_check_fails_while_a_provider_is_paused() -> None:
    pause = Pause("openrouter", FailureCause.KEY, datetime.now(UTC), 720.0, 3.0, 4)
    owners = {"a/one": "openrouter", "a/two": "openrouter", "b/other": "huggingface"}
    resume = "`main.py queue resume` calls it at once"
    for fallbacks, waits in (
        (frozenset[str](), "orders of a/one, a/two wait"),
        (frozenset({"huggingface"}), "no order waits for it alone"),
    ):
        tables = {MediaKind.IMAGE: RouteTable("huggingface", owners=owners, fallbacks=fallbacks)}
        (line,) = paused_lines({"openrouter": pause}, tables)
        assert line == f"FAIL  paused     openrouter: the key is refused, for 12 min: {waits}; {resume}"


def test_check_says_what_the_last_audit_found() -> None:
    at = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)
    soon, later = at + timedelta(minutes=12), at + timedelta(hours=4)
    assert audit_line(None, soon).startswith("none  audit      none has finished")
    right = "audit      2026-11-30 03:00 UTC, 12 min ago: 0 findings"
    assert audit_line(AuditResult(at, {}), soon) == f"ok    {right}"
    unknown = audit_line(AuditResult(at, {}, ("B1",)), soon)
    assert unknown == f"low   {right}, but B1 took too long: `main.py verify` has no limit"
    assert audit_line(AuditResult(at, {}), later).endswith("4 h ago: 0 findings, but no audit has finished since")
    late = audit_line(AuditResult(at, {"G2": 7}), soon)
    assert late.endswith("12 min ago: the books are right; late: G2 is violated 7 times")
    broken = audit_line(AuditResult(at, {"G2": 7, "M1": 1}), soon)
    assert broken == (
        "FAIL  audit      2026-11-30 03:00 UTC, 12 min ago: M1 is violated once: `main.py verify` names the rows"
    )


async def test_verify_reports_what_is_only_late_and_fails_for_what_is_wrong(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    async def found() -> tuple[int, set[str]]:
        code = await verify(settings)
        lines = capsys.readouterr().out.splitlines()
        return code, {line[:9].rstrip() for line in lines if not line.startswith("ok ")}

    async with running(settings, idle=True) as server:
        ada = await server.api.sign_up()
        await ada.create(prompt="A red boat")
        await rows("UPDATE generations SET created_at = LATER($1) RETURNING id", -1e6)
    capsys.readouterr()
    assert await found() == (0, {"late  G2"})
    async with running(settings, idle=True):
        await rows("UPDATE users SET credits = credits + 5 WHERE id = $1 RETURNING id", ada.user["id"])
    capsys.readouterr()
    assert await found() == (1, {"late  G2", "FAIL  M1", "FAIL  M6"})


async def test_check_fails_if_a_balance_is_not_the_sum_of_its_ledger(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    _, line = await run_check(settings, capsys, "audit")
    assert line.startswith("none  audit")
    async with running(settings) as server:
        ada = await server.api.sign_up()
        await rows("UPDATE users SET credits = credits + 5 WHERE id = $1 RETURNING id", ada.user["id"])
        await server.services.operations.self_check.check_when_due(await database_time())
        audit = (await server.api.http.get("/health?full=1")).json()["operations"]["audit"]
        assert (audit["findings"], audit["broken"], audit["late"]) == (2, {"M1": 1, "M6": 1}, {})
    code, line = await run_check(settings, capsys, "audit")
    assert (code, line[:16]) == (1, "FAIL  audit     ")
    assert line.endswith(" ago: M1 is violated once, M6 is violated once: `main.py verify` names the rows")
