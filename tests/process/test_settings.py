"""Settings: what cannot work stops the start with one line per problem, and the secret key is made once."""

import asyncio
import stat
import sys
from pathlib import Path
from typing import Any

import pytest

from setting_types import Access, Environment, Provider
from settings import ROOT, Settings, SettingsError, load_settings

KEY = "sk-or-v1-0123456789abcdef0123456789abcdef"
SECRET = "0123456789abcdef0123456789abcdef"

# One wrong variable at a time; each must be named by the only problem.
WRONG: list[tuple[str, str]] = [
    ("PORT", "eighty"),
    ("PORT", "-1"),
    ("PORT", "65536"),
    ("PUBLIC_URL", "darkroom.example.com"),
    ("PUBLIC_URL", "ftp://darkroom.example.com"),
    ("PUBLIC_URL", "https://"),
    ("PUBLIC_URL", "https://darkroom.example.com:port"),
    ("DATA_DIR", __file__),
    ("SMTP_URL", "mail.example.com"),
    ("SMTP_URL", "https://mail.example.com"),
    ("SMTP_URL", "smtp://ada:hush@mail.example.com:port"),
    ("POLAR_BASE_URL", "polar.sh"),
    ("POLAR_WEBHOOK_SECRET", "short"),
    ("POLAR_PRODUCTS", "credits-50"),
    ("POLAR_PRODUCTS", "credits-50=one,credits-50=two"),
    ("POLAR_PRODUCTS", "credits-50=one,credits-200=one"),
    ("MAIL_FROM", "Darkroom"),
    ("MAIL_FROM", "@"),
    ("MAIL_FROM", "Darkroom <hello@example.com>\nBcc: eve@example.com"),
    ("APP_URL", "app.example.com"),
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
    ("SIGNUP_CREDITS", "-1"),
    ("SIGNUP_CREDITS", "1000001"),
    ("SIGNUP_CREDITS", "many"),
    ("SESSION_DAYS", "0"),
    ("SESSION_DAYS", "366"),
    ("IMAGE_PROVIDER", "midjourney"),
    ("OPENROUTER_BASE_URL", "openrouter.ai"),
    ("PROVIDER_IMAGE_HOSTS", "https://images.example.com"),
    ("PROVIDER_IMAGE_HOSTS", "images.example.com,in valid"),
    ("PROVIDER_IMAGE_HOSTS", "images.example.com:8080"),
    ("DEMO_SECONDS", "-1"),
    ("DEMO_SECONDS", "61"),
    ("GENERATION_DEADLINE_SECONDS", "0"),
    ("GENERATION_DEADLINE_SECONDS", "inf"),
    ("GENERATION_DEADLINE_SECONDS", "nan"),
    ("GENERATION_LEASE_SECONDS", "0"),
    ("GENERATION_SWEEP_SECONDS", "-5"),
    ("FILE_ORPHAN_SECONDS", "0"),
    ("DATABASE_POOL_SIZE", "0"),
    ("GENERATION_USER_CONCURRENCY", "0"),
    ("STOP_GRACE_SECONDS", "-1"),
    ("STORAGE_PATIENCE_SECONDS", "-1"),
    ("WORKER_CONCURRENCY", "0"),
    ("WORKER_CONCURRENCY", "257"),
    ("IMAGE_PROCESSES", "0"),
    ("UPLOAD_MAX_BYTES", "1023"),
    ("UPLOAD_FORMATS", "GIF"),
    ("UPLOAD_FORMATS", "JPEG,SVG"),
    ("UPLOAD_FORMATS", ","),
    ("DATA_EXPORT_SECONDS", "3600"),
    ("UPLOAD_SECONDS", "1"),
    ("UPLOAD_SECONDS", "1000000000000"),  # ends after the last date that there is
    ("FILE_URL_SECONDS", "1000000000000"),
    ("FILE_URL_SECONDS", "59"),
    ("S3_BUCKET", "Pictures"),
    ("S3_BUCKET", "no"),
    ("S3_BUCKET", "pictures/of/us"),
    ("S3_ENDPOINT_URL", "minio:9000"),
    ("S3_ENDPOINT_URL", "http://minio:port"),
    ("S3_ENDPOINT_URL", "http://admin:hush@minio:9000"),
    ("S3_PUBLIC_URL", "https://pictures.example.com/?of=us"),
    ("S3_REGION", "the moon"),
    ("S3_PREFIX", "../everything"),
    ("S3_PREFIX", "/darkroom"),
    ("CORS_ORIGINS", "app.example.com"),
    ("CORS_ORIGINS", "https://app.example.com,https://app.example.com/path"),
    ("CORS_ORIGINS", "https://app.example.com:99999"),
    ("GRAPHIQL", "yes"),
    ("INTROSPECTION", "1"),
    ("SUBSCRIPTION_REREAD_SECONDS", "0"),
    ("RATE_LIMITS", "never"),
    ("RATE_LIMIT_GENERATIONS_PER_MINUTE", "-1"),
    ("ADMIN_EMAILS", "ada@example.com,bob"),
    ("TRUSTED_PROXIES", "proxy.example.com"),
    ("TRUSTED_PROXIES", "10.0.0.0/8,10.0.0.1/8"),
    ("METRICS_TOKEN", "short"),
    ("WORKER_METRICS_PORT", "0"),
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
    ("SENTRY_DSN", "key@sentry.example.com/1"),
    ("SENTRY_DSN", "https://sentry.example.com/1"),
    ("LOG_FORMAT", "xml"),
    ("LOG_LEVEL", "loud"),
]

