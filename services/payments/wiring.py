"""Builds the services of the payments group."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from services.billing.wiring import Billing
from services.core.chore import Chore, Lane, chore_for_each
from services.core.wiring import Core
from services.events.wiring import Events
from services.integrations.payments.protocol import PaymentProvider
from services.payments.checkout import CheckoutService
from services.payments.development_checkout import DevelopmentCheckout
from services.payments.payment import PaymentService
from services.payments.reconciliation import Reconciliation
from services.payments.review import PaymentReviewService
from services.payments.subscription import SubscriptionService
from services.payments.subscription_cancellation import SubscriptionCancellation
from services.payments.webhook import WebhookService


@dataclass(frozen=True)
class Payments:
    """Services for payments: checkouts, webhooks, purchases, subscriptions, reconciliation."""

    checkouts: CheckoutService
    recorder: PaymentService
    webhooks: WebhookService
    reviews: PaymentReviewService
    subscription_cancellation: SubscriptionCancellation
    reconciliation: Reconciliation
    development_checkout: DevelopmentCheckout | None  # None if checkouts are charged by a provider

    @property
    def provider_name(self) -> str | None:
        """Where users pay: `polar`, `development` (a page of this server, without money), or None: nowhere."""
        if not self.checkouts.is_available:
            return None
        return "development" if self.development_checkout is not None else "polar"

    @property
    def chores(self) -> tuple[Chore, ...]:
        return (chore_for_each("event", Lane.SETTLEMENT, self.webhooks.unhandled, self.webhooks.handle),)

    @property
    def jobs(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        return (self.reconciliation.run,)


@dataclass(frozen=True)
class PaymentOptions:
    """Settings of the payments group."""

    product_ids: Mapping[str, str]  # the payment provider's, by slug
    webhook_secrets: tuple[str, ...]
    origins: tuple[str, ...]  # that a checkout may return to
    has_development_checkout: bool


def build_payments(
    core: Core, events: Events, billing: Billing, provider: PaymentProvider | None, options: PaymentOptions
) -> Payments:
    """Build the services of the payments group; `provider` None: nothing can be bought."""
    slugs = {product: slug for slug, product in options.product_ids.items()}
    recorder = PaymentService(slugs, billing.memberships, billing.referrals, events.publisher)
    subscriptions = SubscriptionService(recorder, billing.memberships, events.publisher)
    webhooks = WebhookService(recorder, subscriptions, options.webhook_secrets)
    cancellation = SubscriptionCancellation(provider)
    return Payments(
        checkouts=CheckoutService(provider, options.product_ids, options.origins, billing.plans, core.rates),
        recorder=recorder,
        webhooks=webhooks,
        reviews=PaymentReviewService(webhooks, recorder, subscriptions, events.publisher),
        subscription_cancellation=cancellation,
        reconciliation=Reconciliation(provider, recorder, subscriptions, cancellation, webhooks, billing.referrals),
        development_checkout=DevelopmentCheckout(recorder, webhooks) if options.has_development_checkout else None,
    )
