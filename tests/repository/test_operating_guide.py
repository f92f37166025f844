"""docs/operating.md, deployment.md and night.md name settings, log events and alerts that exist."""

import re

from models.database.migrate import all_migrations
from models.enum import ErrorCode
from settings import ROOT, Settings

GUIDES = ("operating.md", "deployment.md", "night.md")
FILES = {"compose.yaml", "darkroom.env"}  # which look like log events


def operating_guide_names() -> set[str]:
    """Return every inline code span of the guides for operators."""
    text = "".join((ROOT / "docs" / name).read_text(encoding="utf-8") for name in GUIDES)
    return set(re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)))


def test_log_events_in_the_operating_guide_exist() -> None:
    events = {name for name in operating_guide_names() if re.fullmatch(r"[a-z_]+\.[a-z_]+", name)} - FILES
    files = [
        ROOT / "main.py",
        ROOT / "adapters.py",
        ROOT / "composition.py",
        *(
            path
            for folder in ("services", "schema", "web", "models", "telemetry")
            for path in (ROOT / folder).rglob("*.py")
        ),
    ]
    logged = set(re.findall(r'"([a-z_]+\.[a-z_]+)"', "".join(path.read_text(encoding="utf-8") for path in files)))
    assert len(events) > 15
    assert events <= logged


def test_settings_in_the_operating_guide_exist() -> None:
    names = {name for name in operating_guide_names() if re.fullmatch(r"[A-Z0-9]+(_[A-Z0-9]+)+", name)}
    assert "DATABASE_POOL_SIZE" in names
    of_compose = set(re.findall(r"\$\{([A-Z0-9_]+):", (ROOT / "compose.yaml").read_text(encoding="utf-8")))
    others = {code.value for code in ErrorCode} | {"WORKER_CONCURRENY"}  # the example of a misspelt name
    assert names - others <= {name.upper() for name in Settings.model_fields} | of_compose


def test_operating_guide_says_what_older_code_does_with_every_migration() -> None:
    text = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    table = text[text.index("| migration | in a database that has it, older code |") :].partition("\n\n")[0]
    described = set(re.findall(r"(\d+) `(\w+)`", table))
    migrations = {re.fullmatch(r"(\d+)_\d+_(\w+)\.py", name) for name in all_migrations()}
    assert described == {found.groups() for found in migrations if found and int(found[1]) > 11}


def test_alerts_in_the_guides_exist_and_the_page_for_the_night_is_one_page() -> None:
    alerts = set(re.findall(r"alert: (\w+)", (ROOT / "docs" / "alerts.yaml").read_text(encoding="utf-8")))
    named = {name for name in operating_guide_names() if re.fullmatch(r"Darkroom[A-Z]\w+", name)}
    assert len(named) >= 15
    assert named <= alerts
    page = (ROOT / "docs" / "night.md").read_text(encoding="utf-8")
    assert len(page.splitlines()) <= 75
