"""Ids of OpenRouter's jobs. Servers check those in callbacks, so nothing of the client is imported here."""

import re
from typing import TypeGuard

_JOB_ID = re.compile(r"[!-~]{1,200}")


def is_job_id(value: object) -> TypeGuard[str]:
    """Return whether this is an id that a job may have."""
    return isinstance(value, str) and _JOB_ID.fullmatch(value) is not None
