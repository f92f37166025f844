"""What the core group is made of."""

from dataclasses import dataclass

from services.core.locale import Translator
from services.core.rate_limit import RateLimits


@dataclass(frozen=True)
class Core:
    """What every group may use."""

    translator: Translator
    rates: RateLimits
