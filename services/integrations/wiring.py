"""The clients of external systems, in one bundle that adapters.py opens."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.enum import MediaKind
from services.integrations.images.sanitizer import Sanitizers
from services.integrations.mail.protocol import Mailer
from services.integrations.messaging.bus import Bus
from services.integrations.messaging.wake_up import WakeUps
from services.integrations.moderation.protocol import Moderator
from services.integrations.password_hashing import Passwords
from services.integrations.payments.protocol import PaymentProvider
from services.integrations.persisted_documents import PersistedDocuments
from services.integrations.providers.prompt_enhancer import PromptEnhancer
from services.integrations.providers.protocol import ImageProvider
from services.integrations.providers.route_table import RouteTable
from services.integrations.providers.routing import Routes
from services.integrations.providers.video import VideoProvider
from services.integrations.rate_limiter import RateLimiter
from services.integrations.storage.protocol import Storage
from services.integrations.videos.sanitizer import VideoSanitizer

if TYPE_CHECKING:  # it imports the library, which a server without issuers does not need
    from services.integrations.identity.sign_in_page import SignInPages
    from services.integrations.identity.token_verifier import TokenVerifier
    from services.integrations.webhooks.sender import WebhookSender


@dataclass(frozen=True)
class Integrations:
    """Open connections and clients."""

    bus: Bus
    wake_ups: WakeUps
    storage: Storage
    sanitizers: Sanitizers
    videos: VideoSanitizer
    routes: Routes[ImageProvider]
    route_tables: Mapping[MediaKind, RouteTable]  # also of a process that calls no provider
    enhancer: PromptEnhancer | None  # None: prompts are not enhanced, or not by this process
    moderator: Moderator | None  # None: no model checks what users write
    video_routes: Routes[VideoProvider] | None  # None: this deployment makes no videos, or this process no generations
    payments: PaymentProvider | None  # None: payments are off
    mailer: Mailer | None  # None: no mail is sent
    limiter: RateLimiter | None  # None: no rate limits
    documents: PersistedDocuments
    passwords: Passwords
    webhook_sender: "Callable[[], WebhookSender]"  # made where it is first used
    tokens: "TokenVerifier | None"  # of identity providers; None: there are none
    sign_in_pages: "SignInPages | None"  # of those that a page of this server offers; None: there are none

    @property
    def provider(self) -> ImageProvider:
        """The provider that is called first."""
        return self.routes.primary
