"""Builds the services of the core group."""

from dataclasses import dataclass

from models.database.replica import ReadReplica
from services.core.locale import Translator
from services.core.rate_limit import RateLimits


@dataclass(frozen=True)
class Core:
    """Services that every group may use."""

    translator: Translator
    rates: RateLimits
    replica: ReadReplica | None = None  # for lists and statistics
