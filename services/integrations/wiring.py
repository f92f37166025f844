"""The clients of external systems, in one bundle that adapters.py opens."""

from dataclasses import dataclass

from services.integrations.images.sanitizer import Sanitizers
from services.integrations.mail.protocol import Mailer
from services.integrations.messaging.bus import Bus
from services.integrations.messaging.wake_up import WakeUps
from services.integrations.password_hashing import Passwords
from services.integrations.payments.protocol import PaymentProvider
from services.integrations.providers.protocol import ImageProvider
from services.integrations.rate_limiter import RateLimiter
from services.integrations.storage.protocol import Storage


@dataclass(frozen=True)
class Integrations:
    """Open connections and clients."""

    bus: Bus
    wake_ups: WakeUps
    storage: Storage
    sanitizers: Sanitizers
    provider: ImageProvider
    payments: PaymentProvider | None  # None: payments are off
    mailer: Mailer | None  # None: no mail is sent
    limiter: RateLimiter | None  # None: no rate limits
    passwords: Passwords
