"""The log: user, operation and duration of every request, tracebacks without values, and no secrets."""

import asyncio
import json
import subprocess
import sys
import time
from typing import Any

import httpx
import pytest
import structlog
from structlog.testing import LogCapture

from logs import configured_secrets
from secret_files import IN_FILES, SECRET_FIELDS
from settings import ROOT, Settings, load_settings
from telemetry import log_fields
from telemetry.log_level import logs_debug, logs_info
from telemetry.redaction import HIDDEN, Document, Redactor, is_secret, redact_in_errors
from tests.conftest import Running
from tests.support.client import photo
from tests.support.fakes.openrouter import ScriptedOpenRouter

CRASH = """
import logging
import structlog
from logs import configure_logs
from settings import load_settings

def sign_in(password):
    raise RuntimeError("sign-in failed")

configure_logs(load_settings(_env_file=None, log_format={format!r}, openrouter_api_key="mellon-mellon-mellon"))
try:
    sign_in("sesame-HORSE-77")
except RuntimeError:
    structlog.get_logger().exception("crashed", password="sesame-HORSE-77", error="mellon-mellon-mellon is wrong")
logging.getLogger("uvicorn.error").warning("a library says %s", "Bearer sesame-HORSE-77")
"""


@pytest.mark.parametrize("format", ["console", "json"])
def test_tracebacks_show_no_values_and_libraries_use_the_same_format(format: str) -> None:
    done = subprocess.run(  # noqa: S603 - a constant program
        [sys.executable, "-c", CRASH.format(format=format)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "sign-in failed" in done.stderr
    assert "in sign_in" in done.stderr
    # A traceback may quote the calling source line; a `-c` program has none.
    assert "sesame" not in done.stdout + done.stderr
    assert "mellon" not in done.stdout + done.stderr
    if format == "json":
        ours, theirs = map(json.loads, done.stderr.splitlines())
        assert (ours["event"], ours["password"], ours["level"]) == ("crashed", HIDDEN, "error")
        assert ours["error"] == f"{HIDDEN} is wrong"
        assert (theirs["event"], theirs["logger"]) == (f"a library says Bearer {HIDDEN}", "uvicorn.error")


FORGED = """
import logging
import structlog
from logs import configure_logs
from settings import load_settings

configure_logs(load_settings(_env_file=None, log_format={format!r}))
written = "a\\n2026-11-28 [info] forged\\r\\x1b[31m\\u2028\\u202e\\ud800" + "long " * 100_000
structlog.get_logger().info("ours", value=written, nested=[{{"key": written}}])
logging.getLogger("library").warning(written)
try:
    raise RuntimeError(written)
except RuntimeError:
    structlog.get_logger().exception("crashed")
"""


@pytest.mark.parametrize("format", ["console", "json"])
def test_texts_of_clients_are_cut_and_cannot_forge_lines(format: str) -> None:
    done = subprocess.run(  # noqa: S603 - a constant program
        [sys.executable, "-c", FORGED.format(format=format)], cwd=ROOT, capture_output=True, check=True
    )
    lines = done.stderr.decode().split("\n")
    assert not any(character in done.stderr.decode() for character in "\r\x1b\u2028\u202e\x85")
    assert len([line for line in lines if "ours" in line or "library" in line]) == 2
    assert max(len(line) for line in lines[:2]) < 15_000
    assert len(done.stderr) < 80_000


@pytest.mark.parametrize(
    ("text", "secret"),
    [
        ("Authorization: Bearer abcdef0123456789", "abcdef0123456789"),
        ("the key sk-or-v1-0123456789abcdef was refused", "0123456789abcdef"),
        ("polar_oat_0123456789abcdef", "0123456789abcdef"),
        ("whsec_0123456789abcdef", "0123456789abcdef"),
        ("postgresql://darkroom:hushhush@db/darkroom is down", "hushhush"),
        ("GET https://s3/x?X-Amz-Signature=0123456789abcdef&b=1", "0123456789abcdef"),
        ("GET /files/WyJhIiwiYiJd.0123456789abcdef", "0123456789abcdef"),
        ("Key (email)=(ada@example.com) already exists.", "ada@example.com"),
        ("a configured one: it's-me-it's-me", "it's-me-it's-me"),
    ],
)
def test_secrets_are_redacted_by_pattern_and_by_value(text: str, secret: str) -> None:
    redactor = Redactor(["it's-me-it's-me"])
    assert secret not in redactor.text(text)
    assert secret not in json.dumps(redactor.fields({"outer": [{"inner": (text,)}]}))


def test_texts_known_to_be_harmless_do_not_hide_later_secrets() -> None:
    redactor = Redactor(["it's-me-it's-me"])
    for number in range(10_000):  # more than are kept
        assert redactor.text(f"usr_{number}") == f"usr_{number}"
    for text in ("it's-me-it's-me", "AKIA0123456789ABCDEF", "sk-0123456789abcdef", "ada@example.com") * 2:
        assert redactor.text(text) != text


def test_fields_are_redacted_by_name() -> None:
    for name in ("password", "newPassword", "token", "Authorization", "Set-Cookie", "api_key", "webhook-signature"):
        assert is_secret(name), name
    for name in ("user", "generation", "operation", "code", "max_tokens", "seconds", "provider", "kind"):
        assert not is_secret(name), name


async def test_user_input_is_redacted_in_errors_of_its_own_task_only() -> None:
    async def redact() -> dict[str, Any]:
        prompt = "a fox in the snow, painted by my grandmother"
        redact_in_errors(
            {"input": [{"prompt": prompt, "size": "MEDIUM"}]}, Document('{ a(b: "in the \\"document\\"") }')
        )
        whole = f'invalid input for argument $3: {prompt!r} or in the "document", MEDIUM'
        truncated = f"invalid input for argument $3: {prompt[:30]!r}..."
        return Redactor().fields({"exception": whole, "error": truncated, "field": prompt})

    found = await asyncio.create_task(redact())
    assert found["exception"] == f"invalid input for argument $3: '{HIDDEN}"
    assert found["error"] == f"invalid input for argument $3: '{HIDDEN}"
    assert found["field"].startswith("a fox"), "only error fields are searched for user input"
    assert "fox" in Redactor().fields({"error": "a fox in the snow, painted"})["error"], "another task is not affected"


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ('"' + '\\"' * 50_000, "boom"),  # an unterminated string, which could start at each of its quotes
        ('"""' + '\\"' * 50_000, "boom"),
        ("{" + '"a fox" ' * 12_000 + "}", "boom"),
        ("{" + " ".join(f'"a fox {number}"' for number in range(8_000)) + "}", "boom"),
        ("{ a }", "a." * 50_000),
        ("{ a }", "a-" * 50_000),
    ],
    ids=["string", "block", "one text", "many texts", "dots", "hyphens"],
)
async def test_redaction_takes_linear_time_for_any_document(document: str, error: str) -> None:
    async def redact() -> str:
        redact_in_errors({}, Document(document))
        return Redactor(["it's-me-it's-me"]).error_text(error)

    started = time.process_time()
    await asyncio.create_task(redact())
    assert time.process_time() - started < 1.0, (
        "a quadratic pattern takes more than five seconds and blocks the event loop"
    )


