"""What a change of a style changes: its columns before and after, as the audit log records them."""

from collections.abc import Mapping
from typing import Any

from models import Style
from services.catalogue.style import variables_of

COLUMNS = (
    "title",
    "description",
    "category",
    "members_only",
    "cost",
    "reference_image",
    "prompt",
    "prompt_without_photo",
    "variables",
)


def columns_of(row: Style) -> dict[str, Any]:
    """Return the columns of a style that people write, as JSON; those that follow from them are left out."""
    found = {name: getattr(row, name) for name in COLUMNS}
    found["category"] = row.category or None  # as an update writes it
    found["variables"] = [variable.model_dump(mode="json") for variable in variables_of(row)]
    return found


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return the names of the columns that differ, and their values before and after; empty if none does."""
    changed = sorted(name for name in after if before[name] != after[name])
    if not changed:
        return {}
    return {
        "changed": changed,
        "before": {name: before[name] for name in changed},
        "after": {name: after[name] for name in changed},
    }
