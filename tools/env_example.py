"""Writes .env.example: every setting with its meaning and default, and the passwords that compose.yaml requires."""

import re
from enum import Enum

from secret_files import IN_FILES
from settings import ROOT, Settings

PATH = ROOT / ".env.example"
_HEAD = """\
# Settings of Darkroom: copy this file to .env, and remove the # of the lines that you change.
# Written by tools/env_example.py from settings.py; docs/configuration.md says more about each. An empty value is unset.
# A secret may be in a file instead: SECRET_KEY_FILE=/run/secrets/secret_key.
"""
_COMPOSE = """
# --- compose.yaml requires these, and sets ENVIRONMENT, HOST, PORT, DATABASE_URL, REDIS_URL and the S3_... itself.
# It takes SECRET_KEY and these as values, not as files.
# `openssl rand -hex 24` makes one. GRAFANA_PASSWORD and METRICS_TOKEN are for `--profile monitoring`.
"""


def env_example() -> str:
    """Return the text of the file."""
    compose = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    required = dict.fromkeys(re.findall(r"\$\{([A-Z0-9_]+):\?", compose))
    of_compose = sorted(set(re.findall(r"\$\{([A-Z0-9_]+):-", compose)) - _settings() - {"HTTP_PORT"})
    lines = [_HEAD, _COMPOSE.rstrip()]
    lines += [f"# {name}=" for name in required if name not in _settings()]
    lines += [f"# {name}=" for name in ("HTTP_PORT", *of_compose)]
    lines.append("\n# --- Settings.")
    for name, field in Settings.model_fields.items():
        lines += ["", f"# {field.description}", f"# {name.upper()}={_shown(field.default)}"]
        if name in IN_FILES:
            lines.append(f"# {name.upper()}_FILE=")
    return "\n".join(lines) + "\n"


def _settings() -> set[str]:
    return {name.upper() for name in Settings.model_fields}


def _shown(value: object) -> str:
    match value:
        case None | ():
            return ""
        case Enum():
            return str(value.value)
        case float():
            return f"{value:g}"
    return str(value)


if __name__ == "__main__":
    PATH.write_text(env_example(), encoding="utf-8")