async def test_error_text_is_hidden_completely_for_requests_with_very_many_texts() -> None:
    async def redact() -> dict[str, Any]:
        redact_in_errors([f"a fox in the snow {number}" for number in range(1000)])
        return Redactor().fields({"error": "no: a fox in the snow 7", "user": "usr_1"})

    assert await asyncio.create_task(redact()) == {"error": HIDDEN, "user": "usr_1"}


def test_every_secret_setting_is_redacted_by_value() -> None:
    # Tokens of Hugging Face begin like this.
    secrets = {name: f"hf_{name}-0123456789abcdef0123456789abcdef" for name in SECRET_FIELDS}
    given: dict[str, Any] = {
        **secrets,
        "aws_access_key_id": "AKIA",
        "polar_webhook_secret": "whsec-one-0123456789,whsec-two-0123456789",
        "openrouter_webhook_secret": "video-one-0123456789,video-two-0123456789",
        "database_url": "postgresql://darkroom:data%2Fbase@db/darkroom",
        "redis_url": "redis://:redisredis@redis:6379/0",
        "smtp_url": "smtp://ada:mailmail@mail:25",
        "mail_from": "hello@example.com",
        "sentry_dsn": "https://0123456789sentry@sentry.example.com/1",
    }
    found = set(configured_secrets(load_settings(_env_file=None, **given)))
    assert found >= set(secrets.values()) | {"whsec-one-0123456789", "whsec-two-0123456789"}
    assert found >= {"video-one-0123456789", "video-two-0123456789"}
    assert found >= {"data%2Fbase", "data/base", "redisredis", "mailmail", "0123456789sentry"}
    named = {name for name in Settings.model_fields if is_secret(name) or name.endswith(("_key", "_url", "_dsn"))}
    public = {"public_url", "openrouter_base_url", "s3_endpoint_url", "s3_public_url", "app_url", "polar_base_url"}
    public |= {"huggingface_base_url", "huggingface_hub_url", "moderation_url"}
    # A new setting must be added here or in secret_files.py.
    assert named - public == set(IN_FILES)


