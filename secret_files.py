"""Settings whose values are secret, and the files that they can be in: `NAME_FILE` names the file of `NAME`."""

import contextlib
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource

SECRET_FIELDS = (
    "secret_key",
    "openrouter_api_key",
    "huggingface_api_key",
    "moderation_api_key",
    "aws_secret_access_key",
    "aws_session_token",
    "polar_access_token",
    "metrics_token",
)
SECRET_LISTS = ("polar_webhook_secret", "openrouter_webhook_secret", "webhook_secret")
ADDRESS_FIELDS = ("database_url", "database_replica_url", "redis_url", "smtp_url", "sentry_dsn")
IN_FILES = (*SECRET_FIELDS, *SECRET_LISTS, *ADDRESS_FIELDS)
MIN_SECRET_KEY = 32  # characters
_GENERATED = "secret-key"  # in DATA_DIR
_MAX_BYTES = 64 * 1024  # of such a file: a wrong path may name anything


class SecretFileError(Exception):
    """Files of secrets cannot be used; `problems` has one line each, none of which has a part of a secret."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class SecretFiles(PydanticBaseSettingsSource):
    """Reads secrets from the files that variables such as SECRET_KEY_FILE name.

    `variables`: where they may be set, the environment first; such a file is how containers are given secrets.
    """

    def __init__(self, settings: type[BaseSettings], *variables: PydanticBaseSettingsSource) -> None:
        super().__init__(settings)
        self._variables: list[Mapping[str, str | None]] = [
            source.env_vars for source in variables if isinstance(source, EnvSettingsSource)
        ]

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Not used: `__call__` reads all fields, because it reports the problems of all of them."""
        raise NotImplementedError

    def __call__(self) -> dict[str, Any]:
        """Return the secrets by field. Raises SecretFileError."""
        found, problems = {}, []
        for field in IN_FILES:
            path = self._variable(f"{field}_file")
            if not path:
                continue
            try:
                found[field] = secret_in(path)
                if self._variable(field):
                    raise ValueError(f"{field.upper()} is set, too: set one of them")
            except ValueError as error:
                problems.append(f"{field.upper()}_FILE: {error}")
        if problems:
            raise SecretFileError(problems)
        return found

    def _variable(self, name: str) -> str | None:
        return next((value for variables in self._variables if (value := variables.get(name))), None)


def secret_in(path: str) -> str:
    """Return what a file contains, without the white space around it. Raises ValueError, without any of it."""
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise ValueError(f"{path} is no secret: it has more than {_MAX_BYTES} bytes")
        secret = content.decode().strip()
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path} is no text") from None
    if not secret:
        raise ValueError(f"{path} is empty")
    return secret


def generated_secret(folder: Path) -> str:
    """Return the key in `folder`, generated once and readable by its owner only.

    Raises:
        ValueError: the file is not a key, with its path and without any of it.
        OSError: the key cannot be written.
    """
    path = folder / _GENERATED
    folder.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        fresh = path.with_name(f"{_GENERATED}-{secrets.token_hex(8)}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())  # or a power failure could leave an empty file of that name
        # Linked into place when complete: if several processes start at once, one wins and all read the same key.
        with contextlib.suppress(FileExistsError):
            path.hardlink_to(fresh)
        fresh.unlink()
    return _kept_secret(path)


def generated_secret_problems(folder: Path) -> list[str]:
    """Return why the key in `folder` cannot be used, in one line; nothing if it can, or is not generated yet."""
    path = folder / _GENERATED
    try:
        if path.exists():
            _kept_secret(path)
    except (OSError, ValueError) as error:
        return [f"DATA_DIR: {error}"]
    return []


def _kept_secret(path: Path) -> str:
    secret = secret_in(str(path))
    if len(secret) < MIN_SECRET_KEY:
        raise ValueError(f"{path} has fewer than {MIN_SECRET_KEY} characters: restore it, or remove it for a new key")
    return secret
