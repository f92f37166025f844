"""Builds the services of the webhooks group."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from services.accounts.wiring import Accounts
from services.core.chore import Chore, Lane, chore_for_each
from services.core.wiring import Core
from services.events.wiring import Events
from services.integrations.wiring import Integrations
from services.webhooks.delivery import end_failures, end_overdue
from services.webhooks.delivery_log import DeliveryLog
from services.webhooks.endpoint import WebhookEndpointService
from services.webhooks.notice import DisabledNotices
from services.webhooks.own_endpoint import end_unlisted, synchronize
from services.webhooks.secret import EndpointSecrets
from services.webhooks.worker import WebhookWorker


@dataclass(frozen=True)
class WebhookOptions:
    """Settings of the webhooks group."""

    key: str  # SECRET_KEY, of which secrets are derived
    own_urls: tuple[str, ...]
    own_secrets: tuple[str, ...]
    credits_low: int  # credits below which an account is low, where its endpoint names no threshold
    poll: float  # seconds
    first_pause: float  # seconds
    give_up_seconds: float
    is_development: bool  # endpoints of accounts may be on this machine


@dataclass(frozen=True)
class Webhooks:
    """Services for outbound webhooks: endpoints, deliveries and what sends them."""

    endpoints: WebhookEndpointService
    deliveries: DeliveryLog
    worker: WebhookWorker
    notices: DisabledNotices
    options: WebhookOptions

    @property
    def chores(self) -> tuple[Chore, ...]:
        return (
            Chore(Lane.SETTLEMENT, self.synchronize_own),
            Chore(Lane.SETTLEMENT, end_unlisted),
            Chore(Lane.SETTLEMENT, end_overdue),
            Chore(Lane.SETTLEMENT, end_failures),
            chore_for_each("webhook_notice", Lane.CLEAN_UP, self.notices.find, self.notices.send),
        )

    @property
    def jobs(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        return (self.worker.run,)

    async def synchronize_own(self) -> None:
        """Note which endpoints of the deployment the settings of this process list."""
        await synchronize(self.options.own_urls, self.options.credits_low)


def build_webhooks(
    core: Core, events: Events, accounts: Accounts, outside: Integrations, options: WebhookOptions
) -> Webhooks:
    secrets = EndpointSecrets(options.key, options.own_secrets)
    return Webhooks(
        endpoints=WebhookEndpointService(
            secrets,
            accounts.verification,
            events.publisher,
            credits_low=options.credits_low,
            is_development=options.is_development,
        ),
        deliveries=DeliveryLog(core.rates, give_up_seconds=options.give_up_seconds),
        worker=WebhookWorker(
            outside.webhook_sender,
            secrets,
            own_urls=options.own_urls,
            poll=options.poll,
            first_pause=options.first_pause,
            give_up_seconds=options.give_up_seconds,
        ),
        notices=DisabledNotices(accounts.mail),
        options=options,
    )