@pytest.mark.parametrize(
    ("level", "expected"), [("debug", (1, 1)), ("info", (0, 1)), ("warning", (0, 0)), ("error", (0, 0))]
)
def test_events_of_hot_paths_are_put_together_if_their_level_is_logged(level: str, expected: tuple[int, int]) -> None:
    before = structlog.get_config()
    try:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(level))
        assert (logs_debug(), logs_info()) == expected
    finally:
        structlog.configure(**before)
    assert logs_debug()  # without a level, all are


@pytest.fixture
def lines() -> Any:
    """The events logged during the test, with the context of their request."""
    before, capture = structlog.get_config(), LogCapture()
    structlog.configure(processors=[log_fields.merge, capture])
    yield capture.entries
    structlog.configure(**before)


@pytest.mark.any_database
async def test_each_operation_is_logged_once_with_request_user_and_outcome(
    scripted: Running, openrouter: ScriptedOpenRouter, lines: list[dict[str, Any]]
) -> None:
    ada = await scripted.api.sign_up()
    lines.clear()
    answer = await ada.raw("query Mine { viewer { id } }", headers={"x-request-id": "from-the-proxy-1"})
    assert answer.headers["x-request-id"] == "from-the-proxy-1"
    (line,) = [line for line in lines if line["event"] == "graphql.operation"]
    assert line["ms"] > 0
    assert {name: line[name] for name in ("request", "operation", "user", "field", "type", "outcome", "codes")} == {
        "request": "from-the-proxy-1",
        "operation": "Mine",
        "user": ada.user["id"],
        "field": "viewer",
        "type": "query",
        "outcome": "ok",
        "codes": [],
    }
    # An invalid request id is replaced; errors are logged by code, whether or not they are in a payload.
    lines.clear()
    answer = await ada.raw("{ viewer { nothing } }", headers={"x-request-id": "\\n<script>"})
    assert len(answer.headers["x-request-id"]) == 16
    assert await ada.refused('mutation { cancelGeneration(id: "no") { errors { code message field } } }')
    operations = [line for line in lines if line["event"] == "graphql.operation"]
    assert [(line["field"], line["outcome"], line["codes"]) for line in operations] == [
        ("other", "refused", ["INVALID_INPUT"]),
        ("cancelGeneration", "refused", ["NOT_FOUND"]),
    ]
    assert operations[0]["request"] == answer.headers["x-request-id"]

    lines.clear()
    style = await ada.style("noir", "avenger")
    (made,) = (await ada.create(photo(), styleId=style, prompt="in the rain"))["generations"]
    await ada.wait_for_end(made["id"])
    created = [line["created"] for line in lines if line.get("field") == "createGeneration"]
    assert created == [[made["id"]]]
    (line,) = [line for line in lines if line["event"] == "generation.ended"]
    assert (line["generation"], line["user"], line["provider"]) == (made["id"], ada.user["id"], "openrouter")
    assert (line["attempt"], line["calls"], line["status"]) == (1, 1, "COMPLETED")
    assert set(line["stages"]) == {"validating", "generating", "storing"}
    assert "in the rain" not in str(lines)


@pytest.mark.any_database
async def test_signed_links_are_not_logged(module_server: Running, lines: list[dict[str, Any]]) -> None:
    http: httpx.AsyncClient = module_server.api.http
    await http.get("/files/a-token-of-a-user")
    (line,) = [line for line in lines if line["event"] == "http.responded"]
    assert (line["route"], line["status"]) == ("/files", 404)
    assert "a-token" not in str(line)
