"""Settings whose values are secret, and the files that they can be in: `NAME_FILE` names the file of `NAME`."""

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
                found[field] = _secret_in(path)
                if self._variable(field):
                    raise ValueError(f"{field.upper()} is set, too: set one of them")
            except ValueError as error:
                problems.append(f"{field.upper()}_FILE: {error}")
        if problems:
            raise SecretFileError(problems)
        return found

    def _variable(self, name: str) -> str | None:
        return next((value for variables in self._variables if (value := variables.get(name))), None)


def _secret_in(path: str) -> str:
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
