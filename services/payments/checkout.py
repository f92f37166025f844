"""Checkouts: somebody wants to pay, and is shown to the till."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from urllib.parse import urlsplit

import structlog

from models import Checkout, CreditPackage, Plan, User
from models.database.connection import run_tx
from services.billing.entitlement import active_plan_id
from services.billing.plan import PlanService
from services.core import idempotency
from services.core.error import InvalidInputError, NotFoundError, PaymentsUnavailableError
from services.core.message import message
from services.core.rate_limit import RateLimits
from services.events import account_change
from services.integrations.payments.protocol import CheckoutSessionRequest, PaymentProvider, PaymentProviderError

log = structlog.get_logger(__name__)

OPERATION = "createCheckout"
_LONGEST_URL = 2000  # characters
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class CheckoutRequest:
    """A package or a plan, by its slug."""

    package: str | None = None
    plan: str | None = None
    success_url: str | None = None
    idempotency_key: str | None = None


class CheckoutService:
    """Opens tills. `products`: the provider's product ids by slug; `origins`: where a person may be sent back to."""

    def __init__(
        self,
        payments: PaymentProvider | None,
        products: Mapping[str, str],
        origins: tuple[str, ...],
        plans: PlanService,
        rates: RateLimits,
    ) -> None:
        self._payments = payments
        self._products = products
        self._origins = {origin for origin in map(_origin, origins) if origin is not None}
        self._plans = plans
        self._rates = rates

    async def create(self, user: User, request: CheckoutRequest, client: str) -> Checkout:
        """Open a till for one package or plan; the same key leads to the same checkout.

        Its row is written before the provider is asked, and nothing is granted before an order is told as paid.

        Raises:
            InvalidInputError: neither or both are wanted, the plan is sold on request only, `success_url` leads
                elsewhere, or the key is no key.
            NotFoundError: nothing on sale is called that.
            ConflictError: the key came with another input before.
            RateLimitedError: too many were opened.
            PaymentsUnavailableError: nobody takes money here, or the provider does not answer.
        """
        if self._payments is None:
            raise PaymentsUnavailableError
        ware = await self._ware(request)
        self._check_success_url(request.success_url)
        product_id = self._products.get(ware.slug)
        if product_id is None:
            log.error("checkout.no_product", slug=ware.slug, hint="POLAR_PRODUCTS names none")
            raise PaymentsUnavailableError
        fingerprint = idempotency.fingerprint(request)
        checkout = await _find_by_key(user.id, request.idempotency_key, fingerprint)
        if checkout is not None and _is_open(checkout):
            return checkout
        await self._rates.checkout(user.id)
        checkout = await run_tx(partial(_create_row, user.id, ware.slug, request.idempotency_key, fingerprint))
        wanted = CheckoutSessionRequest(
            checkout_id=checkout.id,
            product_id=product_id,
            slug=ware.slug,
            user_id=user.id,
            email=user.email if user.email_verified else None,
            success_url=request.success_url,
            client=_address(client),
        )
        try:
            till = await self._payments.create_checkout(wanted)
        except PaymentProviderError:
            raise PaymentsUnavailableError from None
        # A twin of this request may have opened one as well: whichever is written last is the one that is shown.
        await Checkout.filter(id=checkout.id).update(
            provider_id=till.provider_id, url=till.url, expires_at=till.expires_at
        )
        return await Checkout.get(id=checkout.id)

    async def portal_url(self, user: User) -> str | None:
        """Where an account manages its monthly plan; None for who has none, and where the provider does not answer."""
        if self._payments is None or active_plan_id(user, datetime.now(UTC)) is None:
            return None
        try:
            return await self._payments.portal_url(user.id)
        except PaymentProviderError:
            return None

    async def _ware(self, request: CheckoutRequest) -> CreditPackage | Plan:
        if (request.package is None) is (request.plan is None):
            raise InvalidInputError(message("Choose either a package or a plan."), field=("package",))
        if request.package is not None:
            package = await self._plans.package(request.package)
            if package is None:
                raise NotFoundError(field=("package",))
            return package
        plan = await self._plans.plan(request.plan or "")
        if plan is None:
            raise NotFoundError(field=("plan",))
        if plan.price is None:
            raise InvalidInputError(message("This plan is sold on request only."), field=("plan",))
        return plan

    def _check_success_url(self, url: str | None) -> None:
        """Whoever has paid must not be sent to somebody who only looks like us."""
        if url is not None and (len(url) > _LONGEST_URL or _origin(url) not in self._origins):
            text = message("This must be an address of the app's own.")
            raise InvalidInputError(text, field=("successUrl",))


def _is_open(checkout: Checkout) -> bool:
    is_over = checkout.expires_at is not None and checkout.expires_at <= datetime.now(UTC)
    return checkout.url is not None and not is_over


async def _find_by_key(user_id: str, key: str | None, fingerprint: str) -> Checkout | None:
    """What this key made before. Raises InvalidInputError, ConflictError."""
    id = await idempotency.find_result(user_id, OPERATION, key, fingerprint) if key is not None else None
    return await Checkout.get(id=id) if id is not None else None


async def _create_row(user_id: str, slug: str, key: str | None, fingerprint: str) -> Checkout:
    # The account's row first, as everywhere; changing nothing, for a checkout is nothing that an account shows.
    await account_change.lock_account(user_id)
    if (known := await _find_by_key(user_id, key, fingerprint)) is not None:
        return known
    checkout = await Checkout.create(user_id=user_id, slug=slug)
    if key is not None:
        await idempotency.store_result(user_id, OPERATION, key, fingerprint, checkout.id)
    return checkout


def _origin(url: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of an address; None where browsers and we might read it differently."""
    if not url.isascii() or not url.isprintable() or any(sign in url for sign in ' \\"<>^`|'):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    return parts.scheme, parts.hostname.lower(), port or _PORTS[parts.scheme]


def _address(client: str) -> str | None:
    try:
        return str(ipaddress.ip_address(client))
    except ValueError:  # the network of a subscriber, or unknown
        return None
