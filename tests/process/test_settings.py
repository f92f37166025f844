"""Settings: invalid ones stop the start with one line per problem, and the secret key is generated once."""

import asyncio
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from health_check import storage_summary
from setting_types import Access, Environment, Provider
from settings import ROOT, Settings, SettingsError, load_settings

KEY = "sk-or-v1-0123456789abcdef0123456789abcdef"
TOKEN = "hf_AbCdEfGhIjKlMnOpQrStUvWxYz01234567"
SECRET = "0123456789abcdef0123456789abcdef"

# One invalid variable each, which the only problem must name.
INVALID: list[tuple[str, str]] = [
    *(("PORT", value) for value in ("eighty", "-1", "65536")),
    ("PUBLIC_URL", "darkroom.example.com"),
    ("PUBLIC_URL", "ftp://darkroom.example.com"),
    ("PUBLIC_URL", "https://"),
    ("PUBLIC_URL", "https://darkroom.example.com:port"),
    ("DATA_DIR", __file__),
    ("SIGNUP_VERIFICATION", "yes"),
    ("SMTP_URL", "mail.example.com"),
    ("SMTP_URL", "https://mail.example.com"),
    ("SMTP_URL", "smtp://ada:hush@mail.example.com:port"),
    ("POLAR_BASE_URL", "polar.sh"),
    ("POLAR_WEBHOOK_SECRET", "short"),
    *(
        ("WEBHOOK_URLS", value)
        for value in ("hooks.example.com", "https://a:b@example.com/", "https://a.b/,https://a.b/")
    ),
    *(("WEBHOOK_SECRET", value) for value in ("short", "whsec_c2hvcnQ=", "whsec_" + "A" * 32 + "!")),
    *((f"WEBHOOK_{name}_SECONDS", "0") for name in ("RETRY", "GIVE_UP")),
    ("OPENROUTER_WEBHOOK_SECRET", "short"),
    ("POLAR_PRODUCTS", "credits-50"),
    ("POLAR_PRODUCTS", "credits-50=one,credits-50=two"),
    ("POLAR_PRODUCTS", "credits-50=one,credits-200=one"),
    *(("MAIL_FROM", value) for value in ("Darkroom", "@")),
    ("MAIL_FROM", "Darkroom <hello@example.com>\nBcc: eve@example.com"),
    ("APP_URL", "app.example.com"),
    ("MODERATION_URL", "api.example.com"),
    ("MODERATION_OUTAGE", "ajar"),
    ("MODERATION_SECONDS", "0"),
    ("SECRET_KEY", "short"),
    ("ENVIRONMENT", "staging"),
    ("DATABASE_URL", "mysql://user@host/name"),
    ("DATABASE_URL", "darkroom.sqlite3"),
    ("DATABASE_URL", "sqlite://:memory:"),
    ("DATABASE_URL", "sqlite://"),
    ("DATABASE_URL", "postgresql://user:hush@host:port/name"),
    ("REDIS_URL", "localhost:6379"),
    ("REDIS_URL", "redis://host:port"),
    ("PROFILE", "nothing-there"),
    ("PROFILE", "../../etc/passwd"),
    *(("SIGNUP_CREDITS", value) for value in ("-1", "1000001", "many")),
    *(("SESSION_DAYS", value) for value in ("0", "366")),
    *(("SESSION_MAX_DAYS", "0"), ("SESSION_PLACE", "moon")),
    ("ADMIN_SECOND_FACTOR", "sometimes"),
    *(("DEMO_MODE", "perhaps"), ("OIDC_ISSUERS", '["https://id.example.com"]')),
    ("IMAGE_PROVIDER", "midjourney"),
    ("OPENROUTER_BASE_URL", "openrouter.ai"),
    ("HUGGINGFACE_BASE_URL", "router.huggingface.co"),
    ("HUGGINGFACE_HUB_URL", "huggingface.co"),
    ("HUGGINGFACE_CALLS_PER_HOUR", "-1"),
    ("FALLBACK_MODELS", "demo:a,demo:b,demo:c,demo:d,demo:e"),
    ("PROVIDER_MAX_CALLS", "0"),
    *((f"CIRCUIT_{name}", "0") for name in ("FAILURE_SHARE", "WINDOW_SECONDS", "MIN_CALLS", "OPEN_SECONDS")),
    ("PROVIDER_IMAGE_HOSTS", "https://images.example.com"),
    ("PROVIDER_IMAGE_HOSTS", "images.example.com,in valid"),
    ("PROVIDER_IMAGE_HOSTS", "images.example.com:8080"),
    ("DEMO_SECONDS", "-1"),
    ("DEMO_SECONDS", "61"),
    ("GENERATION_DEADLINE_SECONDS", "0"),
    ("GENERATION_DEADLINE_SECONDS", "inf"),
    ("GENERATION_DEADLINE_SECONDS", "nan"),
    ("VIDEO_DEADLINE_SECONDS", "0"),
    ("VIDEO_POLL_SECONDS", "0"),
    ("GENERATION_LEASE_SECONDS", "0"),
    ("GENERATION_SWEEP_SECONDS", "-5"),
    ("FILE_ORPHAN_SECONDS", "0"),
    ("DATABASE_POOL_SIZE", "0"),
    ("DATABASE_GROUP_SIZE", "0"),
    ("DATABASE_REPLICA_URL", "sqlite:///srv/darkroom.sqlite3"),
    ("DATABASE_REPLICA_URL", "postgresql://user@host:port/name"),
    ("PNG_RESULTS", "jpeg"),
    ("GENERATION_USER_CONCURRENCY", "0"),
    ("STOP_GRACE_SECONDS", "-1"),
    ("STORAGE_PATIENCE_SECONDS", "-1"),
    ("WORKER_CONCURRENCY", "0"),
    ("WORKER_CONCURRENCY", "257"),
    ("IMAGE_PROCESSES", "0"),
    ("IMAGE_MAX_MEGAPIXELS", "0"),
    ("VIDEO_MAX_MIB", "101"),
    ("VIDEO_MAX_SECONDS", "0"),
    ("UPLOAD_MAX_BYTES", "1023"),
    *(("UPLOAD_FORMATS", value) for value in ("GIF", "JPEG,SVG", ",")),
    *(
        (f"{name}_DAYS", "-1")
        for name in ("IDEMPOTENCY_KEY", "JOB_RUN", "EXPIRED_SESSION", "WEBHOOK", "PARKED_EVENT", "WEBHOOK_DELIVERY")
    ),
    ("DATA_EXPORT_SECONDS", "3600"),
    ("UPLOAD_SECONDS", "1"),
    ("UPLOAD_SECONDS", "1000000000000"),  # ends after the last representable date
    ("FILE_URL_SECONDS", "1000000000000"),
    ("FILE_URL_SECONDS", "59"),
    *(("S3_BUCKET", value) for value in ("Pictures", "no", "pictures/of/us")),
    ("S3_ENDPOINT_URL", "minio:9000"),
    ("S3_ENDPOINT_URL", "http://minio:port"),
    ("S3_ENDPOINT_URL", "http://admin:hush@minio:9000"),
    ("S3_PUBLIC_URL", "https://pictures.example.com/?of=us"),
    ("S3_REGION", "the moon"),
    ("S3_UPLOAD_METHOD", "patch"),
    ("S3_PREFIX", "../everything"),
    ("S3_PREFIX", "/darkroom"),
    ("CORS_ORIGINS", "app.example.com"),
    ("CORS_ORIGINS", "https://app.example.com,https://app.example.com/path"),
    ("CORS_ORIGINS", "https://app.example.com:99999"),
    ("GRAPHIQL", "yes"),
    ("STUDIO", "yes"),
    ("INTROSPECTION", "1"),
    ("SUBSCRIPTION_REREAD_SECONDS", "0"),
    ("RATE_LIMITS", "never"),
    ("COMPILED_OPERATIONS", "fast"),
    ("JSON_FAST_PATH", "never"),
    ("KEPT_ANSWERS_MIB", "-1"),
    ("PERSISTED_OPERATIONS_MIB", "-1"),
    ("TRUSTED_DOCUMENTS", "always"),
    ("TRUSTED_DOCUMENTS_FILES", "missing.json"),
    ("RATE_LIMIT_GENERATIONS_PER_MINUTE", "-1"),
    ("UNUSED_PHOTO_SECONDS", "0"),
    ("RATE_LIMIT_REFUSED_PICTURES", "-1"),
    ("MAX_SOCKETS_PER_CLIENT", "-1"),
    ("ADMIN_EMAILS", "ada@example.com,bob"),
    ("MAX_CONNECTIONS", "15"),
    ("MAX_CONNECTIONS_PER_CLIENT", "0"),
    ("KEEP_ALIVE_SECONDS", "0"),
    ("TRUSTED_PROXIES", "proxy.example.com"),
    ("TRUSTED_PROXIES", "10.0.0.0/8,10.0.0.1/8"),
    ("METRICS_TOKEN", "short"),
    ("WORKER_METRICS_PORT", "0"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
    *(("SENTRY_DSN", f"{address}sentry.example.com/1") for address in ("key@", "https://")),
    ("LOG_FORMAT", "xml"),
    ("PNG_RESULTS", "gif"),
    ("LOG_LEVEL", "loud"),
    *((name, "0") for name in ("ARCHIVE_MAX_PICTURES", "ARCHIVE_MAX_MIB", "ORDER_SECONDS")),
    *((name, "-1") for name in ("RESULT_MAILS_PER_HOUR", "RESULT_MAIL_SECONDS", "SOCKET_MAX_SECONDS")),
]

PLACEHOLDERS = [
    "your-key", "sk-or-v1-...", "changeme", "<your key here>", "sk-or-v1-xxxxxxxxxxxxxxxx", "TODO", "key", "  ",
]  # fmt: skip


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without a .env."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def problems(monkeypatch: pytest.MonkeyPatch, **variables: str) -> list[str]:
    """Return the problems that stop the start with these variables."""
    with monkeypatch.context() as environment:
        for name, value in variables.items():
            environment.setenv(name, value)
        try:
            load_settings()
        except SettingsError as error:
            return error.problems
    return []


def production(**changes: Any) -> dict[str, Any]:
    return {"environment": "production", "secret_key": SECRET, "openrouter_api_key": KEY, **changes}


@pytest.mark.parametrize(("name", "value"), INVALID)
def test_invalid_setting_is_reported_in_one_line_with_its_name(
    here: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    (line,) = problems(monkeypatch, **{name: value})
    assert line.startswith(f"{name}: ")
    assert "\n" not in line
    assert "hush" not in line, "passwords are not printed"


def test_every_setting_with_invalid_values_is_in_the_table() -> None:
    unchecked = {"HOST", "OPENROUTER_API_KEY", "HUGGINGFACE_API_KEY", "OPENROUTER_MODEL", "OPENROUTER_TEXT_MODEL"}
    unchecked |= {"MODERATION_MODEL", "MODERATION_API_KEY"}
    unchecked |= {"POLAR_ACCESS_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    assert {name for name, _ in INVALID} | unchecked == {name.upper() for name in Settings.model_fields}


def test_all_invalid_settings_are_reported_at_once(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = problems(monkeypatch, PORT="eighty", ENVIRONMENT="staging", SESSION_DAYS="0")
    assert [line.partition(":")[0] for line in lines] == ["PORT", "ENVIRONMENT", "SESSION_DAYS"]


def test_development_needs_no_settings(here: Path) -> None:
    settings = load_settings()
    assert settings.provider is Provider.DEMO
    assert settings.database == f"sqlite://{here}/data/darkroom.sqlite3"
    assert settings.address == "http://127.0.0.1:8000"
    assert settings.redis_url is None
    assert (settings.graphiql_access, settings.introspection_access) == (Access.ON, Access.ON)
    assert settings.logs_json is False


def test_environment_takes_precedence_over_the_env_file(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / ".env").write_text("PORT=8001\nSESSION_DAYS=3\nCORS_ORIGINS=https://a.example, https://b.example:8443,\n")
    monkeypatch.setenv("PORT", "8002")
    settings = load_settings()
    assert (settings.port, settings.session_days) == (8002, 3)
    assert settings.cors_origins == ("https://a.example", "https://b.example:8443")


def test_empty_variable_counts_as_unset(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(name.upper(), "")
    assert load_settings() == Settings(_env_file=None)


def test_trailing_slash_of_a_url_is_removed(here: Path) -> None:
    settings = load_settings(public_url="https://pictures.example.com/", openrouter_base_url="https://or.example/api/")
    assert (settings.address, settings.openrouter_base_url) == (
        "https://pictures.example.com",
        "https://or.example/api",
    )


@pytest.mark.parametrize("key", PLACEHOLDERS)
def test_placeholder_key_counts_as_unset(here: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    settings = load_settings(openrouter_api_key=key)
    assert (settings.has_openrouter_key, settings.provider) == (False, Provider.DEMO)
    for more in ({"IMAGE_PROVIDER": "openrouter"}, {"ENVIRONMENT": "production", "SECRET_KEY": SECRET}):
        (line,) = problems(monkeypatch, OPENROUTER_API_KEY=key, **more)
        assert line.startswith("OPENROUTER_API_KEY ")


def test_real_key_selects_openrouter_unless_the_demo_provider_is_set(here: Path) -> None:
    assert load_settings(openrouter_api_key=KEY).provider is Provider.OPENROUTER
    assert load_settings(openrouter_api_key=KEY, image_provider="demo").provider is Provider.DEMO


def test_hugging_face_token_alone_selects_hugging_face(here: Path) -> None:
    assert load_settings(huggingface_api_key=TOKEN).provider is Provider.HUGGINGFACE
    assert load_settings(**production(openrouter_api_key=None, huggingface_api_key=TOKEN)).has_provider_key
    both = {"openrouter_api_key": KEY, "huggingface_api_key": TOKEN}
    assert load_settings(**both).provider is Provider.OPENROUTER
    for chosen in Provider:
        assert load_settings(**both, image_provider=chosen).provider is chosen


@pytest.mark.parametrize("token", ["hf_your_token_here", "hf_...", "hf_" + "x" * 34, *PLACEHOLDERS])
def test_placeholder_token_counts_as_unset(here: Path, monkeypatch: pytest.MonkeyPatch, token: str) -> None:
    settings = load_settings(huggingface_api_key=token)
    assert (settings.has_huggingface_key, settings.provider) == (False, Provider.DEMO)
    (line,) = problems(monkeypatch, HUGGINGFACE_API_KEY=token, IMAGE_PROVIDER="huggingface")
    assert line == "HUGGINGFACE_API_KEY is required when IMAGE_PROVIDER is huggingface"


def test_random_token_with_the_word_of_a_placeholder_is_used(here: Path) -> None:
    assert load_settings(huggingface_api_key="hf_AbTodoXxxEfGhIjKlMnOpQrStUvWxYz0123").has_huggingface_key


def test_key_of_another_service_is_no_hugging_face_token(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = problems(monkeypatch, HUGGINGFACE_API_KEY=KEY)
    assert line == "HUGGINGFACE_API_KEY must be an access token, which starts with hf_"


@pytest.mark.parametrize(
    ("variables", "name"),
    [
        ({"S3_ENDPOINT_URL": "http://minio:9000"}, "S3_ENDPOINT_URL"),
        ({"S3_PUBLIC_URL": "http://localhost:9000"}, "S3_PUBLIC_URL"),
        ({"S3_BUCKET": "pictures", "AWS_ACCESS_KEY_ID": "AKIA"}, "AWS_ACCESS_KEY_ID"),
        ({"S3_BUCKET": "pictures", "AWS_SECRET_ACCESS_KEY": "hush"}, "AWS_ACCESS_KEY_ID"),
        ({"S3_BUCKET": "pictures", "AWS_SESSION_TOKEN": "hush"}, "AWS_SESSION_TOKEN"),
        ({"S3_BUCKET": "pictures", "FILE_URL_SECONDS": "604801"}, "FILE_URL_SECONDS"),
    ],
)
def test_incomplete_s3_settings_are_reported_in_one_line(
    here: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], name: str
) -> None:
    (line,) = problems(monkeypatch, **variables)
    assert line.startswith(f"{name} ")
    assert "hush" not in line


def test_s3_works_with_an_instance_role_and_with_an_access_key(here: Path) -> None:
    role = load_settings(s3_bucket="pictures")
    assert storage_summary(role) == "s3://pictures/darkroom in us-east-1"
    explicit = load_settings(
        s3_bucket="pictures",
        s3_endpoint_url="http://minio:9000/",
        s3_public_url="https://pictures.example.com",
        aws_access_key_id="AKIA",
        aws_secret_access_key="hush",
        aws_session_token="temporary",
        file_url_seconds=604_800,
    )
    assert storage_summary(explicit) == "s3://pictures/darkroom at http://minio:9000"


def test_production_generates_no_secret(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = problems(monkeypatch, ENVIRONMENT="production")
    assert [line.partition(" ")[0].partition("=")[0] for line in lines] == [
        "SECRET_KEY",
        "OPENROUTER_API_KEY",
    ]
    assert not (here / "data").exists()


def test_production_restricts_tools_to_admins_unless_configured(here: Path) -> None:
    settings = load_settings(**production())
    assert settings.environment is Environment.PRODUCTION
    assert (settings.graphiql_access, settings.introspection_access) == (Access.ADMINS, Access.ADMINS)
    assert settings.logs_json is True
    assert load_settings(**production(graphiql="off")).introspection_access is Access.OFF
    open_to_all = load_settings(**production(introspection="on", log_format="console", image_provider="demo"))
    assert (open_to_all.introspection_access, open_to_all.logs_json, open_to_all.provider) == (
        Access.ON,
        False,
        Provider.DEMO,
    )


def test_configured_secret_is_used_and_not_written(here: Path) -> None:
    assert load_settings(secret_key=SECRET).secret() == SECRET
    assert list(here.iterdir()) == []


def test_generated_secret_is_stable_and_readable_by_its_owner_only(here: Path) -> None:
    secret = load_settings(data_dir=here / "deep" / "data").secret()
    assert len(secret) >= 64
    assert load_settings(data_dir=here / "deep" / "data").secret() == secret
    assert load_settings(data_dir=here / "other").secret() != secret
    (file,) = (here / "deep" / "data").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


GENERATE = """
import sys
from pathlib import Path
from settings import load_settings
settings = load_settings(_env_file=None, data_dir=Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(settings.secret())
"""


async def test_processes_that_start_concurrently_agree_on_the_secret(here: Path) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", GENERATE, str(here / "data"),
            cwd=ROOT, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )
        for _ in range(4)
    ]  # fmt: skip
    for process in processes:
        assert process.stdout
        assert await process.stdout.readline() == b"ready\n"
    secrets = {out for out, _ in await asyncio.gather(*(process.communicate(b"go\n") for process in processes))}
    assert secrets == {((here / "data" / "secret-key").read_text() + "\n").encode()}
    assert [path.name for path in (here / "data").iterdir()] == ["secret-key"]


def test_invalid_fields_and_missing_settings_are_reported_together() -> None:
    with pytest.raises(SettingsError) as raised:
        load_settings(_env_file=None, environment="production", port="eighty")
    names = [line.split(":")[0].split(" ")[0] for line in raised.value.problems]
    assert names == ["PORT", "SECRET_KEY", "OPENROUTER_API_KEY"]


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://localhost:8000"),  # noqa: S104 - nothing is bound here
        ("::", "http://localhost:8000"),
        ("::1", "http://[::1]:8000"),
    ],
)
def test_default_address_is_reachable_from_this_machine(host: str, address: str) -> None:
    assert load_settings(_env_file=None, host=host).address == address


@pytest.mark.parametrize("url", [None, "sqlite:///srv/darkroom.sqlite3"])
def test_replica_without_postgresql_is_refused(url: str | None) -> None:
    replica = "postgresql://user@host/name"
    with pytest.raises(SettingsError, match="DATABASE_REPLICA_URL requires a DATABASE_URL of PostgreSQL"):
        load_settings(_env_file=None, database_url=url, database_replica_url=replica)
    assert load_settings(_env_file=None, database_url=replica, database_replica_url=replica).database == replica
