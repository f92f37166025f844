"""Secrets in files: SECRET_KEY_FILE and the like, and what a start says about files that it cannot use."""

from pathlib import Path
from typing import Any

import pytest

from secret_files import IN_FILES
from settings import Settings, SettingsError, load_settings
from tests.process.conftest import Commands

SECRET = "0123456789abcdef0123456789abcdef"
VALUES = {
    "polar_webhook_secret": "whsec-one-0123456789,whsec-two-0123456789",
    "webhook_secret": "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
    "openrouter_webhook_secret": "video-one-0123456789",
    "database_url": "postgresql://darkroom:hush@db/darkroom",
    "database_replica_url": "postgresql://darkroom:hush@replica/darkroom",
    "redis_url": "redis://:hush@redis:6379/0",
    "smtp_url": "smtp://ada:hush@mail:25",
    "sentry_dsn": "https://0123456789@sentry.example.com/1",
    "huggingface_api_key": "hf_AbCdEfGhIjKlMnOpQrStUvWxYz01234567",
}


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that SECRET_KEY_FILE names; it does not exist yet."""
    path = tmp_path / "secret_key"
    monkeypatch.setenv("SECRET_KEY_FILE", str(path))
    return path


def problems() -> list[str]:
    with pytest.raises(SettingsError) as found:
        load_settings(_env_file=None)
    return found.value.problems


def test_every_secret_may_be_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in IN_FILES:
        path = tmp_path / name
        path.write_text(f"{VALUES.get(name, SECRET)}\n")
        monkeypatch.setenv(f"{name.upper()}_FILE", str(path))
    others: dict[str, Any] = {
        "mail_from": "hello@example.com",
        "aws_access_key_id": "AKIA",
        "moderation_model": "some/model",
    }
    others["webhook_urls"] = ("https://hooks.example.com/",)
    settings = load_settings(_env_file=None, **others)
    for name in IN_FILES:
        expected: object = VALUES.get(name, SECRET)
        if isinstance(expected, str) and isinstance(getattr(settings, name), tuple):
            expected = tuple(expected.split(","))
        assert getattr(settings, name) == expected, name
    assert {f"{name}_file" for name in IN_FILES}.isdisjoint(Settings.model_fields)


def test_file_may_be_named_in_the_env_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text(SECRET)
    (tmp_path / ".env").write_text(f"SECRET_KEY_FILE={tmp_path / 'key'}\nSECRET_KEY=\n")
    assert load_settings(_env_file=tmp_path / ".env").secret_key == SECRET


def test_missing_file_is_one_line(secret: Path) -> None:
    assert problems() == [f"SECRET_KEY_FILE: {secret} cannot be read: No such file or directory"]
    secret.mkdir()
    assert problems() == [f"SECRET_KEY_FILE: {secret} cannot be read: Is a directory"]


def test_value_beside_the_file_is_one_line(secret: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    secret.write_text(SECRET)
    monkeypatch.setenv("SECRET_KEY", SECRET)
    assert problems() == ["SECRET_KEY_FILE: SECRET_KEY is set, too: set one of them"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b" \n", "is empty"), (b"\xff\xfe", "is no text"), (b"x" * 70_000, "is no secret: it has more than 65536 bytes")],
)
def test_file_without_a_secret_is_one_line_and_not_shown(secret: Path, content: bytes, problem: str) -> None:
    secret.write_bytes(content)
    assert problems() == [f"SECRET_KEY_FILE: {secret} {problem}"]


def test_invalid_secret_in_a_file_is_reported_by_its_setting(secret: Path) -> None:
    secret.write_text("short")
    assert [line.partition(":")[0] for line in problems()] == ["SECRET_KEY"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"0123456789abcdef\n", "has fewer than 32 characters: restore it, or remove it for a new key"),
        (b"\xff" * 64, "is no text"),
        (None, "cannot be read: Is a directory"),
    ],
)
async def test_generated_key_that_signs_nothing_stops_every_command_with_one_line(
    main: Commands, content: bytes | None, problem: str
) -> None:
    path = main.folder / "data" / "secret-key"
    path.parent.mkdir()
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    for command in ("serve", "check", "migrate"):
        ended = await main.run(command)
        assert (ended.code, ended.out, ended.err) == (2, "", f"DATA_DIR: data/secret-key {problem}\n")
    assert (await main.run("migrate", SECRET_KEY=SECRET)).code == 0, "it is not needed"


def test_generated_key_is_read_without_the_white_space_around_it(tmp_path: Path) -> None:
    (tmp_path / "secret-key").write_text(f"{SECRET}\n")
    assert load_settings(_env_file=None, data_dir=tmp_path).secret() == SECRET
