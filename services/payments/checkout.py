"""Checkouts: a user wants to buy something, and gets the address of a payment page."""

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
from services.core.error import GuestError, InvalidInputError, NotFoundError, PaymentsUnavailableError
from services.core.idempotency import IdempotencyTicket, KeyLocks
from services.core.message import message
from services.core.rate_limit import RateLimits
from services.events import account_change
from services.integrations.payments.protocol import CheckoutSessionRequest, PaymentProvider, PaymentProviderError
from telemetry.created import note_created

log = structlog.get_logger(__name__)

OPERATION = "createCheckout"
_MAX_URL = 2000  # characters
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class CheckoutRequest:
    """A package or a plan, by its slug."""

    package: str | None = None
    plan: str | None = None
    success_url: str | None = None
    cancel_url: str | None = None
    idempotency_key: str | None = None


class CheckoutService:
    """Opens checkouts. `products`: the provider's product ids by slug; `origins`: where a user may be redirected to."""

    def __init__(
        self,
        provider: PaymentProvider | None,
        products: Mapping[str, str],
        origins: tuple[str, ...],
        plans: PlanService,
        rates: RateLimits,
    ) -> None:
        self._provider = provider
        self._products = products
        self._origins = {origin for origin in map(_origin, origins) if origin is not None}
        self._plans = plans
        self._rates = rates
        self._locks = KeyLocks()

    @property
    def is_available(self) -> bool:
        """Whether anything can be bought."""
        return self._provider is not None

    @property
    def origins(self) -> list[str]:
        """Where a user may return to."""
        return sorted(map(_address_of, self._origins))

    async def create(self, user: User, request: CheckoutRequest, client: str) -> Checkout:
        """Open a checkout for one package or plan; the same key returns the same checkout.

        The row is written before the provider is called, and nothing is granted before an order is reported as paid.

        Raises:
            InvalidInputError: neither or both are given, the plan is sold on request only, an address has a foreign
                origin, or the key is invalid.
            NotFoundError: nothing on sale has this slug.
            ConflictError: the key was used with another input.
            RateLimitedError: too many checkouts were opened.
            PaymentsUnavailableError: payments are off, or the provider does not answer.
            GuestError: the account is a guest.
        """
        if user.is_guest:  # what is paid for must not depend on one session
            raise GuestError
        if self._provider is None:
            raise PaymentsUnavailableError
        product = await self._find_product(request)
        self._check_address(request.success_url, "successUrl")
        self._check_address(request.cancel_url, "cancelUrl")
        product_id = self._products.get(product.slug)
        if product_id is None:
            log.error("checkout.product_not_configured", slug=product.slug, hint="add it to POLAR_PRODUCTS")
            raise PaymentsUnavailableError
        ticket = IdempotencyTicket.of(OPERATION, request)
        async with self._locks.of(user.id, ticket):
            checkout = await idempotency.run_once(
                user.id, ticket, partial(self._replay, user.id), partial(self._create, user.id, product.slug, ticket)
            )
            if _is_open(checkout):
                return checkout
            note_created([checkout.id])
            session = CheckoutSessionRequest(
                checkout_id=checkout.id,
                product_id=product_id,
                slug=product.slug,
                user_id=user.id,
                email=user.mailbox if user.email_verified else None,
                success_url=request.success_url,
                cancel_url=request.cancel_url,
                client=_address(client),
            )
            return await _open_session(self._provider, checkout, session)

    async def _replay(self, user_id: str, checkout_id: str) -> Checkout:
        checkout = await Checkout.get(id=checkout_id)
        if not _is_open(checkout):  # it expired, or the provider did not answer: open it again
            await self._rates.hit_checkout(user_id)
        return checkout

    async def _create(self, user_id: str, slug: str, ticket: IdempotencyTicket) -> Checkout:
        await self._rates.hit_checkout(user_id)
        return await run_tx(_create_row, user_id, slug, ticket)

    async def portal_url(self, user: User) -> str | None:
        """Return where an account manages its monthly plan.

        None without a plan, if the provider does not answer, and if the provider's customer has another address than
        the account has verified. A buyer may type any address there, and the provider then takes the customer that
        has it: the portal, which asks for no password, would show another person's invoices.
        """
        if self._provider is None or active_plan_id(user, datetime.now(UTC)) is None:
            return None
        try:
            portal = await self._provider.portal(user.id)
        except PaymentProviderError:
            return None
        if not _is_verified_address(portal.email, user):
            log.info("checkout.portal_of_another_address", user=user.id)
            return None
        return portal.url

    async def _find_product(self, request: CheckoutRequest) -> CreditPackage | Plan:
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

    def leads_to_app(self, url: str) -> bool:
        """Whether a user may be sent to this address."""
        return len(url) <= _MAX_URL and _origin(url) in self._origins

    def _check_address(self, url: str | None, field: str) -> None:
        """Refuse open redirects: after paying, a user must not land on a site that imitates ours."""
        if url is not None and not self.leads_to_app(url):
            raise InvalidInputError(message("This must be an address of this app."), field=(field,))


def _is_verified_address(email: str | None, user: User) -> bool:
    """Whether an account has verified this address, whose case and notation of the domain may differ."""
    if email is None or not user.email_verified:
        return False
    return email.lower() in {user.email, user.mailbox.lower(), user.address.lower()}


async def _create_row(user_id: str, slug: str, ticket: IdempotencyTicket) -> Checkout:
    # Locks the account's row first, as everywhere; the version stays the same, because it does not cover checkouts.
    await account_change.lock_account(user_id)
    checkout = await Checkout.create(user_id=user_id, slug=slug)
    await idempotency.store_result(user_id, ticket, checkout.id)
    return checkout


async def _open_session(provider: PaymentProvider, checkout: Checkout, request: CheckoutSessionRequest) -> Checkout:
    try:
        session = await provider.create_checkout(request)
    except PaymentProviderError:
        raise PaymentsUnavailableError(is_outage=True) from None
    # Compare-and-set: where a duplicate in another process opened a session first, every client gets that one.
    unopened = Checkout.filter(id=checkout.id, provider_id=checkout.provider_id)
    await unopened.update(provider_id=session.provider_id, url=session.url, expires_at=session.expires_at)
    return await Checkout.get(id=checkout.id)


def _is_open(checkout: Checkout) -> bool:
    is_over = checkout.expires_at is not None and checkout.expires_at <= datetime.now(UTC)
    return checkout.url is not None and not is_over


def _origin(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of an address; None if browsers might parse it differently than we do."""
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


def _address_of(origin: tuple[str, str, int]) -> str:
    scheme, host, port = origin
    name = f"[{host}]" if ":" in host else host
    return f"{scheme}://{name}" if port == _PORTS[scheme] else f"{scheme}://{name}:{port}"


def _address(client: str) -> str | None:
    try:
        return str(ipaddress.ip_address(client))
    except ValueError:  # a subscriber's network (IPv6 prefix), or unknown
        return None