PLACEHOLDERS = [
    "your-key",
    "sk-or-v1-...",
    "changeme",
    "<your key here>",
    "sk-or-v1-xxxxxxxxxxxxxxxx",
    "TODO",
    "key",
    "  ",
]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory without a .env."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def problems(monkeypatch: pytest.MonkeyPatch, **variables: str) -> list[str]:
    """What stops a start with these variables."""
    with monkeypatch.context() as environment:
        for name, value in variables.items():
            environment.setenv(name, value)
        try:
            load_settings()
        except SettingsError as error:
            return error.problems
    return []


def production(**more: Any) -> dict[str, Any]:
    return {"environment": "production", "secret_key": SECRET, "openrouter_api_key": KEY, **more}


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_a_wrong_setting_is_one_line_that_names_it(
    here: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    (line,) = problems(monkeypatch, **{name: value})
    assert line.startswith(f"{name}: ")
    assert "\n" not in line
    assert "hush" not in line, "passwords are told to nobody"


def test_every_setting_that_can_be_wrong_is_in_the_table() -> None:
    anything_goes = {"HOST", "OPENROUTER_API_KEY", "OPENROUTER_MODEL"}
    anything_goes |= {"POLAR_ACCESS_TOKEN", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"}
    assert {name for name, _ in WRONG} | anything_goes == {name.upper() for name in Settings.model_fields}


def test_several_wrong_settings_are_all_told_at_once(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = problems(monkeypatch, PORT="eighty", ENVIRONMENT="staging", SESSION_DAYS="0")
    assert [line.partition(":")[0] for line in lines] == ["PORT", "ENVIRONMENT", "SESSION_DAYS"]


def test_nothing_at_all_is_enough_in_development(here: Path) -> None:
    settings = load_settings()
    assert settings.provider is Provider.DEMO
    assert settings.database == f"sqlite://{here}/data/darkroom.sqlite3"
    assert settings.address == "http://127.0.0.1:8000"
    assert settings.redis_url is None
    assert (settings.graphiql_access, settings.introspection_access) == (Access.ON, Access.ON)
    assert settings.logs_json is False


def test_the_environment_comes_before_the_env_file(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (here / ".env").write_text("PORT=8001\nSESSION_DAYS=3\nCORS_ORIGINS=https://a.example, https://b.example:8443,\n")
    monkeypatch.setenv("PORT", "8002")
    settings = load_settings()
    assert (settings.port, settings.session_days) == (8002, 3)
    assert settings.cors_origins == ("https://a.example", "https://b.example:8443")


def test_an_empty_variable_counts_as_left_out(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(name.upper(), "")
    assert load_settings() == Settings(_env_file=None)


def test_addresses_lose_their_last_slash(here: Path) -> None:
    settings = load_settings(public_url="https://pictures.example.com/", openrouter_base_url="https://or.example/api/")
    assert (settings.address, settings.openrouter_base_url) == (
        "https://pictures.example.com",
        "https://or.example/api",
    )


@pytest.mark.parametrize("key", PLACEHOLDERS)
def test_a_placeholder_is_no_key(here: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    settings = load_settings(openrouter_api_key=key)
    assert (settings.has_openrouter_key, settings.provider) == (False, Provider.DEMO)
    for more in ({"IMAGE_PROVIDER": "openrouter"}, {"ENVIRONMENT": "production", "SECRET_KEY": SECRET}):
        (line,) = problems(monkeypatch, OPENROUTER_API_KEY=key, **more)
        assert line.startswith("OPENROUTER_API_KEY ")


def test_a_real_key_means_openrouter_unless_the_demo_is_named(here: Path) -> None:
    assert load_settings(openrouter_api_key=KEY).provider is Provider.OPENROUTER
    assert load_settings(openrouter_api_key=KEY, image_provider="demo").provider is Provider.DEMO


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"S3_ENDPOINT_URL": "http://minio:9000"}, "S3_ENDPOINT_URL"),
        ({"S3_PUBLIC_URL": "http://localhost:9000"}, "S3_PUBLIC_URL"),
        ({"S3_BUCKET": "pictures", "AWS_ACCESS_KEY_ID": "AKIA"}, "AWS_ACCESS_KEY_ID"),
        ({"S3_BUCKET": "pictures", "AWS_SECRET_ACCESS_KEY": "hush"}, "AWS_ACCESS_KEY_ID"),
        ({"S3_BUCKET": "pictures", "AWS_SESSION_TOKEN": "hush"}, "AWS_SESSION_TOKEN"),
        ({"S3_BUCKET": "pictures", "FILE_URL_SECONDS": "604801"}, "FILE_URL_SECONDS"),
    ],
)
def test_half_of_an_object_storage_is_one_line(
    here: Path, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], named: str
) -> None:
    (line,) = problems(monkeypatch, **variables)
    assert line.startswith(f"{named} ")
    assert "hush" not in line


def test_an_object_storage_with_and_without_keys_of_its_own(here: Path) -> None:
    role = load_settings(s3_bucket="pictures")
    assert role.storage_summary == "s3://pictures/darkroom in us-east-1"
    own = load_settings(
        s3_bucket="pictures",
        s3_endpoint_url="http://minio:9000/",
        s3_public_url="https://pictures.example.com",
        aws_access_key_id="AKIA",
        aws_secret_access_key="hush",
        aws_session_token="lent",
        file_url_seconds=604_800,
    )
    assert own.storage_summary == "s3://pictures/darkroom at http://minio:9000"


def test_production_makes_nothing_up(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = problems(monkeypatch, ENVIRONMENT="production")
    assert [line.partition(" ")[0].partition("=")[0] for line in lines] == [
        "SECRET_KEY",
        "OPENROUTER_API_KEY",
    ]
    assert not (here / "data").exists()


def test_production_is_closed_unless_it_is_opened(here: Path) -> None:
    settings = load_settings(**production())
    assert settings.environment is Environment.PRODUCTION
    assert (settings.graphiql_access, settings.introspection_access) == (Access.ADMINS, Access.ADMINS)
    assert settings.logs_json is True
    assert load_settings(**production(graphiql="off")).introspection_access is Access.OFF
    opened = load_settings(**production(introspection="on", log_format="console", image_provider="demo"))
    assert (opened.introspection_access, opened.logs_json, opened.provider) == (Access.ON, False, Provider.DEMO)


def test_a_given_secret_is_used_and_none_is_written(here: Path) -> None:
    assert load_settings(secret_key=SECRET).secret() == SECRET
    assert list(here.iterdir()) == []


def test_a_secret_is_made_once_for_its_owner_only(here: Path) -> None:
    secret = load_settings(data_dir=here / "deep" / "data").secret()
    assert len(secret) >= 64
    assert load_settings(data_dir=here / "deep" / "data").secret() == secret
    assert load_settings(data_dir=here / "other").secret() != secret
    (file,) = (here / "deep" / "data").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


MAKING = """
import sys
from pathlib import Path
from settings import load_settings
settings = load_settings(_env_file=None, data_dir=Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(settings.secret())
"""


async def test_processes_that_start_at_once_agree_on_the_secret(here: Path) -> None:
    processes = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", MAKING, str(here / "data"),
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


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as told:
        load_settings(_env_file=None, environment="production", port="eighty")
    names = [line.split(":")[0].split(" ")[0] for line in told.value.problems]
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
def test_links_lead_to_an_address_that_can_be_opened(host: str, address: str) -> None:
    assert load_settings(_env_file=None, host=host).address == address
