"""The pages of issuers where users sign in, to which a client may send the browser."""

import asyncio
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog

from services.integrations.identity.discovery import Fetch, discover, fetch
from services.integrations.identity.issuer import Issuer, IssuerUnavailableError

KEEP_SECONDS = 3600.0  # after which the address is looked up again, while the last one is used
RETRY_SECONDS = 30.0  # after a look-up that failed
_RESPONSE_TYPE = "id_token"  # OpenID Connect Core 1.0, 3.2

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class SignInPage:
    """Where and as what a client sends the browser."""

    issuer: str
    name: str
    client_id: str
    authorization_endpoint: str


class SignInPages:
    """The pages of issuers for which this server's own page is registered. `clock`: for ages of addresses."""

    def __init__(
        self, issuers: Iterable[Issuer], *, fetch: Fetch = fetch, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._addresses = [_Address(one, one.client_id, fetch, clock) for one in issuers if one.client_id is not None]

    async def aclose(self) -> None:
        """Stop looking up."""
        await asyncio.gather(*(one.aclose() for one in self._addresses))

    async def found(self) -> list[SignInPage]:
        """Return the pages whose addresses are known, in the order of the settings."""
        pages = await asyncio.gather(*(one.page() for one in self._addresses))
        return [page for page in pages if page is not None]


class _Address:
    """The address of one issuer's page: configured, or looked up when it is needed."""

    def __init__(self, issuer: Issuer, client_id: str, fetch: Fetch, clock: Callable[[], float]) -> None:
        self._issuer = issuer
        self._client_id = client_id
        self._fetch = fetch
        self._clock = clock
        self._found = issuer.authorization_endpoint
        self._due: float | None = None  # when it is looked up again; None: now
        self._looking: asyncio.Task[None] | None = None

    async def aclose(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait([self._looking])

    async def page(self) -> SignInPage | None:
        if self._issuer.authorization_endpoint is None:
            await self._refresh()
        if self._found is None:
            return None
        name = self._issuer.name or urlsplit(self._issuer.issuer).netloc
        return SignInPage(self._issuer.issuer, name, self._client_id, self._found)

    async def _refresh(self) -> None:
        is_looking = self._looking is not None and not self._looking.done()
        if not is_looking and (self._due is None or self._clock() >= self._due):
            self._looking = asyncio.create_task(self._look_up(), name="sign-in-page")
        if self._found is None and self._looking is not None:
            await asyncio.shield(self._looking)  # others wait for it, too

    async def _look_up(self) -> None:
        try:
            document = await discover(self._issuer, self._fetch)
            self._found = _endpoint(self._issuer, document)
        except IssuerUnavailableError as error:
            self._due = self._clock() + RETRY_SECONDS
            log.warning("issuer.sign_in_page_unknown", issuer=self._issuer.issuer, error=str(error))
        else:
            self._due = self._clock() + KEEP_SECONDS


def _endpoint(issuer: Issuer, document: dict[str, object]) -> str:
    """Return the address that a discovery document names. Raises IssuerUnavailableError if it is of no use."""
    found, kinds = document.get("authorization_endpoint"), document.get("response_types_supported")
    if isinstance(kinds, list) and _RESPONSE_TYPE not in kinds:
        raise IssuerUnavailableError(f"it does not offer response_type={_RESPONSE_TYPE}")
    try:
        parts = urlsplit(found) if isinstance(found, str) else None
    except ValueError:
        parts = None
    # A page sends the browser there, so no other scheme may come through.
    if (
        parts is None
        or not parts.netloc
        or parts.fragment
        or parts.scheme not in ("https", urlsplit(issuer.issuer).scheme)
    ):
        raise IssuerUnavailableError("the discovery document has no authorization_endpoint")
    return parts.geturl()
